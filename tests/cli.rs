//! The command line without any emulator: snapshots good and bad, wrong usage, no credentials, dead endpoints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that goes wrong should panic")]

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{against, assert_valid, bare, json, snapshot, stderr, stdout};
use plimsoll_fixture::fixture;
use plimsoll_model::aws::ecs::Service;
use predicates::prelude::*;

fn faulty() -> plimsoll_model::Inventory {
    fixture()
        .shop()
        .each(|service: &mut Service| {
            let network = service.network_configuration.as_mut().unwrap();
            network.awsvpc_configuration.as_mut().unwrap().assign_public_ip = Some("ENABLED".to_owned());
        })
        .build()
}

#[test]
fn a_snapshot_is_judged_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&faulty(), folder.path(), "a.ndjson.zst");
    let table = bare().arg("check").arg(&path).output().unwrap();
    assert!(stdout(&table).contains("ecs-service-public-ip"), "{}", stdout(&table));
    let result = json(&bare().args(["check", "--format", "json"]).arg(&path).output().unwrap());
    assert_valid(&result, &plimsoll_report::result_schema());
    assert!(result["findings"].as_array().unwrap().iter().any(|f| f["check"] == "ecs-service-public-ip" && f["status"] == "fail"));
    let lines = bare().args(["check", "--format", "ndjson"]).arg(&path).output().unwrap();
    for line in stdout(&lines).lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn the_same_snapshot_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let plain = snapshot(&faulty(), folder.path(), "a.ndjson");
    let packed = snapshot(&faulty(), folder.path(), "a.ndjson.zst");
    let of = |path: &Path| bare().args(["check", "--format", "json"]).arg(path).output().unwrap().stdout;
    assert_eq!(of(&plain), of(&plain));
    assert_eq!(of(&plain), of(&packed));
}

#[test]
fn fail_on_sets_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&faulty(), folder.path(), "a.ndjson");
    bare().arg("check").arg(&path).assert().code(0);
    bare().args(["check", "--fail-on", "medium"]).arg(&path).assert().code(1);
    bare().args(["check", "--fail-on", "critical"]).arg(&path).assert().code(0);
    bare().args(["check", "--fail-on", "awful"]).arg(&path).assert().code(2).stderr(predicate::str::contains("critical, high"));
}

#[test]
fn require_complete_fails_on_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&fixture().shop().denied("ecs:ListTasks").build(), folder.path(), "a.ndjson");
    let output = bare().args(["check", "--require-complete"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("ecs:ListTasks"), "{}", stdout(&output));
}

#[test]
fn reports_go_to_files_that_only_their_owner_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&faulty(), folder.path(), "a.ndjson");
    let (table, data) = (folder.path().join("report.txt"), folder.path().join("report.json"));
    bare()
        .args(["check", "-o", table.to_str().unwrap(), "-o", &format!("json={}", data.display())])
        .arg(&path)
        .assert()
        .success()
        .stdout("");
    assert!(std::fs::read_to_string(&table).unwrap().contains("ecs-service-public-ip"));
    assert!(serde_json::from_slice::<serde_json::Value>(&std::fs::read(&data).unwrap()).is_ok());
    for file in [&table, &data, &path] {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn broken_snapshots_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let whole = snapshot(&faulty(), folder.path(), "whole.ndjson");
    let packed = snapshot(&faulty(), folder.path(), "whole.ndjson.zst");
    let text = std::fs::read_to_string(&whole).unwrap();
    let bytes = std::fs::read(&packed).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let future = text.replacen("\"schema\":1", "\"schema\":99", 1);
    let damaged = text.replacen("\"kind\":\"ecs:Service\"", "\"kind\":\"ecs:Service", 1);
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("empty.ndjson", Vec::new(), "is empty"),
        ("prose.ndjson", b"hello\n".to_vec(), "not a plimsoll snapshot"),
        ("future.ndjson", future.into_bytes(), "schema 99"),
        ("damaged.ndjson", damaged.into_bytes(), "line "),
        ("cut.ndjson", text.as_bytes()[..text.len() - 30].to_vec(), "cut off"),
        ("short.ndjson", (lines[..lines.len() - 2].join("\n") + "\n").into_bytes(), "cut off"),
        ("cut.ndjson.zst", bytes[..bytes.len() / 2].to_vec(), "cut off"),
        ("noise.ndjson.zst", vec![7; 400], "noise.ndjson.zst"),
    ];
    for (name, content, wanted) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let output = bare().arg("check").arg(&path).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(wanted), "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains("hint: "), "{name}: {}", stderr(&output));
    }
    bare().args(["check", "/nonexistent/a.ndjson"]).assert().code(2).stderr(predicate::str::contains("No such file"));
}

#[test]
fn unknown_kinds_are_passed_over_with_one_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&faulty(), folder.path(), "a.ndjson");
    let line = "{\"kind\":\"mars:Rover\",\"account\":\"111111111111\",\"region\":\"us-east-1\",\"data\":{\"x\":1}}\n";
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(line.repeat(3).as_bytes()).unwrap();
    let output = bare().arg("check").arg(&path).output().unwrap();
    assert!(output.status.success());
    assert_eq!(stderr(&output).matches("mars:Rover").count(), 1, "{}", stderr(&output));
}

#[test]
fn the_body_of_a_second_snapshot_can_be_appended() {
    let folder = tempfile::tempdir().unwrap();
    let one = snapshot(&faulty(), folder.path(), "one.ndjson");
    let two = snapshot(&fixture().region("eu-west-3").shop().build(), folder.path(), "two.ndjson");
    let merged = std::fs::read_to_string(&one).unwrap() + &std::fs::read_to_string(&two).unwrap();
    let path = folder.path().join("both.ndjson");
    std::fs::write(&path, merged).unwrap();
    let result = json(&bare().args(["check", "--format", "json"]).arg(&path).output().unwrap());
    assert_eq!(result["scan"]["regions"], serde_json::json!(["eu-west-3", "us-east-1"]));
}

#[test]
fn wrong_usage_is_told_with_what_would_be_right() {
    for share in ["0", "1.5", "half"] {
        let told = bare().args(["scan", "--api-budget", share]).assert().code(2);
        told.stderr(predicate::str::contains("above 0 and at most 1"));
    }
    bare().arg("scna").assert().code(2).stderr(predicate::str::contains("scan"));
    bare()
        .args(["check", "x.ndjson", "--only", "ecs-service-public-ips"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("did you mean ecs-service-public-ip"));
    bare().args(["check", "x.ndjson", "--skip", "*"]).assert().code(2).stderr(predicate::str::contains("no check is left"));
    bare().args(["checks", "show", "nonsense"]).assert().code(2).stderr(predicate::str::contains("plimsoll checks"));
    bare().args(["scan", "--format", "pdf"]).assert().code(2).stderr(predicate::str::contains("table"));
}

#[test]
fn options_that_name_accounts_go_together_or_are_told_apart() {
    let role = "arn:aws:iam::111111111111:role/audit";
    let cases: &[(&[&str], &str)] = &[
        (&["--org"], "--org needs --role-name"),
        (&["--accounts", "111111111111"], "--accounts needs --role-name"),
        (&["--role-name", "audit"], "--role-name needs --accounts or --org"),
        (&["--external-id", "abc"], "--external-id needs --role-arn or --role-name"),
        (&["--org", "--accounts", "111111111111", "--role-name", "audit"], "--org and --accounts exclude each other"),
        (&["--org", "--role-arn", role, "--role-name", "audit"], "--role-arn and --org exclude each other"),
        (&["--accounts", "111111111111", "--role-arn", role], "--role-arn and --accounts exclude each other"),
        (&["--include-ou", "ou-ab12-cd34ef56"], "what includes or excludes accounts needs --org"),
        (&["--exclude-tag", "stage=test", "--role-arn", role], "what includes or excludes accounts needs --org"),
        (&["--org", "--role-name", "audit", "--include-tag", "=x"], "is no tag"),
        (&["--org", "--role-name", "audit", "--include-ou", "production"], "production is not an organizational unit"),
        (&["--org", "--role-name", "audit", "--exclude-account", "12"], "12 is not an account number"),
        (&["--accounts", "111111111111,123", "--role-name", "audit"], "123 is not an account number"),
        (&["--accounts", "111111111111,111111111111", "--role-name", "audit"], "account 111111111111 is named twice"),
        (&["--accounts", "111111111111", "--role-name", role], "is not the name of a role"),
        (&["--role-arn", "arn:aws:sts::111111111111:assumed-role/audit/me"], "is not the ARN of a role"),
        (&["--role-arn", role, "--role-arn", "arn:aws:iam::111111111111:role/other"], "account 111111111111 is named twice"),
        (&["--role-arn", role, "--external-id", "x"], "the external id is not one"),
        (&["--accounts-at-once", "0"], "--accounts-at-once"),
    ];
    for (arguments, wanted) in cases {
        let folder = tempfile::tempdir().unwrap();
        let output = bare().current_dir(folder.path()).arg("collect").args(*arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(wanted), "{arguments:?}: {}", stderr(&output));
        let hint = stderr(&output).contains("hint: ") || stderr(&output).contains("For more information");
        assert!(hint, "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn snapshots_of_two_accounts_in_one_file_are_judged_as_both() {
    let folder = tempfile::tempdir().unwrap();
    let one = fixture().shop().each(|cluster: &mut plimsoll_model::aws::ecs::Cluster| cluster.settings.clear()).build();
    let mut other = fixture().with(|inventory| inventory.header.scope = plimsoll_model::Scope::default()).account("222222222222");
    other = other.region("eu-west-3").cluster("bank", |cluster| cluster.settings.clear()).denied("ecs:ListServices");
    let paths = ["ndjson", "ndjson.zst"].map(|ending| {
        let one = snapshot(&one, folder.path(), &format!("one.{ending}"));
        let two = snapshot(&other.clone().build(), folder.path(), &format!("two.{ending}"));
        let both = folder.path().join(format!("both.{ending}"));
        std::fs::write(&both, [std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap()].concat()).unwrap();
        [one, two, both]
    });
    let of = |path: &Path| json(&bare().args(["check", "--format", "json", "--include-passed"]).arg(path).output().unwrap());
    for [one, two, both] in &paths {
        let both = of(both);
        let ids = |result: &serde_json::Value| -> std::collections::BTreeSet<String> {
            let findings = result["findings"].as_array().unwrap().iter();
            findings.map(|f| format!("{} {} {}", f["id"], f["status"], f["resource"]["arn"])).collect()
        };
        let mut each = ids(&of(one));
        each.extend(ids(&of(two)));
        assert!(each.iter().any(|id| id.contains("222222222222")) && each.iter().any(|id| id.contains("111111111111")));
        assert_eq!(ids(&both), each);
        assert_eq!(both["scan"]["accounts"], serde_json::json!(["111111111111", "222222222222"]));
        assert_eq!(both["gaps"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_the_scan() {
    for arguments in [["scan", "-o", "/nonexistent/x.json"], ["collect", "-o", "/nonexistent/x.ndjson"], ["demo", "-o", "/nonexistent/x"]] {
        let output = bare().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("cannot write /nonexistent/x"), "{}", stderr(&output));
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    }
}

#[test]
fn a_full_disk_is_an_error_and_not_a_short_report() {
    let output = bare().args(["demo", "--format", "json", "-o", "/dev/full"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("No space left"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let binary = assert_cmd::cargo::cargo_bin("plimsoll");
    let output = std::process::Command::new("sh")
        .args(["-c", &format!("{} demo --format json | head -c 100", binary.display())])
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap();
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("error"), "{}", stderr(&output));
}

#[test]
fn without_credentials_nothing_is_scanned_and_it_says_what_to_do() {
    let output = bare().args(["scan", "--region", "us-east-1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("credentials"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_profile_that_does_not_exist_is_named() {
    let output = bare().args(["scan", "--region", "us-east-1", "--profile", "nobody"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("nobody"), "{}", stderr(&output));
}

#[test]
fn an_endpoint_that_refuses_is_told() {
    let output = against(common::NOWHERE, "111111111111").args(["scan", "--region", "us-east-1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
}

#[test]
fn an_endpoint_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let output = against(&endpoint, "111111111111").args(["scan", "--region", "us-east-1", "--timeout", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
}

/// An endpoint where everybody is known and nobody may do anything.
fn denying() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_lowercase();
                let (head, body) = text.split_once("\r\n\r\n")?;
                // A GET has no body, and says no length.
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "))
                    .map_or(Some(0), |text| text.parse::<usize>().ok())?;
                (body.len() >= length).then_some(())
            };
            while whole(&request).is_none() {
                let read = stream.read(&mut buffer).unwrap_or(0);
                if read == 0 {
                    break;
                }
                request.extend_from_slice(&buffer[..read]);
            }
            let (status, body) = if String::from_utf8_lossy(&request).contains("Action=GetCallerIdentity") {
                let arn = "arn:aws:iam::111111111111:user/audit";
                let result = format!("<GetCallerIdentityResult><Account>111111111111</Account><Arn>{arn}</Arn></GetCallerIdentityResult>");
                ("200 OK", format!("<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"))
            } else {
                ("400 Bad Request", r#"{"__type": "AccessDeniedException", "message": "no"}"#.to_owned())
            };
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            // Who hung up does not read.
            stream.write_all((head + &body).as_bytes()).ok();
        }
    });
    endpoint
}

#[test]
fn a_cache_that_cannot_be_used_is_told_once_and_the_scan_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, file) = (denying(), folder.path().join("file"));
    std::fs::write(&file, "").unwrap();
    let scan = |options: &[&str]| {
        let mut command = against(&endpoint, "111111111111");
        command.env("PLIMSOLL_CACHE_DIR", &file).args(["scan", "--region", "us-east-1", "--format", "json"]);
        let output = command.args(options).output().unwrap();
        assert!(json(&output)["gaps"].as_array().unwrap().iter().any(|gap| gap["operation"] == "ecs:ListClusters"));
        stderr(&output)
    };
    let told = scan(&["--cache-dir", file.to_str().unwrap()]);
    assert_eq!(told.matches("cannot be used").count(), 1, "{told}");
    assert!(told.contains("--no-cache"), "{told}");
    // The endpoint is not that of AWS: the one from the environment is not even tried.
    for options in [&[][..], &["--no-cache"]] {
        let told = scan(options);
        assert!(!told.contains("cache"), "{told}");
    }
}

#[test]
fn what_nobody_scans_leaves_no_cache() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache");
    bare().args(["scan", "--region", "us-east-1", "--cache-dir"]).arg(&path).assert().code(3);
    assert!(!path.exists());
    bare().args(["scan", "--no-cache", "--cache-dir"]).arg(&path).assert().code(2);
}

#[test]
fn hostile_names_are_shown_harmlessly() {
    let folder = tempfile::tempdir().unwrap();
    let nasty = format!("\u{1b}[2J\u{1b}]8;;http://x\u{7}web\n\u{202e}gpj{}", "x".repeat(10_000));
    let inventory = fixture()
        .shop()
        .each(|service: &mut Service| {
            service.service_name = nasty.clone();
            service.tags.push(plimsoll_model::aws::ecs::Tag { key: nasty.clone(), value: nasty.clone() });
            let network = service.network_configuration.as_mut().unwrap();
            network.awsvpc_configuration.as_mut().unwrap().assign_public_ip = Some("ENABLED".to_owned());
        })
        .build();
    let path = snapshot(&inventory, folder.path(), "a.ndjson");
    for columns in ["40", "80", "200"] {
        for more in [&["check"][..], &["check", "-v"], &["responsibility"]] {
            let output = bare().env("COLUMNS", columns).args(more).arg(&path).output().unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
            let text = stdout(&output);
            assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
        }
    }
    json(&bare().args(["check", "--format", "json"]).arg(&path).output().unwrap());
}

#[test]
fn the_demo_needs_nothing() {
    let output = bare().arg("demo").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("critical"), "{}", stdout(&output));
    let result = json(&bare().args(["demo", "--format", "json", "--include-passed"]).output().unwrap());
    assert_valid(&result, &plimsoll_report::result_schema());
    assert!(result["findings"].as_array().unwrap().iter().any(|finding| finding["status"] == "pass"));
}

#[test]
fn the_matrix_has_a_row_for_every_item() {
    let folder = tempfile::tempdir().unwrap();
    let path = snapshot(&faulty(), folder.path(), "a.ndjson");
    let matrix = json(&bare().args(["responsibility", "--format", "json"]).arg(&path).output().unwrap());
    assert_valid(&matrix, &plimsoll_report::matrix_schema());
    assert_eq!(matrix["workloads"][0]["rows"].as_array().unwrap().len(), 10);
    let table = bare().arg("responsibility").arg(&path).output().unwrap();
    assert!(stdout(&table).contains("kernel isolation"), "{}", stdout(&table));
}

/// Actions and resources of all policy documents.
fn policy() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    bare().args(["permissions", "-o"]).arg(folder.path()).assert().success().stdout("");
    let mut allowed = Vec::new();
    for number in 1..=std::fs::read_dir(folder.path()).unwrap().count() {
        let text = std::fs::read_to_string(folder.path().join(format!("PlimsollRead{number}.json"))).unwrap();
        assert!(text.chars().filter(|char| !char.is_whitespace()).count() <= 6144);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        for statement in document["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            let resource = statement["Resource"].as_str().unwrap();
            let actions = statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap().to_owned());
            allowed.extend(actions.map(|action| (action, resource.to_owned())));
        }
    }
    allowed
}

#[test]
fn the_policy_only_reads() {
    let policy = policy();
    assert!(policy.iter().any(|(action, resource)| action == "ecs:DescribeTaskDefinition" && resource == "*"));
    for (action, resource) in &policy {
        let (service, name) = action.split_once(':').unwrap();
        // API Gateway's actions are the methods of HTTP.
        let reads = ["Describe", "List", "Get", "BatchGet", "Lookup", "Search"].iter().any(|verb| name.starts_with(verb));
        assert!(reads || (service == "apigateway" && name == "GET"), "{action}");
        assert!(!name.starts_with("GetSecretValue") && !action.contains('*'), "{action}");
        assert!(resource != "*" || !action.starts_with("ssm:GetParameter"), "{action}");
    }
}

#[test]
fn the_policy_allows_what_collectors_declare() {
    let mut declared: BTreeSet<&str> = plimsoll_collect::operations().iter().map(|operation| operation.permission).collect();
    declared.extend(plimsoll_collect::further_permissions().iter().map(|(_, action)| action));
    let policy = policy();
    assert_eq!(policy.iter().map(|(action, _)| action.as_str()).collect::<BTreeSet<_>>(), declared);
    assert_eq!(policy.len(), declared.len());
    let list = stdout(&bare().args(["permissions", "--format", "list"]).env("COLUMNS", "300").output().unwrap());
    for operation in plimsoll_collect::operations() {
        assert!(list.lines().any(|line| line.contains(operation.permission) && line.contains(operation.why)), "{}", operation.id());
    }
}

#[test]
fn the_policy_is_the_same_on_stdout() {
    let all = json(&bare().arg("permissions").output().unwrap());
    let documents: Vec<&serde_json::Value> =
        if all.get("Statement").is_some() { vec![&all] } else { all.as_object().unwrap().values().collect() };
    let actions =
        documents.iter().flat_map(|document| document["Statement"].as_array().unwrap()).flat_map(|s| s["Action"].as_array().unwrap());
    assert_eq!(actions.count(), policy().len());
}

#[test]
fn a_role_comes_as_terraform_and_cloudformation() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in [("terraform", "plimsoll.tf"), ("cloudformation", "plimsoll-stack.yaml"), ("stackset", "plimsoll-stackset.yaml")]
    {
        let role = ["--trusted-principal", "111122223333", "--external-id", "a-b-c", "--role-name", "Audit", "--partition", "aws-us-gov"];
        bare().args(["permissions", "--format", format, "-o"]).arg(folder.path().join("new")).args(role).assert().success().stdout("");
        let text = std::fs::read_to_string(folder.path().join("new").join(name)).unwrap();
        for wanted in ["arn:aws-us-gov:iam::111122223333:root", "a-b-c", "Audit", "ecs:ListTasks", "sts:AssumeRole", "sts:ExternalId"] {
            assert!(text.contains(wanted), "{format} lacks {wanted}");
        }
    }
}

#[test]
fn what_iam_would_not_take_is_refused_before_anything_is_written() {
    for (option, wrong) in [
        ("--trusted-principal", "*"),
        ("--trusted-principal", "arn:aws:iam::*:root"),
        ("--external-id", "a"),
        ("--external-id", "it's"),
        ("--role-name", "a/b"),
        ("--partition", "azure"),
    ] {
        bare().args(["permissions", "--format", "stackset", option, wrong]).assert().code(2).stdout("");
    }
    bare()
        .args(["permissions", "--external-id", "a-b-c"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("hint: add --format terraform"));
    bare().args(["permissions", "-o", "/dev/null/x"]).assert().code(2).stderr(predicate::str::contains("/dev/null/x"));
}

#[test]
fn every_operation_that_a_check_needs_is_collected_or_waits_for_its_service() {
    let collected: Vec<String> = plimsoll_collect::operations().iter().map(|operation| operation.id()).collect();
    let services = ["ecs", "ec2", "iam", "kms", "sts"];
    for check in plimsoll_checks::CHECKS {
        for operation in check.needs.iter().chain(check.shades) {
            let service = operation.split(':').next().unwrap();
            assert!(!services.contains(&service) || collected.iter().any(|known| known == operation), "{} needs {operation}", check.id);
        }
    }
}

#[test]
fn the_fixture_knows_the_operations_of_the_collector() {
    let mut collected: Vec<String> = plimsoll_collect::operations().iter().map(|operation| operation.id()).collect();
    let mut fixed: Vec<String> = plimsoll_fixture::OPERATIONS.iter().map(|operation| (*operation).to_owned()).collect();
    collected.sort();
    fixed.sort();
    assert_eq!(collected, fixed);
}

#[test]
fn schemas_in_the_repository_are_current() {
    for which in ["result", "snapshot", "responsibility", "doctor"] {
        let printed = bare().args(["schema", which]).output().unwrap();
        let kept = std::fs::read_to_string(format!("{}/docs/schema/{which}.schema.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_eq!(stdout(&printed), kept, "run `make generate`");
    }
}

#[test]
fn the_schema_of_the_configuration_in_the_repository_is_current() {
    let printed = bare().args(["config", "schema"]).output().unwrap();
    let kept = std::fs::read_to_string(format!("{}/docs/schema/config.schema.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert_eq!(stdout(&printed), kept, "run `make generate`");
}

#[test]
fn snapshot_lines_agree_with_their_schema() {
    let schema = plimsoll_report::snapshot_schema();
    let mut bytes = Vec::new();
    plimsoll_model::write(&fixture().shop().denied("kms:ListKeys").key("k", |_| {}).instance("h", |_| {}).build(), &mut bytes).unwrap();
    for line in String::from_utf8(bytes).unwrap().lines() {
        assert_valid(&serde_json::from_str(line).unwrap(), &schema);
    }
}

#[test]
fn completions_and_checks_are_printed() {
    bare().args(["completions", "bash"]).assert().success().stdout(predicate::str::contains("plimsoll"));
    bare().arg("checks").assert().success().stdout(predicate::str::contains("ecs-task-definition-privileged-container"));
    bare()
        .args(["checks", "show", "ecs-task-definition-privileged-container"])
        .assert()
        .success()
        .stdout(predicate::str::contains("privileged=false"));
    let all = json(&bare().args(["checks", "--format", "json"]).output().unwrap());
    assert_eq!(all.as_array().unwrap().len(), plimsoll_checks::CHECKS.len());
}
