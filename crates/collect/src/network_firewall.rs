//! AWS Network Firewall in one account and Region.
//!
//! Calls network-firewall:ListFirewalls, and network-firewall:DescribeFirewall once for each firewall. Yields firewalls.

#[cfg(test)]
mod tests;

use futures::{StreamExt, stream};
use plimsoll_model::aws::network_firewall::Firewall;
use plimsoll_model::{Inventory, Seen};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "network-firewall",
    id: "Network Firewall",
    host: "network-firewall",
    fips_host: "network-firewall-fips",
    signing_name: "network-firewall",
    protocol: Protocol::Json("1.0", "NetworkFirewall_20201112"),
    reach: Reach::Regional,
};

const LIST_FIREWALLS: Operation = Operation {
    service: "network-firewall",
    name: "ListFirewalls",
    permission: "network-firewall:ListFirewalls",
    why: "what inspects the traffic of containers",
};

const DESCRIBE_FIREWALL: Operation = Operation {
    service: "network-firewall",
    name: "DescribeFirewall",
    permission: "network-firewall:DescribeFirewall",
    why: "in which VPC and subnets a firewall is",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_FIREWALLS, DESCRIBE_FIREWALL];

/// The largest page of ListFirewalls.
const PAGE: u8 = 100;
/// Firewalls that are asked about at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 8;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Firewalls {
    firewalls: Vec<Firewall>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Described {
    firewall: Firewall,
}

/// The firewalls of the Region.
pub(crate) async fn collect(api: &Api, wire: &Wire) -> Inventory {
    let mut listed = Vec::new();
    let ask = Ask::members(json!({"MaxResults": PAGE}));
    let listing = wire.pages(api, &LIST_FIREWALLS, Token::NEXT_CAPITAL, ask, |page: Firewalls| listed.extend(page.firewalls));
    api.or_gap(listing.await);
    let described = stream::iter(listed).map(|firewall| async {
        let arn = firewall.firewall_arn.clone();
        let ask = Ask::members(json!({"FirewallArn": arn}));
        match wire.ask_on::<Described>(api, &DESCRIBE_FIREWALL, &arn, ask).await {
            Ok(answer) => Firewall { described: Seen::Known(true), ..answer.firewall },
            Err(gap) => {
                api.gap(gap.clone());
                Firewall { described: gap.into(), ..firewall }
            }
        }
    });
    let described: Vec<Firewall> = described.buffer_unordered(AT_ONCE).collect().await;
    api.found(described)
}
