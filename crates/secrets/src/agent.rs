//! The text of a user-data script flows in; the settings of the ECS agent that it writes flow out.
//!
//! Reads shell (`echo X=Y >> /etc/ecs/ecs.config`, here-documents, drop-ins), cloud-config, Bottlerocket's TOML and
//! Windows' `Initialize-ECSAgent`. It does not run the script: a condition counts as taken, and the last write wins, as
//! it does in an environment file.

use std::collections::{BTreeMap, BTreeSet};

/// The proxy that a host is told to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its host and port.
    pub host: String,
    /// Whether its URL holds a user or a password.
    pub credentials: bool,
}

/// Settings with true or false.
const SWITCHES: &[&str] = &[
    "ECS_ALLOW_OFFHOST_INTROSPECTION_ACCESS",
    "ECS_APPARMOR_CAPABLE",
    "ECS_AWSVPC_BLOCK_IMDS",
    "ECS_DISABLE_IMAGE_CLEANUP",
    "ECS_DISABLE_METRICS",
    "ECS_DISABLE_PRIVILEGED",
    "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE",
    "ECS_ENABLE_CONTAINER_METADATA",
    "ECS_ENABLE_SPOT_INSTANCE_DRAINING",
    "ECS_ENABLE_TASK_ENI",
    "ECS_ENABLE_TASK_IAM_ROLE",
    "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST",
    "ECS_OFFHOST_INTROSPECTION_ACCESS_ENABLED",
    "ECS_SELINUX_CAPABLE",
    "ECS_SKIP_LOCALHOST_TRAFFIC_FILTER",
    "ECS_UPDATES_ENABLED",
];

/// Settings with a word, or a list of words.
const WORDS: &[&str] = &[
    "ECS_AVAILABLE_LOGGING_DRIVERS",
    "ECS_CLUSTER",
    "ECS_CONTAINER_INSTANCE_PROPAGATE_TAGS_FROM",
    "ECS_ENGINE_AUTH_TYPE",
    "ECS_IMAGE_PULL_BEHAVIOR",
    "ECS_LOGLEVEL",
];

/// Bottlerocket's names for the same.
const BOTTLEROCKET: &[(&str, &str)] = &[
    ("settings.ecs.awsvpc-block-imds", "ECS_AWSVPC_BLOCK_IMDS"),
    ("settings.ecs.cluster", "ECS_CLUSTER"),
    ("settings.ecs.enable-container-metadata", "ECS_ENABLE_CONTAINER_METADATA"),
    ("settings.ecs.enable-spot-instance-draining", "ECS_ENABLE_SPOT_INSTANCE_DRAINING"),
    ("settings.ecs.image-pull-behavior", "ECS_IMAGE_PULL_BEHAVIOR"),
    ("settings.ecs.logging-drivers", "ECS_AVAILABLE_LOGGING_DRIVERS"),
    ("settings.ecs.loglevel", "ECS_LOGLEVEL"),
];

/// Commands that bring or change a file in ways that are not followed here.
const EDITORS: &str = "aws awk ansible cp curl envsubst gsutil install jq ln mv perl python python3 sed wget Copy-Item Invoke-WebRequest";

/// What a script says about the agent.
#[derive(Default)]
pub(crate) struct Agent {
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) unresolved: BTreeSet<String>,
    pub(crate) elsewhere: bool,
    pub(crate) http_proxy: Option<Proxy>,
    pub(crate) no_proxy: Vec<String>,
    pub(crate) bottlerocket: bool,
    /// A line that writes the agent's file has been seen.
    written: bool,
}

impl Agent {
    /// Reads one part. Parts come in the order in which a booting host runs them.
    pub(crate) fn read(&mut self, text: &str) {
        if text.trim_start().starts_with("#include") {
            self.elsewhere = true;
        }
        if is_bottlerocket(text) {
            self.bottlerocket = true;
            self.read_toml(text);
            return;
        }
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with('#') {
                continue;
            }
            self.note_file(line);
            // `echo -e "A=x\nB=y"`.
            for statement in line.split("\\n") {
                self.read_statement(statement);
            }
        }
        self.read_windows(text);
    }

    /// Notes whether a line replaces the agent's file, or has something else write it.
    fn note_file(&mut self, line: &str) {
        let Some(at) = line.find("ecs.config") else {
            return;
        };
        if line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|word| EDITORS.split(' ').any(|editor| editor == word)) {
            self.elsewhere = true;
        }
        let head = line.get(..at).unwrap_or_default();
        let head = head.trim_end_matches(|c: char| !c.is_whitespace() && c != '>').trim_end();
        let truncates = head.ends_with('>') && !head.ends_with(">>") || head.ends_with("tee") && !head.ends_with("-a");
        // The first redirection cannot undo what stands before it: that may be its own text, quoted over lines.
        if truncates && self.written {
            self.configuration.clear();
            self.unresolved.clear();
        }
        self.written = true;
    }

    fn read_statement(&mut self, line: &str) {
        let mut position = 0;
        while let Some((start, end)) = next_name(line, position) {
            position = end;
            let name = line.get(start..end).unwrap_or_default();
            let before = line.get(..start).unwrap_or_default();
            let used = before.ends_with('$') || before.ends_with("${");
            if used || !is_known(name) {
                continue;
            }
            if let Some(value) = line.get(end..).and_then(|rest| assigned(before, rest)) {
                self.set(name, value);
            }
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        match name.to_ascii_lowercase().as_str() {
            "http_proxy" => return self.set_proxy("HTTP_PROXY", value, true),
            "https_proxy" => return self.set_proxy("HTTPS_PROXY", value, false),
            "no_proxy" => return self.set_no_proxy(value.split(',')),
            _ => {}
        }
        self.unresolved.remove(name);
        self.configuration.remove(name);
        if value.is_empty() {
            return;
        }
        let known = if SWITCHES.contains(&name) { switch(value) } else { words(name, value) };
        if let Some(known) = known {
            self.configuration.insert(name.to_owned(), known);
        } else {
            self.unresolved.insert(name.to_owned());
        }
    }

    /// The proxy for plain HTTP is the agent's; that for HTTPS stands in when there is no other.
    fn set_proxy(&mut self, name: &str, value: &str, preferred: bool) {
        if value.is_empty() {
            return;
        }
        let authority = value.split_once("://").map_or(value, |(_, rest)| rest);
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let host = host.split('/').next().unwrap_or_default();
        if !is_host(host) {
            self.unresolved.insert(name.to_owned());
            return;
        }
        let credentials = !user.is_empty() || self.http_proxy.as_ref().is_some_and(|proxy| proxy.credentials);
        match &mut self.http_proxy {
            Some(proxy) if !preferred => proxy.credentials = credentials,
            proxy => *proxy = Some(Proxy { host: host.to_owned(), credentials }),
        }
    }

    fn set_no_proxy<'v>(&mut self, hosts: impl Iterator<Item = &'v str>) {
        for host in hosts.map(str::trim).filter(|host| !host.is_empty()) {
            if !is_host(host) {
                self.unresolved.insert("NO_PROXY".to_owned());
            } else if !self.no_proxy.iter().any(|known| known == host) {
                self.no_proxy.push(host.to_owned());
            }
        }
    }

    /// `Initialize-ECSAgent -Cluster windows -EnableTaskIAMRole -AwsvpcBlockIMDS`, over lines ended by backticks.
    fn read_windows(&mut self, text: &str) {
        const OPTIONS: &[(&str, &str)] = &[
            ("-AwsvpcBlockIMDS", "ECS_AWSVPC_BLOCK_IMDS"),
            ("-EnableTaskIAMRole", "ECS_ENABLE_TASK_IAM_ROLE"),
            ("-EnableTaskENI", "ECS_ENABLE_TASK_ENI"),
        ];
        let joined = text.replace("`\r\n", " ").replace("`\n", " ");
        let calls = joined.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        for line in calls.filter(|line| contains_ignoring_case(line, "Initialize-ECSAgent")) {
            let mut words = line.split_ascii_whitespace().peekable();
            while let Some(word) = words.next() {
                let (option, value) = word.split_once(':').unwrap_or((word, "true"));
                for (known, name) in OPTIONS {
                    if option.eq_ignore_ascii_case(known) {
                        self.set(name, value);
                    }
                }
                if word.eq_ignore_ascii_case("-Cluster")
                    && let Some(cluster) = words.peek()
                {
                    self.set("ECS_CLUSTER", cluster.trim_matches(['\'', '"']));
                }
            }
        }
    }

    fn read_toml(&mut self, text: &str) {
        for (key, value) in toml(text) {
            if let Some((_, name)) = BOTTLEROCKET.iter().find(|(setting, _)| *setting == key) {
                self.set(name, &value);
            }
            match key.as_str() {
                "settings.ecs.allow-privileged-containers" => match switch(&value).as_deref() {
                    Some("true") => self.set("ECS_DISABLE_PRIVILEGED", "false"),
                    Some("false") => self.set("ECS_DISABLE_PRIVILEGED", "true"),
                    _ => self.set("ECS_DISABLE_PRIVILEGED", &value),
                },
                "settings.network.https-proxy" => self.set_proxy("HTTPS_PROXY", &value, true),
                "settings.network.no-proxy" => self.set_no_proxy(elements(&value)),
                _ => {}
            }
        }
    }
}

fn is_known(name: &str) -> bool {
    SWITCHES.contains(&name)
        || WORDS.contains(&name)
        || ["http_proxy", "https_proxy", "no_proxy"].iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
}

fn next_name(line: &str, from: usize) -> Option<(usize, usize)> {
    let belongs = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let start = from + line.as_bytes().get(from..)?.iter().position(belongs)?;
    let length = line.as_bytes().get(start..)?.iter().take_while(|b| belongs(b)).count();
    Some((start, start + length))
}

/// The value that a name is given: `NAME=value`, `NAME: value`, `SetEnvironmentVariable("NAME", "value")`.
fn assigned<'l>(before: &str, rest: &'l str) -> Option<&'l str> {
    let rest = rest.trim_start_matches(['"', '\'', '\\']).trim_start_matches(' ');
    let call = before.contains("SetEnvironmentVariable");
    let rest = rest.strip_prefix('=').or_else(|| rest.strip_prefix(": ")).or_else(|| rest.strip_prefix(',').filter(|_| call))?;
    if rest.starts_with(['=', '~']) {
        return None;
    }
    let rest = rest.trim_start_matches([' ', '\\']);
    if rest.starts_with('[') {
        return rest.split_inclusive(']').next();
    }
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            return quoted.split([quote, '\\']).next();
        }
    }
    rest.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '\\' | ')') || (call && c == ',')).next()
}

/// As the agent parses it; `None` for what the script computes.
fn switch(value: &str) -> Option<String> {
    let word = value.trim_start_matches('$').to_ascii_lowercase();
    match word.as_str() {
        "1" | "t" | "true" => Some("true".to_owned()),
        "0" | "f" | "false" => Some("false".to_owned()),
        _ => None,
    }
}

/// A word of harmless characters, or several with commas between; `None` for anything else.
fn words(name: &str, value: &str) -> Option<String> {
    let arn = name == "ECS_CLUSTER" && value.starts_with("arn:");
    let is_word = |word: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        !word.is_empty() && word.len() <= 255 && word.bytes().all(|b| plain(b) || (arn && matches!(b, b':' | b'/')))
    };
    let list: Vec<&str> = elements(value).collect();
    (!list.is_empty() && list.iter().all(|word| is_word(word))).then(|| list.join(","))
}

/// The elements of `["a","b"]`, quotes escaped or not; or the one value there is.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    let list = value.trim().trim_start_matches('[').trim_end_matches(']');
    list.split(',').map(|word| word.trim().trim_matches(['"', '\'', '\\'])).filter(|word| !word.is_empty())
}

/// A host, an address, a block of addresses or the path of a socket; perhaps with a port.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'/' | b'*' | b'[' | b']'))
}

fn contains_ignoring_case(line: &str, word: &str) -> bool {
    line.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

/// Bottlerocket takes TOML with one table, `settings`, and nothing else.
fn is_bottlerocket(text: &str) -> bool {
    let script = text.trim_start().starts_with("#!") || text.trim_start().starts_with("#cloud-");
    !script
        && text
            .lines()
            .map(str::trim)
            .any(|line| line.starts_with("[settings.") || line == "[settings]" || (line.starts_with("settings.") && line.contains('=')))
}

/// The few forms of TOML that settings come in: tables, dotted keys, strings, booleans, and arrays over lines.
fn toml(text: &str) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut table = String::new();
    let mut lines = text.lines().map(uncommented);
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix('[').filter(|_| !line.contains('=')) {
            table = key(name.trim_end_matches(']').trim_start_matches('['));
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let mut value = value.trim().to_owned();
        while value.starts_with('[') && !value.contains(']') {
            let Some(more) = lines.next() else { break };
            value.push_str(more);
        }
        let name = if table.is_empty() { key(name) } else { format!("{table}.{}", key(name)) };
        let plain = if value.starts_with('[') { value.as_str() } else { value.trim_matches(['"', '\'']) };
        settings.push((name, plain.to_owned()));
    }
    settings
}

fn key(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').map(|part| part.trim().trim_matches(['"', '\''])).collect();
    parts.join(".")
}

fn uncommented(line: &str) -> &str {
    let mut quote = None;
    let comment = line.char_indices().find(|(_, c)| {
        match (*c, quote) {
            ('"' | '\'', None) => quote = Some(*c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        *c == '#' && quote.is_none()
    });
    let end = comment.map_or(line.len(), |(at, _)| at);
    line.get(..end).unwrap_or(line).trim()
}
