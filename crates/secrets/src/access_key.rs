//! AWS access key ids flow in; what identifies them without showing them flows out.

use sha2::{Digest, Sha256};

/// An AWS access key id that a text holds, told without telling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKeyId {
    /// The account it belongs to, read from the id itself. `None` for the ids of before 2019, which do not hold it.
    pub account: Option<String>,
    /// The last four characters, as the console shows them.
    pub last_four: String,
    /// SHA-256 of the whole id in hexadecimal, to match against the ids that IAM lists.
    pub sha256: String,
    /// Whether the credentials are temporary (`ASIA`).
    pub temporary: bool,
    /// The line it stands on, from 1.
    pub line: usize,
}

impl AccessKeyId {
    /// The digest by which an id that IAM lists is matched.
    pub fn digest(id: &str) -> String {
        hex(&Sha256::digest(id.as_bytes()))
    }

    pub(crate) fn new(id: &str, line: usize) -> Self {
        Self {
            account: account(id),
            last_four: id.get(id.len().saturating_sub(4)..).unwrap_or_default().to_owned(),
            sha256: Self::digest(id),
            temporary: id.starts_with("ASIA"),
            line,
        }
    }
}

/// The account number stands in 40 bits of the base32 text behind the four-letter prefix.
fn account(id: &str) -> Option<String> {
    let encoded = id.get(4..)?;
    // The old ids begin with I or J and hold no account.
    if encoded.starts_with(['I', 'J']) {
        return None;
    }
    // Ten characters carry the first six bytes and two bits more.
    let bits = encoded.bytes().take(10).try_fold(0_u64, |bits, byte| Some(bits << 5 | u64::from(base32(byte)?)))?;
    let number = ((bits >> 2) & 0x7fff_ffff_ff80) >> 7;
    (encoded.len() == 16 && number < 1_000_000_000_000).then(|| format!("{number:012}"))
}

fn base32(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        if write!(text, "{byte:02x}").is_err() {
            text.clear();
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::AccessKeyId;

    #[test]
    fn an_id_tells_its_account() {
        let key = AccessKeyId::new(concat!("ASIA", "QNZGKIQY56JQ7WML"), 1);
        assert_eq!(key.account.as_deref(), Some("029608264753"));
        assert_eq!(key.last_four, "7WML");
        assert!(key.temporary);
    }

    #[test]
    fn an_old_id_tells_no_account() {
        assert_eq!(AccessKeyId::new(concat!("AKIA", "IQNZGKIQY56JQ7WM"), 1).account, None);
    }

    #[test]
    fn an_id_outside_base32_tells_no_account() {
        assert_eq!(AccessKeyId::new(concat!("AKIA", "Q018KIQY56JQ7WML"), 1).account, None);
    }

    #[test]
    fn the_digest_is_that_of_the_whole_id() {
        let id = concat!("AKIA", "QNZGKIQY56JQ7WML");
        assert_eq!(AccessKeyId::new(id, 1).sha256, AccessKeyId::digest(id));
        assert_eq!(AccessKeyId::digest(id).len(), 64);
    }
}
