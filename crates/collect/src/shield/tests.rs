#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_model::{Inventory, Seen};
use serde_json::json;

fn with_public_front() -> Inventory {
    let mut inventory = Inventory::default();
    let balancer = LoadBalancer { web_acl: Seen::Known(None), ..LoadBalancer::default() };
    inventory.push(&"111111111111".into(), &"eu-west-3".into(), balancer);
    inventory
}

#[tokio::test]
async fn a_subscription_is_told() {
    let replay =
        Replay::new().json("DescribeSubscription", json!({"Subscription": {"StartTime": 1.7e9, "EndTime": 1.8e9, "AutoRenew": "ENABLED"}}));
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE), "aws", &with_public_front()).await;
    assert_eq!(found.shield_subscriptions[0].data.end_time.unwrap().to_string(), "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn an_account_without_subscription_is_no_gap_and_a_refusal_is_one() {
    for (code, gaps) in [("ResourceNotFoundException", 0), ("AccessDeniedException", 1)] {
        let api = Api::in_test();
        let found = collect(&api, &Replay::new().error("DescribeSubscription", code).wire(&SERVICE), "aws", &with_public_front()).await;
        assert_eq!((found.len(), api.take_gaps().len()), (0, gaps), "{code}");
    }
}

#[tokio::test]
async fn nobody_is_asked_without_a_public_load_balancer_or_where_there_is_no_shield() {
    let replay = Replay::new();
    collect(&Api::in_test(), &replay.wire(&SERVICE), "aws", &Inventory::default()).await;
    collect(&Api::in_test(), &replay.wire(&SERVICE), "aws-cn", &with_public_front()).await;
    assert_eq!(replay.requests(), []);
}
