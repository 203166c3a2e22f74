//! Amazon CloudWatch Logs in one account and Region: the log groups that containers, clusters, flow logs and trails name; and
//! the groups of other Regions that trails deliver to.
//!
//! Calls logs:DescribeLogGroups with fifty names at a time, for accounts have thousands of groups;
//! logs:DescribeSubscriptionFilters for the container groups that expire or belong to a control plane;
//! logs:DescribeMetricFilters for the groups of trails and control planes. Yields log groups; a name that is not among them does not
//! exist.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, join, stream};
use plimsoll_model::aws::logs::{LogGroup, MetricFilter, SubscriptionFilter};
use plimsoll_model::{Arn, Gap, Inventory, Region, partition_of};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation, Outcome};
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "logs",
    id: "CloudWatch Logs",
    host: "logs",
    fips_host: "logs-fips",
    signing_name: "logs",
    protocol: Protocol::Json("1.1", "Logs_20140328"),
    reach: Reach::Regional,
};

const DESCRIBE_LOG_GROUPS: Operation = Operation {
    service: "logs",
    name: "DescribeLogGroups",
    permission: "logs:DescribeLogGroups",
    why: "encryption and retention of the log groups in use",
};

const DESCRIBE_SUBSCRIPTION_FILTERS: Operation = Operation {
    service: "logs",
    name: "DescribeSubscriptionFilters",
    permission: "logs:DescribeSubscriptionFilters",
    why: "whether logs are archived or watched elsewhere",
};

const DESCRIBE_METRIC_FILTERS: Operation = Operation {
    service: "logs",
    name: "DescribeMetricFilters",
    permission: "logs:DescribeMetricFilters",
    why: "what is counted in the logs of trails and control planes",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[DESCRIBE_LOG_GROUPS, DESCRIBE_SUBSCRIPTION_FILTERS, DESCRIBE_METRIC_FILTERS];

/// Names in one request of DescribeLogGroups.
const NAMES: usize = 50;
/// The largest page of the listings.
const PAGE: u8 = 50;
/// Requests of one kind that are prepared at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

/// For what a group is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    /// Containers, ECS Exec or Container Insights write there.
    containers: bool,
    /// A Kubernetes control plane writes there.
    control_plane: bool,
    /// A trail delivers there.
    trail: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct Groups {
    log_groups: Vec<LogGroup>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct SubscriptionFilters {
    subscription_filters: Vec<SubscriptionFilter>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
struct MetricFilters {
    metric_filters: Vec<MetricFilter>,
}

/// The log groups that something collected in the Region names, and those of other Regions that trails deliver to.
pub(crate) async fn collect(api: &Api, in_region: impl Fn(&str) -> Wire, inventory: &Inventory) -> Inventory {
    let here = in_region(api.region().as_str());
    let mut found = named(api, &here, api.region(), names(api, inventory)).await;
    let delivering = Use { trail: true, ..Use::default() };
    let mut elsewhere: BTreeMap<&str, BTreeMap<String, Use>> = BTreeMap::new();
    for (region, name) in delivered(api, inventory).filter(|(region, _)| *region != api.region().as_str()) {
        elsewhere.entry(region).or_default().insert(name.to_owned(), delivering);
    }
    for (region, names) in elsewhere {
        found.absorb(named(api, &in_region(region), &Region::new(region), names).await);
    }
    found
}

/// The groups with these names in one Region.
async fn named(api: &Api, wire: &Wire, region: &Region, named: BTreeMap<String, Use>) -> Inventory {
    let all: Vec<&str> = named.keys().map(String::as_str).collect();
    let batches: Vec<&[&str]> = all.chunks(NAMES).collect();
    let groups = stream::iter(batches).map(|batch| groups(api, wire, region, batch)).buffer_unordered(AT_ONCE);
    let groups: Vec<Vec<LogGroup>> = groups.collect().await;
    // An endpoint that does not know the filter by name answers with more, and more than once.
    let groups: BTreeMap<String, LogGroup> = groups
        .into_iter()
        .flatten()
        .filter(|group| named.contains_key(&group.log_group_name))
        .map(|group| (group.log_group_name.clone(), group))
        .collect();
    let groups = stream::iter(groups.into_values()).map(|group| {
        let used = named.get(&group.log_group_name).copied().unwrap_or_default();
        with_filters(api, wire, group, used)
    });
    let groups: Vec<LogGroup> = groups.buffer_unordered(AT_ONCE).collect().await;
    let mut found = Inventory::default();
    for group in groups {
        found.push(api.account(), region, group);
    }
    found
}

async fn groups(api: &Api, wire: &Wire, region: &Region, names: &[&str]) -> Vec<LogGroup> {
    let account = api.account();
    let partition = partition_of(region.as_str());
    let ids: Vec<String> = names.iter().map(|name| format!("arn:{partition}:logs:{region}:{account}:log-group:{name}")).collect();
    let mut groups = Vec::new();
    let ask = Ask::members(json!({"logGroupIdentifiers": ids, "limit": PAGE}));
    let listing = wire.pages(api, &DESCRIBE_LOG_GROUPS, Token::NEXT, ask, |page: Groups| groups.extend(page.log_groups)).await;
    match listing {
        // Some endpoints take a name that is not there amiss, or do not know the filter: then one by one.
        Err(gap) if matches!(gap.code.as_str(), "ResourceNotFoundException" | "InvalidParameterException" | "ValidationException") => {
            groups.clear();
            let one_by_one = stream::iter(names).map(|name| async move {
                let ask = Ask::members(json!({"logGroupNamePrefix": name, "limit": PAGE}));
                // The name itself comes first among those that begin with it.
                wire.ask_on::<Groups>(api, &DESCRIBE_LOG_GROUPS, name, ask).await
            });
            let answers: Vec<Result<Groups, Gap>> = one_by_one.buffer_unordered(AT_ONCE).collect().await;
            groups.extend(answers.into_iter().filter_map(|answer| api.or_gap(answer)).flat_map(|page| page.log_groups));
        }
        listing => {
            api.or_gap(listing);
        }
    }
    groups
}

async fn with_filters(api: &Api, wire: &Wire, mut group: LogGroup, used: Use) -> LogGroup {
    let name = group.log_group_name.clone();
    let subscriptions = async {
        // What never expires needs no archive.
        if !(used.control_plane || used.containers && group.retention_in_days.is_some()) {
            return api.not_asked(&DESCRIBE_SUBSCRIPTION_FILTERS, Some(&name), "the group keeps its logs for ever").into();
        }
        let mut filters = Vec::new();
        let ask = Ask::members(json!({"logGroupName": name, "limit": PAGE}));
        let each = |page: SubscriptionFilters| filters.extend(page.subscription_filters);
        let listing = wire.pages(api, &DESCRIBE_SUBSCRIPTION_FILTERS, Token::NEXT, ask, each).await;
        api.noted(listing.about(&name).map(|()| filters))
    };
    let metrics = async {
        if !(used.trail || used.control_plane) {
            return api.not_asked(&DESCRIBE_METRIC_FILTERS, Some(&name), "no trail and no control plane writes there").into();
        }
        let mut filters = Vec::new();
        let ask = Ask::members(json!({"logGroupName": name, "limit": PAGE}));
        let each = |page: MetricFilters| filters.extend(page.metric_filters);
        let listing = wire.pages(api, &DESCRIBE_METRIC_FILTERS, Token::NEXT, ask, each).await;
        api.noted(listing.about(&name).map(|()| filters))
    };
    let (subscriptions, metrics) = join!(subscriptions, metrics);
    group.subscription_filters = subscriptions;
    group.metric_filters = metrics;
    group
}

/// The groups of this account and Region that something names, and for what.
fn names(api: &Api, inventory: &Inventory) -> BTreeMap<String, Use> {
    let mut named: BTreeMap<String, Use> = BTreeMap::new();
    let region = api.region().as_str();
    let containers = Use { containers: true, ..Use::default() };
    let mut add = |name: &str, used: Use| {
        if !name.is_empty() {
            let entry = named.entry(name.to_owned()).or_default();
            entry.containers |= used.containers;
            entry.control_plane |= used.control_plane;
            entry.trail |= used.trail;
        }
    };
    for container in inventory.task_definitions.iter().flat_map(|definition| &definition.data.container_definitions) {
        let Some(logs) = container.log_configuration.as_ref().filter(|logs| logs.log_driver.as_deref() == Some("awslogs")) else {
            continue;
        };
        let elsewhere = logs.options.get("awslogs-region").is_some_and(|there| there != region);
        if let (Some(group), false) = (logs.options.get("awslogs-group"), elsewhere) {
            add(group, containers);
        }
    }
    for cluster in inventory.clusters.iter().map(|cluster| &cluster.data).filter(|cluster| cluster.status == "ACTIVE") {
        let exec = cluster.configuration.as_ref().and_then(|configuration| configuration.execute_command_configuration.as_ref());
        let exec = exec.and_then(|exec| exec.log_configuration.as_ref()).and_then(|logs| logs.cloud_watch_log_group_name.as_deref());
        if let Some(group) = exec {
            add(group, containers);
        }
        let insights = cluster.settings.iter().any(|setting| setting.name == "containerInsights" && setting.value != "disabled");
        if insights {
            add(&format!("/aws/ecs/containerinsights/{}/performance", cluster.cluster_name), containers);
        }
    }
    for cluster in inventory.eks_clusters.iter().map(|cluster| &cluster.data.name) {
        add(&format!("/aws/eks/{cluster}/cluster"), Use { control_plane: true, ..Use::default() });
        for kind in ["application", "dataplane", "host", "performance"] {
            add(&format!("/aws/containerinsights/{cluster}/{kind}"), containers);
        }
    }
    for flow_log in inventory.flow_logs.iter().map(|log| &log.data) {
        if let Some(group) = &flow_log.log_group_name {
            add(group, Use::default());
        }
    }
    for (_, name) in delivered(api, inventory).filter(|(at, _)| *at == region) {
        add(name, Use { trail: true, ..Use::default() });
    }
    named
}

/// The groups of this account that trails deliver to, with their Regions.
fn delivered<'i>(api: &'i Api, inventory: &'i Inventory) -> impl Iterator<Item = (&'i str, &'i str)> {
    inventory.trails.iter().filter_map(|trail| {
        // arn:PARTITION:logs:REGION:ACCOUNT:log-group:NAME:*
        let arn = Arn::parse(trail.data.cloud_watch_logs_log_group_arn.as_deref()?)?;
        let name = arn.resource.strip_prefix("log-group:")?;
        (arn.account == api.account().as_str()).then_some((arn.region, name.trim_end_matches(":*")))
    })
}

/// The metrics that metric filters make, as Region, namespace and name.
pub(crate) fn metrics(groups: &Inventory) -> BTreeSet<(&Region, &str, &str)> {
    let filters = groups.log_groups.iter().filter_map(|group| Some((&group.region, group.data.metric_filters.known().ok()?)));
    let filters = filters.flat_map(|(region, filters)| filters.iter().map(move |filter| (region, filter)));
    let metrics = filters.flat_map(|(region, filter)| filter.metric_transformations.iter().map(move |metric| (region, metric)));
    metrics.map(|(region, metric)| (region, metric.metric_namespace.as_str(), metric.metric_name.as_str())).collect()
}
