//! Amazon RDS in one account and Region: the databases in the VPCs of containers.
//!
//! Calls rds:DescribeDBInstances and rds:DescribeDBClusters. Yields the instances of these VPCs and the clusters that have
//! such an instance or one of the VPCs' security groups.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures::join;
use plimsoll_model::Inventory;
use plimsoll_model::aws::rds::{DbCluster, DbInstance};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation};
use crate::screen;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "rds",
    id: "RDS",
    host: "rds",
    fips_host: "rds-fips",
    signing_name: "rds",
    protocol: Protocol::Query("2014-10-31"),
    reach: Reach::Regional,
};

const DESCRIBE_DB_INSTANCES: Operation = Operation {
    service: "rds",
    name: "DescribeDBInstances",
    permission: "rds:DescribeDBInstances",
    why: "databases beside the containers, and who may connect",
};

const DESCRIBE_DB_CLUSTERS: Operation =
    Operation { service: "rds", name: "DescribeDBClusters", permission: "rds:DescribeDBClusters", why: "the same for database clusters" };

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[DESCRIBE_DB_INSTANCES, DESCRIBE_DB_CLUSTERS];

/// How a listing goes on: a marker both ways.
const MARKER: Token = Token { answer: "Marker", request: "Marker" };
/// The largest page of the listings.
const PAGE: u8 = 100;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Instances {
    #[serde(rename = "DBInstances")]
    instances: Vec<DbInstance>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
struct Clusters {
    #[serde(rename = "DBClusters")]
    clusters: Vec<DbCluster>,
}

/// The databases in the VPCs that the inventory's containers run in.
pub(crate) async fn collect(api: &Api, wire: &Wire, inventory: &Inventory) -> Inventory {
    let vpcs = vpcs(inventory);
    let (mut instances, mut clusters) = (Vec::new(), Vec::new());
    let ask = || Ask::members(json!({"MaxRecords": PAGE}));
    let (listed, listed_clusters) = join!(
        wire.pages(api, &DESCRIBE_DB_INSTANCES, MARKER, ask(), |page: Instances| instances.extend(page.instances)),
        wire.pages(api, &DESCRIBE_DB_CLUSTERS, MARKER, ask(), |page: Clusters| clusters.extend(page.clusters)),
    );
    api.or_gap(listed);
    api.or_gap(listed_clusters);
    instances.retain(|instance| {
        let vpc = instance.db_subnet_group.as_ref().and_then(|group| group.vpc_id.as_deref());
        vpc.is_none_or(|vpc| vpcs.contains(vpc))
    });
    let members: BTreeSet<&str> = instances.iter().map(|instance| instance.db_instance_identifier.as_str()).collect();
    let groups = inventory.security_groups.iter().map(|group| &group.data);
    let groups = groups.filter(|group| group.vpc_id.as_deref().is_none_or(|vpc| vpcs.contains(vpc)));
    let groups: BTreeSet<&str> = groups.map(|group| group.group_id.as_str()).collect();
    clusters.retain(|cluster| {
        cluster.db_cluster_members.iter().any(|member| members.contains(member.db_instance_identifier.as_str()))
            || cluster.vpc_security_groups.iter().any(|group| groups.contains(group.vpc_security_group_id.as_str()))
    });
    let lists = clusters.iter_mut().map(|cluster| &mut cluster.tag_list).chain(instances.iter_mut().map(|one| &mut one.tag_list));
    lists.for_each(|tags| screen::tags(api.detector(), tags));
    let mut found = api.found(clusters);
    found.absorb(api.found(instances));
    found
}

/// The VPCs of tasks, services and hosts, as their subnets and interfaces tell, and of EKS clusters.
fn vpcs(inventory: &Inventory) -> BTreeSet<&str> {
    let services = inventory.services.iter().filter_map(|service| service.data.network_configuration.as_ref());
    let services = services.filter_map(|network| network.awsvpc_configuration.as_ref()).flat_map(|network| &network.subnets);
    let tasks = inventory.tasks.iter().flat_map(|task| &task.data.attachments).flat_map(|attachment| &attachment.details);
    let tasks = tasks.filter(|detail| detail.name == "subnetId").map(|detail| &detail.value);
    let subnets: BTreeSet<&str> = services.chain(tasks).map(String::as_str).collect();
    let of_subnets = inventory.subnets.iter().filter(|subnet| subnets.contains(subnet.data.subnet_id.as_str()));
    let hosts = inventory.instances.iter().filter_map(|instance| instance.data.vpc_id.as_deref());
    let kubernetes = inventory.eks_clusters.iter().filter_map(|cluster| cluster.data.resources_vpc_config.as_ref()?.vpc_id.as_deref());
    of_subnets.map(|subnet| subnet.data.vpc_id.as_str()).chain(hosts).chain(kubernetes).collect()
}
