#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs::ContainerInstance;
use serde_json::{Value, json};

const COVERAGE: &str = "POST /detector/d1/coverage";
const LIST: &str = "POST /detector/d1/findings";
const GET: &str = "POST /detector/d1/findings/get";

fn detector(runtime: &str) -> Value {
    json!({
        "status": "ENABLED", "createdAt": "2026-01-01T00:00:00.000Z", "serviceRole": "arn:aws:iam::111111111111:role/x",
        "features": [
            {"name": "EKS_AUDIT_LOGS", "status": "ENABLED", "updatedAt": 1.7e9},
            {"name": "RUNTIME_MONITORING", "status": runtime, "additionalConfiguration": [
                {"name": "ECS_FARGATE_AGENT_MANAGEMENT", "status": "ENABLED", "updatedAt": 1.7e9}]}
        ]
    })
}

fn finding() -> Value {
    json!({
        "id": "f1", "arn": "arn:aws:guardduty:eu-west-3:111111111111:detector/d1/finding/f1", "type": "CryptoCurrency:Runtime/BitcoinTool.B",
        "severity": 8.0, "updatedAt": "2026-06-01T10:00:00.000Z", "title": "free text", "description": "free text",
        "resource": {"resourceType": "ECSCluster", "ecsClusterDetails": {"name": "shop", "arn": "arn:c", "taskDetails": {"arn": "arn:t"}},
            "accessKeyDetails": {"accessKeyId": "AKIA", "userName": "web"}},
        "service": {"archived": false, "detectorId": "d1", "count": 3}
    })
}

fn answering(runtime: &str) -> Replay {
    let covered = json!({"resourceId": "r1", "accountId": "111111111111", "coverageStatus": "HEALTHY", "updatedAt": 1.7e9, "resourceDetails":
        {"resourceType": "ECS", "ecsClusterDetails": {"clusterName": "shop", "fargateDetails": {"issues": [], "managementType": "AUTO_MANAGED"},
        "containerInstanceDetails": {"coveredContainerInstances": 1, "compatibleContainerInstances": 2}}}});
    Replay::new()
        .json("GET /detector", json!({"detectorIds": ["d1"]}))
        .json("GET /detector/d1", detector(runtime))
        .on(COVERAGE, move |request| match request.get("nextToken") {
            None => Answer::Json(json!({"resources": [covered], "nextToken": "2"})),
            Some(_) => Answer::Json(json!({"resources": []})),
        })
        .json(LIST, json!({"findingIds": ["f1"]}))
        .json(GET, json!({"findings": [finding()]}))
}

fn hosts() -> Inventory {
    let mut inventory = Inventory::default();
    let host = ContainerInstance { ec2_instance_id: Some("i-1".to_owned()), ..ContainerInstance::default() };
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), host);
    inventory
}

#[tokio::test]
async fn detector_coverage_and_findings_are_read_without_texts() {
    let (replay, api) = (answering("ENABLED"), Api::in_test());
    let found = collect(&api, &replay.wire(&SERVICE), &hosts()).await;
    let configuration = found.detectors[0].data.configuration.known().unwrap();
    assert!(configuration.has("EKS_AUDIT_LOGS") && !configuration.has("S3_DATA_EVENTS"));
    assert!(configuration.has_part("RUNTIME_MONITORING", "ECS_FARGATE_AGENT_MANAGEMENT"));
    let covered = found.guardduty_coverage[0].data.resource_details.as_ref().unwrap().ecs_cluster_details.as_ref().unwrap();
    assert_eq!(covered.container_instance_details.as_ref().unwrap().compatible_container_instances, Some(2));
    assert_eq!(found.guardduty_findings.len(), 1);
    let text = serde_json::to_string(&found.guardduty_findings[0].data).unwrap();
    assert!(text.contains("BitcoinTool") && !text.contains("free text") && !text.contains("AKIA"), "{text}");
    // Containers, credentials of roles, hosts.
    assert_eq!((replay.count(COVERAGE), replay.count(LIST), replay.count(GET)), (2, 3, 1));
    let asked = replay.requests().into_iter().filter(|(operation, _)| operation == LIST).map(|(_, body)| body).collect::<Vec<_>>();
    assert_eq!(asked[0]["findingCriteria"]["criterion"]["service.archived"]["equals"], json!(["false"]));
    assert_eq!(asked[2]["findingCriteria"]["criterion"]["resource.instanceDetails.instanceId"]["equals"], json!(["i-1"]));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn coverage_is_not_asked_for_where_nothing_watches() {
    let replay = answering("DISABLED");
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &Inventory::default()).await;
    assert_eq!((replay.count(COVERAGE), replay.count(LIST)), (0, 2));
    assert_eq!(found.detectors.len(), 1);
}

#[tokio::test]
async fn no_detector_is_knowledge_and_costs_one_call() {
    let replay = Replay::new().json("GET /detector", json!({"detectorIds": []}));
    let api = Api::in_test();
    assert!(collect(&api, &replay.wire(&SERVICE), &hosts()).await.is_empty());
    assert_eq!(replay.requests().len(), 1);
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn refused_calls_are_gaps_and_the_detector_stays() {
    let replay = answering("ENABLED").error("GET /detector/d1", "AccessDeniedException").error(COVERAGE, "AccessDeniedException");
    let replay = replay.error(GET, "AccessDeniedException");
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &Inventory::default()).await;
    assert_eq!(found.detectors[0].data.configuration.known().unwrap_err().operation, "guardduty:GetDetector");
    let gaps: Vec<(String, Option<String>)> = api.take_gaps().into_iter().map(|gap| (gap.operation, gap.resource)).collect();
    assert_eq!(
        gaps,
        [
            ("guardduty:GetDetector".to_owned(), Some("d1".to_owned())),
            ("guardduty:ListCoverage".to_owned(), None),
            ("guardduty:GetFindings".to_owned(), None),
        ]
    );
}

#[tokio::test]
async fn a_flood_of_findings_is_cut_and_told() {
    let pages = std::sync::atomic::AtomicUsize::new(0);
    let replay = answering("DISABLED").on(LIST, move |_| {
        let page = pages.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Answer::Json(json!({"findingIds": [format!("f{page}")], "nextToken": page.to_string()}))
    });
    let api = Api::in_test();
    collect(&api, &replay.wire(&SERVICE), &Inventory::default()).await;
    assert_eq!(replay.count(LIST), 20);
    assert!(api.take_gaps().iter().all(|gap| gap.operation == "guardduty:ListFindings" && gap.message.contains("500 most severe")));
}
