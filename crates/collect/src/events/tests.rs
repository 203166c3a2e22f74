#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::ecs;
use serde_json::json;

const CLUSTER: &str = "arn:aws:ecs:eu-west-3:111111111111:cluster/shop";

fn containers() -> Inventory {
    let mut inventory = Inventory::default();
    let cluster: ecs::Cluster = serde_json::from_value(json!({"clusterArn": CLUSTER, "clusterName": "shop", "status": "ACTIVE"})).unwrap();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), cluster);
    inventory
}

fn rule(name: &str, pattern: Option<&str>) -> serde_json::Value {
    json!({"Name": name, "Arn": format!("arn:aws:events:eu-west-3:111111111111:rule/{name}"), "EventPattern": pattern,
        "State": "ENABLED", "EventBusName": "default"})
}

fn answering() -> Replay {
    let parameters = json!({"TaskDefinitionArn": "arn:aws:ecs:eu-west-3:111111111111:task-definition/report:3", "TaskCount": 1});
    Replay::new()
        .json("ListEventBuses", json!({"EventBuses": [{"Name": "default"}]}))
        .json(
            "ListRules",
            json!({"Rules": [rule("nightly", None), rule("watch", Some("{\"source\": [\"aws.ecs\"]}")), rule("other", Some("{\"source\": [\"aws.s3\"]}"))]}),
        )
        .json("ListRuleNamesByTarget", json!({"RuleNames": ["nightly"]}))
        .on("ListTargetsByRule", move |request| {
            Answer::Json(match request["Rule"].as_str() {
                Some("nightly") => json!({"Targets": [{"Id": "1", "Arn": CLUSTER, "EcsParameters": parameters, "Input": "secret"}]}),
                _ => json!({"Targets": [{"Id": "1", "Arn": "arn:aws:sns:eu-west-3:111111111111:alarms"}]}),
            })
        })
}

#[tokio::test]
async fn rules_that_start_tasks_or_watch_containers_are_kept_with_their_targets() {
    let replay = answering();
    let api = Api::in_test();
    let mut found = collect(&api, &replay.wire(&SERVICE), &containers()).await;
    found.sort();
    let names: Vec<&str> = found.rules.iter().map(|rule| rule.data.name.as_str()).collect();
    assert_eq!(names, ["nightly", "watch"]);
    let target = &found.rules[0].data.targets.known().unwrap()[0];
    assert!(target.ecs_parameters.as_ref().unwrap().task_definition_arn.ends_with("report:3"));
    assert_eq!((replay.count("ListRuleNamesByTarget"), replay.count("ListTargetsByRule")), (1, 2));
    assert!(!serde_json::to_string(&found.rules[0].data).unwrap().contains("secret"));
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn refusals_are_gaps_and_the_default_bus_is_asked_all_the_same() {
    let replay = answering().error("ListEventBuses", "AccessDeniedException").error("ListTargetsByRule", "AccessDeniedException");
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE), &containers()).await;
    assert_eq!(found.rules.len(), 2);
    assert!(found.rules.iter().all(|rule| rule.data.targets.known().is_err()));
    let gaps = api.take_gaps();
    assert_eq!((gaps.len(), gaps[0].operation.as_str()), (3, "events:ListEventBuses"));
    assert!(gaps[1].resource.as_deref().unwrap().starts_with("arn:aws:events:"));
}
