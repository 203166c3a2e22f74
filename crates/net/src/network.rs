//! The compiled network: what every query reads, by index.

use std::collections::BTreeSet;

use plimsoll_model::aws::{ec2, elasticloadbalancing};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::acl::Acl;
use crate::address::Family;
use crate::arena::{Arena, Ix};
use crate::balancing::{Balancer, TargetGroup};
use crate::groups::Group;
use crate::prefix_list::PrefixList;
use crate::routes::{Doubt, Table};
use crate::set::CidrSet;
use crate::world::World;

/// A [`World`] made ready for questions. Compile it once, then ask as often as you like; it never changes.
#[derive(Debug, Default)]
pub struct Network<'a> {
    pub(crate) vpcs: Arena<Vpc<'a>>,
    pub(crate) subnets: Arena<Subnet<'a>>,
    pub(crate) tables: Arena<Table<'a>>,
    pub(crate) acls: Arena<Acl<'a>>,
    pub(crate) groups: Arena<Group<'a>>,
    pub(crate) group_sets: Arena<GroupSet<'a>>,
    pub(crate) lists: Arena<PrefixList<'a>>,
    pub(crate) enis: Arena<Eni<'a>>,
    pub(crate) nats: Arena<Nat<'a>>,
    pub(crate) peerings: Arena<Peering<'a>>,
    pub(crate) balancers: Arena<Balancer<'a>>,
    pub(crate) target_groups: Arena<TargetGroup<'a>>,
    pub(crate) classes: Arena<Class<'a>>,
    /// All addresses of all interfaces, those of one interface together.
    pub(crate) addresses: Vec<Address>,
    /// The same with their owners, in order of the first address.
    pub(crate) by_address: Vec<Owned<'a>>,
    pub(crate) ids: Ids<'a>,
    /// Account, Region and operation of listings that failed; an empty operation stands for all.
    pub(crate) unread: FxHashSet<(&'a str, &'a str, &'a str)>,
    /// The operations that were asked at all; `None` is every one.
    pub(crate) operations: Option<&'a BTreeSet<String>>,
    pub(crate) endpoints: Vec<&'a ec2::VpcEndpoint>,
    /// Which target groups an interface is in.
    pub(crate) targeted: FxHashMap<Ix<Eni<'a>>, Vec<Ix<TargetGroup<'a>>>>,
    /// Which listeners forward to a target group.
    pub(crate) forwarding: FxHashMap<Ix<TargetGroup<'a>>, Vec<(Ix<Balancer<'a>>, usize)>>,
    /// Network load balancers' groups that hold an application load balancer's listener, with the state of health.
    pub(crate) chained_to: FxHashMap<(Ix<Balancer<'a>>, usize), Vec<ChainedTo<'a>>>,
    pub(crate) has_chains: bool,
    /// Whose node an interface is.
    pub(crate) node_of: FxHashMap<Ix<Eni<'a>>, Ix<Balancer<'a>>>,
    /// Why there may be more load balancers in front of a VPC's interfaces.
    pub(crate) unsure_balancing: FxHashMap<Ix<Vpc<'a>>, Doubt>,
    /// Pairs of VPCs that an active peering connection joins, both ways round.
    pub(crate) joined: FxHashSet<(&'a str, &'a str)>,
    /// Members of each group.
    pub(crate) members: FxHashMap<Ix<Group<'a>>, Vec<Ix<Eni<'a>>>>,
    /// Internet gateways that were described.
    pub(crate) gateways: FxHashSet<&'a str>,
    /// Interfaces of other services that let traffic in which no route shows, by VPC.
    pub(crate) front_doors: FxHashMap<Ix<Vpc<'a>>, Vec<Ix<Eni<'a>>>>,
}

/// A group that holds a load balancer as a target, and the target's state.
pub(crate) type ChainedTo<'a> = (Ix<TargetGroup<'a>>, &'a str);

/// Ids to indices.
#[derive(Debug, Default)]
pub(crate) struct Ids<'a> {
    pub(crate) vpcs: FxHashMap<&'a str, Ix<Vpc<'a>>>,
    pub(crate) subnets: FxHashMap<&'a str, Ix<Subnet<'a>>>,
    pub(crate) tables: FxHashMap<&'a str, Ix<Table<'a>>>,
    pub(crate) groups: FxHashMap<&'a str, Ix<Group<'a>>>,
    pub(crate) lists: FxHashMap<&'a str, Ix<PrefixList<'a>>>,
    pub(crate) enis: FxHashMap<&'a str, Ix<Eni<'a>>>,
    pub(crate) nats: FxHashMap<&'a str, Ix<Nat<'a>>>,
    pub(crate) peerings: FxHashMap<&'a str, Ix<Peering<'a>>>,
    pub(crate) balancers: FxHashMap<&'a str, Ix<Balancer<'a>>>,
    pub(crate) target_groups: FxHashMap<&'a str, Ix<TargetGroup<'a>>>,
    /// Primary interfaces of instances.
    pub(crate) instances: FxHashMap<&'a str, Ix<Eni<'a>>>,
}

#[derive(Debug)]
pub(crate) struct Vpc<'a> {
    pub(crate) id: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    /// Its own address blocks of both families.
    pub(crate) local: CidrSet,
    /// IPv6 blocks whose addresses are not advertised to the internet.
    pub(crate) private6: CidrSet,
    /// The attached internet gateway, with the route table that is associated with it.
    pub(crate) gateways: Vec<&'a str>,
    pub(crate) edge: Option<Ix<Table<'a>>>,
}

#[derive(Debug)]
pub(crate) struct Subnet<'a> {
    pub(crate) id: &'a str,
    pub(crate) vpc: Ix<Vpc<'a>>,
    pub(crate) zone: &'a str,
    pub(crate) addresses: CidrSet,
    pub(crate) table: Option<Ix<Table<'a>>>,
    pub(crate) acl: Option<Ix<Acl<'a>>>,
    pub(crate) public_access: PublicAccess<'a>,
}

/// What VPC Block Public Access leaves of internet traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicAccess<'a> {
    pub(crate) mode: BlockMode,
    /// The account's setting, before exclusions.
    pub(crate) setting: &'a str,
    pub(crate) doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockMode {
    /// Nothing is blocked.
    Off,
    /// Only gateways that let nothing in remain: NAT and egress-only.
    Ingress,
    /// Nothing passes.
    Both,
}

/// A set of groups that some interface carries.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
pub(crate) struct GroupSet<'a> {
    /// In order, without repetition.
    pub(crate) groups: Box<[Ix<Group<'a>>]>,
}

#[derive(Debug)]
pub(crate) struct Eni<'a> {
    pub(crate) id: &'a str,
    pub(crate) data: &'a ec2::NetworkInterface,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) subnet: Option<Ix<Subnet<'a>>>,
    pub(crate) groups: Ix<GroupSet<'a>>,
    pub(crate) class: Ix<Class<'a>>,
    /// Its stretch of [`Network::addresses`].
    pub(crate) addresses: (u32, u32),
    /// Why nothing about it is certain.
    pub(crate) doubt: Option<Doubt>,
}

/// An address of an interface, or a block that was delegated to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    pub(crate) first: u128,
    pub(crate) last: u128,
    /// Whether the internet gateway delivers to it.
    pub(crate) public: bool,
}

/// An address, or a block, with its owner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned<'a> {
    pub(crate) first: u128,
    pub(crate) last: u128,
    /// The highest last address up to here: where a search backwards may stop.
    pub(crate) reaches: u128,
    pub(crate) eni: Ix<Eni<'a>>,
}

/// Interfaces that no rule tells apart as a target of the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Class<'a> {
    pub(crate) subnet: Option<Ix<Subnet<'a>>>,
    pub(crate) groups: Ix<GroupSet<'a>>,
    pub(crate) public4: bool,
    pub(crate) public6: bool,
    pub(crate) denies_gateway: bool,
    /// Distinct for interfaces about which something of their own is uncertain.
    pub(crate) own: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Nat<'a> {
    pub(crate) id: &'a str,
    pub(crate) data: &'a ec2::NatGateway,
    pub(crate) subnet: Option<Ix<Subnet<'a>>>,
    pub(crate) table: Option<Ix<Table<'a>>>,
    pub(crate) contradictory: bool,
}

#[derive(Debug)]
pub(crate) struct Peering<'a> {
    pub(crate) id: &'a str,
    pub(crate) status: &'a str,
    pub(crate) vpcs: [&'a str; 2],
    pub(crate) same_region: bool,
}

impl Peering<'_> {
    pub(crate) fn joins(&self, a: &str, b: &str) -> bool {
        self.vpcs == [a, b] || self.vpcs == [b, a]
    }
}

impl<'a> Network<'a> {
    /// Reads a world. What is wrong with it becomes *unknown* in the answers, never an error.
    pub fn compile(world: &World<'a>) -> Self {
        crate::compile::compile(world)
    }

    /// The ids of all network interfaces, in the order of the world.
    pub fn interfaces(&self) -> impl Iterator<Item = &'a str> {
        self.enis.iter().map(|(_, eni)| eni.id)
    }

    /// Number of classes: interfaces in one subnet with the same groups and the same kinds of public addresses.
    pub fn class_count(&self) -> usize {
        self.classes.len()
    }

    pub(crate) fn addresses_of(&self, eni: &Eni<'a>) -> &[Address] {
        let (start, end) = (eni.addresses.0 as usize, eni.addresses.1 as usize);
        self.addresses.get(start..end).unwrap_or_default()
    }

    pub(crate) fn address_set(&self, eni: &Eni<'a>, keep: impl Fn(&Address) -> bool) -> CidrSet {
        self.addresses_of(eni).iter().filter(|address| keep(address)).map(|address| (address.first, address.last)).collect()
    }

    /// The addresses of an interface in a family that the internet can send to.
    pub(crate) fn public_addresses(&self, eni: &Eni<'a>, family: Family) -> CidrSet {
        self.address_set(eni, |address| address.public && Family::of(address.first) == family)
    }

    pub(crate) fn vpc_of(&self, eni: &Eni<'a>) -> Option<&Vpc<'a>> {
        Some(self.vpcs.get(self.subnets.get(eni.subnet?).vpc))
    }

    /// Why a listing in the place of a VPC is not known; `None` when it was read.
    pub(crate) fn unread(&self, account: &str, region: &str, operation: &'static str) -> Option<Doubt> {
        let never_asked = self.operations.is_some_and(|operations| !operations.contains(operation));
        if self.unread.is_empty() && !never_asked {
            return None;
        }
        let known = |operation: &str| self.unread.contains(&(account, region, operation));
        let closed = known("") || self.unread.contains(&(account, "", ""));
        (never_asked || closed || known(operation)).then(|| Doubt::from(format!("not-read:{operation}")))
    }

    /// Load balancers of a VPC's account and Region may be unread in parts.
    pub(crate) fn balancing_unread(&self, account: &str, region: &str) -> Option<Doubt> {
        const LISTINGS: [&str; 3] = [
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeTargetGroups",
        ];
        LISTINGS.iter().find_map(|operation| self.unread(account, region, operation))
    }

    pub(crate) fn attribute<'v>(attributes: &'v [elasticloadbalancing::Attribute], key: &str) -> Option<&'v str> {
        attributes.iter().find(|attribute| attribute.key == key).map(|attribute| attribute.value.as_str())
    }
}
