//! Texts flow in; matches flow out. Rules, assignments and key pairs are found in the text as it stands, then in what
//! its JSON and base64 hold.

use std::fmt;

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::access_key::{AccessKeyId, hex};
use crate::assignment::{Assignments, is_aws_secret_shape};
use crate::encoded;
use crate::kind::SecretKind;
use crate::name::{self, Promise};
use crate::rule::Rules;
use crate::value;

/// Bytes of a text that are read: far more than AWS takes anywhere.
const MAX_TEXT: usize = 4 << 20;
/// Matches that are kept of one text.
const MAX_MATCHES: usize = 1000;
/// Layers of JSON and base64 that are opened.
const MAX_DEPTH: usize = 3;
/// How far from its id a secret access key is looked for.
const KEY_PAIR_DISTANCE: usize = 200;
/// Longest private key that is measured.
const MAX_PRIVATE_KEY: usize = 16 << 10;

/// A secret in a text: what it looks like and where it stands, never the secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    /// What it looks like.
    pub kind: SecretKind,
    /// The line it begins on, from 1. What stands in base64 or JSON has the line of its container.
    pub line: usize,
    /// How many characters it has.
    pub len: usize,
    /// The first 16 hexadecimal digits of its HMAC-SHA256, if the detector has a key.
    pub fingerprint: Option<String>,
}

/// Finds secrets in texts. Build one and share it: building compiles every pattern.
pub struct Detector {
    rules: Rules,
    assignments: Assignments,
    fingerprint: Option<Hmac<Sha256>>,
}

/// A match that still holds its value; it does not leave this module.
struct Found {
    kind: SecretKind,
    start: usize,
    end: usize,
    value: String,
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector").field("fingerprints", &self.fingerprint.is_some()).finish_non_exhaustive()
    }
}

impl Detector {
    /// Compiles the rules. With a key, matches carry a fingerprint by which equal values are recognised.
    pub fn new(fingerprint_key: Option<&[u8]>) -> Self {
        Self {
            rules: Rules::new(),
            assignments: Assignments::new(),
            // HMAC takes keys of any length.
            fingerprint: fingerprint_key.and_then(|key| Hmac::new_from_slice(key).ok()),
        }
    }

    /// Judges one named value, such as an environment variable, a label or an option. The name is context: under
    /// `DB_PASSWORD` any value that is not plainly something else is a secret.
    ///
    /// An access key id is reported only when nothing worse is there.
    pub fn named_value(&self, name: &str, value: &str) -> Option<Match> {
        let found = self.named(name, bounded(value), 0);
        let worst = found.iter().find(|f| !f.kind.is_identifier()).or(found.first())?;
        let line = lines(value, std::slice::from_ref(worst)).next().map_or(1, |(_, line)| line);
        Some(self.to_match(worst, line))
    }

    /// Judges a text without a name, such as a command line or a script. In the order of the text.
    pub fn text(&self, text: &str) -> Vec<Match> {
        let text = bounded(text);
        let found = self.scan(text, 0);
        lines(text, &found).map(|(found, line)| self.to_match(found, line)).collect()
    }

    /// The AWS access key ids that a text holds, in JSON and base64 too.
    pub fn access_key_ids(&self, text: &str) -> Vec<AccessKeyId> {
        let text = bounded(text);
        let found = self.scan(text, 0);
        let ids = lines(text, &found).filter(|(f, _)| f.kind == SecretKind::AWS_ACCESS_KEY_ID);
        ids.map(|(f, line)| AccessKeyId::new(&f.value, line)).collect()
    }

    fn named(&self, name: &str, value: &str, depth: usize) -> Vec<Found> {
        let mut found = self.scan(value, depth);
        for one in &mut found {
            if one.kind == SecretKind::NAMED_SECRET {
                one.kind = name::kind_of(name, &one.value);
            }
        }
        if found.iter().any(|f| !f.kind.is_identifier()) {
            return found;
        }
        let trimmed = value.trim();
        if let Some(kind) = named_kind(name, trimmed) {
            found.push(Found { kind, start: 0, end: value.len(), value: trimmed.to_owned() });
        }
        found
    }

    fn scan(&self, text: &str, depth: usize) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        private_keys(text, |kind, start, end| add(&mut found, text, kind, start, end));
        self.rules.find(text, |kind, start, end| add(&mut found, text, kind, start, end));
        secret_access_keys(text, &mut found);
        self.assignments.find(text, |a| add(&mut found, text, a.kind, a.start, a.end));
        if depth < MAX_DEPTH {
            for (start, end, decoded) in encoded::texts(text) {
                if found.len() >= MAX_MATCHES {
                    break;
                }
                let clear = !found.iter().any(|f| f.start < end && start < f.end && f.kind != SecretKind::NAMED_SECRET);
                if clear {
                    adopt(&mut found, self.scan(&decoded, depth + 1), start, end);
                }
            }
            if text.trim_start().starts_with(['{', '['])
                && let Ok(json) = serde_json::from_str::<Value>(text)
            {
                let mut inner = Vec::new();
                self.json("", &json, depth + 1, &mut inner);
                // The text as it stands has told most of it already, only escaped otherwise.
                let known: Vec<SecretKind> = found.iter().map(|f| f.kind).collect();
                let key = known.contains(&SecretKind::GCP_SERVICE_ACCOUNT);
                inner.retain(|f| !(known.contains(&f.kind) || (key && f.kind == SecretKind::PRIVATE_KEY)));
                adopt(&mut found, inner, 0, text.len());
            }
        }
        found.sort_by_key(|f| (f.start, f.end));
        found
    }

    /// Looks into the strings of a JSON value. serde_json bounds how deep it nests.
    fn json(&self, name: &str, json: &Value, depth: usize, found: &mut Vec<Found>) {
        if found.len() >= MAX_MATCHES {
            return;
        }
        match json {
            Value::String(text) => found.extend(self.named(name, text, depth)),
            Value::Array(items) => {
                // A command in exec form: an option and its value are neighbours.
                let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                if words.len() > 1 && words.iter().any(|word| word.starts_with('-')) {
                    found.extend(self.scan(&words.join(" "), depth));
                }
                for item in items {
                    self.json(name, item, depth, found);
                }
            }
            Value::Object(fields) => {
                let field =
                    |wanted: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(wanted)).and_then(|(_, value)| value.as_str());
                // A list of `{"name": …, "value": …}`.
                let pair = field("name").or_else(|| field("key"));
                for (key, value) in fields {
                    let name = if key.eq_ignore_ascii_case("value") { pair.unwrap_or(key) } else { key };
                    self.json(name, value, depth, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn to_match(&self, found: &Found, line: usize) -> Match {
        let fingerprint = self.fingerprint.as_ref().map(|mac| {
            let digest = mac.clone().chain_update(found.value.as_bytes()).finalize().into_bytes();
            hex(digest.get(..8).unwrap_or_default())
        });
        Match { kind: found.kind, line, len: found.value.chars().count(), fingerprint }
    }
}

/// What a value is by its name, when its form says nothing.
fn named_kind(name: &str, value: &str) -> Option<SecretKind> {
    let promise = name::promise(name);
    let promised = match promise {
        Promise::None => false,
        // A text in base64 is a text, not a key.
        Promise::Weak => value::is_random(value) && encoded::texts(value).is_empty(),
        Promise::Strong => true,
    };
    // JSON was looked into; that it holds no secret is the answer.
    let object = value.starts_with(['{', '[']) && serde_json::from_str::<Value>(value).is_ok();
    let thing = value::is_uuid(value) && !name::takes_uuid(name);
    if !promised || object || thing || value::is_benign(value) || is_example(value) {
        return None;
    }
    if name::is_aws_secret(name) && is_aws_secret_shape(value) {
        return Some(SecretKind::AWS_SECRET_ACCESS_KEY);
    }
    Some(name::kind_of(name, value))
}

/// An access key id is found as such; AWS's documented one is nobody's.
fn is_example(value: &str) -> bool {
    value.len() == 20 && ["AKIA", "ASIA"].iter().any(|prefix| value.starts_with(prefix))
}

/// Keeps a match unless a more telling one stands there. Answers whether there is room for more.
fn add(found: &mut Vec<Found>, text: &str, kind: SecretKind, start: usize, end: usize) -> bool {
    let taken = found.iter().any(|f| f.start < end && start < f.end);
    if let Some(value) = text.get(start..end).filter(|_| !taken) {
        found.push(Found { kind, start, end, value: value.to_owned() });
    }
    found.len() < MAX_MATCHES
}

/// Takes matches out of a container at the container's place, but none twice.
fn adopt(found: &mut Vec<Found>, inner: Vec<Found>, start: usize, end: usize) {
    for one in inner {
        // An outer named value that decodes to something better known gives way to it.
        found.retain(|f| !(f.kind == SecretKind::NAMED_SECRET && f.start == start && f.end == end));
        if found.len() < MAX_MATCHES && !found.iter().any(|f| f.value == one.value) {
            found.push(Found { start, end, ..one });
        }
    }
}

/// Private keys: a PEM header with key material behind it, real or escaped line breaks between.
fn private_keys(text: &str, mut found: impl FnMut(SecretKind, usize, usize) -> bool) {
    const MARK: &str = "PRIVATE KEY";
    let service_account = text.contains("service_account") && text.contains("private_key");
    let mut after = 0;
    for (at, _) in text.match_indices(MARK) {
        if at < after {
            continue;
        }
        let window = text.floor_char_boundary(at.saturating_sub(32));
        let header = text.get(window..at).and_then(|head| head.rfind("-----BEGIN ")).map(|offset| window + offset);
        let Some(start) = header else { continue };
        let limit = text.floor_char_boundary((at + MAX_PRIVATE_KEY).min(text.len()));
        let body = text.get(at + MARK.len()..limit).unwrap_or_default();
        let material = body.trim_start_matches(" BLOCK").trim_start_matches('-');
        let skipped = body.len() - material.len();
        let material = material.split("-----").next().unwrap_or_default();
        let length = skipped + material.len();
        // A script that only looks for the header holds no key.
        let run = material.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))).map(str::len).max();
        if run.is_some_and(|longest| longest >= 40) {
            let kind = if service_account { SecretKind::GCP_SERVICE_ACCOUNT } else { SecretKind::PRIVATE_KEY };
            after = at + MARK.len() + length;
            if !found(kind, start, after) {
                return;
            }
        }
    }
}

/// Secret access keys near an access key id or on a line that names one.
fn secret_access_keys(text: &str, found: &mut Vec<Found>) {
    let mut ids: Vec<usize> = found.iter().filter(|f| f.kind == SecretKind::AWS_ACCESS_KEY_ID).map(|f| f.start).collect();
    ids.sort_unstable();
    if ids.is_empty() {
        return;
    }
    let mut position = 0;
    for run in text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))) {
        let start = position;
        let end = start + run.len();
        position = end + text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        let padded = text.get(end..).is_some_and(|rest| rest.starts_with('='));
        let from = ids.partition_point(|id| id + KEY_PAIR_DISTANCE < start);
        let near = ids.get(from).is_some_and(|id| *id < end + KEY_PAIR_DISTANCE);
        let room = !padded && near && is_aws_secret_shape(run);
        if room && !add(found, text, SecretKind::AWS_SECRET_ACCESS_KEY, start, end) {
            return;
        }
    }
}

fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text)
}

/// Matches in the order of the text, with their lines; it counts each line once.
fn lines<'f>(text: &'f str, found: &'f [Found]) -> impl Iterator<Item = (&'f Found, usize)> {
    let mut position = 0;
    let mut line = 1;
    found.iter().map(move |one| {
        let passed = text.as_bytes().get(position..one.start).unwrap_or_default();
        line += passed.split(|b| *b == b'\n').skip(1).count();
        position = position.max(one.start);
        (one, line)
    })
}
