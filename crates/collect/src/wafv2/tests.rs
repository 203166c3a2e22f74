#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, associate};
use crate::api::Api;
use crate::replay::Replay;
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_model::aws::wafv2::WebAcl;
use plimsoll_model::{Gap, Inventory, Seen};
use serde_json::json;

fn balancers() -> Inventory {
    let mut inventory = Inventory::default();
    for (name, kind, scheme, read) in [
        ("public", "application", "internet-facing", true),
        ("internal", "application", "internal", true),
        ("network", "network", "internet-facing", true),
        ("other", "application", "internet-facing", false),
    ] {
        let balancer = LoadBalancer {
            load_balancer_arn: name.to_owned(),
            kind: kind.to_owned(),
            scheme: Some(scheme.to_owned()),
            listeners: if read { Seen::Known(Vec::new()) } else { Gap::not_collected("elasticloadbalancing:DescribeListeners").into() },
            ..LoadBalancer::default()
        };
        inventory.push(&"111111111111".into(), &"eu-west-3".into(), balancer);
    }
    inventory
}

async fn associated(api: &Api, replay: &Replay) -> Vec<LoadBalancer> {
    let mut inventory = balancers();
    associate(api, &replay.wire(&SERVICE), &mut inventory).await;
    inventory.load_balancers.into_iter().map(|balancer| balancer.data).collect()
}

#[tokio::test]
async fn only_public_application_load_balancers_in_front_of_containers_are_asked_about() {
    let replay = Replay::new().json("GetWebACLForResource", json!({}));
    let api = Api::in_test();
    let balancers = associated(&api, &replay).await;
    assert_eq!(replay.requests(), [("GetWebACLForResource".to_owned(), json!({"ResourceArn": "public"}))]);
    assert_eq!(balancers[0].web_acl, Seen::Known(None));
    for balancer in &balancers[1..] {
        assert_eq!(balancer.web_acl.known().unwrap_err().code, Gap::NOT_COLLECTED, "{}", balancer.load_balancer_arn);
    }
    assert_eq!(api.take_gaps(), []);
}

#[tokio::test]
async fn a_web_acl_keeps_the_kinds_of_its_rules_and_not_what_they_match() {
    let acl = json!({"WebACL": {"Name": "edge", "Id": "1", "ARN": "arn:acl", "DefaultAction": {"Allow": {}}, "Rules": [
        {"Name": "rate", "Priority": 1, "Action": {"Block": {"CustomResponse": {"ResponseCode": 429}}},
         "Statement": {"RateBasedStatement": {"Limit": 2000, "EvaluationWindowSec": 300, "AggregateKeyType": "IP"}}},
        {"Name": "own", "Priority": 2, "OverrideAction": {"None": {}}, "Statement": {"RuleGroupReferenceStatement": {"ARN": "arn:group"}}},
        {"Name": "header", "Priority": 3, "Action": {"Count": {}}, "Statement": {"ByteMatchStatement": {"SearchString": "c2VzYW1l"}}}],
        "PostProcessFirewallManagerRuleGroups": [
            {"Name": "fms", "Priority": 1, "FirewallManagerStatement": {"RuleGroupReferenceStatement": {"ARN": "arn:fms"}}}]}});
    let balancers = associated(&Api::in_test(), &Replay::new().json("GetWebACLForResource", acl)).await;
    let acl: &WebAcl = balancers[0].web_acl.known().unwrap().as_ref().unwrap();
    assert_eq!(acl.rate_based_rules().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["rate"]);
    assert_eq!(acl.rule_groups().collect::<Vec<_>>(), ["arn:group", "arn:fms"]);
    assert!(acl.rules[0].action.as_ref().is_some_and(|action| action.block.is_some() && action.count.is_none()));
    assert!(acl.rules[1].override_action.as_ref().is_some_and(|action| action.none.is_some()));
    let text = serde_json::to_string(acl).unwrap();
    assert!(!text.contains("c2VzYW1l") && serde_json::from_str::<WebAcl>(&text).unwrap() == *acl);
}

#[tokio::test]
async fn a_refusal_is_a_gap_of_the_load_balancer() {
    let replay = Replay::new().error("GetWebACLForResource", "AccessDeniedException");
    let api = Api::in_test();
    let balancers = associated(&api, &replay).await;
    assert!(balancers[0].web_acl.known().is_err());
    let gaps = api.take_gaps();
    assert_eq!((gaps.len(), gaps[0].operation.as_str(), gaps[0].resource.as_deref()), (1, "wafv2:GetWebACLForResource", Some("public")));
}
