//! Secrets that must be found: (name, value) pairs and texts, each with the kind it has.
//!
//! Secret-looking strings are put together with `concat!`, so that scanners of repositories stay quiet.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use plimsoll_secrets::{Detector, SecretKind};

const ACCESS_KEY_ID: &str = concat!("AKIA", "QNZGKIQY56JQ7WML");
const SECRET_ACCESS_KEY: &str = concat!("kW3xQ9vTz1LmN8bR/c5Yp", "H7sJ2dFgK4+aE6uXoZq");
const PASSWORD: &str = concat!("Tr0ub4dor", "&3");
const LETTERS: &str = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYzA1bC3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xYz";
const HEX: &str = "3f9a1c7e5b2d8046f1e3a5c7b9d20468ac13579bdf02468ace13579bdf024680";

fn private_key(kind: &str, line_break: &str) -> String {
    let body = &LETTERS[..64];
    let dashes = "-----";
    format!("{dashes}BEGIN {kind}PRIVATE KEY{dashes}{line_break}{body}{line_break}{body}{line_break}{dashes}END {kind}PRIVATE KEY{dashes}")
}

fn jwt() -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(r#"{"sub":"1234567890"}"#), &LETTERS[..43])
}

#[track_caller]
fn named(cases: &[(&str, &str, SecretKind)]) {
    let detector = Detector::new(None);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, value, kind)| {
            let found = detector.named_value(name, value).map(|m| m.kind);
            (found != Some(*kind)).then(|| format!("{name}={value}: expected {kind}, found {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[track_caller]
fn texts(cases: &[(&str, SecretKind)]) {
    let detector = Detector::new(None);
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(text, kind)| {
            let found: Vec<SecretKind> = detector.text(text).iter().map(|m| m.kind).collect();
            (found != [*kind]).then(|| format!("{text}: expected {kind}, found {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn passwords_in_urls_are_found_under_any_name() {
    let kind = SecretKind::PASSWORD_IN_URL;
    named(&[
        ("X", concat!("postgres://app:", "s3cr3t@db/x"), kind),
        ("X", concat!("redis://:", "pw@h"), kind),
        ("X", concat!("rediss://default:", "Zk3#x9@cache.internal:6380/0"), kind),
        ("X", concat!("amqp://guest:", "guest@rabbit:5672/vhost"), kind),
        ("X", concat!("mongodb+srv://root:", "hunter2@cluster0.abcde.mongodb.net/?retryWrites=true"), kind),
        ("X", concat!("https://deploy:", "pw123@git.internal/app.git"), kind),
        ("X", concat!("jdbc:postgresql://app:", "s3cr3t@db:5432/x"), kind),
        ("X", concat!("jdbc:oracle:thin:scott/", "tiger1@db:1521:orcl"), kind),
        ("HTTP_PROXY", concat!("http://svc:", "Passw0rt@proxy.corp:3128"), kind),
        ("DATABASE_URL", concat!("mysql2://app:", "p%40ss@${DB_HOST}/x"), kind),
    ]);
}

#[test]
fn aws_credentials_are_told_apart() {
    let session = format!("IQoJb3JpZ2lu{LETTERS}{LETTERS}==");
    let pair = format!("{ACCESS_KEY_ID}:{SECRET_ACCESS_KEY}");
    let file = format!("[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n");
    named(&[
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID, SecretKind::AWS_ACCESS_KEY_ID),
        ("ANYTHING", ACCESS_KEY_ID, SecretKind::AWS_ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY, SecretKind::AWS_SECRET_ACCESS_KEY),
        ("S3_SECRET_KEY", SECRET_ACCESS_KEY, SecretKind::AWS_SECRET_ACCESS_KEY),
        ("AWS_CREDS", &pair, SecretKind::AWS_SECRET_ACCESS_KEY),
        ("X", &file, SecretKind::AWS_SECRET_ACCESS_KEY),
        ("AWS_SESSION_TOKEN", &session, SecretKind::AWS_SESSION_TOKEN),
        ("X", &session, SecretKind::AWS_SESSION_TOKEN),
    ]);
    let kinds: Vec<_> = Detector::new(None).text(&file).iter().map(|m| (m.kind, m.line)).collect();
    assert_eq!(kinds, [(SecretKind::AWS_ACCESS_KEY_ID, 2), (SecretKind::AWS_SECRET_ACCESS_KEY, 3)]);
}

#[test]
fn private_keys_are_found_with_real_and_escaped_line_breaks() {
    let kind = SecretKind::PRIVATE_KEY;
    let service_account = format!(r#"{{"type":"service_account","project_id":"p","private_key":"{}"}}"#, private_key("", "\\n"));
    named(&[
        ("X", &private_key("", "\n"), kind),
        ("X", &private_key("RSA ", "\n"), kind),
        ("TLS_KEY", &private_key("EC ", "\\n"), kind),
        ("X", &private_key("OPENSSH ", " "), kind),
        ("X", &STANDARD.encode(private_key("RSA ", "\n")), kind),
        ("GOOGLE_JSON", &service_account, SecretKind::GCP_SERVICE_ACCOUNT),
        ("GOOGLE_JSON", &STANDARD.encode(&service_account), SecretKind::GCP_SERVICE_ACCOUNT),
    ]);
}

#[test]
fn tokens_of_known_providers_are_found_by_their_form() {
    let l = |n: usize| &LETTERS[..n];
    let h = |n: usize| &HEX[..n];
    let cases = [
        (format!("ghp_{}", l(36)), SecretKind::GITHUB_TOKEN),
        (format!("gho_{}", l(36)), SecretKind::GITHUB_TOKEN),
        (format!("ghs_{}", l(36)), SecretKind::GITHUB_TOKEN),
        (format!("github_pat_{}_{}", l(22), l(59)), SecretKind::GITHUB_TOKEN),
        (format!("glpat-{}", l(20)), SecretKind::GITLAB_TOKEN),
        (format!("xoxb-1234567890-1234567890-{}", l(24)), SecretKind::SLACK_TOKEN),
        (format!("xoxp-1234567890-{}", l(24)), SecretKind::SLACK_TOKEN),
        (format!("https://hooks.slack.com/services/T0AB12CD3/B0EF45GH6/{}", l(24)), SecretKind::CHAT_WEBHOOK),
        (format!("sk_live_{}", l(24)), SecretKind::STRIPE_KEY),
        (format!("rk_live_{}", l(24)), SecretKind::STRIPE_KEY),
        (format!("AIza{}", l(35)), SecretKind::GOOGLE_API_KEY),
        (format!("npm_{}", l(36)), SecretKind::NPM_TOKEN),
        (format!("pypi-AgEIcHlwaS5vcmc{}", l(60)), SecretKind::PYPI_TOKEN),
        (format!("SG.{}.{}", l(22), l(43)), SecretKind::SENDGRID_KEY),
        (format!("SK{}", h(32)), SecretKind::TWILIO_KEY),
        (format!("sk-{}T3BlbkFJ{}", l(20), l(20)), SecretKind::OPENAI_KEY),
        (format!("sk-proj-{}", l(60)), SecretKind::OPENAI_KEY),
        (format!("sk-ant-api03-{}", l(60)), SecretKind::ANTHROPIC_KEY),
        (format!("hf_{}", l(34)), SecretKind::HUGGING_FACE_TOKEN),
        (format!("hvs.{}", l(24)), SecretKind::HASHICORP_TOKEN),
        (format!("dop_v1_{HEX}"), SecretKind::DIGITALOCEAN_TOKEN),
        (format!("dckr_pat_{}", l(27)), SecretKind::DOCKER_HUB_TOKEN),
        (format!("dapi{}", h(32)), SecretKind::DATABRICKS_TOKEN),
        (format!("shpat_{}", h(32)), SecretKind::SHOPIFY_TOKEN),
        (format!("glsa_{}_{}", l(32), h(8)), SecretKind::GRAFANA_TOKEN),
        (jwt(), SecretKind::JWT),
        (format!("DefaultEndpointsProtocol=https;AccountName=a;AccountKey={}==", l(64)), SecretKind::AZURE_ACCOUNT_KEY),
    ];
    let as_values: Vec<_> = cases.iter().map(|(value, kind)| ("X", value.as_str(), *kind)).collect();
    named(&as_values);
    // The form outranks the name.
    let as_tokens: Vec<_> = cases.iter().map(|(value, kind)| ("API_TOKEN", value.as_str(), *kind)).collect();
    named(&as_tokens);
    let inside: Vec<_> = cases.iter().map(|(value, kind)| (format!("run --with '{value}' now"), *kind)).collect();
    texts(&inside.iter().map(|(text, kind)| (text.as_str(), *kind)).collect::<Vec<_>>());
}

#[test]
fn a_telling_name_makes_a_value_a_secret() {
    let kind = SecretKind::NAMED_SECRET;
    named(&[
        ("DB_PASSWORD", PASSWORD, kind),
        ("DB_PASSWORD", "correct-horse-battery-staple", kind),
        ("MYSQL_ROOT_PASSWORD", "mysecretpassword", kind),
        ("POSTGRES_PASSWORD", "postgres", kind),
        ("spring.datasource.password", "hunter2", kind),
        ("dbPassword", "hunter2", kind),
        ("SMTP_PASS", "hunter2", kind),
        ("PGPASSWORD", "p4$$w0rd", kind),
        ("JWT_SECRET", HEX, kind),
        ("SECRET_KEY_BASE", &format!("{HEX}{HEX}"), kind),
        ("CLIENT_SECRET", "7c9e6679-7425-40de-944b-e07fc1f90ae7", kind),
        ("API_KEY", "k3y-Zx81-Qp00", kind),
        ("VAULT_SECRET_ID", "7c9e6679-7425-40de-944b-e07fc1f90ae7", kind),
        ("ENCRYPTION_KEY", &STANDARD.encode([7_u8, 200, 3, 99, 250, 0, 17, 180, 33, 4, 5, 6, 7, 8, 9, 10]), kind),
        ("SEGMENT_WRITE_KEY", &LETTERS[..32], kind),
        ("DD_API_KEY", &HEX[..32], SecretKind::DATADOG_KEY),
        ("DATADOG_APP_KEY", &HEX[..40], SecretKind::DATADOG_KEY),
        ("TWILIO_AUTH_TOKEN", &HEX[..32], SecretKind::TWILIO_KEY),
    ]);
}

#[test]
fn secrets_in_json_in_base64_and_in_both_are_found() {
    let kind = SecretKind::NAMED_SECRET;
    let json = format!(r#"{{"db":{{"user":"app","password":"{PASSWORD}"}}}}"#);
    let pairs = format!(r#"[{{"name":"DB_PASSWORD","value":"{PASSWORD}"}}]"#);
    let nested = serde_json_string(&json);
    let registry = format!(r#"{{"https://index.docker.io/v1/":{{"username":"app","password":"{PASSWORD}"}}}}"#);
    let docker = format!(r#"{{"auths":{{"registry.internal":{{"auth":"{}"}}}}}}"#, STANDARD.encode(format!("app:{PASSWORD}")));
    named(&[
        ("CONFIG", &json, kind),
        ("CONFIG", &pairs, kind),
        ("CONFIG", &format!(r#"{{"inner":{nested}}}"#), kind),
        ("CONFIG", &STANDARD.encode(&json), kind),
        ("CONFIG", &STANDARD.encode(STANDARD.encode(&json)), kind),
        ("CONFIG", &STANDARD.encode(concat!("postgres://app:", "s3cr3t@db/x")), SecretKind::PASSWORD_IN_URL),
        ("CONFIG", &docker, SecretKind::DOCKER_REGISTRY_AUTH),
        ("ECS_ENGINE_AUTH_DATA", &registry, SecretKind::DOCKER_REGISTRY_AUTH),
        ("COMMAND", r#"["mysql","--password","hunter2"]"#, SecretKind::PASSWORD_IN_COMMAND),
    ]);
}

fn serde_json_string(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

#[test]
fn passwords_in_commands_and_scripts_are_found() {
    let option = SecretKind::PASSWORD_IN_COMMAND;
    let named = SecretKind::NAMED_SECRET;
    let basic = format!("curl -H 'Authorization: Basic {}' https://api.internal", STANDARD.encode(format!("app:{PASSWORD}")));
    texts(&[
        ("myapp --password hunter2", option),
        ("myapp --db-password=hunter2", option),
        ("myapp --api-key 'k3y-Zx81-Qp00' --verbose", option),
        ("mysql -uroot -phunter2 -e 'select 1'", option),
        ("mysqldump -u root -p'hunter2' db", option),
        ("sshpass -p hunter2 ssh host", option),
        ("docker login -u app -p hunter2 registry.internal", option),
        ("redis-cli -h cache -a hunter2 ping", option),
        ("curl -s -u app:hunter2 https://api.internal/", option),
        ("echo 'app:hunter2' | chpasswd", option),
        ("openssl rsa -in key.pem -passin pass:hunter2", option),
        ("java -Dspring.datasource.password=hunter2 -jar app.jar", option),
        ("mysql -e \"CREATE USER app IDENTIFIED BY 'hunter2'\"", option),
        ("psql -c \"ALTER ROLE app WITH LOGIN PASSWORD 'hunter2'\"", option),
        ("redis-server --requirepass hunter2", option),
        ("export DB_PASSWORD=Tr0ub4dor&3", named),
        ("DB_PASSWORD='Tr0ub4dor 3' exec app", named),
        ("docker run -e DB_PASSWORD=hunter2 app", named),
        ("docker run -e \"DB_PASSWORD=hunter2\" app", named),
        ("password: hunter2", named),
        ("db:\n  password: correcthorse\n", named),
        ("sh -c '{\\\"password\\\":\\\"hunter2\\\"}'", named),
        ("$env:DB_PASSWORD = \"hunter2\"", named),
        ("[Environment]::SetEnvironmentVariable(\"DB_PASSWORD\", \"hunter2\", \"Machine\")", named),
        ("kubectl create secret generic x --from-literal=password=hunter2", named),
        ("https://api.internal/login?token=k3yZx81Qp00&next=/", named),
        ("curl -H 'X-Api-Key: k3yZx81Qp00' https://api.internal", named),
        ("Server=db;Database=x;User Id=app;Password=hunter2;", SecretKind::CONNECTION_STRING),
        ("host=cache,password=hunter2,ssl=True", named),
        (&basic, SecretKind::BASIC_AUTH),
        ("curl -H 'Authorization: Bearer k3yZx81Qp00abcdef' https://api.internal", SecretKind::BEARER_TOKEN),
        ("echo ECS_ENGINE_AUTH_DATA='{\"r\":{\"password\":\"hunter2\"}}' >> /etc/ecs/ecs.config", SecretKind::DOCKER_REGISTRY_AUTH),
    ]);
}

#[test]
fn every_secret_of_a_script_is_found_on_its_line() {
    let script = format!("#!/bin/bash\nexport A=1\nexport DB_PASSWORD={PASSWORD}\n\nexport U=postgres://app:{PASSWORD}@db/x\n");
    let found: Vec<_> = Detector::new(None).text(&script).iter().map(|m| (m.kind, m.line, m.len)).collect();
    assert_eq!(found, [(SecretKind::NAMED_SECRET, 3, 11), (SecretKind::PASSWORD_IN_URL, 5, 11)]);
}

#[test]
fn equal_values_have_equal_fingerprints_under_one_key_only() {
    let print = |key: Option<&[u8]>, value: &str| Detector::new(key).named_value("DB_PASSWORD", value).unwrap().fingerprint;
    let first = print(Some(b"key"), PASSWORD);
    assert_eq!(first.as_ref().map(String::len), Some(16));
    assert_eq!(first, print(Some(b"key"), PASSWORD));
    assert_ne!(first, print(Some(b"key"), "another1"));
    assert_ne!(first, print(Some(b"other key"), PASSWORD));
    assert_eq!(print(None, PASSWORD), None);
    // The same value has the same fingerprint, wherever it stands.
    let within = Detector::new(Some(b"key")).text(&format!("export X_PASSWORD='{PASSWORD}'"));
    assert_eq!(within[0].fingerprint, first);
}

#[test]
fn nothing_that_is_returned_shows_the_value() {
    let detector = Detector::new(Some(b"key"));
    let text = format!("{ACCESS_KEY_ID} {SECRET_ACCESS_KEY} DB_PASSWORD={PASSWORD}");
    let shown = format!("{detector:?} {:?} {:?}", detector.text(&text), detector.access_key_ids(&text));
    for value in [ACCESS_KEY_ID, SECRET_ACCESS_KEY, PASSWORD] {
        assert!(!shown.contains(value), "{shown}");
    }
}

#[test]
fn access_key_ids_are_told_by_account_and_digest() {
    let detector = Detector::new(None);
    let ids = detector.access_key_ids(&format!("a\nkey={ACCESS_KEY_ID}\n{}", STANDARD.encode(concat!("key: ASIA", "QNZGKIQY56JQ7WMA"))));
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0].account.as_deref(), Some("029608264753"));
    assert_eq!((ids[0].line, ids[0].last_four.as_str(), ids[0].temporary), (2, "7WML", false));
    assert_eq!(ids[0].sha256, plimsoll_secrets::AccessKeyId::digest(ACCESS_KEY_ID));
    assert!(ids[1].temporary);
}

#[test]
fn kinds_have_unique_kebab_case_ids() {
    let mut ids: Vec<&str> = SecretKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}
