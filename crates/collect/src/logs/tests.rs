#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::{Answer, Replay};
use plimsoll_model::Inventory;
use plimsoll_model::aws::{cloudtrail, ecs};
use serde_json::{Value, json};

fn naming(groups: &[&str]) -> Inventory {
    let containers: Vec<Value> = groups
        .iter()
        .map(|group| json!({"name": group, "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": group, "awslogs-region": "eu-west-3"}}}))
        .collect();
    let mut inventory = Inventory::default();
    let (account, region) = ("111111111111".into(), "eu-west-3".into());
    let definition: ecs::TaskDefinition =
        serde_json::from_value(json!({"taskDefinitionArn": "web:1", "containerDefinitions": containers})).unwrap();
    inventory.push(&account, &region, definition);
    let trail = json!({"TrailARN": "t", "CloudWatchLogsLogGroupArn": "arn:aws:logs:eu-west-3:111111111111:log-group:trail:*"});
    inventory.push(&account, &region, serde_json::from_value::<cloudtrail::Trail>(trail).unwrap());
    inventory
}

fn group(name: &str, retention: Option<i64>) -> Value {
    json!({"logGroupName": name, "logGroupArn": format!("arn:aws:logs:eu-west-3:111111111111:log-group:{name}"), "retentionInDays": retention, "creationTime": 1})
}

fn answering() -> Replay {
    Replay::new()
        .json("DescribeLogGroups", json!({"logGroups": [group("web", Some(30)), group("trail", None), group("unasked", None)]}))
        .json(
            "DescribeSubscriptionFilters",
            json!({"subscriptionFilters": [{"filterName": "all", "destinationArn": "arn:aws:firehose:x"}]}),
        )
        .json(
            "DescribeMetricFilters",
            json!({"metricFilters": [{"filterName": "keys", "filterPattern": "{ $.eventName = DisableKey }",
                "metricTransformations": [{"metricName": "Keys", "metricNamespace": "Trail", "metricValue": "1"}]}]}),
        )
}

#[tokio::test]
async fn the_groups_that_are_named_come_with_the_filters_that_matter() {
    let replay = answering();
    let api = Api::in_test();
    let mut found = collect(&api, |_| replay.wire(&SERVICE), &naming(&["web", "gone"])).await;
    found.sort();
    let names: Vec<&str> = found.log_groups.iter().map(|group| group.data.log_group_name.as_str()).collect();
    assert_eq!(names, ["trail", "web"]);
    assert_eq!(super::metrics(&found).into_iter().collect::<Vec<_>>(), [(&"eu-west-3".into(), "Trail", "Keys")]);
    assert_eq!(found.log_groups[1].data.subscription_filters.known().unwrap().len(), 1);
    assert_eq!(found.log_groups[1].data.metric_filters.known().unwrap_err().code, "NotCollected");
    assert_eq!(
        (replay.count("DescribeLogGroups"), replay.count("DescribeSubscriptionFilters"), replay.count("DescribeMetricFilters")),
        (1, 1, 1)
    );
    assert_eq!(replay.requests()[0].1["logGroupIdentifiers"][0], "arn:aws:logs:eu-west-3:111111111111:log-group:gone");
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn an_endpoint_that_takes_missing_names_amiss_is_asked_one_by_one() {
    let replay = answering().on("DescribeLogGroups", |request| match request.get("logGroupNamePrefix").and_then(Value::as_str) {
        None => Answer::Error("ResourceNotFoundException"),
        Some("web") => Answer::Json(json!({"logGroups": [group("web", Some(30)), group("web-2", None)]})),
        Some(_) => Answer::Json(json!({"logGroups": []})),
    });
    let api = Api::in_test();
    let found = collect(&api, |_| replay.wire(&SERVICE), &naming(&["web"])).await;
    assert_eq!(found.log_groups.len(), 1);
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn refusals_are_gaps() {
    let replay = answering().error("DescribeSubscriptionFilters", "AccessDeniedException");
    let api = Api::in_test();
    let found = collect(&api, |_| replay.wire(&SERVICE), &naming(&["web"])).await;
    assert_eq!(found.log_groups.len(), 2);
    let gaps = api.take_gaps();
    assert_eq!((gaps[0].operation.as_str(), gaps[0].resource.as_deref()), ("logs:DescribeSubscriptionFilters", Some("web")));
    let replay = answering().error("DescribeLogGroups", "AccessDeniedException");
    let api = Api::in_test();
    assert!(collect(&api, |_| replay.wire(&SERVICE), &naming(&["web"])).await.is_empty());
    assert_eq!(api.take_gaps().len(), 1);
}

#[tokio::test]
async fn the_group_of_a_trail_is_read_in_its_own_region() {
    let (here, there) = (answering(), answering().json("DescribeLogGroups", json!({"logGroups": [group("far", None)]})));
    let mut inventory = naming(&["web"]);
    let trail = json!({"TrailARN": "u", "CloudWatchLogsLogGroupArn": "arn:aws:logs:us-east-1:111111111111:log-group:far:*"});
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), serde_json::from_value::<cloudtrail::Trail>(trail).unwrap());
    let in_region = |region: &str| if region == "us-east-1" { there.wire(&SERVICE) } else { here.wire(&SERVICE) };
    let found = collect(&Api::in_test(), in_region, &inventory).await;
    let far = found.log_groups.iter().find(|group| group.data.log_group_name == "far").unwrap();
    assert_eq!((far.region.as_str(), far.data.metric_filters.known().unwrap().len()), ("us-east-1", 1));
    assert_eq!(there.requests()[0].1["logGroupIdentifiers"], json!(["arn:aws:logs:us-east-1:111111111111:log-group:far"]));
}
