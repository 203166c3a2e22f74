//! The name of a value flows in; whether that name promises a secret flows out.

use crate::kind::SecretKind;

/// How much a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing.
    None,
    /// A secret, if the value looks random too: `SEGMENT_WRITE_KEY`, `REDIS_AUTH`.
    Weak,
    /// A secret: `DB_PASSWORD`, `apiKey`.
    Strong,
}

/// Whether a name promises a secret so plainly that even a UUID under it is one: passwords, client secrets and
/// Vault's secret ids are handed out as UUIDs, other tokens seldom, and a scanner that cries wolf is turned off.
pub(crate) fn takes_uuid(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    ["passw", "clientsecret", "vaultsecretid"].iter().any(|part| plain.contains(part))
}

/// Longest name that is read as one.
pub(crate) const MAX_NAME: usize = 128;

/// Last words that turn a secret's name into the name of something about it: `PASSWORD_FILE`, `TOKEN_EXPIRY`.
const ABOUT: &str = "\
    age alg algo algorithm alias allowed arn arns attempts aud audience backend bucket cache chars class column \
    cookie cost count days dir directory disable disabled domain duration email enable enabled encoder encoding \
    endpoint endpoints engine env exp expiration expire expires expiry field file filename files fingerprint \
    folder format group hash hasher header hint host hostname hours id ids interval issuer kind label len length \
    lifetime limit limits link location manager max message method min minutes mode mount ms name names \
    namespace option options param parameter parameters path paths pattern policy port prefix prompt property \
    provider pub rate ref reference regex region required retries role rotation rounds scheme scope scopes sec \
    seconds secs server service size source stdin storage store strategy strength subject suffix table template \
    text time timeout title topic ttl type types uri uris url urls usage user username validity var variable \
    vault version window";

/// Words that declare a value public wherever they stand.
const PUBLIC: &[&str] = &["public", "publishable", "pub", "csrf", "xsrf"];

/// Words before `key` that make it a secret one.
const KEYS: &[&str] = &[
    "access",
    "account",
    "admin",
    "api",
    "app",
    "application",
    "auth",
    "cipher",
    "crypt",
    "crypto",
    "deploy",
    "encrypt",
    "encryption",
    "hmac",
    "jwt",
    "license",
    "master",
    "private",
    "root",
    "secret",
    "session",
    "shared",
    "signing",
    "ssh",
    "storage",
    "webhook",
];

/// What a name promises about its value.
pub(crate) fn promise(name: &str) -> Promise {
    if name.is_empty() || name.len() > MAX_NAME {
        return Promise::None;
    }
    // The working directory, in every shell.
    if matches!(name, "PWD" | "OLDPWD") {
        return Promise::None;
    }
    let words = words(name);
    let Some(last) = words.last() else {
        return Promise::None;
    };
    // Vault's AppRole calls its password a secret id; everyone else means the id of a secret.
    let app_role = words.iter().any(|w| w == "vault" || w == "approle") && has_pair(&words, "secret", &["id"]);
    if app_role {
        return Promise::Strong;
    }
    let key_pair = KEYS.iter().any(|first| has_pair(&words, first, &["key", "keys"]));
    let promise = if key_pair || words.iter().any(|word| is_secret_word(word)) || matches!(last.as_str(), "pass" | "pw" | "pwd") {
        Promise::Strong
    } else if matches!(last.as_str(), "key" | "auth" | "pat") {
        Promise::Weak
    } else {
        return Promise::None;
    };
    let about = ABOUT.split(' ').any(|about| about == last);
    let public = words.iter().any(|word| PUBLIC.contains(&word.as_str()));
    if about || public { Promise::None } else { promise }
}

/// The kind that a name adds to a value of which nothing else is known.
pub(crate) fn kind_of(name: &str, value: &str) -> SecretKind {
    let words = words(name);
    let has = |wanted: &str| words.iter().any(|w| w == wanted);
    let hexadecimal = value.bytes().all(|b| b.is_ascii_hexdigit());
    if name.eq_ignore_ascii_case("ECS_ENGINE_AUTH_DATA") {
        SecretKind::DOCKER_REGISTRY_AUTH
    } else if has("session") && has("token") && has("aws") {
        SecretKind::AWS_SESSION_TOKEN
    } else if (has("datadog") || has("dd")) && hexadecimal && matches!(value.len(), 32 | 40) {
        SecretKind::DATADOG_KEY
    } else if has("twilio") && hexadecimal && value.len() == 32 {
        SecretKind::TWILIO_KEY
    } else if has("relic") && value.len() == 40 {
        SecretKind::NEW_RELIC_KEY
    } else {
        SecretKind::NAMED_SECRET
    }
}

/// Whether a name is that of an AWS secret access key.
pub(crate) fn is_aws_secret(name: &str) -> bool {
    let squashed: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    (squashed.contains("secretaccesskey") || squashed.contains("secretkey") || squashed.contains("awssecret")) && !squashed.ends_with("id")
}

fn has_pair(words: &[String], first: &str, second: &[&str]) -> bool {
    words.iter().zip(words.iter().skip(1)).any(|(a, b)| a == first && second.contains(&b.as_str()))
}

/// Whether one word alone means a secret, alone or at the end of a compound: `mysqlpassword`, `authtoken`.
fn is_secret_word(word: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "secret",
        "secrets",
        "token",
        "tokens",
        "credential",
        "credentials",
        "creds",
        "apikey",
        "privatekey",
        "secretkey",
        "accesskey",
        "authkey",
        "encryptionkey",
        "signingkey",
        "masterkey",
        "accountkey",
        "passphrase",
        "storepass",
        "keypass",
        "userpass",
        "dbpass",
        "pgpass",
        "requirepass",
        "rootpass",
        "adminpass",
    ];
    // A tokenizer is not a token, and "passwordless" is the opposite of a password.
    (word.contains("passw") && !word.starts_with("passwordless"))
        || ENDINGS.iter().any(|ending| word.ends_with(ending))
        || (word.len() > 3 && word.ends_with("pwd"))
}

/// Splits `db_password`, `dbPassword`, `DB-PASSWORD` and `spring.datasource.password` into lower-case words.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut previous_lower = false;
    for c in name.chars() {
        let separates = !c.is_alphanumeric();
        if separates || (c.is_uppercase() && previous_lower) {
            push(&mut words, &mut word);
        }
        if !separates {
            word.extend(c.to_lowercase());
        }
        previous_lower = c.is_lowercase();
    }
    push(&mut words, &mut word);
    words
}

/// Keeps a word without its trailing number: `PASSWORD2` is a password. Numbers alone are no words.
fn push(words: &mut Vec<String>, word: &mut String) {
    let kept = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if !kept.is_empty() {
        words.push(kept.to_owned());
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::{Promise, promise};

    #[test]
    fn names_of_secrets_promise_one() {
        for name in [
            "DB_PASSWORD",
            "db.password",
            "dbPassword",
            "MYSQLPASSWORD",
            "PGPASSWORD",
            "API_KEY",
            "apiKey",
            "x-api-key",
            "AWS_SECRET_ACCESS_KEY",
            "CLIENT_SECRET",
            "SECRET_KEY_BASE",
            "AUTH_TOKEN",
            "authtoken",
            "DB_PASS",
            "DB_PWD",
            "SMTP_PASSWORD_2",
            "GOOGLE_CREDENTIALS",
            "VAULT_SECRET_ID",
            "ENCRYPTION_KEY",
            "spring.datasource.password",
            "PASSPHRASE",
            "DB_PASSWORD1",
        ] {
            assert_eq!(promise(name), Promise::Strong, "{name}");
        }
    }

    #[test]
    fn names_of_things_about_secrets_promise_nothing() {
        for name in [
            "PASSWORD_FILE",
            "TOKEN_EXPIRY",
            "SECRET_ARN",
            "SECRET_NAME",
            "PASSWORD_MIN_LENGTH",
            "TOKEN_URL",
            "PWD",
            "SECRETS_MANAGER_REGION",
            "TOKENIZER",
            "TOKENIZERS_PARALLELISM",
            "PASSWORDLESS_LOGIN",
            "SECRETARY",
            "BYPASS",
            "AWS_ACCESS_KEY_ID",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "NEXT_PUBLIC_API_KEY",
            "LOG_LEVEL",
            "MONKEY",
            "secretName",
            "password-stdin",
            "COMPASS",
            "SECRET_ID",
            "KEYCLOAK_REALM",
        ] {
            assert_eq!(promise(name), Promise::None, "{name}");
        }
    }
}
