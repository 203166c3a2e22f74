#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{SERVICE, collect};
use crate::api::Api;
use crate::replay::Replay;
use serde_json::json;

#[tokio::test]
async fn associations_name_their_vpcs_and_refusals_are_gaps() {
    let firewall =
        json!({"FirewallRuleGroupAssociations": [{"Id": "a", "Arn": "arn:a", "VpcId": "vpc-1", "Priority": 101, "Status": "COMPLETE"}]});
    let logs = json!({"ResolverQueryLogConfigAssociations": [{"Id": "l", "ResourceId": "vpc-1", "Status": "ACTIVE"}]});
    let replay = Replay::new().json("ListFirewallRuleGroupAssociations", firewall).json("ListResolverQueryLogConfigAssociations", logs);
    let found = collect(&Api::in_test(), &replay.wire(&SERVICE)).await;
    assert_eq!(
        (found.dns_firewall_associations[0].data.vpc_id.as_str(), found.query_log_associations[0].data.resource_id.as_str()),
        ("vpc-1", "vpc-1")
    );

    let replay = replay.error("ListFirewallRuleGroupAssociations", "AccessDeniedException");
    let api = Api::in_test();
    let found = collect(&api, &replay.wire(&SERVICE)).await;
    assert_eq!((found.dns_firewall_associations.len(), found.query_log_associations.len()), (0, 1));
    assert_eq!(api.take_gaps()[0].operation, "route53resolver:ListFirewallRuleGroupAssociations");
}
