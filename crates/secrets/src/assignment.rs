//! A text flows in; the values that it assigns to telling names flow out.
//!
//! Understands `NAME=value`, `"name": "value"`, `name: value`, `name => value`, `--name value`, `-Dname=value` and
//! `SetEnvironmentVariable("NAME", "value")`, with quotes escaped or not.

use regex::Regex;

use crate::encoded;
use crate::kind::SecretKind;
use crate::name::{self, MAX_NAME, Promise};
use crate::value;

/// Longest value that is read.
const MAX_VALUE: usize = 2 << 10;
/// How far back the beginning of a line is looked for.
const MAX_LINE_START: usize = 512;

/// A value under a telling name.
pub(crate) struct Assignment {
    pub(crate) kind: SecretKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Finds assignments.
pub(crate) struct Assignments {
    hint: Option<Regex>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Equals,
    Colon,
    Comma,
    Space,
}

/// What stands around a name.
struct Context<'t> {
    /// The name without leading hyphens.
    name: &'t str,
    option: bool,
    /// The name is quoted on both sides, as in JSON.
    quoted: bool,
    /// The quote that opened before the name and is still open behind it.
    inside: Option<char>,
    /// The text of the line before the name.
    before: &'t str,
}

impl Assignments {
    pub(crate) fn new() -> Self {
        Self { hint: Regex::new(r"(?i)pass|pwd|pw|secret|token|cred|key|auth|pat").ok() }
    }

    /// Calls `found` with every assignment of a secret, until it answers false.
    pub(crate) fn find(&self, text: &str, mut found: impl FnMut(Assignment) -> bool) {
        let mut done = 0;
        for hint in self.hint.iter().flat_map(|regex| regex.find_iter(text)) {
            if hint.start() < done {
                continue;
            }
            let (start, end) = name_around(text, hint.start(), hint.end());
            done = end;
            if let Some(assignment) = assignment(text, start, end) {
                // What stands within the value is the value's.
                done = assignment.end;
                if !found(assignment) {
                    return;
                }
            }
        }
    }
}

/// The name that holds a hint, as far as one may be long.
fn name_around(text: &str, start: usize, end: usize) -> (usize, usize) {
    let belongs = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let bytes = text.as_bytes();
    let left = bytes.get(..start).unwrap_or_default().iter().rev().take(MAX_NAME).take_while(belongs).count();
    let right = bytes.get(end..).unwrap_or_default().iter().take(MAX_NAME).take_while(belongs).count();
    (start - left, end + right)
}

fn assignment(text: &str, start: usize, end: usize) -> Option<Assignment> {
    let raw = text.get(start..end)?;
    // `-Dname=value` and `-e NAME`: the name is what follows.
    let name = raw.trim_start_matches('-');
    let option = name.len() < raw.len();
    let promise = name::promise(name);
    if promise == Promise::None {
        return None;
    }
    let line_start = text.floor_char_boundary(start.saturating_sub(MAX_LINE_START));
    let head = text.get(line_start..start)?;
    let before = head.rsplit(['\n', '\r']).next().unwrap_or(head);

    let rest = text.get(end..)?;
    let opened = before.chars().next_back().filter(|c| is_quote(*c));
    let escapes = if opened.is_some() { rest.bytes().take_while(|b| *b == b'\\').count() } else { 0 };
    let closed = opened.filter(|quote| rest.get(escapes..).is_some_and(|r| r.starts_with(*quote)));
    let rest = closed.and_then(|quote| rest.get(escapes + quote.len_utf8()..)).unwrap_or(rest);
    let context = Context { name, option, quoted: closed.is_some(), inside: opened.filter(|_| closed.is_none()), before };

    let (separator, rest) = separator(&context, rest)?;
    let spaced = rest.starts_with([' ', '\t']);
    let rest = rest.trim_start_matches([' ', '\t']);
    let (offset, value) = value(&context, separator, spaced, rest)?;
    let start = text.len() - rest.len() + offset;
    let weak = promise == Promise::Weak && !(value::is_random(value) && encoded::texts(value).is_empty());
    let thing = value::is_uuid(value) && !name::takes_uuid(context.name);
    if weak || thing || value::is_benign(value) || is_self(&context, value) {
        return None;
    }
    Some(Assignment { kind: kind(&context, value, text, start), start, end: start + value.len() })
}

/// What separates name and value, and the text behind it.
fn separator<'t>(context: &Context<'_>, rest: &'t str) -> Option<(Separator, &'t str)> {
    let after = rest.trim_start_matches([' ', '\t']);
    // A variable that is used, not set: `$TOKEN`, `${TOKEN:-x}`; but PowerShell and PHP set `$token = "…"`.
    let used = context.before.trim_end_matches(is_quote).ends_with("${")
        || (context.before.trim_end_matches(is_quote).ends_with('$')
            && (context.quoted || context.before.contains("[ ") || context.before.contains("test ")));
    if used {
        return None;
    }
    for (mark, separator) in [("=>", Separator::Equals), (":=", Separator::Equals)] {
        if let Some(value) = after.strip_prefix(mark) {
            return Some((separator, value));
        }
    }
    if let Some(value) = after.strip_prefix('=') {
        // A comparison.
        return (!value.starts_with(['=', '~'])).then_some((Separator::Equals, value));
    }
    if let Some(value) = after.strip_prefix(':') {
        let url_or_path = value.starts_with("//") || value.starts_with(':');
        // YAML wants a space; without one, it is the middle of an ARN or of a pair.
        let yaml = value.starts_with([' ', '\t']) || context.quoted || value.starts_with(is_quote);
        let header = context.name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        return (!url_or_path && (yaml || header)).then_some((Separator::Colon, value));
    }
    if let Some(value) = after.strip_prefix(',') {
        let set = context.quoted && context.before.contains("SetEnvironmentVariable");
        return set.then_some((Separator::Comma, value));
    }
    let spaced = rest.starts_with([' ', '\t']) && context.option && !context.quoted;
    (spaced && !after.starts_with(['-', '\n', '\r'])).then_some((Separator::Space, after))
}

/// The value and how far behind the beginning of `rest` it stands.
fn value<'t>(context: &Context<'_>, separator: Separator, spaced: bool, rest: &'t str) -> Option<(usize, &'t str)> {
    let limit = rest.floor_char_boundary(MAX_VALUE.min(rest.len()));
    let rest = rest.get(..limit)?;
    let unescaped = rest.trim_start_matches('\\');
    let escaped = unescaped.len() < rest.len();
    if let Some(quote) = unescaped.chars().next().filter(|c| is_quote(*c)) {
        if context.inside == Some(quote) && !escaped {
            // `"Password: "`: the quote ends the text that the name stands in.
            return None;
        }
        let body = unescaped.get(quote.len_utf8()..)?;
        let value = quoted(body, quote, escaped);
        // A comma list or an object in quotes is looked into on its own.
        return (!value.trim_start().starts_with(['{', '[']) && !is_prose(value)).then_some((rest.len() - body.len(), value));
    }
    // JSON quotes its strings; what is not quoted is a number, a list or nothing.
    if (context.quoted && separator != Separator::Equals) || separator == Separator::Comma {
        return None;
    }
    let parameter = context.before.ends_with(['?', '&']);
    let list = context.before.ends_with(',');
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '\'' | '`' | ';' | '\\')
            || (parameter && c == '&')
            || (list && c == ',')
            || (context.before.contains('<') && c == '<')
    };
    let value = rest.split(ends).next().unwrap_or_default();
    // Shell and templates compute it; a function or an index does in code.
    if value.starts_with(['(', '{', '[', '<', '|']) || value::is_placeholder(value) {
        return None;
    }
    if is_expression(value) || (value.starts_with('@') && value.contains('/')) {
        return None;
    }
    // `docker build --secret id=…` names a secret; so does its `type=`.
    if separator == Separator::Space && ["id=", "type=", "source="].iter().any(|key| value.starts_with(key)) {
        return None;
    }
    // The name of a variable in code, with spaces around the sign: `password = config.password`.
    if separator == Separator::Equals && spaced && value.contains('.') && value.bytes().all(is_identifier) {
        return None;
    }
    if separator == Separator::Colon {
        // A key at the beginning of its line is YAML; elsewhere it may be prose.
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let more = line.get(value.len()..).unwrap_or_default().trim_start();
        let alone = more.is_empty() || more.starts_with(['#', '"', '\'', ',', '\\']);
        let key = context.before.trim_start_matches([' ', '\t', '-']).is_empty();
        let strong = value.bytes().any(|b| b.is_ascii_digit()) && value.bytes().any(|b| b.is_ascii_alphabetic());
        if !alone || value.starts_with(['*', '&', '!', '|', '>']) || !(key || strong) {
            return None;
        }
    }
    Some((0, value))
}

/// The text up to its closing quote, or to the end of the line when there is none.
fn quoted(body: &str, quote: char, escaped: bool) -> &str {
    let mut previous = '\0';
    let close = body.char_indices().find(|(_, c)| {
        let ends = *c == quote && (escaped || quote == '\'' || previous != '\\');
        previous = *c;
        ends
    });
    let end = close.map(|(at, _)| at).or_else(|| body.find(['\n', '\r'])).unwrap_or(body.len());
    body.get(..end).unwrap_or_default().trim_end_matches('\\')
}

fn kind(context: &Context<'_>, value: &str, text: &str, start: usize) -> SecretKind {
    if name::is_aws_secret(context.name) && is_aws_secret_shape(value) {
        return SecretKind::AWS_SECRET_ACCESS_KEY;
    }
    let named = name::kind_of(context.name, value);
    if named != SecretKind::NAMED_SECRET {
        return named;
    }
    if context.before.contains("ECS_ENGINE_AUTH_DATA") || context.before.contains("\"auths\"") {
        return SecretKind::DOCKER_REGISTRY_AUTH;
    }
    let near = text.floor_char_boundary((start + 256).min(text.len()));
    let line = text.get(start..near).and_then(|after| after.lines().next()).unwrap_or_default();
    if is_connection_string(context.before, line) {
        return SecretKind::CONNECTION_STRING;
    }
    let dashes = context.option && !context.before.is_empty();
    if dashes { SecretKind::PASSWORD_IN_COMMAND } else { SecretKind::NAMED_SECRET }
}

/// Whether a line is made of `key=value;` pairs, one of which names a server.
fn is_connection_string(before: &str, after: &str) -> bool {
    const KEYS: &[&str] = &[
        "server=",
        "data source=",
        "host=",
        "uid=",
        "user id=",
        "userid=",
        "username=",
        "user=",
        "database=",
        "initial catalog=",
        "endpoint=",
    ];
    let lower = format!("{before};{after}").to_ascii_lowercase();
    (before.contains(';') || after.contains(';')) && KEYS.iter().any(|key| lower.contains(key))
}

/// Forty characters of the alphabet of AWS secret access keys, mixed as random ones are.
pub(crate) fn is_aws_secret_shape(value: &str) -> bool {
    value.len() == 40
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        && value.bytes().any(|b| b.is_ascii_lowercase())
        && value.bytes().any(|b| b.is_ascii_uppercase())
        && value.bytes().any(|b| b.is_ascii_digit())
        && !value.ends_with("EXAMPLEKEY")
        && value::entropy(value) >= 3.9
}

/// `password=password`, `token=db_token`: code that passes a variable on.
fn is_self(context: &Context<'_>, value: &str) -> bool {
    let value = value.trim_end_matches([',', ')']);
    let last = context.name.rsplit(['.', '-', '_']).next().unwrap_or_default();
    value.eq_ignore_ascii_case(context.name) || value.eq_ignore_ascii_case(last)
}

/// `getSecret("x")`, `os.environ["X"]`, `config[…]`.
fn is_expression(value: &str) -> bool {
    let head = value.bytes().take_while(|b| is_identifier(*b)).count();
    head > 0 && value.get(head..).is_some_and(|rest| rest.starts_with(['(', '[']))
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

/// A sentence: three words or more, of letters.
fn is_prose(value: &str) -> bool {
    let mut words = value.split_whitespace();
    let letters = |word: &str| word.chars().all(|c| c.is_alphabetic() || matches!(c, '.' | ',' | ':' | '!' | '?' | '\''));
    words.by_ref().take(3).filter(|word| letters(word)).count() == 3
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}
