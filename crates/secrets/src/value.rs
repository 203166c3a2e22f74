//! A value flows in; whether it is plainly not a secret flows out.
//!
//! Placeholders, references and the names or places of secrets are not secrets, whatever the variable is called.

/// Words that stand where a secret would, and the settings that live under secret-like names.
const WORDS: &str = "\
    always asd auto automatic bar basic bearer blank changeit cookie custom default demo deny disable disabled \
    dummy empty enable enabled env environment example fail fake false file foo foobar generate generated header \
    hidden ignore inherit jwt key local manual md5 missing mock n/a never nil no none not-set notset notused \
    null off on opaque optional parameterstore pass plain prompt random required sample scram-sha-256 \
    secretsmanager store string tbd test testing todo true undef undefined unknown unset unused value xxx yes";

/// Parts that only a placeholder has.
const PLACEHOLDER_PARTS: &[&str] = &[
    "changeme",
    "change-me",
    "change_me",
    "change_this",
    "change-this",
    "changethis",
    "dummy",
    "example",
    "fixme",
    "insert-",
    "insert_",
    "not-a-real",
    "not-a-secret",
    "notasecret",
    "placeholder",
    "redacted",
    "replace-me",
    "replace-with",
    "replace_me",
    "replace_with",
    "replaceme",
    "to-be-replaced",
    "xxxx",
    "****",
    "your-",
    "your_",
    "yourpassword",
    "yoursecret",
    "yourtoken",
];

/// Beginnings of references to a secret kept elsewhere, and of ciphertext and one-way hashes.
const REFERENCES: &[&str] = &[
    "arn:",
    "awskms:",
    "awssm:",
    "aws-sm:",
    "bao:",
    "doppler:",
    "enc(",
    "enc[",
    "env:",
    "file:",
    "keyvault:",
    "kms:",
    "op:",
    "projects/",
    "ref+",
    "secretsmanager:",
    "sm:",
    "sops:",
    "ssm:",
    "vault:",
    "sha1:",
    "sha256:",
    "sha384:",
    "sha512:",
    "md5:",
    "{ssha",
    "{sha",
    "{bcrypt}",
    "{argon2",
    "{pbkdf2",
    "$2a$",
    "$2b$",
    "$2x$",
    "$2y$",
    "$argon2",
    "$pbkdf2",
    "$5$",
    "$6$",
    "$y$",
    "pbkdf2_",
    "scram-sha-256$",
    "@microsoft.keyvault(",
];

/// Whether a value under a telling name is no secret all the same.
pub(crate) fn is_benign(value: &str) -> bool {
    let value = value.trim();
    value.chars().nth(3).is_none()
        || is_placeholder(value)
        || is_number(value)
        || is_reference(value)
        || is_public_material(value)
        || is_email(value)
        || is_host(value)
        || is_name_or_path(value)
}

/// Whether a value is a UUID: the name of a thing more often than a key.
pub(crate) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// Whether a value stands where a secret will be put later: `${DB_PASSWORD}`, `<password>`, `changeme`.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() || is_variable(value) || is_one_character(value) {
        return true;
    }
    // The lists know only short placeholders, and no random value this long can be one by chance.
    if value.len() > 256 {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    WORDS.split(' ').any(|word| word == lower) || PLACEHOLDER_PARTS.iter().any(|part| lower.contains(part))
}

/// Whether a value is filled in by a shell or a template.
fn is_variable(value: &str) -> bool {
    let wrapped = |open: &str, close: &str| value.strip_prefix(open).is_some_and(|rest| rest.ends_with(close));
    let plain_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'.'))
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    value.contains("${")
        || value.contains("$(")
        || value.contains("{{")
        || value.contains("%(")
        || value.contains("#{")
        || value.contains("<%")
        || value.starts_with('`')
        || wrapped("<", ">")
        || wrapped("[", "]")
        || wrapped("__", "__")
        || value.strip_prefix('$').is_some_and(plain_name)
        || value.strip_prefix("$env:").is_some_and(plain_name)
        || (wrapped("%", "%") && plain_name(value.trim_matches('%')))
        || value.strip_prefix('@').and_then(|v| v.strip_suffix('@')).is_some_and(plain_name)
}

fn is_one_character(value: &str) -> bool {
    let mut characters = value.chars();
    let first = characters.next();
    value.len() > 2 && characters.all(|c| Some(c) == first)
}

/// Numbers, sizes and durations: `3600`, `-1`, `1.5`, `15m`.
fn is_number(value: &str) -> bool {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    value.len() - digits.len() <= 3
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'-' | b'+' | b'_' | b':'))
}

fn is_reference(value: &str) -> bool {
    let starts = |prefix: &&str| value.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if REFERENCES.iter().any(starts) {
        return true;
    }
    // Ciphertext of KMS: its metadata always begins so.
    if value.len() >= 80 && value.starts_with("AQICAH") {
        return true;
    }
    is_url(value)
}

/// A URL; one that holds a password was found before this is asked.
fn is_url(value: &str) -> bool {
    value.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b':'))
    })
}

fn is_public_material(value: &str) -> bool {
    ["ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-", "ssh-dss ", "sk-ssh-", "sk-ecdsa-"].iter().any(|p| value.starts_with(p))
        || ["PUBLIC KEY-----", "BEGIN CERTIFICATE", "BEGIN TRUSTED CERTIFICATE", "BEGIN X509 CRL"].iter().any(|p| value.contains(p))
}

fn is_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+')) && is_host(host)
    })
}

/// A host name with a dot, perhaps with a port: `db.internal`, `kafka-1.prod.example.com:9092`.
pub(crate) fn is_host(value: &str) -> bool {
    let (host, port) = value.rsplit_once(':').unwrap_or((value, "0"));
    let labels = host.split('.');
    port.bytes().all(|b| b.is_ascii_digit())
        && host.contains('.')
        && host.len() <= 253
        && host.rsplit('.').next().is_some_and(|tld| tld.len() >= 2 && tld.bytes().all(|b| b.is_ascii_lowercase()))
        && labels.into_iter().all(|label| {
            !label.is_empty()
                && label.len() <= 40
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        })
}

/// A path, or the name of a secret rather than the secret: `/run/secrets/x`, `prod/db/password`, `my-app-secret`,
/// `DB_PASSWORD`.
///
/// A random value can hold slashes and hyphens too, so every part must read like a word.
fn is_name_or_path(value: &str) -> bool {
    let windows = value.get(1..3).is_some_and(|s| s == ":\\") && value.starts_with(|c: char| c.is_ascii_alphabetic());
    let unified = if windows { value.replace('\\', "/") } else { value.to_owned() };
    let path = unified.contains('/');
    let parts = || unified.split(['/', '-', '_', '.', ':', '~', ' ']).filter(|part| !part.is_empty());
    if value.len() > 512 || parts().next().is_none() || !parts().all(is_word) {
        return false;
    }
    if path {
        return true;
    }
    // Without a slash, `correct-horse-battery-staple` may well be a passphrase: it takes a word for "secret".
    let says_secret = parts().any(|part| {
        let part = part.to_ascii_lowercase();
        ["secret", "password", "passwd", "token", "key", "credential", "cred", "apikey", "pwd"]
            .iter()
            .any(|word| part == *word || part.strip_suffix('s') == Some(*word))
    });
    says_secret && parts().count() > 1
}

/// Letters in one case (a capital first letter aside) with at most a short number behind; or a number; or a run of
/// lower-case hexadecimal as in a UUID.
fn is_word(part: &str) -> bool {
    let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = part.len() - letters.len();
    if letters.is_empty() {
        return digits <= 12;
    }
    if part.len() <= 12 && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return true;
    }
    digits <= 4
        && letters.len() <= 32
        && letters.bytes().all(|b| b.is_ascii_alphabetic())
        && (letters.bytes().skip(1).all(|b| b.is_ascii_lowercase()) || letters.bytes().all(|b| b.is_ascii_uppercase()))
}

/// Whether a value looks machine-made: for names that promise little.
pub(crate) fn is_random(value: &str) -> bool {
    let has = |class: fn(&u8) -> bool| value.as_bytes().iter().any(class);
    value.len() >= 20
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-'))
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && entropy(value) >= 3.5
}

/// Shannon entropy in bits per byte.
pub(crate) fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total: f64 = counts.iter().copied().map(f64::from).sum();
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::is_benign;

    #[test]
    fn real_passwords_are_not_benign() {
        for value in [
            "Tr0ub4dor&3",
            "hunter2",
            "correct-horse-battery-staple",
            "correcthorse",
            "p4$$w0rd",
            "mysecretpassword",
            "qX8/2bFh9+Zk1/aa",
            "postgres",
            "admin",
            "S3cret",
            "P@ssw0rd",
        ] {
            assert!(!is_benign(value), "{value}");
        }
    }

    #[test]
    fn references_and_placeholders_are_benign() {
        for value in [
            "",
            "abc",
            "${X}",
            "$X",
            "{{ .Values.x }}",
            "%(x)s",
            "<password>",
            "****",
            "xxxxxxxx",
            "changeme",
            "3600",
            "15m",
            "prod/db/password",
            "my-app-secret",
            "DB_PASSWORD",
            "/run/secrets/x",
            "C:\\secrets\\db.txt",
            "https://login.example.org/oauth",
            "db.internal",
            "db-1.prod.internal:5432",
            "ops@company.org",
            "arn:aws:secretsmanager:eu-west-3:123456789012:secret:db",
            "{{resolve:secretsmanager:db}}",
            "vault:secret/x",
        ] {
            assert!(is_benign(value), "{value}");
        }
    }
}
