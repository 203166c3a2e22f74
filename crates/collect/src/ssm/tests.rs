#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use super::{SERVICE, collect, public_parameters, recommended};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ec2::Image;
use plimsoll_model::aws::ecs::{ContainerInstance, TaskDefinition};
use plimsoll_model::aws::eks::Nodegroup;
use serde_json::json;

fn using(references: &[&str], host: Option<&str>) -> Inventory {
    let secrets = references.iter().map(|from| json!({"name": "X", "valueFrom": from})).collect::<Vec<_>>();
    let definition: TaskDefinition =
        serde_json::from_value(json!({"taskDefinitionArn": "web:1", "containerDefinitions": [{"name": "web", "secrets": secrets}]}))
            .unwrap();
    let mut inventory = Inventory::default();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), definition);
    if let Some(id) = host {
        let host = ContainerInstance { ec2_instance_id: Some(id.to_owned()), ..ContainerInstance::default() };
        inventory.push(&"111111111111".into(), &"eu-west-3".into(), host);
    }
    inventory
}

#[tokio::test]
async fn parameters_of_task_definitions_are_described_by_every_name_that_they_may_have() {
    let arn = |name: &str| format!("arn:aws:ssm:eu-west-3:111111111111:parameter/{name}");
    let replay = Replay::new().json(
        "DescribeParameters",
        json!({"Parameters": [{"Name": "/app/db", "ARN": arn("app/db"), "Type": "SecureString", "KeyId": "alias/aws/ssm",
            "LastModifiedDate": 1.7e9, "LastModifiedUser": "arn:aws:iam::111111111111:user/x", "Description": "free text"}]}),
    );
    let (nested, flat, foreign) = (arn("app/db:3"), arn("token"), "arn:aws:ssm:eu-west-3:222222222222:parameter/shared");
    let secret = "arn:aws:secretsmanager:eu-west-3:111111111111:secret:db-AbCdEf";
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), &using(&[&nested, &flat, "plain", "/abs", foreign, secret], None)).await;
    let asked = replay.requests()[0].1["ParameterFilters"].clone();
    let names = ["/abs", "/app/db", "/token", "plain", "token"];
    assert_eq!(asked, json!([{"Key": "Name", "Option": "Equals", "Values": names}]));
    let parameter = &found.parameters[0].data;
    assert_eq!((parameter.kind.as_str(), parameter.key_id.as_deref()), ("SecureString", Some("alias/aws/ssm")));
    assert!(!serde_json::to_string(parameter).unwrap().contains("free text"));
    assert_eq!(replay.requests().len(), 1);
}

#[tokio::test]
async fn hosts_are_asked_about_and_machines_outside_ec2_are_not() {
    let replay = Replay::new()
        .json(
            "DescribeInstanceInformation",
            json!({"InstanceInformationList": [{"InstanceId": "i-1", "PingStatus": "Online", "IPAddress": "10.0.0.1"}]}),
        )
        .json(
            "DescribeInstancePatchStates",
            json!({"InstancePatchStates": [{"InstanceId": "i-1", "PatchGroup": "hosts", "BaselineId": "pb-1",
            "Operation": "Scan", "OperationEndTime": 1.7e9, "CriticalNonCompliantCount": 2}]}),
        );
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &using(&[], Some("i-1"))).await;
    assert_eq!(found.managed_instances[0].data.ping_status.as_deref(), Some("Online"));
    assert_eq!(found.patch_states[0].data.critical_non_compliant_count, Some(2));
    collect(&api, &replay.wire(&SERVICE), &using(&[], Some("mi-1"))).await;
    assert_eq!(replay.requests().len(), 2);
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn recommended_images_are_those_of_the_families_in_use() {
    let replay = Replay::new().json(
        "GetParameters",
        json!({"Parameters": [{"Name": "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended", "Type": "String", "Version": 80,
            "Value": "{\"image_id\": \"ami-new\", \"image_name\": \"al2023-x\", \"ecs_agent_version\": \"1.100.0\", \"schema_version\": 1}"}],
            "InvalidParameters": []}),
    );
    let mut inventory = using(&[], Some("i-1"));
    let image = |id: &str, owner: &str, name: &str| Image {
        image_id: id.to_owned(),
        name: Some(name.to_owned()),
        image_owner_alias: Some(owner.to_owned()),
        ..Image::default()
    };
    for image in [
        image("ami-1", "amazon", "al2023-ami-ecs-hvm-2023.0.20260101-kernel-6.1-arm64"),
        image("ami-2", "self", "bottlerocket-aws-ecs-2-x86_64-v1.19.0-0a1b2c3d"),
    ] {
        inventory.push(&"111111111111".into(), &"eu-west-3".into(), image);
    }
    let found = recommended(&Api::in_test(), &replay.wire(&SERVICE), &inventory).await;
    let base = "/aws/service/ecs/optimized-ami/amazon-linux-2023";
    assert_eq!(replay.requests()[0].1["Names"], json!([format!("{base}/arm64/recommended"), format!("{base}/recommended")]));
    let image = found.public_parameters[0].data.recommended_image().unwrap();
    assert_eq!((image.image_id.as_str(), image.ecs_agent_version.as_deref()), ("ami-new", Some("1.100.0")));
    assert!(recommended(&Api::in_test(), &replay.wire(&SERVICE), &using(&[], None)).await.is_empty());
}

#[tokio::test]
async fn a_refused_call_is_a_gap() {
    let replay = Replay::new().error("DescribeParameters", "AccessDeniedException");
    let api = Api::in_test();
    assert!(collect(&api, &replay.wire(&SERVICE), &using(&["plain"], None)).await.is_empty());
    assert_eq!(api.take_gaps()[0].operation, "ssm:DescribeParameters");
}

fn answering() -> Replay {
    Replay::new().on("GetParameters", |request| {
        let names = request["Names"].as_array().unwrap();
        let parameters = names
            .iter()
            .map(|name| json!({"Name": name, "Type": "String", "Value": "1.33.5-20260601", "Version": 7, "LastModifiedDate": 1.7e9}));
        Answer::Json(json!({"Parameters": parameters.collect::<Vec<_>>(), "InvalidParameters": []}))
    })
}

#[tokio::test]
async fn the_recommended_releases_of_node_groups_are_read_once_each() {
    let replay = answering();
    let mut inventory = Inventory::default();
    for name in ["a", "b"] {
        let (version, ami_type) = (Some("1.33".to_owned()), Some("AL2023_ARM_64_STANDARD".to_owned()));
        let group = Nodegroup { nodegroup_arn: name.to_owned(), version, ami_type, ..Default::default() };
        inventory.push(&"111111111111".into(), &"eu-west-3".into(), group);
    }
    let found = recommended(&Api::in_test(), &replay.wire(&SERVICE), &inventory).await;
    let parameter = &found.public_parameters[0].data;
    assert_eq!(parameter.name, "/aws/service/eks/optimized-ami/1.33/amazon-linux-2023/arm64/standard/recommended/release_version");
    assert_eq!((parameter.value.as_str(), parameter.version), ("1.33.5-20260601", Some(7)));
    assert_eq!(parameter.last_modified_date.unwrap().to_string(), "2023-11-14T22:13:20Z");
    assert_eq!((found.len(), replay.requests().len()), (1, 1));
}

#[tokio::test]
async fn ten_names_make_a_request_and_none_makes_none() {
    let replay = answering();
    let names: BTreeSet<String> = (0..21).map(|number| format!("/aws/service/x/{number}")).collect();
    assert_eq!(public_parameters(&Api::in_test(), &replay.wire(&SERVICE), names).await.len(), 21);
    assert_eq!(replay.count("GetParameters"), 3);
    public_parameters(&Api::in_test(), &replay.wire(&SERVICE), BTreeSet::from(["/shop/password".to_owned()])).await;
    assert_eq!(replay.count("GetParameters"), 3);
}

#[tokio::test]
async fn a_refused_recommendation_is_a_gap() {
    let replay = Replay::new().error("GetParameters", "AccessDeniedException");
    let api = Api::in_test();
    public_parameters(&api, &replay.wire(&SERVICE), BTreeSet::from(["/aws/service/x".to_owned()])).await;
    assert_eq!(api.take_gaps()[0].operation, "ssm:GetParameters");
}
