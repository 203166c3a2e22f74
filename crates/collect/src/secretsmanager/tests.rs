#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs;
use serde_json::json;

const OURS: &str = "arn:aws:secretsmanager:eu-west-3:111111111111:secret:db-AbCdEf";
const THEIRS: &str = "arn:aws:secretsmanager:eu-west-3:222222222222:secret:shared-AbCdEf";

fn using(references: &[&str]) -> Inventory {
    let secrets = references.iter().map(|from| json!({"name": "X", "valueFrom": from})).collect::<Vec<_>>();
    let definition: ecs::TaskDefinition =
        serde_json::from_value(json!({"taskDefinitionArn": "web:1", "containerDefinitions": [{"name": "web", "secrets": secrets}]}))
            .unwrap();
    let mut inventory = Inventory::default();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), definition);
    inventory
}

fn answering() -> Replay {
    let policy = json!({"Version": "2012-10-17", "Statement": []}).to_string();
    Replay::new()
        .on("ListSecrets", |request| match request.get("NextToken") {
            None => Answer::Json(json!({"SecretList": [{"ARN": "arn:aws:secretsmanager:eu-west-3:111111111111:secret:other-x", "Name": "other"}], "NextToken": "2"})),
            Some(_) => Answer::Json(json!({"SecretList": [
                {"ARN": OURS, "Name": "db", "RotationEnabled": true, "RotationRules": {"AutomaticallyAfterDays": 30},
                 "LastRotatedDate": 1.7e9, "KmsKeyId": null, "Tags": [{"Key": "db-password", "Value": "Tr0ub4dor&3"}]}
            ]})),
        })
        .json("DescribeSecret", json!({"ARN": THEIRS, "Name": "shared"}))
        .json("GetResourcePolicy", json!({"ARN": OURS, "Name": "db", "ResourcePolicy": policy}))
}

#[tokio::test]
async fn all_secrets_are_listed_and_the_policies_of_those_in_use_are_read() {
    let replay = answering();
    let api = Api::in_test();
    let reference = format!("{OURS}:password::");
    let found = collect(&api, &replay.wire(&SERVICE), &using(&[&reference, THEIRS])).await;
    let secrets: Vec<_> = found.secrets.iter().map(|secret| &secret.data).collect();
    assert_eq!(secrets.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["db", "other", "shared"]);
    assert_eq!(secrets[0].last_rotated_date.unwrap().to_string(), "2023-11-14T22:13:20Z");
    assert_eq!(secrets[0].rotation_rules.as_ref().unwrap().automatically_after_days, Some(30));
    assert_eq!(secrets[0].tags[0].value, "[secret: named-secret]");
    assert!(secrets[0].resource_policy.known().unwrap().is_some());
    assert_eq!(secrets[1].resource_policy.known().unwrap_err().code, "NotCollected");
    assert_eq!((replay.count("ListSecrets"), replay.count("DescribeSecret"), replay.count("GetResourcePolicy")), (2, 1, 2));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn a_region_without_references_costs_no_call() {
    let replay = answering();
    let parameter = "arn:aws:ssm:eu-west-3:111111111111:parameter/x";
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &using(&[parameter])).await;
    assert!(found.is_empty());
    assert_eq!(replay.requests(), []);
}

#[tokio::test]
async fn a_refused_listing_and_policy_are_gaps_and_the_secret_stays() {
    let replay = answering().error("ListSecrets", "AccessDeniedException").error("GetResourcePolicy", "AccessDeniedException");
    let replay = replay.json("DescribeSecret", json!({"ARN": OURS, "Name": "db"}));
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &using(&[OURS])).await;
    assert_eq!(found.secrets[0].data.name, "db");
    assert_eq!(found.secrets[0].data.resource_policy.known().unwrap_err().operation, "secretsmanager:GetResourcePolicy");
    let gaps: Vec<String> = api.take_gaps().into_iter().map(|gap| format!("{} {:?}", gap.operation, gap.resource.as_deref())).collect();
    assert_eq!(gaps, ["secretsmanager:ListSecrets None".to_owned(), format!("secretsmanager:GetResourcePolicy Some({OURS:?})")]);
}

#[tokio::test]
async fn a_secret_that_a_whole_listing_lacks_is_not_asked_for() {
    let replay = answering();
    let gone = "arn:aws:secretsmanager:eu-west-3:111111111111:secret:gone-AbCdEf";
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &using(&[gone])).await;
    assert_eq!((found.secrets.len(), replay.count("DescribeSecret")), (2, 0));
}
