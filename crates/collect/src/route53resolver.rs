//! Amazon Route 53 Resolver in one account and Region: DNS Firewall and query logging of VPCs.
//!
//! Calls route53resolver:ListFirewallRuleGroupAssociations and route53resolver:ListResolverQueryLogConfigAssociations.
//! Yields associations.

#[cfg(test)]
mod tests;

use futures::join;
use plimsoll_model::Inventory;
use plimsoll_model::aws::route53resolver::{FirewallRuleGroupAssociation, QueryLogConfigAssociation};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "route53resolver",
    id: "Route53Resolver",
    host: "route53resolver",
    fips_host: "route53resolver-fips",
    signing_name: "route53resolver",
    protocol: Protocol::Json("1.1", "Route53Resolver"),
    reach: Reach::Regional,
};

const LIST_FIREWALL_RULE_GROUP_ASSOCIATIONS: Operation = Operation {
    service: "route53resolver",
    name: "ListFirewallRuleGroupAssociations",
    permission: "route53resolver:ListFirewallRuleGroupAssociations",
    why: "which VPCs have a DNS firewall",
};

const LIST_RESOLVER_QUERY_LOG_CONFIG_ASSOCIATIONS: Operation = Operation {
    service: "route53resolver",
    name: "ListResolverQueryLogConfigAssociations",
    permission: "route53resolver:ListResolverQueryLogConfigAssociations",
    why: "which VPCs log their DNS queries",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_FIREWALL_RULE_GROUP_ASSOCIATIONS, LIST_RESOLVER_QUERY_LOG_CONFIG_ASSOCIATIONS];

/// The largest page of both listings.
const PAGE: u8 = 100;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Firewalls {
    firewall_rule_group_associations: Vec<FirewallRuleGroupAssociation>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct QueryLogs {
    resolver_query_log_config_associations: Vec<QueryLogConfigAssociation>,
}

/// The associations of the Region.
pub(crate) async fn collect(api: &Api, wire: &Wire) -> Inventory {
    let (mut firewalls, mut logs) = (Vec::new(), Vec::new());
    let ask = || Ask::members(json!({"MaxResults": PAGE}));
    let (listed, listed_logs) = join!(
        wire.pages(api, &LIST_FIREWALL_RULE_GROUP_ASSOCIATIONS, Token::NEXT_CAPITAL, ask(), |page: Firewalls| {
            firewalls.extend(page.firewall_rule_group_associations);
        }),
        wire.pages(api, &LIST_RESOLVER_QUERY_LOG_CONFIG_ASSOCIATIONS, Token::NEXT_CAPITAL, ask(), |page: QueryLogs| {
            logs.extend(page.resolver_query_log_config_associations);
        }),
    );
    api.or_gap(listed);
    api.or_gap(listed_logs);
    let mut found = api.found(firewalls);
    found.absorb(api.found(logs));
    found
}
