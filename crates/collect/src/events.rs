//! Amazon EventBridge in one account and Region: rules that start tasks, and rules that watch containers.
//!
//! Calls events:ListEventBuses and events:ListRules; events:ListRuleNamesByTarget once for each cluster and bus, which is
//! less than once for each rule; events:ListTargetsByRule for the rules that start tasks or watch containers, keys or
//! images. Yields rules, without what they pass to their targets.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use plimsoll_model::Inventory;
use plimsoll_model::aws::events::{Rule, Target};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, Operation, Outcome};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "events",
    id: "EventBridge",
    host: "events",
    fips_host: "events-fips",
    signing_name: "events",
    protocol: Protocol::Json("1.1", "AWSEvents"),
    reach: Reach::Regional,
};

const LIST_EVENT_BUSES: Operation =
    Operation { service: "events", name: "ListEventBuses", permission: "events:ListEventBuses", why: "the buses that have rules" };

const LIST_RULES: Operation =
    Operation { service: "events", name: "ListRules", permission: "events:ListRules", why: "what is watched and scheduled" };

const LIST_RULE_NAMES_BY_TARGET: Operation = Operation {
    service: "events",
    name: "ListRuleNamesByTarget",
    permission: "events:ListRuleNamesByTarget",
    why: "the rules that start tasks in a cluster",
};

const LIST_TARGETS_BY_RULE: Operation = Operation {
    service: "events",
    name: "ListTargetsByRule",
    permission: "events:ListTargetsByRule",
    why: "the task definitions that rules start, and who is told",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[LIST_EVENT_BUSES, LIST_RULES, LIST_RULE_NAMES_BY_TARGET, LIST_TARGETS_BY_RULE];

/// The largest page of the listings.
const PAGE: u8 = 100;
/// Requests of one kind that are prepared at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;
/// Sources whose events tell of containers.
const WATCHED: &[&str] = &["aws.ecs", "aws.eks", "aws.ecr", "aws.kms"];

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Buses {
    event_buses: Vec<Bus>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Bus {
    name: String,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct RuleNames {
    rule_names: Vec<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Targets {
    targets: Vec<Target>,
}

/// The rules of the Region that start tasks or watch containers.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let mut buses = Vec::new();
    let ask = Ask::members(json!({"Limit": PAGE}));
    let listing = wire.pages(api, &LIST_EVENT_BUSES, Token::NEXT_CAPITAL, ask, |page: Buses| {
        buses.extend(page.event_buses.into_iter().map(|bus| bus.name));
    });
    if api.or_gap(listing.await).is_none() && buses.is_empty() {
        // Every account has this one.
        buses.push("default".to_owned());
    }
    stream::iter(buses).map(|bus| rules(api, wire, containers, bus)).buffer_unordered(AT_ONCE).collect().await
}

async fn rules(api: &Api, wire: &Wire, containers: &Inventory, bus: String) -> Inventory {
    let mut rules = Vec::new();
    let ask = Ask::members(json!({"EventBusName": bus, "Limit": PAGE}));
    let listing = wire.pages(api, &LIST_RULES, Token::NEXT_CAPITAL, ask, |page: Rules| rules.extend(page.rules));
    api.or_gap(listing.await);
    let starting = if rules.is_empty() { BTreeSet::new() } else { starting(api, wire, containers, &bus).await };
    rules.retain(|rule| starting.contains(&rule.name) || rule.event_pattern.as_deref().is_some_and(watches));
    let rules = stream::iter(rules).map(|rule| with_targets(api, wire, rule)).buffer_unordered(AT_ONCE);
    let rules: Vec<Rule> = rules.collect().await;
    api.found(rules)
}

/// The names of the rules that have a cluster for a target.
async fn starting(api: &Api, wire: &Wire, containers: &Inventory, bus: &str) -> BTreeSet<String> {
    let clusters = containers.clusters.iter().filter(|cluster| cluster.data.status == "ACTIVE");
    let names = stream::iter(clusters.map(|cluster| cluster.data.cluster_arn.as_str())).map(|arn| async move {
        let mut names = Vec::new();
        let ask = Ask::members(json!({"TargetArn": arn, "EventBusName": bus, "Limit": PAGE}));
        let listing =
            wire.pages(api, &LIST_RULE_NAMES_BY_TARGET, Token::NEXT_CAPITAL, ask, |page: RuleNames| names.extend(page.rule_names));
        api.or_gap(listing.await);
        names
    });
    let names: Vec<Vec<String>> = names.buffer_unordered(AT_ONCE).collect().await;
    names.into_iter().flatten().collect()
}

async fn with_targets(api: &Api, wire: &Wire, mut rule: Rule) -> Rule {
    let mut targets = Vec::new();
    let ask = Ask::members(json!({"Rule": rule.name, "EventBusName": rule.event_bus_name, "Limit": PAGE}));
    let each = |page: Targets| targets.extend(page.targets);
    let listing = wire.pages(api, &LIST_TARGETS_BY_RULE, Token::NEXT_CAPITAL, ask, each).await.about(&rule.arn);
    rule.targets = api.noted(listing.map(|()| targets));
    rule
}

/// Whether a pattern may be about containers, their keys or their images. The checks read it properly: here only those go
/// that name plain sources, and none of these.
fn watches(pattern: &str) -> bool {
    let sources = serde_json::from_str::<Value>(pattern).ok();
    let sources = sources.as_ref().and_then(|pattern| pattern.get("source")).and_then(Value::as_array);
    sources.is_none_or(|sources| sources.iter().any(|source| source.as_str().is_none_or(|source| WATCHED.contains(&source))))
}
