//! Relations of EC2: interface, subnet, VPC, route table, security group, flow log, volume.
//!
//! Only what the tables say is told here; who can reach whom is the network engine's business.

use plimsoll_model::aws::ec2::{
    FlowLog, Instance, NetworkInterface, RouteTable, SecurityGroup, Subnet, Volume, Vpc, VpcBlockPublicAccessOptions,
};
use plimsoll_model::aws::ecs::{Service, Task};
use plimsoll_model::{AccountId, Region};
use rustc_hash::FxHashMap;

use crate::relation::Relation;
use crate::{Estate, Link, Node, Unknown};

/// Where a default route (`0.0.0.0/0` or `::/0`) of a subnet leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// To an internet gateway: addresses are reachable both ways.
    InternetGateway,
    /// To a NAT gateway, an egress-only gateway or a NAT instance: out only.
    Nat,
    /// To something else (transit gateway, firewall endpoint, peering…).
    Other,
    /// There is none.
    None,
}

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let inventory = estate.inventory();
    let mut relations = std::mem::take(&mut estate.relations);
    for (table, position) in inventory.route_tables.iter().zip(0_u32..) {
        for association in &table.data.associations {
            if let Some(subnet) = &association.subnet_id {
                relations.subnet_route_table.insert(subnet.clone(), position);
            } else if association.main {
                relations.main_route_table.insert(table.data.vpc_id.clone(), position);
            }
        }
    }
    for (log, position) in inventory.flow_logs.iter().zip(0_u32..) {
        if let Some(resource) = &log.data.resource_id {
            relations.flow_logs.entry(resource.clone()).or_default().push(position);
        }
    }
    let mut interface_task: FxHashMap<u32, u32> = FxHashMap::default();
    for (task, position) in inventory.tasks.iter().zip(0_u32..) {
        for detail in task.data.attachments.iter().filter(|a| a.kind == "ElasticNetworkInterface").flat_map(|a| &a.details) {
            if detail.name == "networkInterfaceId"
                && let Some(&interface) = estate.ids.network_interfaces.get(detail.value.as_str())
            {
                interface_task.insert(interface, position);
            }
        }
    }
    relations.interface_task = interface_task;
    let mut instance_volumes = Vec::new();
    for (volume, position) in inventory.volumes.iter().zip(0_u32..) {
        for attachment in &volume.data.attachments {
            if let Some(&instance) = attachment.instance_id.as_deref().and_then(|id| estate.ids.instances.get(id)) {
                instance_volumes.push((instance, position));
            }
        }
    }
    relations.instance_volumes = Relation::new(inventory.instances.len(), instance_volumes);
    estate.relations = relations;

    let mut group_services = Vec::new();
    for service in estate.all::<Service>() {
        for group in service.awsvpc_configurations().into_iter().flat_map(|configuration| &configuration.security_groups) {
            if let Some(&row) = estate.ids.security_groups.get(group.as_str()) {
                group_services.push((row, service.index));
            }
        }
    }
    estate.relations.group_services = Relation::new(inventory.security_groups.len(), group_services);
}

impl Estate<'_> {
    /// Flow logs on a VPC, subnet or network interface, by its id.
    pub fn flow_logs_on<'s>(&'s self, resource_id: &str) -> impl Iterator<Item = Node<'s, FlowLog>> + 's {
        self.many(self.relations.flow_logs.get(resource_id).map(Vec::as_slice).unwrap_or_default())
    }

    /// VPC Block Public Access in force in a Region; `None` when AWS lists no options.
    pub fn block_public_access(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Result<Option<Node<'_, VpcBlockPublicAccessOptions>>, Unknown> {
        let found = self.all::<VpcBlockPublicAccessOptions>().find(|options| options.account() == account && options.region() == region);
        if found.is_none() {
            self.coverage().check(account, region, "ec2:DescribeVpcBlockPublicAccessOptions")?;
        }
        Ok(found)
    }
}

impl<'e> Node<'e, NetworkInterface> {
    /// Its subnet.
    pub fn subnet(self) -> Option<Link<'e, Subnet>> {
        Some(self.estate.link(self.account(), self.region(), self.data().subnet_id.as_deref()?))
    }

    /// Its VPC.
    pub fn vpc(self) -> Option<Link<'e, Vpc>> {
        Some(self.estate.link(self.account(), self.region(), self.data().vpc_id.as_deref()?))
    }

    /// Its security groups.
    pub fn security_groups(self) -> impl Iterator<Item = Link<'e, SecurityGroup>> {
        self.data().groups.iter().map(move |group| self.estate.link(self.account(), self.region(), &group.group_id))
    }

    /// The task that it belongs to.
    pub fn task(self) -> Option<Node<'e, Task>> {
        self.estate.at(*self.estate.relations.interface_task.get(&self.index)?)
    }

    /// Its public IPv4 address.
    pub fn public_ip(self) -> Option<&'e str> {
        let primary = self.data().association.as_ref().and_then(|association| association.public_ip.as_deref());
        primary.or_else(|| self.data().private_ip_addresses.iter().find_map(|address| address.association.as_ref()?.public_ip.as_deref()))
    }
}

impl<'e> Node<'e, Subnet> {
    /// Its VPC.
    pub fn vpc(self) -> Link<'e, Vpc> {
        self.estate.link(self.account(), self.region(), &self.data().vpc_id)
    }

    /// Its route table: the one associated with it, else the main one of its VPC.
    pub fn route_table(self) -> Result<Node<'e, RouteTable>, Unknown> {
        let relations = &self.estate.relations;
        let position =
            relations.subnet_route_table.get(&self.data().subnet_id).or_else(|| relations.main_route_table.get(&self.data().vpc_id));
        match position.and_then(|&position| self.estate.at(position)) {
            Some(table) => Ok(table),
            None => Err(match self.estate.coverage().check(self.account(), self.region(), "ec2:DescribeRouteTables") {
                Err(gap) => gap.into(),
                Ok(()) => plimsoll_model::Gap {
                    account: self.account().clone(),
                    region: self.region().clone(),
                    operation: "ec2:DescribeRouteTables".to_owned(),
                    code: "NotFound".to_owned(),
                    message: format!("no route table is associated with {}", self.data().subnet_id),
                    resource: Some(self.data().subnet_id.clone()),
                }
                .into(),
            }),
        }
    }

    /// Where its default IPv4 route leads.
    pub fn default_route(self) -> Result<Route, Unknown> {
        Ok(self.route_table()?.default_route(false))
    }

    /// Where its default IPv6 route leads.
    pub fn default_route_ipv6(self) -> Result<Route, Unknown> {
        Ok(self.route_table()?.default_route(true))
    }
}

impl Node<'_, RouteTable> {
    /// Where the default route leads, for IPv4 or IPv6.
    pub fn default_route(self, ipv6: bool) -> Route {
        let default = self.data().routes.iter().find(|route| {
            let destination = if ipv6 { route.destination_ipv6_cidr_block.as_deref() } else { route.destination_cidr_block.as_deref() };
            destination == Some(if ipv6 { "::/0" } else { "0.0.0.0/0" }) && route.state.as_deref() != Some("blackhole")
        });
        match default {
            None => Route::None,
            Some(route) if route.gateway_id.as_deref().is_some_and(|id| id.starts_with("igw-")) => Route::InternetGateway,
            Some(route)
                if route.nat_gateway_id.is_some() || route.egress_only_internet_gateway_id.is_some() || route.instance_id.is_some() =>
            {
                Route::Nat
            }
            Some(_) => Route::Other,
        }
    }
}

impl<'e> Node<'e, SecurityGroup> {
    /// Services whose network configuration names it.
    pub fn services(self) -> impl Iterator<Item = Node<'e, Service>> {
        self.estate.many(self.estate.relations.group_services.of(self.index))
    }
}

impl<'e> Node<'e, Instance> {
    /// Its volumes.
    pub fn volumes(self) -> impl Iterator<Item = Node<'e, Volume>> {
        self.estate.many(self.estate.relations.instance_volumes.of(self.index))
    }

    /// Its security groups.
    pub fn security_groups(self) -> impl Iterator<Item = Link<'e, SecurityGroup>> {
        self.data().security_groups.iter().map(move |group| self.estate.link(self.account(), self.region(), &group.group_id))
    }

    /// Its primary subnet.
    pub fn subnet(self) -> Option<Link<'e, Subnet>> {
        Some(self.estate.link(self.account(), self.region(), self.data().subnet_id.as_deref()?))
    }
}
