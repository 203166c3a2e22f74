//! AWS Shield Advanced, once for an account.
//!
//! Calls shield:DescribeSubscription where an internet-facing application load balancer is in front of containers. Yields
//! the subscription; an account without one has none.

#[cfg(test)]
mod tests;

use plimsoll_model::aws::shield::Subscription;
use plimsoll_model::{Gap, Inventory};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation, Outcome};
use crate::wire::{Ask, Protocol, Reach, Service, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "shield",
    id: "Shield",
    host: "shield",
    fips_host: "shield-fips",
    signing_name: "shield",
    protocol: Protocol::Json("1.1", "AWSShield_20160616"),
    reach: Reach::Partition,
};

const DESCRIBE_SUBSCRIPTION: Operation = Operation {
    service: "shield",
    name: "DescribeSubscription",
    permission: "shield:DescribeSubscription",
    why: "whether Shield Advanced answers floods of requests",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[DESCRIBE_SUBSCRIPTION];

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Described {
    subscription: Option<Subscription>,
}

/// The subscription of the account. `partition` is where it is: only the commercial one has Shield.
pub(crate) async fn collect(api: &Api, wire: &Wire, partition: &str, regional: &Inventory) -> Inventory {
    let mut found = Inventory::default();
    let asked_of_waf = |gap: &Gap| gap.code != Gap::NOT_COLLECTED;
    let matters = regional.load_balancers.iter().any(|balancer| balancer.data.web_acl.known().map_or_else(asked_of_waf, |_| true));
    if !matters || partition != "aws" {
        return found;
    }
    let answer = wire.ask(api, &DESCRIBE_SUBSCRIPTION, Ask::members(json!({}))).await;
    // An account that never subscribed has no subscription to describe.
    let answer = api.or_gap(answer.absent_on("ResourceNotFoundException")).flatten();
    if let Some(subscription) = answer.and_then(|answer: Described| answer.subscription) {
        found.push(api.account(), api.region(), subscription);
    }
    found
}
