//! The scenarios of `localstack/` and a plain moto server, scanned live. `make test` starts and seeds the emulators and
//! names them in `PLIMSOLL_LOCALSTACK` and `PLIMSOLL_MOTO`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that goes wrong should panic")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use common::{against, assert_valid, json, stderr, stdout};
use serde_json::{Value, json};

fn localstack() -> String {
    std::env::var("PLIMSOLL_LOCALSTACK").expect("run `make test`: it starts LocalStack and names it in PLIMSOLL_LOCALSTACK")
}

fn moto() -> String {
    std::env::var("PLIMSOLL_MOTO").expect("run `make test`: it starts moto and names it in PLIMSOLL_MOTO")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("localstack")
}

fn expected(scenario: &str) -> Value {
    let path = folder().join("scenarios").join(scenario).join("expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn regions(expected: &Value) -> String {
    expected["regions"].as_array().unwrap().iter().map(|region| region.as_str().unwrap()).collect::<Vec<_>>().join(",")
}

/// Held by scans; the test that denies operations has it for itself.
static PERMITTED: RwLock<()> = RwLock::new(());

fn permitted() -> RwLockReadGuard<'static, ()> {
    PERMITTED.read().unwrap_or_else(PoisonError::into_inner)
}

fn scan(scenario: &str) -> Value {
    let _permitted = permitted();
    let expected = expected(scenario);
    let account = expected["account"].as_str().unwrap();
    let output = against(&localstack(), account).args(["scan", "--region", &regions(&expected), "--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let result = json(&output);
    assert_valid(&result, &plimsoll_report::result_schema());
    result
}

fn matches(pattern: &Value, text: &Value) -> bool {
    plimsoll_model::policy::wildcard_match(pattern.as_str().unwrap(), text.as_str().unwrap())
}

fn agrees(entry: &Value, finding: &Value) -> bool {
    matches(&entry["check"], &finding["check"])
        && matches(&entry["resource"], &finding["resource"]["arn"])
        && ["status", "severity"].iter().all(|key| entry[key].is_null() || entry[key] == finding[key])
}

/// Compares a result with what the scenario says must and must not be found.
fn assert_expected(scenario: &str, result: &Value) {
    let expected = expected(scenario);
    let findings = result["findings"].as_array().unwrap();
    let mut wrong = Vec::new();
    for entry in expected["must"].as_array().into_iter().flatten() {
        let count = findings.iter().filter(|finding| agrees(entry, finding)).count() as u64;
        if entry["count"].as_u64().map_or(count == 0, |wanted| wanted != count) {
            let near: Vec<String> = findings
                .iter()
                .filter(|finding| matches(&entry["check"], &finding["check"]))
                .map(|f| format!("{} {} {} {}", f["status"], f["severity"], f["resource"]["arn"], f["message"]))
                .take(4)
                .collect();
            wrong.push(format!("must ({count} found): {entry}\n    {}", near.join("\n    ")));
        }
    }
    for entry in expected["mustNot"].as_array().into_iter().flatten() {
        for finding in findings.iter().filter(|finding| agrees(entry, finding)).take(3) {
            wrong.push(format!("must not: {entry}\n    {} {} {}", finding["check"], finding["resource"]["arn"], finding["message"]));
        }
    }
    if let Some(most) = expected["maxSeverity"].as_str() {
        let order = ["informational", "low", "medium", "high", "critical"];
        let rank = |name: &str| order.iter().position(|level| *level == name).unwrap();
        for finding in findings.iter().filter(|f| f["status"] == "fail" && rank(f["severity"].as_str().unwrap()) > rank(most)) {
            wrong.push(format!("above {most}: {} {} {}", finding["check"], finding["resource"]["arn"], finding["message"]));
        }
    }
    assert!(wrong.is_empty(), "{scenario}:\n{}", wrong.join("\n"));
}

macro_rules! scenarios {
    ($($name:ident: $scenario:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_expected($scenario, &scan($scenario));
        }
    )*};
}

scenarios! {
    a_vulnerable_fargate_service: "vulnerable-fargate";
    a_hardened_fargate_service: "hardened-fargate";
    an_ec2_backed_cluster: "ec2-host";
    privileges_that_lead_too_far: "privileges";
    a_storage_key_that_came_late: "storage-key-late";
    two_regions: "two-regions";
    an_account_where_calls_are_denied: "denied";
    load_balancers_in_front_of_services: "front-door";
    images_from_here_and_elsewhere: "supply-chain";
    clusters_of_kubernetes: "cluster-eks";
    what_surrounds_containers: "surroundings";
    the_demo: "demo";
}

/// Held by the tests that scan the large account: one of them counts its calls.
static LARGE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    LARGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the control endpoint of the bridge answers; curl is everywhere that LocalStack is.
fn control(method: &str, path: &str, body: &str) -> String {
    let output = Command::new("curl")
        .args(["-sS", "--fail", "--noproxy", "*", "-X", method, "-d", body, &format!("{}{path}", localstack())])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_large_cluster() {
    let _alone = alone();
    assert_expected("large-cluster", &scan("large-cluster"));
}

#[test]
fn calls_are_the_fewest_that_the_api_allows() {
    let _alone = alone();
    let account = "111111110006";
    control("POST", "/_plimsoll/calls/reset", &format!(r#"{{"account": "{account}"}}"#));
    let result = scan("large-cluster");
    let counts: BTreeMap<String, u64> = serde_json::from_str(&control("GET", &format!("/_plimsoll/calls?account={account}"), "")).unwrap();
    let of = |operation: &str| counts.get(operation).copied().unwrap_or(0);
    let (services, tasks) = (300, 1500);
    assert_eq!(of("ecs:ListClusters"), 1);
    assert_eq!(of("ecs:DescribeClusters"), 1);
    assert_eq!(of("ecs:ListServices"), services / 100);
    assert_eq!(of("ecs:DescribeServices"), services / 10);
    assert_eq!(of("ecs:ListTasks"), tasks / 100);
    assert_eq!(of("ecs:DescribeTasks"), tasks / 100);
    assert_eq!(of("ecs:ListTaskDefinitions"), 0);
    assert_eq!(of("ecs:ListTaskDefinitionFamilies"), 1);
    assert_eq!(of("iam:GetAccountAuthorizationDetails"), 1);
    assert_eq!(result["scan"]["calls"].as_u64().unwrap(), counts.values().sum::<u64>());
    // One for each revision in scope, and no more.
    let snapshot = tempfile::tempdir().unwrap();
    let path = snapshot.path().join("large.ndjson");
    against(&localstack(), account).args(["collect", "--region", "us-east-1", "-o", path.to_str().unwrap()]).assert().success();
    let revisions = std::fs::read_to_string(&path).unwrap().lines().filter(|line| line.contains(r#""kind":"ecs:TaskDefinition""#)).count();
    assert_eq!(of("ecs:DescribeTaskDefinition"), revisions as u64);
}

#[test]
fn collect_then_check_is_scan_and_two_scans_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson.zst");
    let first = scan("vulnerable-fargate");
    let _permitted = permitted();
    against(&localstack(), "111111110001").args(["collect", "--region", "us-east-1", "-o", path.to_str().unwrap()]).assert().success();
    let second = json(&common::bare().args(["check", "--format", "json"]).arg(&path).output().unwrap());
    assert_eq!(first["findings"], second["findings"]);
    assert_eq!(first["gaps"], second["gaps"]);
}

#[test]
fn no_secret_reaches_a_snapshot_or_a_report() {
    let _permitted = permitted();
    let folder = tempfile::tempdir().unwrap();
    for (account, scenario) in [("111111110001", "vulnerable-fargate"), ("111111110003", "ec2-host")] {
        let path = folder.path().join(format!("{scenario}.ndjson"));
        let output = against(&localstack(), account)
            .args(["scan", "-vv", "--region", "us-east-1", "--format", "json", "--snapshot", path.to_str().unwrap()])
            .output()
            .unwrap();
        let all = stdout(&output) + &stderr(&output) + &std::fs::read_to_string(&path).unwrap();
        let seed = std::fs::read_to_string(folder_of(scenario)).unwrap();
        // The seeds write their secrets in pieces; every piece of some length must be gone.
        for piece in seed
            .lines()
            .filter(|line| line.contains("secret") || line.contains("SECRET"))
            .flat_map(|line| line.split('"').skip(1).step_by(2))
        {
            let random = piece.len() >= 12 && piece.chars().any(|c| c.is_ascii_digit()) && piece.chars().any(|c| c.is_ascii_uppercase());
            assert!(!random || piece.contains(['/', ':', ' ', '{']) || !all.contains(piece), "{scenario} leaks {piece}");
        }
    }
}

fn folder_of(scenario: &str) -> PathBuf {
    folder().join("scenarios").join(scenario).join("seed.py")
}

/// Collects an account into a file.
fn collected(account: &str, folder: &Path) -> PathBuf {
    let _permitted = permitted();
    let path = folder.join("account.ndjson.zst");
    let output = against(&localstack(), account).args(["collect", "--region", "us-east-1", "-o"]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    path
}

#[test]
fn only_who_may_pass_a_role_that_trusts_ecs_becomes_its_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let path = collected("111111110016", folder.path());
    let found = json(&common::bare().arg("escalate").arg(&path).args(["--format", "json"]).output().unwrap());
    let paths = found["paths"].as_array().unwrap();
    let name = |arn: &Value| arn.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let from: Vec<String> = paths.iter().map(|path| name(&path["principal"])).collect();
    // Denied, bounded, untrusting and harmless targets, and another service in the condition, lead nowhere.
    assert_eq!(from, ["all-but-storage", "passes-admin", "passes-by-wildcard"], "{found}");
    for path in &paths[1..] {
        let step = &path["steps"][0];
        assert_eq!((name(&step["to"]), path["cut"]["action"].as_str()), ("admin".to_owned(), Some("iam:PassRole")), "{path}");
    }
    assert_eq!(name(&paths[0]["steps"][0]["to"]), "all-but-storage", "NotAction leaves it IAM");
    let explained = stdout(
        &common::bare()
            .arg("can")
            .arg(&path)
            .args(["service:deploy/passes-denied", "iam:PassRole"])
            .args(["arn:aws:iam::111111110016:role/admin", "--explain"])
            .output()
            .unwrap(),
    );
    assert!(explained.contains("explicitly denied") && explained.contains("statement #2"), "{explained}");
}

#[test]
fn the_internet_reaches_services_through_their_load_balancers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = collected("111111110012", folder.path());
    let found = json(&common::bare().arg("exposure").arg(&path).args(["--format", "json"]).output().unwrap());
    let told: BTreeMap<&str, (Option<bool>, Vec<u64>)> = found["workloads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|workload| {
            let ports = workload["ways"].as_array().unwrap().iter().filter_map(|way| way["balanced"]["listener_port"].as_u64());
            (workload["resource"]["name"].as_str().unwrap(), (workload["reachable"].as_bool(), ports.collect()))
        })
        .collect();
    assert_eq!(told["guarded"], (Some(true), vec![443]), "{found}");
    assert_eq!(told["stream"], (Some(true), vec![9000]));
    assert_eq!(told["internal"], (Some(false), vec![]));
    assert_eq!(told["open"].1.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([80, 443]));
    let question = ["--from", "internet", "--to", "service:front/open", "--via", "lb", "--port", "443", "--explain"];
    let explained = stdout(&common::bare().arg("reach").arg(&path).args(question).output().unwrap());
    for hop in ["through open port 443, target port 8080", "internet gateway, igw-", "rule 100", "reply:"] {
        assert!(explained.contains(hop), "{hop}: {explained}");
    }
    let straight = ["--from", "internet", "--to", "service:front/open", "--via", "direct", "--format", "json"];
    let answer = json(&common::bare().arg("reach").arg(&path).args(straight).output().unwrap());
    assert!(answer[0]["blocked_by"].as_str().unwrap().starts_with("no-public-ip:eni-"), "{answer}");
}

#[test]
fn a_service_is_found_by_the_name_that_it_has_in_dns() {
    let folder = tempfile::tempdir().unwrap();
    let path = collected("111111110015", folder.path());
    let reach = |to: &str| {
        let question = ["--from", "10.150.0.0/16", "--to", to, "--port", "8080", "--format", "json"];
        common::bare().arg("reach").arg(&path).args(question).output().unwrap()
    };
    let by_name = json(&reach("dns:web.shop.internal"));
    assert_eq!(by_name, json(&reach("service:web/web")));
    assert_eq!(by_name[0]["reachable"], true, "{by_name}");
    // It is there, and no service registers with it.
    let unused = reach("dns:batch.shop.internal");
    assert!(stderr(&unused).contains("there is no dns:batch.shop.internal"), "{}", stderr(&unused));
}

#[test]
fn every_region_is_the_default() {
    let output = against(&localstack(), "111111110005").env("AWS_REGION", "us-east-1").args(["scan", "--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let result = json(&output);
    assert!(result["scan"]["regions"].as_array().unwrap().len() > 10);
    assert_expected("two-regions", &result);
}

#[test]
fn a_region_that_does_not_exist_is_wrong_usage() {
    let output = against(&localstack(), "111111110005").args(["scan", "--region", "us-eats-1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("us-east-1"), "{}", stderr(&output));
}

#[test]
fn plain_moto_is_scanned_too() {
    let output = against(&moto(), "test").args(["scan", "--region", "us-east-1,eu-west-3", "--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let result = json(&output);
    assert_valid(&result, &plimsoll_report::result_schema());
    let has = |check: &str, region: &str| {
        result["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["check"] == check && f["status"] == "fail" && f["resource"]["region"] == region)
    };
    assert!(has("ecs-service-public-ip", "eu-west-3"), "{result:#}");
    assert!(!has("ecs-service-public-ip", "us-east-1"));
    for region in ["us-east-1", "eu-west-3"] {
        assert!(has("vpc-flow-logs-disabled", region) && has("ecs-cluster-fargate-storage-no-cmk", region), "{result:#}");
    }
}

#[test]
fn an_interrupt_keeps_what_was_collected() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.ndjson");
    let binary = assert_cmd::cargo::cargo_bin("plimsoll");
    let mut child = Command::new(binary)
        .env_clear()
        .envs([
            ("AWS_ENDPOINT_URL", localstack().as_str()),
            ("AWS_ACCESS_KEY_ID", "111111110006"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .args(["collect", "--region", "us-east-1", "--concurrency", "1", "-o", path.to_str().unwrap()])
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1200));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let status = child.wait().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    if status.code() == Some(130) {
        assert!(text.starts_with("{\"plimsoll\":{") && text.contains("\"complete\":false"));
        assert!(text.contains("Interrupted"));
    } else {
        // A machine that collects 300 services in a second was not interrupted.
        assert!(text.contains("\"complete\":true"), "{status}");
    }
}

/// The accounts of the scenario `organization`; the role of the last lets nobody in.
const MANAGEMENT: &str = "111111110008";
const PAYMENTS: &str = "111111110009";
const SHOP: &str = "111111110010";
const SANDBOX: &str = "111111110011";
const BY_ROLE: [&str; 4] = ["--role-name", "PlimsollReadOnly", "--external-id", "plimsoll-example"];

fn scan_accounts(choice: &[&str], regions: &str) -> Value {
    let _permitted = permitted();
    let mut command = against(&localstack(), MANAGEMENT);
    let output = command.args(["scan", "--format", "json", "--region", regions]).args(choice).args(BY_ROLE).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let result = json(&output);
    assert_valid(&result, &plimsoll_report::result_schema());
    result
}

/// Account and Region of everything that was found.
fn found_in(result: &Value) -> BTreeSet<(String, String)> {
    let findings = result["findings"].as_array().unwrap().iter().filter(|finding| finding["status"] == "fail");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings.map(|finding| (text(&finding["resource"]["account"]), text(&finding["resource"]["region"]))).collect()
}

fn gaps_in<'r>(result: &'r Value, account: &str) -> Vec<&'r Value> {
    result["gaps"].as_array().unwrap().iter().filter(|gap| gap["account"] == account).collect()
}

#[test]
fn three_accounts_are_read_in_two_regions_and_the_one_that_nobody_may_enter_is_a_gap() {
    let result = scan_accounts(&["--accounts", &[PAYMENTS, SHOP, SANDBOX].join(",")], "us-east-1,eu-west-3");
    assert_eq!(result["scan"]["accounts"], serde_json::json!([PAYMENTS, SHOP, SANDBOX]));
    let found = found_in(&result);
    for account in [PAYMENTS, SHOP] {
        for region in ["us-east-1", "eu-west-3"] {
            assert!(found.contains(&(account.to_owned(), region.to_owned())), "{found:?}");
        }
    }
    assert!(found.iter().all(|(account, _)| account != SANDBOX && account != MANAGEMENT), "{found:?}");
    let [gap] = gaps_in(&result, SANDBOX)[..] else { panic!("{:#}", result["gaps"]) };
    assert_eq!((gap["operation"].as_str(), gap["code"].as_str()), (Some("sts:AssumeRole"), Some("AccessDenied")));
    assert_eq!(gap["resource"], format!("arn:aws:iam::{SANDBOX}:role/PlimsollReadOnly"));
}

#[test]
fn an_organization_is_read_whole_and_without_what_is_excluded() {
    let result = scan_accounts(&["--org"], "us-east-1");
    assert_eq!(result["scan"]["accounts"], serde_json::json!([MANAGEMENT, PAYMENTS, SHOP, SANDBOX]));
    assert!(found_in(&result).contains(&(MANAGEMENT.to_owned(), "us-east-1".to_owned())), "its own account needs no role");
    let result = scan_accounts(&["--org", "--exclude-tag", "team=sandbox", "--exclude-account", MANAGEMENT], "us-east-1");
    assert_eq!(result["scan"]["accounts"], serde_json::json!([PAYMENTS, SHOP]));
    assert_eq!(gaps_in(&result, SANDBOX).len(), 0);
}

#[test]
fn regions_that_a_policy_closes_are_told_in_one_line_each() {
    let result = scan_accounts(&["--accounts", PAYMENTS], "all");
    let gaps = gaps_in(&result, PAYMENTS);
    let closed: BTreeSet<&str> = gaps.iter().filter(|gap| gap["code"] == "RegionClosed").filter_map(|gap| gap["region"].as_str()).collect();
    let all = result["scan"]["regions"].as_array().unwrap();
    assert_eq!(closed.len(), all.len() - 2, "{gaps:#?}");
    assert!(!closed.contains("us-east-1") && !closed.contains("eu-west-3"));
    assert!(closed.iter().all(|region| gaps.iter().filter(|gap| gap["region"] == **region).count() == 1), "{gaps:#?}");
    assert!(found_in(&result).iter().all(|(_, region)| !closed.contains(region.as_str())));
}

/// Check and resource of every passed verdict.
fn verdicts(result: &Value, status: &str) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = result["findings"].as_array().unwrap();
    findings.iter().filter(|f| f["status"] == status).map(|f| (text(&f["check"]), text(&f["resource"]["arn"]))).collect()
}

/// Denies, one at a time, the operations that a scan of the account calls and that no other account answers for.
fn denied_one_by_one(account: &str, answered: &Mutex<BTreeSet<String>>) -> Vec<String> {
    let scan = || {
        let arguments = ["scan", "--region", "us-east-1", "--format", "json", "--include-passed"];
        json(&against(&localstack(), account).args(arguments).output().unwrap())
    };
    control("POST", "/_plimsoll/calls/reset", &format!(r#"{{"account": "{account}"}}"#));
    let whole = scan();
    let (passed, failed) = (verdicts(&whole, "pass"), verdicts(&whole, "fail"));
    let called: BTreeMap<String, u64> = serde_json::from_str(&control("GET", &format!("/_plimsoll/calls?account={account}"), "")).unwrap();
    let mut wrong = Vec::new();
    for operation in called.keys() {
        // Without the caller's identity nothing begins at all.
        if operation == "sts:GetCallerIdentity" || !answered.lock().unwrap().insert(operation.clone()) {
            continue;
        }
        control("POST", "/_plimsoll/deny", &format!(r#"{{"account": "{account}", "operations": ["{operation}"]}}"#));
        let result = scan();
        control("POST", "/_plimsoll/reset", &format!(r#"{{"account": "{account}"}}"#));
        if !result["gaps"].as_array().unwrap().iter().any(|gap| gap["operation"] == **operation) {
            wrong.push(format!("{operation} left no gap in {account}"));
        }
        for (status, before) in [("pass", &passed), ("fail", &failed)] {
            let new: Vec<_> = verdicts(&result, status).difference(before).cloned().collect();
            if !new.is_empty() {
                wrong.push(format!("without {operation} in {account} these {status}: {new:?}"));
            }
        }
    }
    wrong
}

#[test]
fn a_denied_operation_is_a_gap_and_never_a_pass_or_a_failure() {
    let _alone = PERMITTED.write().unwrap_or_else(PoisonError::into_inner);
    let answered = Mutex::default();
    let accounts = ["111111110015", "111111110014", "111111110013", "111111110012", "111111110003", "111111110001"];
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = accounts.iter().map(|account| scope.spawn(|| denied_one_by_one(account, &answered))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(answered.into_inner().unwrap().len() > 100);
}

/// What a script of `localstack/` prints.
fn script(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(folder().join("run.sh"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn every_declared_operation_is_one_of_aws() {
    let declared: Vec<String> = plimsoll_collect::operations().iter().map(|operation| operation.id()).collect();
    assert_eq!(script(&["operations.py"], &(declared.join("\n") + "\necs:ListNothing\n")), "ecs:ListNothing\n");
}

/// Writes the template of `plimsoll permissions`, deploys it, and gives what is then in each account.
fn deployed(options: &[&str], arguments: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let output = against(&localstack(), SCANNER).args(["permissions", "-o"]).arg(folder.path()).args(options).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let template = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let endpoint = localstack();
    let mut words = vec!["deploy.py", "--endpoint", &endpoint, template.to_str().unwrap()];
    words.extend(arguments);
    serde_json::from_str(&script(&words, "")).unwrap()
}

/// The account that plimsoll runs in.
const SCANNER: &str = "333333330000";

/// The actions that the policies of a deployed role allow.
fn allowed(account: &Value) -> BTreeSet<&str> {
    let documents = account["policies"].as_array().unwrap().iter();
    let statements = documents.flat_map(|document| document["Statement"].as_array().unwrap());
    statements
        .flat_map(|statement| {
            assert_eq!(statement["Effect"], "Allow");
            statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap())
        })
        .collect()
}

fn declared() -> BTreeSet<&'static str> {
    let further = plimsoll_collect::further_permissions().iter().map(|(_, action)| *action);
    plimsoll_collect::operations().iter().map(|operation| operation.permission).chain(further).collect()
}

#[test]
fn a_stack_set_makes_the_role_that_a_scan_assumes() {
    let _permitted = permitted();
    let options = ["--format", "stackset", "--trusted-principal", SCANNER, "--external-id", "shop-0815"];
    let accounts = deployed(&options, &["--stack-set"]);
    assert_eq!(accounts.len(), 2);
    for account in &accounts {
        assert_eq!(account["status"], "CREATE_COMPLETE");
        let trust = &account["role"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(
            *trust,
            json!([{"Sid": "Scanner", "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"AWS": format!("arn:aws:iam::{SCANNER}:root")},
                "Condition": {"StringEquals": {"sts:ExternalId": "shop-0815"}}}])
        );
        assert_eq!(allowed(account), declared());
        let id = account["account"].as_str().unwrap();
        assert_eq!(account["role"]["Arn"], format!("arn:aws:iam::{id}:role/PlimsollReadOnly"));
        let role = account["role"]["Arn"].as_str().unwrap();
        let scan = ["scan", "--region", "us-east-1", "--format", "json", "--role-arn", role, "--external-id", "shop-0815"];
        let output = against(&localstack(), SCANNER).args(scan).output().unwrap();
        assert_eq!(json(&output)["scan"]["accounts"], json!([id]), "{}", stderr(&output));
        let stranger = against(&localstack(), SCANNER).args(["scan", "--region", "us-east-1", "--role-arn", role]).output().unwrap();
        assert_eq!(stranger.status.code(), Some(3));
        assert!(stderr(&stranger).contains("cannot assume"), "{}", stderr(&stranger));
    }
}

#[test]
fn a_stack_makes_the_role_as_its_parameters_say() {
    let scanner = format!("ScannerPrincipalArn=arn:aws:iam::{SCANNER}:role/scanner");
    let with = deployed(&["--format", "stackset"], &[&scanner, "ExternalId=0815", "RoleName=Audit", "MaxSessionDuration=7200"]);
    let without = deployed(&["--format", "cloudformation"], &[&scanner]);
    let trust = |account: &Value| account["role"]["AssumeRolePolicyDocument"]["Statement"][0].clone();
    assert_eq!(with[0]["role"]["RoleName"], "Audit");
    assert_eq!(with[0]["role"]["MaxSessionDuration"], 7200);
    assert_eq!(trust(&with[0])["Condition"], json!({"StringEquals": {"sts:ExternalId": "0815"}}));
    assert_eq!(trust(&without[0]).get("Condition"), None);
    for account in [&with[0], &without[0]] {
        assert_eq!(trust(account)["Principal"], json!({"AWS": format!("arn:aws:iam::{SCANNER}:role/scanner")}));
        assert_eq!(allowed(account), declared());
    }
}
