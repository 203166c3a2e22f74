//! AWS WAF in one account and Region: the web ACLs of application load balancers in front of containers.
//!
//! Calls wafv2:GetWebACLForResource once for each internet-facing application load balancer whose listeners were read.
//! Yields nothing of its own: the load balancers carry the answer.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_model::aws::wafv2::WebAcl;
use plimsoll_model::{Gap, Inventory, Seen};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::wire::{Ask, Protocol, Reach, Service, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "wafv2",
    id: "WAFV2",
    host: "wafv2",
    fips_host: "wafv2-fips",
    signing_name: "wafv2",
    protocol: Protocol::Json("1.1", "AWSWAF_20190729"),
    reach: Reach::Regional,
};

const GET_WEB_ACL_FOR_RESOURCE: Operation = Operation {
    service: "wafv2",
    name: "GetWebACLForResource",
    permission: "wafv2:GetWebACLForResource",
    why: "the web ACL of a public load balancer in front of containers",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[GET_WEB_ACL_FOR_RESOURCE];

/// What AWS asks for beside the action that has the operation's name, of whoever wants to know about a load balancer:
/// <https://docs.aws.amazon.com/waf/latest/developerguide/security_iam_service-with-iam.html#security_iam_action-GetWebACLForResource>.
pub(crate) const FURTHER_PERMISSIONS: &[(Operation, &str)] =
    &[(GET_WEB_ACL_FOR_RESOURCE, "wafv2:GetWebACL"), (GET_WEB_ACL_FOR_RESOURCE, "elasticloadbalancing:GetLoadBalancerWebACL")];

/// Load balancers that are asked about at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct ForResource {
    #[serde(rename = "WebACL")]
    web_acl: Option<WebAcl>,
}

/// Adds the web ACLs to the load balancers.
pub(crate) async fn associate(api: &Api, wire: &Wire, inventory: &mut Inventory) {
    let mut wanted = Vec::new();
    for balancer in inventory.load_balancers.iter_mut().map(|balancer| &mut balancer.data) {
        if is_public_front(balancer) {
            wanted.push(balancer.load_balancer_arn.clone());
        } else {
            let why = "it is no public application load balancer in front of containers";
            balancer.web_acl = api.not_asked(&GET_WEB_ACL_FOR_RESOURCE, Some(&balancer.load_balancer_arn), why).into();
        }
    }
    let reads = stream::iter(wanted).map(|arn| async move {
        let ask = Ask::members(json!({"ResourceArn": arn}));
        let web_acl = wire.ask_on(api, &GET_WEB_ACL_FOR_RESOURCE, &arn, ask).await.map(|answer: ForResource| answer.web_acl);
        (arn, api.noted(web_acl))
    });
    let mut read: BTreeMap<String, Seen<Option<WebAcl>>> = reads.buffer_unordered(AT_ONCE).collect().await;
    for balancer in inventory.load_balancers.iter_mut().map(|balancer| &mut balancer.data) {
        if let Some(web_acl) = read.remove(&balancer.load_balancer_arn) {
            balancer.web_acl = web_acl;
        }
    }
}

/// Whether a load balancer is public, reads HTTP, and leads to containers: only of those the listeners are asked for.
fn is_public_front(balancer: &LoadBalancer) -> bool {
    let is_in_front = balancer.listeners.known().map_or_else(|gap| gap.code != Gap::NOT_COLLECTED, |_| true);
    is_in_front && balancer.is_internet_facing() && balancer.is_application()
}
