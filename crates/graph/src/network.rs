//! Relations of EC2: interface, subnet, VPC, route table, security group, flow log, volume.
//!
//! Only what the tables say is told here; who can reach whom is the network engine's business.

use plimsoll_model::aws::ec2::{
    CidrBlockState, FlowLog, GroupIdentifier, Instance, InstanceNetworkInterface, ManagedPrefixList, NatGateway, NetworkInterface,
    RouteTable, SecurityGroup, Subnet, Volume, Vpc, VpcBlockPublicAccessOptions,
};
use plimsoll_model::aws::ecs::{Service, Task};
use plimsoll_model::{AccountId, Gap, Located, Region, Resource};
use rustc_hash::FxHashMap;

use crate::address::{Ranges, is_public_range};
use crate::relation::Relation;
use crate::{Estate, Link, Node, Unknown};

/// Where a default route (`0.0.0.0/0` or `::/0`) of a subnet leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// To an internet gateway: addresses are reachable both ways.
    InternetGateway,
    /// To a NAT gateway, an egress-only gateway or a NAT instance: out only.
    Nat,
    /// To a firewall or another appliance behind an endpoint (`vpce-`).
    Endpoint,
    /// To something else (transit gateway, peering…).
    Other,
    /// There is none.
    None,
}

/// What a connection from a subnet to the internet goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress<'e> {
    /// Through this internet gateway, egress-only internet gateway or NAT gateway, and no firewall endpoint.
    Open(&'e str),
    /// Through this firewall endpoint.
    Inspected(&'e str),
    /// Through something else, such as a transit gateway or an instance.
    Elsewhere(&'e str),
    /// Nowhere.
    Closed,
}

pub(crate) fn relate(estate: &mut Estate<'_>) {
    let inventory = estate.inventory();
    prefer_owners(&mut estate.ids.vpcs, &inventory.vpcs, |vpc| vpc.owner_id.as_deref());
    prefer_owners(&mut estate.ids.subnets, &inventory.subnets, |subnet| subnet.owner_id.as_deref());
    prefer_owners(&mut estate.ids.security_groups, &inventory.security_groups, |group| group.owner_id.as_deref());
    prefer_owners(&mut estate.ids.network_interfaces, &inventory.network_interfaces, |interface| interface.owner_id.as_deref());
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
    for (group, position) in inventory.security_groups.iter().zip(0_u32..) {
        if let (true, Some(vpc)) = (group.data.group_name == "default", &group.data.vpc_id) {
            relations.default_groups.insert(vpc.clone(), position);
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

/// A shared VPC is told by every account that takes part in it, each with what it may see: an id means what the owner
/// tells, where the owner was scanned.
fn prefer_owners<'i, T: Resource>(positions: &mut FxHashMap<&'i str, u32>, list: &'i [Located<T>], owner: fn(&T) -> Option<&str>) {
    for (item, position) in list.iter().zip(0_u32..) {
        if owner(&item.data) == Some(item.account.as_str()) {
            positions.insert(item.data.id(), position);
        }
    }
}

impl Estate<'_> {
    /// The default security group of the VPC that a subnet belongs to, for whoever names no group.
    pub(crate) fn default_security_group(&self, account: &AccountId, region: &Region, subnet: &str) -> Link<'_, SecurityGroup> {
        match self.link::<Subnet>(account, region, subnet) {
            Link::Found(subnet) => {
                let vpc = subnet.data().vpc_id.as_str();
                match self.relations.default_groups.get(vpc).and_then(|&position| self.at(position)) {
                    Some(group) => Link::Found(group),
                    None => Link::Missing(self.missing::<SecurityGroup>(account, region, vpc)),
                }
            }
            Link::Missing(missing) => Link::Missing(missing),
        }
    }

    /// Flow logs on a VPC, subnet or network interface, by its id.
    pub fn flow_logs_on<'s>(&'s self, resource_id: &str) -> impl Iterator<Item = Node<'s, FlowLog>> + 's {
        self.many(self.relations.flow_logs.get(resource_id).map(Vec::as_slice).unwrap_or_default())
    }

    /// A security group by id.
    pub fn security_group(&self, account: &AccountId, region: &Region, id: &str) -> Link<'_, SecurityGroup> {
        self.link(account, region, id)
    }

    /// A managed prefix list by id.
    pub fn prefix_list(&self, account: &AccountId, region: &Region, id: &str) -> Link<'_, ManagedPrefixList> {
        self.link(account, region, id)
    }

    /// A subnet by id.
    pub fn subnet(&self, account: &AccountId, region: &Region, id: &str) -> Link<'_, Subnet> {
        self.link(account, region, id)
    }

    /// A VPC by id.
    pub fn vpc(&self, account: &AccountId, region: &Region, id: &str) -> Link<'_, Vpc> {
        self.link(account, region, id)
    }

    /// The security groups that something in this account and Region carries.
    pub fn security_groups<'s>(
        &'s self,
        account: &'s AccountId,
        region: &'s Region,
        groups: &'s [GroupIdentifier],
    ) -> impl Iterator<Item = Link<'s, SecurityGroup>> {
        groups.iter().map(move |group| self.link(account, region, &group.group_id))
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

impl Node<'_, Vpc> {
    /// The ranges that are associated with it.
    pub fn ranges(self) -> Ranges {
        let associated =
            |state: Option<&CidrBlockState>| state.and_then(|state| state.state.as_deref()).is_none_or(|state| state == "associated");
        let vpc = self.data();
        let ipv4 = vpc.cidr_block_association_set.iter().filter(|block| associated(block.cidr_block_state.as_ref()));
        let ipv6 = vpc.ipv6_cidr_block_association_set.iter().filter(|block| associated(block.ipv6_cidr_block_state.as_ref()));
        let ipv4 = ipv4.filter_map(|block| block.cidr_block.as_deref()).chain(vpc.cidr_block.as_deref());
        ipv4.chain(ipv6.filter_map(|block| block.ipv6_cidr_block.as_deref())).collect()
    }
}

impl<'e> Node<'e, Subnet> {
    /// Its ranges.
    pub fn ranges(self) -> Ranges {
        let ipv6 = self.data().ipv6_cidr_block_association_set.iter().filter_map(|block| block.ipv6_cidr_block.as_deref());
        self.data().cidr_block.as_deref().into_iter().chain(ipv6).collect()
    }

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
                    code: Gap::NOT_FOUND.to_owned(),
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

    /// What its connections to the internet go through, over IPv4 or IPv6. Behind a NAT gateway the route goes on from
    /// the gateway's own subnet.
    pub fn egress(self, ipv6: bool) -> Result<Egress<'e>, Unknown> {
        let table = self.route_table()?;
        let Some(target) = table.default_target(ipv6) else {
            return Ok(Egress::Closed);
        };
        if !target.starts_with("nat-") {
            return Ok(match table.default_route(ipv6) {
                Route::Endpoint => Egress::Inspected(target),
                Route::InternetGateway => Egress::Open(target),
                _ if target.starts_with("eigw-") => Egress::Open(target),
                _ => Egress::Elsewhere(target),
            });
        }
        let gateway: Link<'_, NatGateway> = self.estate.link(self.account(), self.region(), target);
        // A route to a deleted gateway is a blackhole: one that is not listed is another account's, behind a shared
        // subnet, and where it leads is not shown.
        let Some(own) = gateway.exists()?.and_then(|gateway| gateway.data().subnet_id.as_deref()) else {
            return Ok(Egress::Open(target));
        };
        let subnet: Link<'_, Subnet> = self.estate.link(self.account(), self.region(), own);
        let onward = subnet.known()?.route_table()?;
        Ok(match onward.default_route(false) {
            Route::InternetGateway => Egress::Open(target),
            Route::Endpoint => Egress::Inspected(onward.default_target(false).unwrap_or(target)),
            Route::None => Egress::Closed,
            Route::Nat | Route::Other => Egress::Elsewhere(target),
        })
    }

    /// Whether a public address in it can be reached from the internet, as far as routes and VPC Block Public Access
    /// go: what groups and network ACLs admit is another question. Traffic through a firewall endpoint may arrive.
    pub fn is_reachable_from_internet(self) -> Result<bool, Unknown> {
        match (self.default_route(), self.is_ingress_blocked()) {
            (Ok(Route::Nat | Route::Other | Route::None), _) | (_, Ok(true)) => Ok(false),
            (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
            (Ok(Route::InternetGateway | Route::Endpoint), Ok(false)) => Ok(true),
        }
    }

    /// Whether VPC Block Public Access of the account that owns it keeps connections from the internet out.
    pub fn is_ingress_blocked(self) -> Result<bool, Unknown> {
        const OPERATION: &str = "ec2:DescribeVpcBlockPublicAccessOptions";
        let owner = self.data().owner_id.as_deref().map_or_else(|| self.account().clone(), AccountId::new);
        if !self.estate.is_scanned(&owner, self.region()) {
            let message = format!("{} belongs to account {owner}, which was not scanned", self.data().subnet_id);
            let (operation, code) = (OPERATION.to_owned(), Gap::OUT_OF_SCOPE.to_owned());
            return Err(Gap { account: owner, region: self.region().clone(), operation, code, message, resource: None }.into());
        }
        let Some(options) = self.estate.block_public_access(&owner, self.region())? else {
            return Ok(false);
        };
        if !options.internet_gateway_block_mode.as_deref().is_some_and(|mode| mode.starts_with("block-")) {
            return Ok(false);
        }
        let exempt = options.data().exclusions.known()?.iter().any(|exclusion| {
            let over = exclusion.state.as_deref().is_some_and(|state| matches!(state, "create-failed" | "delete-complete"));
            let of = exclusion.resource_arn.as_deref().and_then(|arn| arn.rsplit('/').next());
            let here = of.is_some_and(|id| id == self.data().subnet_id || id == self.data().vpc_id);
            !over && here && exclusion.internet_gateway_exclusion_mode.as_deref() == Some("allow-bidirectional")
        });
        Ok(!exempt)
    }
}

impl<'e> Node<'e, RouteTable> {
    fn default(self, ipv6: bool) -> Option<&'e plimsoll_model::aws::ec2::Route> {
        self.data().routes.iter().find(|route| {
            let destination = if ipv6 { route.destination_ipv6_cidr_block.as_deref() } else { route.destination_cidr_block.as_deref() };
            destination == Some(if ipv6 { "::/0" } else { "0.0.0.0/0" }) && route.state.as_deref() != Some("blackhole")
        })
    }

    /// The id of what the default route leads to, for IPv4 or IPv6.
    pub fn default_target(self, ipv6: bool) -> Option<&'e str> {
        let route = self.default(ipv6)?;
        [
            &route.nat_gateway_id,
            &route.gateway_id,
            &route.egress_only_internet_gateway_id,
            &route.transit_gateway_id,
            &route.vpc_peering_connection_id,
            &route.instance_id,
            &route.network_interface_id,
            &route.local_gateway_id,
            &route.carrier_gateway_id,
            &route.core_network_arn,
        ]
        .into_iter()
        .find_map(|target| target.as_deref())
    }

    /// Where the default route leads, for IPv4 or IPv6.
    pub fn default_route(self, ipv6: bool) -> Route {
        let leads_to =
            |route: &plimsoll_model::aws::ec2::Route, prefix| route.gateway_id.as_deref().is_some_and(|id| id.starts_with(prefix));
        match self.default(ipv6) {
            None => Route::None,
            Some(route) if leads_to(route, "igw-") => Route::InternetGateway,
            Some(route) if leads_to(route, "vpce-") => Route::Endpoint,
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
    /// Whether it is the default group of its VPC: AWS keeps the name for that.
    pub fn is_default(self) -> bool {
        self.data().group_name == "default"
    }

    /// Whether some ingress rule admits public addresses. The prefix lists that AWS publishes do not count: they hold
    /// AWS services and not the internet.
    pub fn admits_internet(self) -> Result<bool, Unknown> {
        let mut gap = None;
        for rule in &self.data().ip_permissions {
            if rule.ip_ranges.iter().any(|range| is_public_range(&range.cidr_ip))
                || rule.ipv6_ranges.iter().any(|range| is_public_range(&range.cidr_ipv6))
            {
                return Ok(true);
            }
            for reference in &rule.prefix_list_ids {
                let list: Link<'_, ManagedPrefixList> = self.estate.link(self.account(), self.region(), &reference.prefix_list_id);
                match list.exists().and_then(|list| list.map_or(Ok(false), Node::<'e, ManagedPrefixList>::is_public)) {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(unknown) => gap = Some(unknown),
                }
            }
        }
        gap.map_or(Ok(false), Err)
    }

    /// Services whose network configuration names it.
    pub fn services(self) -> impl Iterator<Item = Node<'e, Service>> {
        self.estate.many(self.estate.relations.group_services.of(self.index))
    }
}

impl Node<'_, ManagedPrefixList> {
    fn is_public(self) -> Result<bool, Unknown> {
        Ok(self.ranges()?.into_iter().any(is_public_range))
    }
}

impl<'e> Node<'e, Instance> {
    /// Its volumes.
    pub fn volumes(self) -> impl Iterator<Item = Node<'e, Volume>> {
        self.estate.many(self.estate.relations.instance_volumes.of(self.index))
    }

    /// Its network interfaces.
    pub fn network_interfaces(self) -> impl Iterator<Item = Link<'e, NetworkInterface>> {
        let ids = self.data().network_interfaces.iter().filter_map(|interface| interface.network_interface_id.as_deref());
        ids.map(move |id| self.estate.link(self.account(), self.region(), id))
    }

    /// The subnets of its interfaces that have IPv6 addresses, each with the interface.
    pub fn ipv6_subnets(self) -> impl Iterator<Item = (Link<'e, Subnet>, &'e InstanceNetworkInterface)> {
        let interfaces = self.data().network_interfaces.iter().filter(|interface| !interface.ipv6_addresses.is_empty());
        interfaces.filter_map(move |interface| {
            Some((self.estate.link(self.account(), self.region(), interface.subnet_id.as_deref()?), interface))
        })
    }

    /// The security groups of its primary interface.
    pub fn security_groups(self) -> impl Iterator<Item = Link<'e, SecurityGroup>> {
        self.data().security_groups.iter().map(move |group| self.estate.link(self.account(), self.region(), &group.group_id))
    }

    /// Its primary subnet.
    pub fn subnet(self) -> Option<Link<'e, Subnet>> {
        Some(self.estate.link(self.account(), self.region(), self.data().subnet_id.as_deref()?))
    }
}
