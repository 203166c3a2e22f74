//! Encoded texts flow in; what they decode to, if that is a text, flows out.

use std::io::Read;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::MultiGzDecoder;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Largest text that comes out of a decompression. EC2 takes 16 KiB of user data, compressed or not.
pub(crate) const MAX_INFLATED: u64 = 4 << 20;

/// Shortest run that is worth decoding: twelve bytes.
const SHORTEST: usize = 16;

/// Bytes of a base64 text in either alphabet, padded or not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { &URL } else { &PLAIN };
    engine.decode(text).ok()
}

/// The inflated bytes, at most [`MAX_INFLATED`] of them; `None` when the stream is broken from its start.
pub(crate) fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(MAX_INFLATED).read_to_end(&mut inflated);
    // A truncated stream still shows what it began with.
    (read.is_ok() || !inflated.is_empty()).then_some(inflated)
}

/// Whether bytes begin as a gzip stream does.
pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The runs of base64 in a text that decode to a text: start, end, decoded.
pub(crate) fn texts(text: &str) -> Vec<(usize, usize, String)> {
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(start) = next_run(text, position) {
        let end = run_end(text, start);
        position = end;
        let run = text.get(start..end).unwrap_or_default();
        if run.len() < SHORTEST {
            continue;
        }
        if let Some(decoded) = decode(run) {
            found.push((start, end, decoded));
        } else if run.contains(['-', '_']) {
            // Standard base64 between hyphens: the run was a file name or an option around it.
            let pieces = run.split(['-', '_']).filter(|piece| piece.len() >= SHORTEST);
            found.extend(pieces.filter_map(decode).map(|decoded| (start, end, decoded)));
        }
    }
    found
}

fn decode(run: &str) -> Option<String> {
    if run.contains(['\n', '\r', ' ']) {
        let joined: String = run.split_ascii_whitespace().collect();
        return base64(&joined).and_then(printable);
    }
    base64(run).and_then(printable)
}

fn next_run(text: &str, from: usize) -> Option<usize> {
    text.as_bytes().get(from..)?.iter().position(|b| is_base64(*b)).map(|offset| from + offset)
}

/// The end of a run. A full line of 60 or more characters goes on in the next one, as `base64` and PEM wrap them.
fn run_end(text: &str, start: usize) -> usize {
    let mut position = start;
    loop {
        let rest = text.as_bytes().get(position..).unwrap_or_default();
        let line = rest.iter().take_while(|b| is_base64(**b)).count();
        let padding = rest.iter().skip(line).take(2).take_while(|b| **b == b'=').count();
        position += line + padding;
        if padding > 0 || line < 60 || line % 4 != 0 {
            return position;
        }
        let gap = rest.iter().skip(line).take(64).take_while(|b| matches!(b, b'\n' | b'\r' | b' ')).count();
        let newline = rest.iter().skip(line).take(gap).any(|b| *b == b'\n');
        if !newline || !rest.get(line + gap).is_some_and(|b| is_base64(*b)) {
            return position;
        }
        position += gap;
    }
}

/// Whether a decoded run is base64 of `user:password`.
pub(crate) fn is_user_and_password(run: &str) -> bool {
    base64(run).and_then(|bytes| String::from_utf8(bytes).ok()).is_some_and(|text| {
        text.chars().all(|c| !c.is_control())
            && text.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !crate::value::is_placeholder(password))
    })
}

/// Whether three dotted parts begin with a JSON header that names an algorithm.
pub(crate) fn is_jwt(token: &str) -> bool {
    token
        .split('.')
        .next()
        .and_then(base64)
        .and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok())
        .is_some_and(|header| header.get("alg").is_some_and(serde_json::Value::is_string))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// A text, inflated if need be; `None` for what is no text.
fn printable(bytes: Vec<u8>) -> Option<String> {
    let bytes = if is_gzip(&bytes) { gunzip(&bytes)? } else { bytes };
    let text = String::from_utf8(bytes).ok()?;
    let clean = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    (clean && text.len() >= 8).then_some(text)
}
