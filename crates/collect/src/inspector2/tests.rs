#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs::{Container, ContainerInstance, Task};
use serde_json::{Value, json};

const STATUS: &str = "POST /status/batch/get";
const COVERAGE: &str = "POST /coverage/list";
const FINDINGS: &str = "POST /findings/list";
const IMAGE: &str = "arn:aws:ecr:eu-west-3:111111111111:repository/shop/web/sha256:ab";

fn state(ec2: &str, ecr: &str) -> Value {
    json!({"accounts": [{"accountId": "111111111111", "state": {"status": "ENABLED"},
        "resourceState": {"ec2": {"status": ec2}, "ecr": {"status": ecr}, "lambda": {"status": "DISABLED"}}}], "failedAccounts": []})
}

fn finding(severity: &str, id: &str, exploit: &str, fix: &str) -> Value {
    json!({"severity": severity, "type": "PACKAGE_VULNERABILITY", "status": "ACTIVE", "firstObservedAt": 1.7e9, "description": "free text",
        "fixAvailable": fix, "exploitAvailable": exploit, "resources": [{"type": "AWS_EC2_INSTANCE", "id": "i-1"}],
        "packageVulnerabilityDetails": {"vulnerabilityId": id, "source": "NVD", "vulnerablePackages": [
            {"name": "openssl", "version": "3.0.1", "fixedInVersion": "3.0.9"}]}})
}

fn covered(id: &str) -> Value {
    json!({"resourceId": id, "resourceType": "AWS_EC2_INSTANCE", "accountId": "111111111111", "scanType": "PACKAGE",
        "scanStatus": {"statusCode": "ACTIVE", "reason": "SUCCESSFUL"}, "lastScannedAt": 1.7e9})
}

fn running() -> Inventory {
    let mut inventory = Inventory::default();
    let place = (&"111111111111".into(), &"eu-west-3".into());
    let host = ContainerInstance { ec2_instance_id: Some("i-1".to_owned()), ..ContainerInstance::default() };
    inventory.push(place.0, place.1, host);
    let container =
        |image: &str| Container { image: Some(image.to_owned()), image_digest: Some("sha256:ab".to_owned()), ..Container::default() };
    let images = ["111111111111.dkr.ecr.eu-west-3.amazonaws.com/shop/web:1", "222222222222.dkr.ecr.eu-west-3.amazonaws.com/x", "nginx"];
    inventory.push(place.0, place.1, Task { containers: images.map(container).to_vec(), ..Task::default() });
    inventory
}

fn answering(status: Value) -> Replay {
    let findings =
        [finding("HIGH", "CVE-1", "NO", "YES"), finding("CRITICAL", "CVE-2", "YES", "NO"), finding("CRITICAL", "CVE-3", "NO", "YES")];
    Replay::new()
        .json(STATUS, status)
        .json(COVERAGE, json!({"coveredResources": [covered("i-1")]}))
        .json(FINDINGS, json!({"findings": findings}))
}

#[tokio::test]
async fn findings_of_covered_hosts_are_counted_and_the_worst_kept() {
    let (replay, api) = (answering(state("ENABLED", "DISABLED")), Api::in_test());
    let found = collect(&api, &replay.wire(&SERVICE), &running()).await;
    assert_eq!(found.inspector_accounts[0].data.resource_state.ecr.status, "DISABLED");
    assert_eq!(found.inspector_coverage[0].data.scan_status.as_ref().unwrap().status_code, "ACTIVE");
    let findings = &found.inspector_findings[0].data;
    assert_eq!((findings.critical.count, findings.critical.exploit_available, findings.critical.fix_available), (2, 1, 1));
    assert_eq!((findings.high.count, findings.high.exploit_available, findings.truncated), (1, 0, false));
    assert_eq!(findings.worst.iter().map(|one| one.vulnerability_id.as_str()).collect::<Vec<_>>(), ["CVE-2", "CVE-3", "CVE-1"]);
    // Images are not scanned, and so not asked about.
    assert_eq!((replay.count(COVERAGE), replay.count(FINDINGS)), (1, 1));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn running_images_of_the_own_registry_are_asked_about_by_arn() {
    let replay = answering(state("DISABLED", "ENABLED"));
    collect(&Api::in_test(), &replay.wire(&SERVICE), &running()).await;
    let asked = replay.requests().into_iter().find(|(operation, _)| operation == COVERAGE).unwrap().1;
    assert_eq!(asked["filterCriteria"]["resourceId"], json!([{"comparison": "EQUALS", "value": IMAGE}]));
    // It is not among what is covered.
    assert_eq!(replay.count(FINDINGS), 0);
}

#[tokio::test]
async fn an_account_that_is_off_costs_one_call_and_leaves_no_gap() {
    let (replay, api) = (answering(state("DISABLED", "DISABLED")), Api::in_test());
    let found = collect(&api, &replay.wire(&SERVICE), &running()).await;
    assert_eq!((found.len(), replay.requests().len()), (1, 1));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn refused_calls_are_gaps_and_the_rest_is_asked() {
    let replay = answering(json!({"accounts": [], "failedAccounts": [{"accountId": "111111111111", "errorCode": "ACCESS_DENIED"}]}));
    let replay = replay.error(COVERAGE, "AccessDeniedException").error(FINDINGS, "AccessDeniedException");
    let api = Api::in_test();
    assert!(collect(&api, &replay.wire(&SERVICE), &running()).await.is_empty());
    let gaps: Vec<String> = api.take_gaps().into_iter().map(|gap| format!("{} {}", gap.operation, gap.code)).collect();
    let denied = |operation: &str| format!("inspector2:{operation} AccessDeniedException");
    let (coverage, findings) = (denied("ListCoverage"), denied("ListFindings"));
    assert_eq!(gaps, ["inspector2:BatchGetAccountStatus ACCESS_DENIED".to_owned(), coverage.clone(), findings.clone(), coverage, findings]);
}
