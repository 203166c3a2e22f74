//! The text of a user-data script flows in; whether it keeps bridged containers from the instance metadata flows out.
//!
//! Reads rules of iptables as commands, as arrays of cloud-config and as lines of a file for `iptables-restore`. Only the
//! chains that forwarded packets pass count, and only rules that hold for every container.

/// Where the instance metadata service answers.
const METADATA: [&str; 2] = ["169.254.169.254", "169.254.169.254/32"];
/// Chains that the packets of bridged containers pass.
const CHAINS: [&str; 2] = ["DOCKER-USER", "FORWARD"];
/// Options with a word behind them that leave a rule as wide as it is.
const HARMLESS: [&str; 8] = ["-m", "--match", "-t", "--table", "-w", "--wait", "--comment", "--reject-with"];

/// Whether a script drops what containers on a bridge send to the metadata service. The last rule that is added or
/// deleted wins.
pub(crate) fn blocks_metadata(text: &str) -> bool {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| line.split([';', '&', '|'])).filter_map(rule).next_back().unwrap_or(false)
}

/// Whether a command adds (or deletes) a rule that drops everything from bridges to the metadata service.
fn rule(command: &str) -> Option<bool> {
    if !command.contains(METADATA[0]) {
        return None;
    }
    let words = command.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '"' | '\''));
    let mut words = words.filter(|word| !word.is_empty());
    let (mut added, mut chain, mut drops, mut metadata) = (None, false, false, false);
    while let Some(word) = words.next() {
        match word {
            "-A" | "--append" | "-I" | "--insert" | "-D" | "--delete" => {
                added = Some(!matches!(word, "-D" | "--delete"));
                chain = words.next().is_some_and(|name| CHAINS.contains(&name));
            }
            "-d" | "--dst" | "--destination" => metadata = words.next().is_some_and(|address| METADATA.contains(&address)),
            "-j" | "--jump" => drops = words.next().is_some_and(|target| matches!(target, "DROP" | "REJECT")),
            // These may narrow it to all that matters.
            "-i" | "--in-interface" | "-p" | "--protocol" | "--dport" | "--destination-port" => {
                let as_wide = match (word, words.next()?) {
                    ("-i" | "--in-interface", interface) => is_bridge(interface),
                    ("-p" | "--protocol", protocol) => matches!(protocol, "tcp" | "all"),
                    (_, port) => port == "80",
                };
                if !as_wide {
                    return None;
                }
            }
            // Whatever else narrows the rule leaves somebody through: a source, a state, a negation.
            word if added.is_some() && HARMLESS.contains(&word) => drop(words.next()),
            word if added.is_some() && (word.starts_with('-') || word == "!") => return None,
            _ => {}
        }
    }
    added.filter(|_| chain && drops && metadata)
}

/// Whether the interface is one of Docker's bridges, all of them or the default one.
fn is_bridge(interface: &str) -> bool {
    matches!(interface, "docker+" | "docker0" | "br-+")
}

#[cfg(test)]
mod tests {
    use super::blocks_metadata;

    #[test]
    fn a_dropped_destination_in_a_forwarding_chain_blocks() {
        for script in [
            "#!/bin/bash\nsudo iptables --insert DOCKER-USER 1 --in-interface docker+ --destination 169.254.169.254/32 --jump DROP\n",
            "iptables -I FORWARD -d 169.254.169.254 -p tcp -m tcp --dport 80 -j REJECT && service iptables save",
            "cat <<E > /etc/sysconfig/iptables\n*filter\n:DOCKER-USER - [0:0]\n-A DOCKER-USER -d 169.254.169.254/32 -j DROP\nCOMMIT\nE\n",
            "#cloud-config\nbootcmd:\n  - [iptables, -I, DOCKER-USER, -d, \"169.254.169.254\", -j, DROP]\n",
            "iptables -I DOCKER-USER \\\n  -d 169.254.169.254 \\\n  -j DROP",
        ] {
            assert!(blocks_metadata(script), "{script}");
        }
    }

    #[test]
    fn other_rules_do_not() {
        for script in [
            "",
            "# iptables -I DOCKER-USER -d 169.254.169.254 -j DROP",
            "iptables -I INPUT -d 169.254.169.254 -j DROP",
            "iptables -I DOCKER-USER -d 169.254.169.254 -j ACCEPT",
            "iptables -I DOCKER-USER -d 169.254.170.2 -j DROP",
            "iptables -I DOCKER-USER -s 172.17.0.9 -d 169.254.169.254 -j DROP",
            "iptables -I DOCKER-USER ! -i docker0 -d 169.254.169.254 -j DROP",
            "iptables -I DOCKER-USER -i eth0 -d 169.254.169.254 -j DROP",
            "iptables -I DOCKER-USER ! -d 169.254.169.254 -j DROP",
            "curl http://169.254.169.254/latest/meta-data/",
            "iptables -I DOCKER-USER -d 169.254.169.254 -j DROP\niptables -D DOCKER-USER -d 169.254.169.254 -j DROP",
        ] {
            assert!(!blocks_metadata(script), "{script}");
        }
    }
}
