//! The configuration file, end to end: what it changes, what it refuses, and that the documented one holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that goes wrong should panic")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use common::{against, assert_valid, bare, json, snapshot, stderr, stdout};
use plimsoll_fixture::fixture;
use plimsoll_model::aws::ecs::{Service, Task};
use serde_json::{Value, json};

const CHECK: &str = "ecs-service-public-ip";
const SERVICE: &str = "arn:aws:ecs:us-east-1:111111111111:service/shop/web";

/// A folder with a snapshot of a service with public addresses, whose tasks run for ten days, and a configuration.
struct Place {
    folder: tempfile::TempDir,
    snapshot: PathBuf,
}

impl Place {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inventory = fixture()
            .shop()
            .each(|service: &mut Service| {
                let network = service.network_configuration.as_mut().unwrap();
                network.awsvpc_configuration.as_mut().unwrap().assign_public_ip = Some("ENABLED".to_owned());
            })
            .each(|task: &mut Task| task.started_at = Some(plimsoll_fixture::at("2026-06-05T12:00:00Z")))
            .build();
        let snapshot = snapshot(&inventory, folder.path(), "a.ndjson");
        std::fs::write(folder.path().join("plimsoll.toml"), config).unwrap();
        Self { folder, snapshot }
    }

    fn command(&self) -> Command {
        let mut command = bare();
        command.current_dir(self.folder.path());
        command
    }

    fn check(&self, more: &[&str]) -> Output {
        self.command().arg("check").args(more).arg(&self.snapshot).output().unwrap()
    }

    fn result(&self, more: &[&str]) -> Value {
        let output = self.check(&[&["--format", "json"], more].concat());
        let result = json(&output);
        assert_valid(&result, &plimsoll_report::result_schema());
        result
    }
}

fn of<'r>(result: &'r Value, check: &str) -> Vec<&'r Value> {
    result["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check).collect()
}

fn exception(check: &str, resource: &str, expires: &str) -> String {
    format!("[[exceptions]]\ncheck = \"{check}\"\nresource = \"{resource}\"\nreason = \"a shop window\"\nexpires = \"{expires}\"\n")
}

#[test]
fn an_unknown_key_ends_the_run_and_names_the_right_one() {
    let place = Place::new("regions = [\"all\"]\n[threshold]\n");
    let output = place.check(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("plimsoll.toml:2:2: there is no key threshold; did you mean thresholds?"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    for command in ["scan", "collect"] {
        assert_eq!(place.command().arg(command).output().unwrap().status.code(), Some(2), "{command}");
    }
    assert!(place.check(&["--no-config"]).status.success());
    // What is not about the reader's accounts does not read it.
    for command in ["demo", "checks", "permissions"] {
        assert!(place.command().arg(command).output().unwrap().status.success(), "{command}");
    }
}

#[test]
fn an_unknown_check_ends_the_run_and_names_the_right_one() {
    let output = Place::new("[severity]\necs-service-public-ips = \"low\"\n").check(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("2:1: there is no check ecs-service-public-ips; did you mean ecs-service-public-ip?"));
}

#[test]
fn a_file_that_is_named_is_read_instead_and_must_exist() {
    let place = Place::new("[checks]\nonly = [\"ecs-service-public-ip\"]\n");
    std::fs::write(place.folder.path().join("other.toml"), "[checks]\nonly = [\"vpc-*\"]\n").unwrap();
    assert_eq!(of(&place.result(&[]), CHECK).len(), 1);
    assert!(of(&place.result(&["--config", "other.toml"]), CHECK).is_empty());
    let output = place.check(&["--config", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot read nowhere.toml"), "{}", stderr(&output));
    assert_eq!(place.check(&["--config", "other.toml", "--no-config"]).status.code(), Some(2));
}

#[test]
fn an_exception_suppresses_a_finding_and_its_reason_is_told() {
    let place = Place::new(&exception(CHECK, "arn:aws:ecs:*:111111111111:service/shop/*", "2026-12-31"));
    let plain = place.result(&[]);
    assert!(of(&plain, CHECK).is_empty());
    assert_eq!(plain["summary"]["suppressed"], 1);
    assert_eq!(
        plain["exceptions"],
        json!([{"check": CHECK, "resource": "arn:aws:ecs:*:111111111111:service/shop/*", "reason": "a shop window",
            "expires": "2026-12-31", "state": "applied", "findings": 1}])
    );
    let all = place.result(&["--include-suppressed"]);
    let finding = of(&all, CHECK)[0];
    assert_eq!((&finding["status"], &finding["resource"]["arn"]), (&json!("suppressed"), &json!(SERVICE)));
    assert_eq!(finding["suppression"], json!({"reason": "a shop window", "expires": "2026-12-31"}));
    // It no longer counts for --fail-on.
    assert_eq!(place.check(&["--fail-on", "medium", "--only", CHECK]).status.code(), Some(0));
    assert_eq!(place.check(&["--fail-on", "medium", "--only", CHECK, "--no-config"]).status.code(), Some(1));
    let table = place.check(&["--include-suppressed"]);
    assert!(stdout(&table).contains("until 2026-12-31  a shop window"), "{}", stdout(&table));
    assert_eq!(stderr(&table), "");
}

#[test]
fn an_exception_whose_time_is_over_is_reported_and_suppresses_nothing() {
    // The scan ended on 2026-06-15, whatever the day is when the test runs.
    let place = Place::new(&exception(CHECK, "*", "2026-06-14"));
    let output = place.check(&["--format", "json"]);
    assert!(
        stderr(&output)
            .contains("warning: the exception for ecs-service-public-ip on * expired on 2026-06-14: 1 finding is reported again"),
        "{}",
        stderr(&output)
    );
    let result = json(&output);
    assert_eq!(of(&result, CHECK)[0]["status"], "fail");
    assert_eq!((&result["exceptions"][0]["state"], &result["summary"]["suppressed"]), (&json!("expired"), &json!(0)));
    assert_eq!(stderr(&place.check(&["-q"])), "");
}

#[test]
fn an_exception_that_names_nothing_is_reported() {
    let place = Place::new(&exception(CHECK, "arn:aws:ecs:*:*:service/store/*", "2026-12-31"));
    let output = place.check(&["--format", "json"]);
    assert!(
        stderr(&output).contains("the exception for ecs-service-public-ip on arn:aws:ecs:*:*:service/store/* names no finding"),
        "{}",
        stderr(&output)
    );
    assert_eq!(json(&output)["exceptions"][0]["state"], "unused");
    // Of a check that does not run nothing can be said.
    let skipped = place.check(&["--format", "json", "--only", "vpc-*"]);
    assert_eq!((stderr(&skipped).as_str(), &json(&skipped)["exceptions"][0]["state"]), ("", &json!("skipped")));
}

#[test]
fn lines_of_ndjson_have_the_exceptions_too() {
    let place = Place::new(&exception(CHECK, "*", "2026-12-31"));
    let lines = stdout(&place.check(&["--format", "ndjson"]));
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["type"], &first["exceptions"][0]["state"]), (&json!("scan"), &json!("applied")));
}

#[test]
fn a_severity_of_the_configuration_replaces_that_of_the_check() {
    let place = Place::new("[severity]\necs-service-public-ip = \"critical\"\n[output]\nfail-on = \"critical\"\n");
    let output = place.check(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let result = json(&output);
    let finding = of(&result, CHECK)[0];
    assert_eq!((&finding["severity"], &finding["baseSeverity"]), (&json!("critical"), &json!("medium")));
    assert_eq!(finding["severityReason"], "set by the configuration");
    assert_eq!(result["summary"]["fail"]["critical"], 1);
}

#[test]
fn a_threshold_changes_a_verdict() {
    let check = "ecs-task-fargate-not-refreshed";
    assert!(of(&Place::new("").result(&[]), check).is_empty());
    let place = Place::new("[thresholds]\nfargate-task-days = 7\n");
    let result = place.result(&[]);
    assert!(of(&result, check)[0]["message"].as_str().unwrap().ends_with("has run for 10 days"));
    // In the matrix as well.
    let matrix = |more: &[&str]| stdout(&place.command().arg("responsibility").args(more).arg(&place.snapshot).output().unwrap());
    assert_ne!(matrix(&["--format", "json"]), matrix(&["--format", "json", "--no-config"]));
}

#[test]
fn the_command_line_wins() {
    let config = "[output]\nformat = \"json\"\noutputs = [\"report.json\"]\nfail-on = \"informational\"\ninclude-passed = true\n\
                  [checks]\nonly = [\"vpc-*\"]\n";
    let place = Place::new(config);
    let report = place.folder.path().join("report.json");
    let output = place.check(&[]);
    assert_eq!(stdout(&output), "");
    let result: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert!(result["findings"].as_array().unwrap().iter().all(|finding| finding["check"].as_str().unwrap().starts_with("vpc-")));
    assert!(result["summary"]["pass"].as_u64().unwrap() > 0 && result.to_string().contains("\"pass\""));
    std::fs::remove_file(&report).unwrap();
    // A format alone asks for stdout.
    let result = place.result(&["--only", CHECK, "--include-passed=false"]);
    assert!(result["findings"].as_array().unwrap().iter().all(|finding| finding["check"] == CHECK && finding["status"] != "pass"));
    assert!(!report.exists());
    assert_eq!(place.check(&["--only", CHECK, "--fail-on", "critical"]).status.code(), Some(0));
    assert_eq!(place.check(&["--only", CHECK]).status.code(), Some(1));
    // A file alone is written in the format of the configuration.
    place.check(&["-o", "mine"]);
    assert!(serde_json::from_slice::<Value>(&std::fs::read(place.folder.path().join("mine")).unwrap()).is_ok());
}

#[test]
fn what_to_read_comes_from_the_file_unless_the_command_line_says() {
    let place = Place::new("regions = [\"paris\"]\nprofile = \"nobody\"\n");
    let scan = |more: &[&str]| {
        let output = place.command().arg("scan").args(more).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(scan(&[]).contains("there is no AWS Region paris"));
    assert!(scan(&["--region", "us-east-1"]).contains("nobody"));
    assert!(scan(&["--region", "us-east-1", "--profile", "somebody"]).contains("somebody"));
}

/// An endpoint that tells callers who they are and refuses everything else, as AWS does.
fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111111111111</Account>\
        <Arn>arn:aws:iam::111111111111:user/audit</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>";
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The requests are small: two reads take head and body.
            let mut request = Vec::new();
            let mut buffer = [0; 16_384];
            while !String::from_utf8_lossy(&request).contains("Action=") {
                let read = stream.read(&mut buffer).unwrap();
                if read == 0 {
                    break;
                }
                request.extend_from_slice(&buffer[..read]);
            }
            let asks_who = String::from_utf8_lossy(&request).contains("Action=GetCallerIdentity");
            let (status, body) = if asks_who { ("200 OK", caller) } else { ("403 Forbidden", refusal) };
            write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    endpoint
}

#[test]
fn a_role_comes_from_the_file_unless_the_command_line_says() {
    let place = Place::new("[accounts]\nrole-arns = [\"arn:aws:iam::111111111111:role/of-file\"]\n");
    let scan = |more: &[&str]| {
        let mut command = against(&refusing(), "111111111111");
        let output = command.current_dir(place.folder.path()).args(["scan", "--region", "us-east-1"]).args(more).output().unwrap();
        stderr(&output)
    };
    let said = scan(&[]);
    assert!(said.contains("cannot assume arn:aws:iam::111111111111:role/of-file"), "{said}");
    let said = scan(&["--role-arn", "arn:aws:iam::111111111111:role/of-line"]);
    assert!(said.contains("cannot assume arn:aws:iam::111111111111:role/of-line"), "{said}");
}

#[test]
fn the_configuration_in_force_is_shown_and_can_be_read_again() {
    let place = Place::new("[thresholds]\nimage-days = 7\n");
    let shown = stdout(&place.command().args(["config", "show"]).output().unwrap());
    assert!(shown.starts_with("# From plimsoll.toml and the defaults.\n"), "{shown}");
    assert!(shown.contains("\nimage-days = 7\n") && shown.contains("\nhost-days = 90\n"), "{shown}");
    std::fs::write(place.folder.path().join("again.toml"), &shown).unwrap();
    let again = stdout(&place.command().args(["config", "show", "--config", "again.toml"]).output().unwrap());
    assert_eq!(shown.split_once('\n').unwrap().1, again.split_once('\n').unwrap().1);
    let none = stdout(&place.command().args(["config", "show", "--no-config"]).output().unwrap());
    assert!(none.starts_with("# From the defaults: no file was read.\n") && none.contains("\nimage-days = 180\n"), "{none}");
}

#[test]
fn the_documented_file_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/plimsoll.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let schema = json(&bare().args(["config", "schema"]).output().unwrap());
    let value: toml::Table = toml::from_str(&text).unwrap();
    assert_valid(&serde_json::to_value(&value).unwrap(), &schema);
    let shown = bare().args(["config", "show", "--config"]).arg(&path).output().unwrap();
    assert!(shown.status.success(), "{}", stderr(&shown));

    // It has every key, and the thresholds that it shows are the defaults.
    let definitions = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for key in definitions.filter_map(|table| table["properties"].as_object()).flat_map(|keys| keys.keys()) {
        let told = [format!("{key} ="), format!("[{key}]"), format!(".{key}]")].iter().any(|form| text.contains(form));
        assert!(told, "{key} is not in {}", path.display());
    }
    let thresholds: plimsoll_model::Thresholds = value["thresholds"].clone().try_into().unwrap();
    assert_eq!(thresholds, plimsoll_model::Thresholds::default());
}

/// Thresholds whose checks are still to come.
const WAITING: &[&str] = &["cluster_admin_subjects", "epss_score", "exposed_image_days", "opaque_secrets", "reachable_secrets"];

#[test]
fn every_threshold_is_read_by_a_check_or_waits_for_its_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut sources = String::new();
    let mut folders = vec![root.join("checks/src"), root.join("graph/src"), root.join("collect/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                // Tests set thresholds; only what stands before them reads.
                sources.push_str(text.split("#[cfg(test)]").next().unwrap());
            }
        }
    }
    // These are read through a method of their own.
    let methods = [
        ("strict_values", "is_strict("),
        ("production_tags", "is_production("),
        ("non_production_tags", "is_non_production("),
        ("trusted_accounts", "trusts_account("),
        ("pipeline_roles", "is_pipeline_role("),
    ];
    let is_word_end = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let reads = |name: &str| {
        let method = methods.iter().find(|(field, _)| *field == name).map(|(_, method)| format!(".{method}"));
        let field = format!(".{name}");
        method.is_some_and(|method| sources.contains(&method))
            || sources.match_indices(&field).any(|(at, _)| is_word_end(sources[at + field.len()..].chars().next()))
    };
    let defaults = serde_json::to_value(plimsoll_model::Thresholds::default()).unwrap();
    for name in defaults.as_object().unwrap().keys().map(|key| key.replace('-', "_")) {
        assert!(reads(&name) || WAITING.contains(&name.as_str()), "no check reads {name}");
    }
    assert!(WAITING.iter().all(|name| defaults.get(name.replace('_', "-")).is_some()), "a threshold that is waited for is gone");
}
