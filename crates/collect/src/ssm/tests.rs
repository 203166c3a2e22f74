#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use super::{SERVICE, public_parameters, recommended};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::eks::Nodegroup;
use serde_json::json;

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
async fn a_refusal_is_a_gap() {
    let replay = Replay::new().error("GetParameters", "AccessDeniedException");
    let api = Api::in_test();
    public_parameters(&api, &replay.wire(&SERVICE), BTreeSet::from(["/aws/service/x".to_owned()])).await;
    assert_eq!(api.take_gaps()[0].operation, "ssm:GetParameters");
}
