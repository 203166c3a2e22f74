#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use serde_json::json;

const FIREWALL: &str = "arn:aws:network-firewall:eu-west-3:111111111111:firewall/f";

#[tokio::test]
async fn a_firewall_tells_its_vpc_or_why_not() {
    let listed = json!({"Firewalls": [{"FirewallName": "f", "FirewallArn": FIREWALL}]});
    let described =
        json!({"Firewall": {"FirewallName": "f", "FirewallArn": FIREWALL, "VpcId": "vpc-1", "SubnetMappings": [{"SubnetId": "subnet-1"}]}});
    let replay = Replay::new().json("ListFirewalls", listed).json("DescribeFirewall", described);
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE)).await;
    let firewall = &found.firewalls[0].data;
    assert_eq!((firewall.vpc_id.as_deref(), firewall.subnet_mappings[0].subnet_id.as_str()), (Some("vpc-1"), "subnet-1"));
    assert_eq!(firewall.described.known(), Ok(&true));

    let replay = replay.error("DescribeFirewall", "AccessDeniedException");
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE)).await;
    assert!(found.firewalls[0].data.described.known().is_err());
    assert_eq!(api.take_gaps()[0].resource.as_deref(), Some(FIREWALL));
}
