#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use serde_json::json;

const CLUSTER: &str = "arn:aws:ecs:eu-west-3:111111111111:cluster/shop";

fn schedule(name: &str, target: &str) -> serde_json::Value {
    json!({
        "Arn": format!("arn:aws:scheduler:eu-west-3:111111111111:schedule/default/{name}"),
        "Name": name, "GroupName": "default", "State": "ENABLED", "CreationDate": 1.7e9, "Target": {"Arn": target},
    })
}

fn answering() -> Replay {
    let lambda = "arn:aws:lambda:eu-west-3:111111111111:function:f";
    let target = json!({
        "Arn": CLUSTER, "RoleArn": "arn:aws:iam::111111111111:role/starts", "Input": "{\"containerOverrides\": [\"secret\"]}",
        "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:eu-west-3:111111111111:task-definition/report:3", "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "ENABLED"}}},
    });
    Replay::new()
        .json("GET /schedules", json!({"Schedules": [schedule("nightly", CLUSTER), schedule("other", lambda)]}))
        .json("GET /schedules/nightly", json!({"Name": "nightly", "Target": target}))
}

#[tokio::test]
async fn only_schedules_that_start_tasks_are_described_without_their_input() {
    let replay = answering();
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE)).await;
    let schedule = &found.schedules[0].data;
    let parameters = schedule.target.known().unwrap().ecs_parameters.as_ref().unwrap();
    assert!(parameters.task_definition_arn.ends_with("report:3"));
    let network = parameters.network_configuration.as_ref().unwrap().awsvpc_configuration.as_ref().unwrap();
    assert_eq!(network.assign_public_ip.as_deref(), Some("ENABLED"));
    assert_eq!((found.schedules.len(), replay.requests().len()), (1, 2));
    assert_eq!(replay.requests()[1].1, json!({"groupName": "default"}));
    assert!(!serde_json::to_string(schedule).unwrap().contains("secret"));
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_stays_with_its_gap() {
    let replay = answering().error("GET /schedules/nightly", "AccessDeniedException");
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE)).await;
    assert_eq!(found.schedules[0].data.target.known().unwrap_err().operation, "scheduler:GetSchedule");
    assert_eq!(api.take_gaps().len(), 1);
}
