#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{CONTROL, SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs;
use serde_json::json;

fn naming(buckets: &[&str]) -> Inventory {
    let files: Vec<_> = buckets.iter().map(|bucket| json!({"value": format!("arn:aws:s3:::{bucket}/app.env"), "type": "s3"})).collect();
    let container = json!({"name": "web", "environmentFiles": files});
    let definition: ecs::TaskDefinition =
        serde_json::from_value(json!({"taskDefinitionArn": "web:1", "containerDefinitions": [container]})).unwrap();
    let mut inventory = Inventory::default();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), definition);
    inventory
}

fn answering() -> Replay {
    let none = |code: &'static str| {
        move |_: &serde_json::Value| Answer::Raw(404, format!("<Error><Code>{code}</Code><Message>none</Message></Error>"))
    };
    Replay::new()
        .xml(
            "GET /",
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>env</Name><BucketRegion>eu-west-3</BucketRegion></Bucket></Buckets></ListAllMyBucketsResult>",
        )
        .xml("GET /env?policyStatus", "<PolicyStatus><IsPublic>true</IsPublic></PolicyStatus>")
        .on("GET /env?publicAccessBlock", none("NoSuchPublicAccessBlockConfiguration"))
        .xml(
            "GET /env?encryption",
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
        )
        .xml(
            "GET /env?acl",
            "<AccessControlPolicy><Owner><ID>o</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Group\">\
             <URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
        )
        .xml(
            "GET /v20180820/configuration/publicAccessBlock",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
        )
}

async fn read(replay: &Replay, api: &Api, buckets: &[&str]) -> Inventory {
    let mut found = collect(api, |_| replay.wire(&SERVICE), &replay.wire(&CONTROL), &naming(buckets)).await;
    found.sort();
    found
}

#[tokio::test]
async fn a_bucket_that_is_named_comes_with_all_its_settings() {
    let (replay, api) = (answering(), Api::in_test());
    let found = read(&replay, &api, &["env"]).await;
    let bucket = &found.buckets[0].data;
    assert!(bucket.policy_status.known().unwrap().as_ref().unwrap().is_public);
    assert_eq!(bucket.public_access_block.known().unwrap(), &None);
    let rule = &bucket.encryption.known().unwrap().as_ref().unwrap().rules[0];
    assert_eq!(rule.apply_server_side_encryption_by_default.as_ref().unwrap().sse_algorithm.as_deref(), Some("aws:kms"));
    let grant = &bucket.acl.known().unwrap().grants[0];
    assert!(grant.grantee.uri.as_deref().unwrap().ends_with("/AllUsers"));
    let block = found.account_public_access_blocks[0].data.configuration.known().unwrap();
    assert!(block.as_ref().unwrap().block_public_acls);
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn somebody_elses_bucket_is_told_and_not_asked() {
    let (replay, api) = (answering(), Api::in_test());
    let found = read(&replay, &api, &["theirs"]).await;
    assert_eq!(found.buckets[0].data.owned.known(), Ok(&false));
    assert_eq!(replay.requests().len(), 2);
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn refusals_are_gaps_that_name_the_bucket() {
    let denied = |_: &serde_json::Value| Answer::Raw(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned());
    let (replay, api) = (answering().on("GET /env?acl", denied), Api::in_test());
    let found = read(&replay, &api, &["env"]).await;
    assert!(found.buckets[0].data.acl.known().is_err());
    let gap = &api.take_gaps()[0];
    assert_eq!((gap.operation.as_str(), gap.code.as_str(), gap.resource.as_deref()), ("s3:GetBucketAcl", "AccessDenied", Some("env")));

    let (replay, api) = (answering().on("GET /", denied), Api::in_test());
    let found = read(&replay, &api, &["env"]).await;
    assert!(found.buckets[0].data.owned.known().is_err() && found.buckets[0].data.policy_status.known().is_err());
    assert_eq!(api.take_gaps().len(), 1);
}

#[tokio::test]
async fn without_names_nothing_is_asked() {
    let replay = answering();
    assert!(read(&replay, &Api::in_test(), &[]).await.is_empty());
    assert_eq!(replay.requests(), []);
}

#[tokio::test]
async fn the_bucket_of_a_load_balancers_logs_is_named_as_well() {
    let (replay, mut inventory) = (answering(), Inventory::default());
    let attributes = json!([{"Key": "access_logs.s3.bucket", "Value": "env"}, {"Key": "connection_logs.s3.bucket", "Value": ""}]);
    let balancer = serde_json::from_value(json!({"LoadBalancerArn": "lb", "Attributes": {"known": attributes}})).unwrap();
    inventory.push::<plimsoll_model::aws::elasticloadbalancing::LoadBalancer>(&"111111111111".into(), &"eu-west-3".into(), balancer);
    let found = collect(&Api::in_test(), |_| replay.wire(&SERVICE), &replay.wire(&CONTROL), &inventory).await;
    let names: Vec<&str> = found.buckets.iter().map(|bucket| bucket.data.name.as_str()).collect();
    assert_eq!(names, ["env"]);
}
