//! Secrets that show by their form alone: one pattern each, tried in one pass over the text.
//!
//! The group `v` of a pattern is the secret; without it, the whole match is. More telling rules come first, because a
//! later match that overlaps an earlier one is dropped. Lengths have no upper bound in a pattern: a counted repetition
//! of hundreds is hundreds of states, and makes a search that many times slower.

use regex::{Regex, RegexSet};

use crate::encoded;
use crate::kind::SecretKind;
use crate::value;

/// How much of the text behind a match a rule may look at.
const MAX_AFTER: usize = 256;

/// One form of secret.
pub(crate) struct Rule {
    pub(crate) kind: SecretKind,
    pattern: &'static str,
    accept: fn(&Candidate<'_>) -> bool,
}

/// What a pattern matched, for the rule to accept or not.
pub(crate) struct Candidate<'t> {
    value: &'t str,
    /// The whole match, when context decides.
    whole: &'t str,
    /// The rest of the line behind the match.
    after: &'t str,
}

/// The rules, compiled.
pub(crate) struct Rules {
    set: Option<RegexSet>,
    rules: Vec<(&'static Rule, Regex)>,
}

const fn rule(kind: SecretKind, pattern: &'static str) -> Rule {
    Rule { kind, pattern, accept: varied }
}

const fn judged(kind: SecretKind, pattern: &'static str, accept: fn(&Candidate<'_>) -> bool) -> Rule {
    Rule { kind, pattern, accept }
}

/// `\b` is the ASCII one throughout: the Unicode one forces the slow engine.
const RULES: &[Rule] = &[
    judged(SecretKind::AWS_ACCESS_KEY_ID, r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", |c| !c.value.ends_with("EXAMPLE")),
    rule(SecretKind::AWS_SESSION_TOKEN, r"\b(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AQoDYXdz)[A-Za-z0-9+/]{60,}={0,2}"),
    rule(SecretKind::AWS_BEDROCK_API_KEY, r"\bABSK[A-Za-z0-9+/]{100,}={0,2}"),
    rule(SecretKind::GITHUB_TOKEN, r"\b(?:gh[pousr]_[A-Za-z0-9_]{36,}|github_pat_[A-Za-z0-9_]{22,})\b"),
    rule(SecretKind::GITLAB_TOKEN, r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas)-[A-Za-z0-9_.-]{20,}"),
    rule(SecretKind::SLACK_TOKEN, r"\b(?:xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{20,})"),
    rule(
        SecretKind::CHAT_WEBHOOK,
        r"https://(?:hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9/]{16,}|(?:[a-z]+\.)?discord(?:app)?\.com/api/webhooks/[0-9]{16,20}/[A-Za-z0-9_-]{40,}|[a-z0-9-]+\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{60,})",
    ),
    rule(SecretKind::STRIPE_KEY, r"\b(?:[sr]k_live_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}={0,2})"),
    rule(SecretKind::GOOGLE_API_KEY, r"\bAIza[A-Za-z0-9_-]{35}"),
    rule(SecretKind::GOOGLE_CLIENT_SECRET, r"\bGOCSPX-[A-Za-z0-9_-]{28}"),
    rule(SecretKind::NPM_TOKEN, r"\bnpm_[A-Za-z0-9]{36}\b"),
    rule(SecretKind::PYPI_TOKEN, r"\bpypi-[A-Za-z0-9_-]{50,}"),
    rule(SecretKind::SENDGRID_KEY, r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    rule(SecretKind::TWILIO_KEY, r"\bSK[0-9a-f]{32}\b"),
    rule(SecretKind::ANTHROPIC_KEY, r"\bsk-ant-[a-z]+[0-9]{2}-[A-Za-z0-9_-]{32,}"),
    rule(
        SecretKind::OPENAI_KEY,
        r"\bsk-(?:[A-Za-z0-9_-]{16,}T3BlbkFJ[A-Za-z0-9_-]{16,}|(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}|[A-Za-z0-9]{48}\b)",
    ),
    rule(SecretKind::HUGGING_FACE_TOKEN, r"\bhf_[A-Za-z0-9]{34}\b"),
    rule(SecretKind::NEW_RELIC_KEY, r"\b(?:NRAK-[A-Z0-9]{27}\b|[0-9a-f]{36}NRAL\b)"),
    rule(SecretKind::GRAFANA_TOKEN, r"\b(?:glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}\b|glc_[A-Za-z0-9+/]{32,}={0,2})"),
    rule(SecretKind::SENTRY_TOKEN, r"\b(?:sntrys_[A-Za-z0-9+/=_-]{40,}|sntryu_[0-9a-f]{64}\b)"),
    rule(SecretKind::HASHICORP_TOKEN, r"\b(?:hv[sbr]\.[A-Za-z0-9_-]{24,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,})"),
    rule(SecretKind::DIGITALOCEAN_TOKEN, r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    rule(SecretKind::DOCKER_HUB_TOKEN, r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    rule(SecretKind::ATLASSIAN_TOKEN, r"\bAT(?:ATT3|CTT3|BBT3|STT3)[A-Za-z0-9_=-]{60,}"),
    rule(SecretKind::DATABRICKS_TOKEN, r"\bdapi[0-9a-f]{32}\b"),
    rule(SecretKind::SHOPIFY_TOKEN, r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    rule(SecretKind::MAILGUN_KEY, r"\bkey-[0-9a-f]{32}\b"),
    rule(SecretKind::TELEGRAM_TOKEN, r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    rule(SecretKind::PLANETSCALE_TOKEN, r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,}"),
    rule(SecretKind::AGE_SECRET_KEY, r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    rule(SecretKind::AZURE_CLIENT_SECRET, r"\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    rule(SecretKind::AZURE_ACCOUNT_KEY, r"(?i)\b(?:AccountKey|SharedAccessKey)\s{0,4}=\s{0,4}(?P<v>[A-Za-z0-9+/]{40,}={0,2})"),
    judged(SecretKind::JWT, r"\b(?P<v>eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{16,})", |c| encoded::is_jwt(c.value)),
    judged(SecretKind::DOCKER_REGISTRY_AUTH, r#""auth\\{0,3}"\s{0,8}:\s{0,8}\\{0,3}"(?P<v>[A-Za-z0-9+/]{6,}={0,2})\\{0,3}""#, |c| {
        encoded::is_user_and_password(c.value)
    }),
    judged(SecretKind::BASIC_AUTH, r"(?i)\bbasic[ +](?P<v>[A-Za-z0-9+/]{6,}={0,2})", |c| encoded::is_user_and_password(c.value)),
    judged(
        SecretKind::BEARER_TOKEN,
        r#"(?i)\bauthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:bearer|token)\s+(?P<v>[A-Za-z0-9._~+/=-]{12,})"#,
        |c| !value::is_benign(c.value),
    ),
    judged(
        SecretKind::PASSWORD_IN_URL,
        r#"(?i)\b[a-z][a-z0-9+.-]{1,30}://(?P<u>[^\s:@/?#'"<>`\\]*):(?P<v>[^\s@/?'"<>`\\]+)@[a-z0-9\[_$%{.*-]"#,
        is_password_in_url,
    ),
    judged(SecretKind::PASSWORD_IN_URL, r"(?i)\bjdbc:oracle:[a-z]+:(?P<u>[a-z0-9_$#]{1,64})/(?P<v>[^\s@/]+)@", |c| {
        !value::is_placeholder(c.value)
    }),
    // MySQL's -p takes its value without a space; elsewhere the option is the tool's own.
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r#"\b(?:mysql|mysqldump|mysqladmin|mysqlcheck|mysqlimport|mysqlsh|mariadb|mariadb-dump|mariadb-admin|xtrabackup)(?:\s[^\n|;&]*?)?\s-p["']?(?P<v>[^\s"'-][^\s"']+)"#,
        is_password_option,
    ),
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r#"\b(?:sshpass|docker\s+login|podman\s+login|helm\s+registry\s+login|az\s+login|mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport)\s(?:[^\n|;&]*?\s)?-p\s{0,8}["']?(?P<v>[^\s"'-][^\s"']+)"#,
        is_password_option,
    ),
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r#"\b(?:redis-cli\s(?:[^\n|;&]*?\s)?-a|ldap(?:search|modify|add|delete|passwd|whoami)\s(?:[^\n|;&]*?\s)?-w|sqlcmd\s(?:[^\n|;&]*?\s)?-P)\s{0,8}["']?(?P<v>[^\s"'-][^\s"']+)"#,
        is_password_option,
    ),
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r#"\b(?:curl|wget)\s(?:[^\n|;]*?\s)?(?:-u|--user|--proxy-user|-U)[\s=]{1,4}["']?[^\s"':$][^\s"':]*:(?P<v>[^\s"']+)"#,
        is_password_option,
    ),
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r#"(?:["'\s][A-Za-z_][A-Za-z0-9_-]{0,31}:(?P<v>[^\s"':$]{2,})["']?\s{0,4}\|\s{0,4}(?:sudo\s{1,4})?chpasswd\b)"#,
        is_password_option,
    ),
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r#"(?:-pass(?:in|out)?|-passin|-passout)\s{1,4}["']?pass:(?P<v>[^\s"']{2,})"#,
        is_password_option,
    ),
    // SQL: CREATE USER … IDENTIFIED BY '…', ALTER ROLE … PASSWORD '…'.
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r"(?i)\b(?:identified(?:\s+with\s+[a-z0-9_]+)?\s+by|(?:user|role)\s[^\n;']*\bpassword)\s+'(?P<v>[^'\n]+)'",
        is_password_option,
    ),
    judged(
        SecretKind::PASSWORD_IN_COMMAND,
        r#"(?i)\bConvertTo-SecureString\s(?:-String\s{1,4})?["'](?P<v>[^"'\n$]{4,})["'][^\n]{0,80}-AsPlainText"#,
        is_password_option,
    ),
];

/// A real token is not one letter over and over, nor does it say that it is a placeholder.
fn varied(candidate: &Candidate<'_>) -> bool {
    // Judge what stands behind the prefix: `sk_live_xxxxxxxx` is as varied as its prefix.
    let body = candidate.value.get(candidate.value.len() / 2..).unwrap_or(candidate.value);
    let lower = candidate.value.to_ascii_lowercase();
    value::entropy(body) >= 1.5
        && !["xxxx", "example", "placeholder", "redacted", "your-", "your_", "changeme", "....", "0000000000"]
            .iter()
            .any(|part| lower.contains(part))
}

fn is_password_option(candidate: &Candidate<'_>) -> bool {
    !value::is_benign(candidate.value)
}

fn is_password_in_url(candidate: &Candidate<'_>) -> bool {
    if value::is_placeholder(candidate.value) {
        return false;
    }
    // Documentation's own: user:password@host, and the domains reserved for examples.
    let user = candidate.whole.split_once("://").and_then(|(_, rest)| rest.split_once(':')).map_or("", |(user, _)| user);
    let named = |word: &str, words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
    if named(user, &["user", "username", "login"]) && named(candidate.value, &["password", "passwd", "pwd", "secret", "token"]) {
        return false;
    }
    // The match ends with the host's first character.
    let first = candidate.whole.chars().next_back();
    let host: String = first.into_iter().chain(candidate.after.chars()).take_while(|c| !matches!(c, '/' | ':' | '?')).take(255).collect();
    let host = host.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    !["example.com", "example.org", "example.net"].iter().any(|e| host == *e || host.ends_with(&format!(".{e}")))
}

impl Rules {
    pub(crate) fn new() -> Self {
        let rules: Vec<_> = RULES.iter().filter_map(|rule| compile(rule.pattern).map(|regex| (rule, regex))).collect();
        let set = RegexSet::new(rules.iter().map(|(_, regex)| regex.as_str())).ok();
        Self { set, rules }
    }

    /// Calls `found` with kind, start and end of every secret, until it answers false.
    pub(crate) fn find(&self, text: &str, mut found: impl FnMut(SecretKind, usize, usize) -> bool) {
        let hits = self.set.as_ref().map(|set| set.matches(text));
        for (index, (rule, regex)) in self.rules.iter().enumerate() {
            if hits.as_ref().is_some_and(|hits| !hits.matched(index)) {
                continue;
            }
            for captures in regex.captures_iter(text) {
                let Some(whole) = captures.get(0) else { continue };
                let secret = captures.name("v").unwrap_or(whole);
                let near = text.floor_char_boundary(whole.end() + MAX_AFTER);
                let after = text.get(whole.end()..near).and_then(|rest| rest.lines().next()).unwrap_or_default();
                let candidate = Candidate { value: secret.as_str(), whole: whole.as_str(), after };
                if (rule.accept)(&candidate) && !found(rule.kind, secret.start(), secret.end()) {
                    return;
                }
            }
        }
    }
}

fn compile(pattern: &str) -> Option<Regex> {
    Regex::new(&pattern.replace(r"\b", r"(?-u:\b)")).ok()
}

#[cfg(test)]
mod tests {
    use super::{RULES, Rules};

    #[test]
    fn every_pattern_compiles() {
        let rules = Rules::new();
        assert_eq!(rules.rules.len(), RULES.len());
        assert!(rules.set.is_some());
    }
}
