//! Amazon EC2 Auto Scaling in one account and Region: the groups that container hosts come from.
//!
//! Calls autoscaling:DescribeAutoScalingGroups for the groups of capacity providers and node groups and those that hosts are tagged with
//! (50 at a time); for each of them autoscaling:DescribeInstanceRefreshes, one page of [`REFRESHES`];
//! autoscaling:DescribeLaunchConfigurations for those that still launch from one (50 at a time). Yields groups and launch
//! configurations, without user data.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use plimsoll_model::aws::autoscaling::{AutoScalingGroup, InstanceRefresh, LaunchConfiguration};
use plimsoll_model::{Arn, Inventory};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::screen;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "autoscaling",
    id: "Auto Scaling",
    host: "autoscaling",
    fips_host: "autoscaling-fips",
    signing_name: "autoscaling",
    protocol: Protocol::Query("2011-01-01"),
    reach: Reach::Regional,
};

const DESCRIBE_AUTO_SCALING_GROUPS: Operation = Operation {
    service: "autoscaling",
    name: "DescribeAutoScalingGroups",
    permission: "autoscaling:DescribeAutoScalingGroups",
    why: "the groups that container hosts come from, and what they launch",
};

const DESCRIBE_INSTANCE_REFRESHES: Operation = Operation {
    service: "autoscaling",
    name: "DescribeInstanceRefreshes",
    permission: "autoscaling:DescribeInstanceRefreshes",
    why: "when a group last replaced its hosts",
};

const DESCRIBE_LAUNCH_CONFIGURATIONS: Operation = Operation {
    service: "autoscaling",
    name: "DescribeLaunchConfigurations",
    permission: "autoscaling:DescribeLaunchConfigurations",
    why: "metadata service and addresses of hosts that no launch template makes; user data is dropped at once",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[DESCRIBE_AUTO_SCALING_GROUPS, DESCRIBE_INSTANCE_REFRESHES, DESCRIBE_LAUNCH_CONFIGURATIONS];

/// Names of one request.
const NAMES: usize = 50;
/// The largest page.
const PAGE: usize = 100;
/// Refreshes of a group that are read, the last ones.
const REFRESHES: usize = 5;
/// Groups that are worked on at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct GroupsPage {
    auto_scaling_groups: Vec<AutoScalingGroup>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct RefreshesPage {
    instance_refreshes: Vec<InstanceRefresh>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct ConfigurationsPage {
    launch_configurations: Vec<LaunchConfiguration>,
}

/// The groups that container hosts come from.
pub(crate) async fn collect(api: &Api, wire: &Wire, inventory: &Inventory) -> Inventory {
    let names: Vec<&str> = group_names(inventory).into_iter().collect();
    let mut groups = Vec::new();
    for batch in names.chunks(NAMES) {
        let ask = Ask::members(json!({"AutoScalingGroupNames": batch, "MaxRecords": PAGE}));
        let listing = wire.pages(api, &DESCRIBE_AUTO_SCALING_GROUPS, Token::NEXT_CAPITAL, ask, |page: GroupsPage| {
            groups.extend(page.auto_scaling_groups);
        });
        api.or_gap(listing.await);
    }
    let groups: Vec<AutoScalingGroup> =
        stream::iter(groups).map(|group| with_refreshes(api, wire, group)).buffer_unordered(AT_ONCE).collect().await;
    let configurations: BTreeSet<String> = groups.iter().filter_map(|group| group.launch_configuration_name.clone()).collect();
    let mut found = Inventory::default();
    for group in groups {
        found.push(api.account(), api.region(), group);
    }
    let configurations: Vec<String> = configurations.into_iter().collect();
    for batch in configurations.chunks(NAMES) {
        let ask = Ask::members(json!({"LaunchConfigurationNames": batch, "MaxRecords": PAGE}));
        let listing = wire.pages(api, &DESCRIBE_LAUNCH_CONFIGURATIONS, Token::NEXT_CAPITAL, ask, |page: ConfigurationsPage| {
            for configuration in page.launch_configurations {
                found.push(api.account(), api.region(), configuration);
            }
        });
        api.or_gap(listing.await);
    }
    found
}

async fn with_refreshes(api: &Api, wire: &Wire, mut group: AutoScalingGroup) -> AutoScalingGroup {
    let ask = Ask::members(json!({"AutoScalingGroupName": group.auto_scaling_group_name, "MaxRecords": REFRESHES}));
    let answer = wire.ask_on::<RefreshesPage>(api, &DESCRIBE_INSTANCE_REFRESHES, &group.auto_scaling_group_arn, ask).await;
    group.instance_refreshes = api.noted(answer.map(|page| page.instance_refreshes));
    screen::tags(api.detector(), &mut group.tags);
    group
}

/// The names of groups behind capacity providers and node groups, and of those that launched the hosts.
fn group_names(inventory: &Inventory) -> BTreeSet<&str> {
    let providers = inventory.capacity_providers.iter().filter_map(|provider| provider.data.auto_scaling_group_provider.as_ref());
    // arn:…:autoScalingGroup:UUID:autoScalingGroupName/NAME
    let behind = providers.filter_map(|provider| {
        let resource = Arn::parse(&provider.auto_scaling_group_arn)?.resource;
        resource.split_once("autoScalingGroupName/").map(|(_, name)| name)
    });
    let tags = inventory.instances.iter().flat_map(|instance| &instance.data.tags);
    let launched = tags.filter(|tag| tag.key == "aws:autoscaling:groupName").map(|tag| tag.value.as_str());
    let nodegroups = inventory.nodegroups.iter().filter_map(|group| group.data.resources.as_ref());
    let nodegroups = nodegroups.flat_map(|resources| &resources.auto_scaling_groups).map(|group| group.name.as_str());
    behind.chain(launched).chain(nodegroups).filter(|name| !name.is_empty()).collect()
}
