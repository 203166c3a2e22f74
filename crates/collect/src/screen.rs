//! Texts in which people leave secrets flow in: environment variables, commands, labels, options, tags. Verdicts of the
//! secret detector flow out, never the texts.

use std::collections::{BTreeMap, HashMap};

use plimsoll_model::aws::Tag;
use plimsoll_model::aws::ecs::{AccessKeyReference, Screened, Words};
use plimsoll_secrets::{AccessKeyId, Detector, Match, SecretKind};

/// Length of an access key id: a shorter text holds none, not even encoded.
const ACCESS_KEY_ID: usize = 20;
/// Length of a secret access key.
const SECRET_ACCESS_KEY: usize = 40;
/// Log options with a harmless vocabulary: their values say where logs go and whether they can block.
const HARMLESS_OPTIONS: &[&str] = &[
    "Name",
    "auto_create_group",
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-group",
    "awslogs-multiline-pattern",
    "awslogs-region",
    "awslogs-stream-prefix",
    "log_group_name",
    "max-buffer-size",
    "max-file",
    "max-size",
    "mode",
    "region",
    "tag",
];
/// Shells that take a script after `-c`.
const SHELLS: &[&str] = &["ash", "bash", "busybox", "dash", "ksh", "sh", "zsh"];

/// Judges texts one after the other and keeps the verdicts on those that hold secrets.
pub(crate) struct Screen<'d> {
    detector: &'d Detector,
    found: Vec<Screened>,
}

impl<'d> Screen<'d> {
    pub(crate) fn new(detector: &'d Detector) -> Self {
        Self { detector, found: Vec::new() }
    }

    /// What was found, in the order of judging.
    pub(crate) fn found(self) -> Vec<Screened> {
        self.found
    }

    /// Judges a text of which nothing but its place is known.
    pub(crate) fn text(&mut self, path: &str, text: &str) {
        let matches = self.detector.text(text);
        self.keep(path, text, matches);
    }

    /// Judges a value with a name that says something. Answers whether it is harmless.
    pub(crate) fn named(&mut self, path: &str, name: &str, value: &str) -> bool {
        let verdict = named(self.detector, name, value);
        let harmless = verdict.looks_like.is_none();
        if !harmless {
            self.found.push(Screened { name: path.to_owned(), ..verdict });
        }
        harmless
    }

    /// Judges each value of a map under its key.
    pub(crate) fn map(&mut self, path: &str, values: Option<HashMap<String, String>>) {
        for (name, value) in sorted(values) {
            self.named(&format!("{path}.{name}"), &name, &value);
        }
    }

    /// Judges log options; the harmless ones among those with a fixed vocabulary come back.
    pub(crate) fn options(&mut self, path: &str, values: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
        let mut options = sorted(values);
        options.retain(|name, value| self.named(&format!("{path}.{name}"), name, value) && HARMLESS_OPTIONS.contains(&name.as_str()));
        options
    }

    /// Judges a command line: each word, then the words together, for an option and its value are neighbours.
    pub(crate) fn words(&mut self, path: &str, words: &[String]) {
        let mut known = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let mut matches = self.detector.text(word);
            if matches.iter().all(|found| found.kind.is_identifier())
                && let Some((name, value)) = assignment(word)
                && let Some(found) = self.detector.named_value(name, value).filter(|found| !found.kind.is_identifier())
            {
                matches.push(found);
            }
            known.extend(matches.iter().map(|found| (found.len, found.fingerprint.clone())));
            self.keep(&format!("{path}[{index}]"), word, matches);
        }
        if words.len() > 1 {
            let line = words.join(" ");
            let mut matches = self.detector.text(&line);
            // The same secret may go by another kind here: what counts is what stands in no word alone.
            matches.retain(|found| {
                let same = known.iter().position(|(len, print)| (*len, print) == (found.len, &found.fingerprint));
                same.map(|position| known.swap_remove(position)).is_none()
            });
            self.keep(path, &line, matches);
        }
    }

    /// Judges a line of a script or a build file: its words, then the whole.
    pub(crate) fn line(&mut self, path: &str, line: &str) {
        let words: Vec<String> = line.split_ascii_whitespace().map(ToOwned::to_owned).collect();
        self.words(path, &words);
    }

    fn keep(&mut self, path: &str, text: &str, matches: Vec<Match>) {
        let mut ids = access_keys(self.detector, text).into_iter();
        for found in matches {
            // The ids come in the order of the matches that say there is one.
            let access_keys = if found.kind == SecretKind::AWS_ACCESS_KEY_ID { ids.next().into_iter().collect() } else { Vec::new() };
            self.found.push(verdict(path, Some(found), access_keys));
        }
    }
}

/// Judges every environment variable; harmless ones keep their name.
pub(crate) fn environment(detector: &Detector, variables: &[(String, String)]) -> Vec<Screened> {
    let mut verdicts: Vec<Screened> = variables.iter().map(|(name, value)| named(detector, name, value)).collect();
    // A secret access key has no form of its own: beside its id it is known under any name.
    let ids: Vec<&str> = verdicts
        .iter()
        .zip(variables)
        .filter(|(verdict, _)| verdict.looks_like.as_deref() == Some(SecretKind::AWS_ACCESS_KEY_ID.as_str()))
        .map(|(_, (_, value))| value.as_str())
        .collect();
    for (verdict, (_, value)) in verdicts.iter_mut().zip(variables) {
        if verdict.looks_like.is_some() || value.trim().len() != SECRET_ACCESS_KEY {
            continue;
        }
        let secret = ids.iter().find_map(|id| {
            let matches = detector.text(&format!("{id} {value}"));
            matches.into_iter().find(|found| found.kind == SecretKind::AWS_SECRET_ACCESS_KEY)
        });
        if let Some(found) = secret {
            *verdict = self::verdict(&verdict.name, Some(found), Vec::new());
        }
    }
    verdicts
}

/// The shape of a command line: how many words, and the program when its name is plain.
pub(crate) fn shape(detector: &Detector, entry_point: &[String], words: &[String]) -> Words {
    Words { count: words.len(), program: program(detector, entry_point, words) }
}

/// A tag's value, or in its place what it looks like.
pub(crate) fn tag_value(detector: &Detector, key: &str, value: String) -> String {
    match detector.named_value(key, &value) {
        Some(found) => format!("[secret: {}]", found.kind),
        None => value,
    }
}

/// Puts in place of secret values of tags what they look like.
pub(crate) fn tags(detector: &Detector, tags: &mut [Tag]) {
    for tag in tags {
        tag.value = tag_value(detector, &tag.key, std::mem::take(&mut tag.value));
    }
}

/// The verdict on a match in a text that is named by its place.
pub(crate) fn verdict(name: &str, found: Option<Match>, access_keys: Vec<AccessKeyReference>) -> Screened {
    let mut screened = Screened { name: name.to_owned(), access_keys, ..Screened::default() };
    if let Some(found) = found {
        screened.looks_like = Some(found.kind.as_str().to_owned());
        screened.length = Some(found.len);
        screened.fingerprint = found.fingerprint;
    }
    screened
}

fn named(detector: &Detector, name: &str, value: &str) -> Screened {
    verdict(name, detector.named_value(name, value), access_keys(detector, value))
}

fn access_keys(detector: &Detector, text: &str) -> Vec<AccessKeyReference> {
    if text.len() < ACCESS_KEY_ID {
        return Vec::new();
    }
    // A temporary id (ASIA) is in no list of keys, and is worthless within hours.
    detector.access_key_ids(text).into_iter().filter(|id| !id.temporary).map(reference).collect()
}

fn reference(id: AccessKeyId) -> AccessKeyReference {
    AccessKeyReference { account_id: id.account, last_four: id.last_four, digest: id.sha256 }
}

/// The map in the order of its keys: verdicts must not depend on hashing.
fn sorted(values: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    values.into_iter().flatten().collect()
}

/// `NAME=value` and `--name=value`.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let name = name.trim_start_matches('-');
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    plain.then_some((name, value))
}

fn program(detector: &Detector, entry_point: &[String], words: &[String]) -> Option<String> {
    let first = words.first()?;
    // With an entry point of `sh -c` the command is a script.
    if entry_point.last().is_some_and(|word| word == "-c") && entry_point.first().is_some_and(|word| is_shell(word)) {
        return script_program(detector, first);
    }
    let script = words.iter().skip(1).find(|word| !word.starts_with('-'));
    let takes_script = words.iter().skip(1).take_while(|word| word.starts_with('-')).any(|word| word.ends_with('c'));
    if is_shell(first)
        && takes_script
        && let Some(program) = script.and_then(|script| script_program(detector, script))
    {
        return Some(program);
    }
    plain_program(detector, first)
}

fn script_program(detector: &Detector, script: &str) -> Option<String> {
    let word = script.split_ascii_whitespace().find(|word| *word != "exec")?;
    plain_program(detector, word)
}

fn is_shell(word: &str) -> bool {
    SHELLS.contains(&last_segment(word))
}

fn last_segment(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The name of a program, when it cannot be anything else: the first word of a command may be an argument of the
/// image's entry point.
fn plain_program(detector: &Detector, word: &str) -> Option<String> {
    let name = last_segment(word);
    let plain =
        !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-'));
    // Programs are not called Tr0ub4dor; passwords are.
    let mixed = name.bytes().any(|b| b.is_ascii_uppercase()) && name.bytes().any(|b| b.is_ascii_digit());
    (plain && !mixed && detector.text(word).is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Screen, environment, shape, tag_value};
    use plimsoll_secrets::Detector;
    use std::collections::HashMap;

    // Put together here so that no scanner takes this file for a leak.
    const KEY_ID: &str = concat!("AKIA", "QNZGKIQY56JQ7WML");
    const SECRET_KEY: &str = concat!("wJ4rXUtnFEMI/K7MDENG+b", "PxRfiCYzR8qLmT2vN3");

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn found(screen: Screen<'_>) -> Vec<(String, String)> {
        screen.found().into_iter().map(|one| (one.name, one.looks_like.unwrap())).collect()
    }

    #[test]
    fn harmless_variables_keep_their_name_and_nothing_else() {
        let detector = Detector::new(None);
        let verdicts = environment(&detector, &variables(&[("STAGE", "prod"), ("DB_PASSWORD", "Tr0ub4dor&3")]));
        assert_eq!(verdicts[0].name, "STAGE");
        assert_eq!(verdicts[0].looks_like, None);
        assert_eq!(verdicts[1].looks_like.as_deref(), Some("named-secret"));
        assert_eq!(verdicts[1].length, Some(11));
        assert!(!format!("{verdicts:?}").contains("Tr0ub4dor"));
    }

    #[test]
    fn a_key_pair_gives_both_verdicts() {
        let detector = Detector::new(Some(b"key"));
        for name in ["AWS_SECRET_ACCESS_KEY", "OTHER"] {
            let verdicts = environment(&detector, &variables(&[(name, SECRET_KEY), ("AWS_ACCESS_KEY_ID", KEY_ID)]));
            assert_eq!(verdicts[0].looks_like.as_deref(), Some("aws-secret-access-key"), "{name}");
            assert!(verdicts[0].fingerprint.is_some());
            assert_eq!(verdicts[1].looks_like.as_deref(), Some("aws-access-key-id"));
            assert_eq!(verdicts[1].access_keys[0].last_four, "7WML");
            assert_eq!(verdicts[1].access_keys[0].account_id.as_deref(), Some("029608264753"));
            let text = serde_json::to_string(&verdicts).unwrap();
            assert!(!text.contains(KEY_ID) && !text.contains(SECRET_KEY));
        }
    }

    #[test]
    fn one_variable_with_a_pair_tells_the_secret_and_the_id() {
        let detector = Detector::new(None);
        let verdicts = environment(&detector, &variables(&[("CREDENTIALS", &format!("{KEY_ID}:{SECRET_KEY}"))]));
        assert_eq!(verdicts[0].looks_like.as_deref(), Some("aws-secret-access-key"));
        assert_eq!(verdicts[0].access_keys.len(), 1);
    }

    #[test]
    fn words_are_judged_alone_and_together() {
        let detector = Detector::new(None);
        let mut screen = Screen::new(&detector);
        screen.words("command", &words(&["app", "DB_PASSWORD=Tr0ub4dor&3", "--verbose"]));
        assert_eq!(found(screen), [("command[1]".to_owned(), "named-secret".to_owned())]);

        let mut screen = Screen::new(&detector);
        screen.words("command", &words(&["mysql", "--password", "Tr0ub4dor&3"]));
        assert_eq!(found(screen), [("command".to_owned(), "password-in-command".to_owned())]);

        let mut screen = Screen::new(&detector);
        screen.words("command", &words(&["sh", "-c", concat!("psql postgres://app:", "s3cr3tPw@db/x")]));
        assert_eq!(found(screen), [("command[2]".to_owned(), "password-in-url".to_owned())]);
    }

    #[test]
    fn options_keep_only_harmless_values_of_known_names() {
        let detector = Detector::new(None);
        let mut screen = Screen::new(&detector);
        let given = HashMap::from([
            ("awslogs-group".to_owned(), "/ecs/web".to_owned()),
            ("mode".to_owned(), "non-blocking".to_owned()),
            ("splunk-token".to_owned(), "B5A79AAD-D822-46CC-80D1-819F80D7BFB0".to_owned()),
            ("splunk-url".to_owned(), "https://splunk.example.org".to_owned()),
            ("tag".to_owned(), concat!("https://u:", "s3cr3tPw@db/x").to_owned()),
        ]);
        let kept = screen.options("logConfiguration.options", Some(given));
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["awslogs-group", "mode"]);
        let names: Vec<String> = found(screen).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"logConfiguration.options.tag".to_owned()), "{names:?}");
    }

    #[test]
    fn the_program_is_told_only_when_it_is_plain() {
        let detector = Detector::new(None);
        let program = |entry: &[&str], command: &[&str]| shape(&detector, &words(entry), &words(command)).program;
        assert_eq!(program(&[], &["/usr/sbin/sshd", "-D"]).as_deref(), Some("sshd"));
        assert_eq!(program(&[], &["sh", "-c", "supervisord -n"]).as_deref(), Some("supervisord"));
        assert_eq!(program(&[], &["/bin/bash", "-ec", "exec /opt/app/run --x"]).as_deref(), Some("run"));
        assert_eq!(program(&["sh", "-c"], &["nginx -g daemon"]).as_deref(), Some("nginx"));
        assert_eq!(program(&[], &["sh", "-c", "A=$B; app"]).as_deref(), Some("sh"));
        assert_eq!(program(&[], &["nginx -g daemon"]), None);
        assert_eq!(program(&[], &["Tr0ub4dor"]), None);
        assert_eq!(program(&[], &[KEY_ID]), None);
        assert_eq!(program(&[], &[]), None);
    }

    #[test]
    fn a_secret_in_a_tag_is_replaced() {
        let detector = Detector::new(None);
        assert_eq!(tag_value(&detector, "team", "payments".to_owned()), "payments");
        assert_eq!(tag_value(&detector, "db-password", "Tr0ub4dor&3".to_owned()), "[secret: named-secret]");
        assert_eq!(tag_value(&detector, "x", KEY_ID.to_owned()), "[secret: aws-access-key-id]");
    }
}
