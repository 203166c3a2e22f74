//! User data of container hosts, in the forms in which it comes.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use plimsoll_secrets::{Detector, SecretKind, UserDataError, UserDataFacts, user_data_facts};
use std::io::Write;

fn read(text: &str) -> UserDataFacts {
    user_data_facts(&Detector::new(None), &STANDARD.encode(text)).unwrap()
}

fn setting<'f>(facts: &'f UserDataFacts, name: &str) -> Option<&'f str> {
    facts.agent_configuration.get(name).map(String::as_str)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const HEREDOC: &str = "#!/bin/bash
cat <<'EOF' >> /etc/ecs/ecs.config
ECS_CLUSTER=production
ECS_AWSVPC_BLOCK_IMDS=true
ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=FALSE
#ECS_SELINUX_CAPABLE=true
ECS_AVAILABLE_LOGGING_DRIVERS=[\"json-file\",\"awslogs\"]
EOF
";

#[test]
fn a_here_document_writes_the_agents_configuration() {
    let facts = read(HEREDOC);
    assert_eq!(setting(&facts, "ECS_CLUSTER"), Some("production"));
    assert_eq!(setting(&facts, "ECS_AWSVPC_BLOCK_IMDS"), Some("true"));
    assert_eq!(setting(&facts, "ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST"), Some("false"));
    assert_eq!(setting(&facts, "ECS_SELINUX_CAPABLE"), None);
    assert_eq!(setting(&facts, "ECS_AVAILABLE_LOGGING_DRIVERS"), Some("json-file,awslogs"));
    assert!(facts.matches.is_empty() && facts.unresolved.is_empty() && !facts.configured_elsewhere);
}

#[test]
fn echo_printf_and_tee_write_it_too() {
    let facts = read(
        "#!/bin/sh\necho ECS_CLUSTER=a >> /etc/ecs/ecs.config\necho \"ECS_AWSVPC_BLOCK_IMDS=true\" | sudo tee -a /etc/ecs/ecs.config\n\
         echo -e 'ECS_DISABLE_PRIVILEGED=1\\nECS_APPARMOR_CAPABLE=true' >> /etc/ecs/ecs.config\n",
    );
    assert_eq!(setting(&facts, "ECS_CLUSTER"), Some("a"));
    assert_eq!(setting(&facts, "ECS_AWSVPC_BLOCK_IMDS"), Some("true"));
    assert_eq!(setting(&facts, "ECS_DISABLE_PRIVILEGED"), Some("true"));
    assert_eq!(setting(&facts, "ECS_APPARMOR_CAPABLE"), Some("true"));
}

#[test]
fn a_redirection_that_truncates_undoes_what_was_written_before() {
    let facts = read(&format!("{HEREDOC}echo ECS_CLUSTER=b > /etc/ecs/ecs.config\n"));
    assert_eq!(setting(&facts, "ECS_CLUSTER"), Some("b"));
    assert_eq!(setting(&facts, "ECS_AWSVPC_BLOCK_IMDS"), None);
}

#[test]
fn text_quoted_over_lines_survives_its_own_redirection() {
    let facts = read("#!/bin/bash\necho \"ECS_CLUSTER=a\nECS_AWSVPC_BLOCK_IMDS=true\" > /etc/ecs/ecs.config\n");
    assert_eq!(setting(&facts, "ECS_CLUSTER"), Some("a"));
    assert_eq!(setting(&facts, "ECS_AWSVPC_BLOCK_IMDS"), Some("true"));
}

#[test]
fn what_the_script_computes_is_unresolved() {
    let facts =
        read("#!/bin/bash\necho ECS_CLUSTER=${CLUSTER} >> /etc/ecs/ecs.config\necho ECS_AWSVPC_BLOCK_IMDS=$BLOCK >> /etc/ecs/ecs.config\n");
    assert!(facts.agent_configuration.is_empty());
    assert!(facts.unresolved.contains("ECS_CLUSTER") && facts.unresolved.contains("ECS_AWSVPC_BLOCK_IMDS"));
}

#[test]
fn a_fetched_or_edited_file_is_configured_elsewhere() {
    assert!(read("#!/bin/bash\naws s3 cp s3://bucket/ecs.config /etc/ecs/ecs.config\n").configured_elsewhere);
    assert!(read("#!/bin/bash\nsed -i 's/x/y/' /etc/ecs/ecs.config\n").configured_elsewhere);
    assert!(read("#include\nhttps://internal/boot.sh\n").configured_elsewhere);
    assert!(!read("#!/bin/bash\nyum install -y aws-cli\n").configured_elsewhere);
}

#[test]
fn cloud_config_writes_files_plain_and_encoded() {
    let plain = read(
        "#cloud-config\nwrite_files:\n  - path: /etc/ecs/ecs.config\n    content: |\n      ECS_CLUSTER=a\n      ECS_AWSVPC_BLOCK_IMDS=true\n",
    );
    assert_eq!(setting(&plain, "ECS_AWSVPC_BLOCK_IMDS"), Some("true"));
    let encoded = STANDARD.encode(gzip("ECS_CLUSTER=a\nECS_AWSVPC_BLOCK_IMDS=true\n"));
    let packed =
        read(&format!("#cloud-config\nwrite_files:\n  - path: /etc/ecs/ecs.config\n    encoding: gz+b64\n    content: {encoded}\n"));
    assert_eq!(setting(&packed, "ECS_AWSVPC_BLOCK_IMDS"), Some("true"));
}

#[test]
fn bottlerockets_settings_go_by_the_agents_names() {
    let facts = read(
        "[settings.ecs]\ncluster = \"prod\" # ours\nawsvpc-block-imds = true\nallow-privileged-containers = false\nlogging-drivers = [\n  \"awslogs\",\n  \"json-file\",\n]\n\n\
         [settings.network]\nhttps-proxy = \"http://app:hunter2@proxy.internal:3128\"\nno-proxy = [\"localhost\", \"169.254.169.254\"]\n",
    );
    assert!(facts.is_bottlerocket);
    assert_eq!(setting(&facts, "ECS_CLUSTER"), Some("prod"));
    assert_eq!(setting(&facts, "ECS_AWSVPC_BLOCK_IMDS"), Some("true"));
    assert_eq!(setting(&facts, "ECS_DISABLE_PRIVILEGED"), Some("true"));
    assert_eq!(setting(&facts, "ECS_AVAILABLE_LOGGING_DRIVERS"), Some("awslogs,json-file"));
    let proxy = facts.http_proxy.unwrap();
    assert_eq!((proxy.host.as_str(), proxy.credentials), ("proxy.internal:3128", true));
    assert_eq!(facts.no_proxy, ["localhost", "169.254.169.254"]);
    assert!(!read(HEREDOC).is_bottlerocket);
}

#[test]
fn windows_hosts_initialize_the_agent_with_options() {
    let facts = read(
        "<powershell>\nImport-Module ECSTools\n[Environment]::SetEnvironmentVariable(\"ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE\", $TRUE, \"Machine\")\nInitialize-ECSAgent -Cluster 'windows' -EnableTaskIAMRole `\n  -AwsvpcBlockIMDS -EnableTaskENI:$false\n</powershell>\n",
    );
    assert_eq!(setting(&facts, "ECS_CLUSTER"), Some("windows"));
    assert_eq!(setting(&facts, "ECS_ENABLE_TASK_IAM_ROLE"), Some("true"));
    assert_eq!(setting(&facts, "ECS_AWSVPC_BLOCK_IMDS"), Some("true"));
    assert_eq!(setting(&facts, "ECS_ENABLE_TASK_ENI"), Some("false"));
    assert_eq!(setting(&facts, "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE"), Some("true"));
}

#[test]
fn the_proxy_is_told_without_its_credentials() {
    let facts = read(
        "#!/bin/bash\necho 'HTTP_PROXY=http://svc:hunter2@proxy.internal:3128' >> /etc/ecs/ecs.config\necho NO_PROXY=169.254.169.254,169.254.170.2,/var/run/docker.sock >> /etc/ecs/ecs.config\n",
    );
    let shown = format!("{facts:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("svc"), "{shown}");
    let proxy = facts.http_proxy.unwrap();
    assert_eq!((proxy.host.as_str(), proxy.credentials), ("proxy.internal:3128", true));
    assert_eq!(facts.no_proxy, ["169.254.169.254", "169.254.170.2", "/var/run/docker.sock"]);
    assert_eq!(facts.matches.iter().map(|m| m.kind).collect::<Vec<_>>(), [SecretKind::PASSWORD_IN_URL]);
}

#[test]
fn a_systemd_drop_in_names_a_proxy_without_credentials() {
    let facts = read(
        "#!/bin/bash\ncat > /etc/systemd/system/docker.service.d/proxy.conf <<EOF\n[Service]\nEnvironment=\"HTTP_PROXY=http://proxy.internal:3128/\" \"NO_PROXY=169.254.169.254\"\nEOF\n",
    );
    let proxy = facts.http_proxy.unwrap();
    assert_eq!((proxy.host.as_str(), proxy.credentials), ("proxy.internal:3128", false));
    assert_eq!(facts.no_proxy, ["169.254.169.254"]);
}

fn multipart() -> String {
    let script = STANDARD.encode("#!/bin/bash\nexport DB_PASSWORD=hunter2\necho ECS_CLUSTER=late >> /etc/ecs/ecs.config\n");
    format!(
        "Content-Type: multipart/mixed; boundary=\"==B==\"\nMIME-Version: 1.0\n\n--==B==\nContent-Type: text/x-shellscript\n\n#!/bin/bash\nexport API_TOKEN=k3yZx81Qp00\n\
         --==B==\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\n{script}\n--==B==\nContent-Type: text/cloud-config\n\n#cloud-config\nECS_CLUSTER=early\n--==B==--\n"
    )
}

#[test]
fn multipart_is_taken_apart_and_read_in_boot_order() {
    let facts = read(&multipart());
    let found: Vec<_> = facts.matches.iter().map(|m| (m.kind, m.line)).collect();
    assert_eq!(found, [(SecretKind::NAMED_SECRET, 8), (SecretKind::NAMED_SECRET, 13)]);
    // cloud-config comes last in the document and first at boot.
    assert_eq!(setting(&facts, "ECS_CLUSTER"), Some("late"));
}

#[test]
fn gzip_and_nested_multipart_are_opened() {
    let packed = user_data_facts(&Detector::new(None), &STANDARD.encode(gzip(&multipart()))).unwrap();
    assert_eq!(packed, read(&multipart()));
    let nested =
        read(&format!("MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=outer\n\n--outer\n{}--outer--\n", multipart()));
    assert_eq!(nested.matches.len(), 2);
}

#[test]
fn registry_credentials_of_the_agent_are_found() {
    let facts = read(
        "#!/bin/bash\necho 'ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"https://index.docker.io/v1/\":{\"username\":\"app\",\"password\":\"hunter2\"}}' >> /etc/ecs/ecs.config\n",
    );
    assert_eq!(facts.matches.iter().map(|m| m.kind).collect::<Vec<_>>(), [SecretKind::DOCKER_REGISTRY_AUTH]);
    assert_eq!(setting(&facts, "ECS_ENGINE_AUTH_TYPE"), Some("docker"));
    assert!(!format!("{facts:?}").contains("hunter2"));
}

#[test]
fn a_setting_that_is_a_secret_is_not_kept() {
    let facts = read(&format!("ECS_CLUSTER={}\n", concat!("AKIA", "QNZGKIQY56JQ7WML")));
    assert_eq!(setting(&facts, "ECS_CLUSTER"), None);
    assert_eq!(facts.matches.len(), 1);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let detector = Detector::new(None);
    assert_eq!(user_data_facts(&detector, "not base64!"), Err(UserDataError::NotBase64));
    assert_eq!(user_data_facts(&detector, &STANDARD.encode([0x1f, 0x8b, 0, 0])), Err(UserDataError::BrokenGzip));
    assert_eq!(user_data_facts(&detector, &"A".repeat(9 << 20)), Err(UserDataError::TooLong));
    assert_eq!(user_data_facts(&detector, ""), Ok(UserDataFacts::default()));
}
