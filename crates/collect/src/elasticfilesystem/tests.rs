#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs;
use serde_json::json;

fn mounting(id: &str) -> Inventory {
    let volume = json!({"name": "data", "efsVolumeConfiguration": {"fileSystemId": id}});
    let definition: ecs::TaskDefinition = serde_json::from_value(json!({"taskDefinitionArn": "web:1", "volumes": [volume]})).unwrap();
    let mut inventory = Inventory::default();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), definition);
    inventory
}

fn answering() -> Replay {
    Replay::new()
        .json(
            "GET /2015-02-01/file-systems",
            json!({"FileSystems": [{"FileSystemId": "fs-1", "FileSystemArn": "arn:fs-1", "Encrypted": true, "CreationTime": 1.7e9}]}),
        )
        .json(
            "GET /2015-02-01/mount-targets",
            json!({"MountTargets": [{"MountTargetId": "fsmt-1", "FileSystemId": "fs-1", "SubnetId": "subnet-1"}]}),
        )
        .json("GET /2015-02-01/mount-targets/fsmt-1/security-groups", json!({"SecurityGroups": ["sg-1"]}))
        .json(
            "GET /2015-02-01/access-points",
            json!({"AccessPoints": [{"AccessPointId": "fsap-1", "RootDirectory": {"Path": "/app"}, "PosixUser": {"Uid": 1, "Gid": 2}}]}),
        )
        .error("GET /2015-02-01/file-systems/fs-1/policy", "PolicyNotFound")
}

#[tokio::test]
async fn a_mounted_file_system_comes_with_targets_points_and_no_policy() {
    let replay = answering();
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &mounting("fs-1")).await;
    let file_system = &found.file_systems[0].data;
    assert_eq!(file_system.encrypted, Some(true));
    let target = &file_system.mount_targets.known().unwrap()[0];
    assert_eq!(target.security_groups.known().unwrap(), &["sg-1"]);
    let point = &file_system.access_points.known().unwrap()[0];
    assert_eq!(point.root_directory.as_ref().unwrap().path.as_deref(), Some("/app"));
    assert_eq!(file_system.policy.known().unwrap(), &None);
    assert_eq!(replay.requests()[0].1, json!({"FileSystemId": "fs-1"}));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn one_that_is_gone_is_knowledge_and_refusals_are_gaps() {
    let api = Api::in_test();
    let replay = answering().error("GET /2015-02-01/file-systems", "FileSystemNotFound");
    assert!(collect(&api, &replay.wire(&SERVICE), &mounting("fs-9")).await.is_empty());
    assert_eq!(api.take_gaps(), []);
    let replay = answering()
        .error("GET /2015-02-01/file-systems/fs-1/policy", "AccessDeniedException")
        .on("GET /2015-02-01/mount-targets/fsmt-1/security-groups", |_| Answer::Error("AccessDeniedException"));
    let found = collect(&api, &replay.wire(&SERVICE), &mounting("fs-1")).await;
    assert!(found.file_systems[0].data.policy.known().is_err());
    let named: Vec<_> = api.take_gaps().into_iter().filter_map(|gap| gap.resource).collect();
    assert_eq!(named, ["fsmt-1", "fs-1"]);
}
