#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use plimsoll_model::Inventory;
use plimsoll_model::aws::logs;
use serde_json::json;

fn counted() -> Inventory {
    let filters = json!({"known": [{"filterName": "keys", "metricTransformations": [{"metricName": "Keys", "metricNamespace": "Trail"}]}]});
    let group: logs::LogGroup = serde_json::from_value(json!({"logGroupName": "trail", "metricFilters": filters})).unwrap();
    let mut inventory = Inventory::default();
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), group);
    inventory
}

#[tokio::test]
async fn the_alarms_on_a_metric_are_read() {
    let alarm = "<MetricAlarms><member><AlarmName>keys</AlarmName><AlarmArn>arn:a</AlarmArn><ActionsEnabled>true</ActionsEnabled>\
        <AlarmActions><member>arn:aws:sns:eu-west-3:111111111111:alarms</member></AlarmActions><StateValue>OK</StateValue></member></MetricAlarms>";
    let replay = Replay::new().xml("DescribeAlarmsForMetric", alarm);
    let found = collect(&Api::in_test(), |_| replay.wire(&SERVICE), &counted()).await;
    let alarm = &found.metric_alarms[0].data.alarms.known().unwrap()[0];
    assert_eq!((alarm.alarm_name.as_str(), alarm.actions_enabled, alarm.alarm_actions.len()), ("keys", Some(true), 1));
    assert_eq!(replay.requests()[0].1["MetricName"], "Keys");
}

#[tokio::test]
async fn a_refusal_is_a_gap_that_names_the_metric() {
    let replay = Replay::new().error("DescribeAlarmsForMetric", "AccessDenied");
    let api = Api::in_test();
    let found = collect(&api, |_| replay.wire(&SERVICE), &counted()).await;
    assert!(found.metric_alarms[0].data.alarms.known().is_err());
    assert_eq!(api.take_gaps()[0].resource.as_deref(), Some("Trail/Keys"));
}
