//! What the engine reads: lists of AWS's own shapes, borrowed from whoever collected them, and what could not be read.

use std::collections::BTreeSet;

use plimsoll_model::aws::{ec2, elasticloadbalancing};
use plimsoll_model::{Gap, Inventory, Located};

/// The resources that reachability depends on, of any number of accounts and Regions. Everything is found by its id.
///
/// A list is what AWS answered. Where a listing failed, say so in `missing`: what depends on it is then unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct World<'a> {
    /// `DescribeVpcs`.
    pub vpcs: &'a [Located<ec2::Vpc>],
    /// `DescribeSubnets`.
    pub subnets: &'a [Located<ec2::Subnet>],
    /// `DescribeRouteTables`.
    pub route_tables: &'a [Located<ec2::RouteTable>],
    /// `DescribeNetworkAcls`.
    pub network_acls: &'a [Located<ec2::NetworkAcl>],
    /// `DescribeSecurityGroups`.
    pub security_groups: &'a [Located<ec2::SecurityGroup>],
    /// `DescribeNetworkInterfaces`.
    pub network_interfaces: &'a [Located<ec2::NetworkInterface>],
    /// `DescribeInternetGateways`.
    pub internet_gateways: &'a [Located<ec2::InternetGateway>],
    /// `DescribeEgressOnlyInternetGateways`.
    pub egress_only_internet_gateways: &'a [Located<ec2::EgressOnlyInternetGateway>],
    /// `DescribeNatGateways`.
    pub nat_gateways: &'a [Located<ec2::NatGateway>],
    /// `DescribeVpcEndpoints`.
    pub vpc_endpoints: &'a [Located<ec2::VpcEndpoint>],
    /// `DescribeVpcPeeringConnections`.
    pub vpc_peering_connections: &'a [Located<ec2::VpcPeeringConnection>],
    /// `DescribeManagedPrefixLists` with `GetManagedPrefixListEntries`.
    pub managed_prefix_lists: &'a [Located<ec2::ManagedPrefixList>],
    /// `DescribeVpcBlockPublicAccessOptions` with its exclusions: one an account and Region, and none where it is off.
    pub vpc_block_public_access_options: &'a [Located<ec2::VpcBlockPublicAccessOptions>],
    /// `DescribeLoadBalancers` with their attributes.
    pub load_balancers: &'a [Located<elasticloadbalancing::LoadBalancer>],
    /// `DescribeListeners` with their rules.
    pub listeners: &'a [Located<elasticloadbalancing::Listener>],
    /// `DescribeTargetGroups` with their attributes and the health of their targets.
    pub target_groups: &'a [Located<elasticloadbalancing::TargetGroup>],
    /// Listings that could not be read. Gaps about one resource are ignored: the resource says it itself.
    pub missing: &'a [Gap],
    /// The operations that whoever collected knows, `service:Operation`; what is not among them was never asked. `None` is
    /// every one.
    pub operations: Option<&'a BTreeSet<String>>,
}

impl<'a> World<'a> {
    /// The world of a snapshot.
    pub fn of(inventory: &'a Inventory) -> Self {
        Self {
            vpcs: &inventory.vpcs,
            subnets: &inventory.subnets,
            route_tables: &inventory.route_tables,
            network_acls: &inventory.network_acls,
            security_groups: &inventory.security_groups,
            network_interfaces: &inventory.network_interfaces,
            internet_gateways: &inventory.internet_gateways,
            egress_only_internet_gateways: &inventory.egress_only_internet_gateways,
            nat_gateways: &inventory.nat_gateways,
            vpc_endpoints: &inventory.vpc_endpoints,
            vpc_peering_connections: &inventory.vpc_peering_connections,
            managed_prefix_lists: &inventory.managed_prefix_lists,
            vpc_block_public_access_options: &inventory.vpc_block_public_access_options,
            load_balancers: &inventory.load_balancers,
            listeners: &inventory.listeners,
            target_groups: &inventory.target_groups,
            missing: &inventory.gaps,
            operations: Some(&inventory.header.operations).filter(|operations| !operations.is_empty()),
        }
    }
}
