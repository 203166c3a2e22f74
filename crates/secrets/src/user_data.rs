//! EC2 user data as the API returns it flows in; matches and agent settings flow out, never its text.
//!
//! Opens base64, gzip and MIME multipart (with encoded parts), as cloud-init does.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::agent::{Agent, Proxy};
use crate::detector::{Detector, Match};
use crate::encoded;
use crate::packet_filter::blocks_metadata;

/// Longest base64 text that is taken. EC2's own limit is 16 KiB before base64.
const MAX_BASE64: usize = 8 << 20;
/// Multiparts within multiparts.
const MAX_NESTING: usize = 3;
/// Parts of one document.
const MAX_PARTS: usize = 100;

/// What user data says, without its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserDataFacts {
    /// The secrets in it. Lines count in the decoded document; within an encoded part, all have its first line.
    pub matches: Vec<Match>,
    /// Settings of the ECS agent under the agent's own names, whatever form they were written in. Switches are `true`
    /// or `false`, lists have commas. Only known settings are kept, and only values that are plain words.
    pub agent_configuration: BTreeMap<String, String>,
    /// Settings that are written, but with a value that the script computes; and `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`.
    pub unresolved: BTreeSet<String>,
    /// Whether the agent's file is also fetched or edited in ways that are not followed: what is absent from
    /// `agent_configuration` may then be set all the same.
    pub configured_elsewhere: bool,
    /// The proxy of the agent or of Docker.
    pub http_proxy: Option<Proxy>,
    /// The hosts exempt from the proxy, over all the files that name some.
    pub no_proxy: Vec<String>,
    /// Whether it drops what containers on a bridge send to the instance metadata service.
    pub blocks_bridged_metadata: bool,
    /// Whether it is TOML for Bottlerocket.
    pub is_bottlerocket: bool,
}

/// Why user data could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserDataError {
    /// The text is not base64.
    #[error("user data is not base64")]
    NotBase64,
    /// It begins as gzip does, and does not inflate.
    #[error("user data is not valid gzip")]
    BrokenGzip,
    /// It is longer than anything EC2 takes.
    #[error("user data is too long")]
    TooLong,
}

/// Reads user data, base64 as EC2 returns it.
pub fn user_data_facts(detector: &Detector, base64_text: &str) -> Result<UserDataFacts, UserDataError> {
    if base64_text.len() > MAX_BASE64 {
        return Err(UserDataError::TooLong);
    }
    let joined: String = base64_text.split_ascii_whitespace().collect();
    let bytes = encoded::base64(&joined).ok_or(UserDataError::NotBase64)?;
    let bytes = if encoded::is_gzip(&bytes) { encoded::gunzip(&bytes).ok_or(UserDataError::BrokenGzip)? } else { bytes };
    let text = String::from_utf8_lossy(&bytes);
    let mut parts = Vec::new();
    split(&text, 1, true, 0, &mut parts);

    let mut matches = Vec::new();
    for part in &parts {
        matches.extend(detector.text(&part.text).into_iter().map(|found| {
            let line = if part.exact { part.line + found.line - 1 } else { part.line };
            Match { line, ..found }
        }));
    }
    let mut agent = Agent::default();
    let mut blocks_bridged_metadata = false;
    parts.sort_by_key(|part| stage(&part.text));
    for part in &parts {
        agent.read(&part.text);
        blocks_bridged_metadata |= blocks_metadata(&part.text);
        // Files that cloud-config or a script carries in base64.
        for (_, _, file) in encoded::texts(&part.text) {
            agent.read(&file);
            blocks_bridged_metadata |= blocks_metadata(&file);
        }
    }
    // A word can be a secret too: then it is a match and nothing more.
    agent.configuration.retain(|_, value| detector.text(value).is_empty());
    Ok(UserDataFacts {
        matches,
        agent_configuration: agent.configuration,
        unresolved: agent.unresolved,
        configured_elsewhere: agent.elsewhere,
        http_proxy: agent.http_proxy,
        no_proxy: agent.no_proxy,
        blocks_bridged_metadata,
        is_bottlerocket: agent.bottlerocket,
    })
}

/// One document of user data.
struct Part<'t> {
    text: Cow<'t, str>,
    /// Where it begins in the whole.
    line: usize,
    /// Whether its lines are lines of the whole.
    exact: bool,
}

/// When cloud-init runs a part: boothooks first, then cloud-config, then scripts.
fn stage(text: &str) -> u8 {
    let text = text.trim_start();
    if text.starts_with("#cloud-boothook") {
        0
    } else if text.starts_with("#cloud-config") || text.starts_with("## template") {
        1
    } else {
        2
    }
}

fn split<'t>(text: &'t str, line: usize, exact: bool, depth: usize, parts: &mut Vec<Part<'t>>) {
    let whole = || Part { text: Cow::Borrowed(text), line, exact };
    let Some(boundary) = boundary(text).filter(|_| depth < MAX_NESTING) else {
        parts.push(whole());
        return;
    };
    let mark = format!("--{boundary}");
    let before = parts.len();
    for (start, body) in sections(text, &mark) {
        if parts.len() >= MAX_PARTS {
            break;
        }
        let first = line + newlines(text.get(..start).unwrap_or_default());
        let (headers, content) = headers(body);
        let skipped = newlines(body.get(..body.len() - content.len()).unwrap_or_default());
        let at = if exact { first + skipped } else { line };
        match transfer_decoded(headers, content) {
            Some(decoded) => parts.push(Part { text: Cow::Owned(decoded), line: at, exact: false }),
            None if boundary_of(headers).is_some() => split(body, if exact { first } else { line }, exact, depth + 1, parts),
            None => parts.push(Part { text: Cow::Borrowed(content), line: at, exact }),
        }
    }
    if parts.len() == before {
        // A boundary that never comes: still a text.
        parts.push(whole());
    }
}

/// The sections between lines that begin with a mark.
fn sections<'t>(text: &'t str, mark: &str) -> Vec<(usize, &'t str)> {
    let mut sections = Vec::new();
    let mut open: Option<usize> = None;
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        let end = position + line.len();
        if let Some(rest) = line.strip_prefix(mark) {
            if let Some(start) = open {
                sections.push((start, text.get(start..position).unwrap_or_default()));
            }
            open = (!rest.starts_with("--")).then_some(end);
        }
        position = end;
    }
    if let Some(start) = open {
        sections.push((start, text.get(start..).unwrap_or_default()));
    }
    sections
}

/// The boundary of a text that begins with the headers of a multipart document.
fn boundary(text: &str) -> Option<String> {
    let text = text.trim_start_matches(['\r', '\n']);
    let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if !["content-type:", "mime-version:", "from "].iter().any(|prefix| begins(prefix)) {
        return None;
    }
    boundary_of(headers(text).0)
}

fn boundary_of(headers: &str) -> Option<String> {
    let kind = header(headers, "content-type")?;
    if !kind.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let at = kind.to_ascii_lowercase().find("boundary=")?;
    let value = kind.get(at + "boundary=".len()..)?;
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([';', ' ', '\t', '\r', '\n']).next(),
    }?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// The headers before the first empty line, and what stands behind it.
fn headers(text: &str) -> (&str, &str) {
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end().is_empty() && position > 0 {
            return (text.get(..position).unwrap_or_default(), text.get(position + line.len()..).unwrap_or_default());
        }
        // A part without headers begins with an empty line.
        if position == 0 && line.trim_end().is_empty() {
            return ("", text.get(line.len()..).unwrap_or_default());
        }
        position += line.len();
    }
    ("", text)
}

/// The value of a header, its continuation lines joined.
fn header(headers: &str, name: &str) -> Option<String> {
    let mut found: Option<String> = None;
    for line in headers.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = &mut found {
                value.push_str(line);
            }
            continue;
        }
        if found.is_some() {
            return found;
        }
        found = line.split_once(':').filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned());
    }
    found
}

/// The text of an encoded part; `None` when it stands there as it is.
fn transfer_decoded(headers: &str, content: &str) -> Option<String> {
    let encoding = header(headers, "content-transfer-encoding").unwrap_or_default().trim().to_ascii_lowercase();
    let bytes = match encoding.as_str() {
        "base64" => {
            let joined: String = content.split_ascii_whitespace().collect();
            encoded::base64(&joined)?
        }
        "quoted-printable" => quoted_printable(content),
        _ => return None,
    };
    let bytes = if encoded::is_gzip(&bytes) { encoded::gunzip(&bytes)? } else { bytes };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn quoted_printable(content: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some((plain, after)) = rest.split_once('=') {
        bytes.extend_from_slice(plain.as_bytes());
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if let Some(byte) = byte {
            bytes.push(byte);
            after.get(2..).unwrap_or_default()
        } else if let Some(joined) = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')) {
            joined
        } else {
            bytes.push(b'=');
            after
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'\n').count()
}
