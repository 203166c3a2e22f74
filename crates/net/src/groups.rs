//! Security groups: permissions flow in, rules on address and port sets flow out.

use plimsoll_model::aws::ec2;

use crate::address::{Family, cidr_range};
use crate::arena::Ix;
use crate::prefix_list::PrefixList;
use crate::protocol::Protocol;
use crate::routes::Doubt;
use crate::set::{CidrSet, PortSet};

/// A security group, or the mere name of one that was not described.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    pub(crate) id: &'a str,
    /// What it says; `None` when it was not read, or twice with different words.
    pub(crate) data: Option<&'a ec2::SecurityGroup>,
    pub(crate) contradictory: bool,
    /// Inbound and outbound.
    sides: [Vec<Rule<'a>>; 2],
}

/// One permission.
#[derive(Debug)]
pub(crate) struct Rule<'a> {
    /// `None` is every protocol.
    pub(crate) protocol: Option<Protocol>,
    /// First and last slot; whole when the protocol has no ports.
    slots: (u16, u16),
    pub(crate) peers: CidrSet,
    pub(crate) lists: Vec<Ix<PrefixList<'a>>>,
    pub(crate) references: Vec<Reference<'a>>,
    pub(crate) unreadable: Option<Doubt>,
    /// Its place among the group's permissions.
    pub(crate) index: u32,
}

/// A rule's reference to the members of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference<'a> {
    pub(crate) group: Ix<Group<'a>>,
    pub(crate) peering: Option<&'a str>,
    /// Whether the group behind a peering is gone.
    pub(crate) stale: bool,
}

impl Rule<'_> {
    /// The ports that it speaks of, for one protocol; `None` when it does not speak of the protocol.
    pub(crate) fn slots(&self, protocol: Protocol) -> Option<(u16, u16)> {
        match self.protocol {
            None => Some((0, u16::MAX)),
            Some(mine) if mine == protocol => Some(self.slots),
            Some(_) => None,
        }
    }
}

impl<'a> Group<'a> {
    /// A group that something names; its rules come with [`Group::fill`].
    pub(crate) fn named(id: &'a str) -> Self {
        Self { id, data: None, contradictory: false, sides: [Vec::new(), Vec::new()] }
    }

    pub(crate) fn rules(&self, egress: bool) -> &[Rule<'a>] {
        let [inbound, outbound] = &self.sides;
        if egress { outbound } else { inbound }
    }

    /// Reads the permissions of both directions.
    pub(crate) fn fill(
        data: &'a ec2::SecurityGroup,
        mut group: impl FnMut(&'a str) -> Ix<Group<'a>>,
        mut list: impl FnMut(&'a str) -> Ix<PrefixList<'a>>,
    ) -> Self {
        let mut side = |permissions: &'a [ec2::IpPermission]| {
            let rules =
                permissions.iter().enumerate().filter_map(|(index, permission)| rule(data, index, permission, &mut group, &mut list));
            rules.collect()
        };
        let sides = [side(&data.ip_permissions), side(&data.ip_permissions_egress)];
        Self { id: &data.group_id, data: Some(data), contradictory: false, sides }
    }

    /// Why its rules are not known.
    pub(crate) fn doubt(&self) -> Option<Doubt> {
        match self.data {
            _ if self.contradictory => Some(format!("contradictory:{}", self.id).into()),
            None => Some(format!("security-group-missing:{}", self.id).into()),
            Some(_) => None,
        }
    }
}

fn rule<'a>(
    group_data: &ec2::SecurityGroup,
    index: usize,
    permission: &'a ec2::IpPermission,
    group: &mut impl FnMut(&'a str) -> Ix<Group<'a>>,
    list: &mut impl FnMut(&'a str) -> Ix<PrefixList<'a>>,
) -> Option<Rule<'a>> {
    let mut unreadable = None;
    let mut doubt = |what: &str| unreadable = Some(Doubt::from(format!("rule-unreadable:{}:{what}", group_data.group_id)));
    let protocol = Protocol::parse(&permission.ip_protocol).unwrap_or_else(|| {
        doubt(&permission.ip_protocol);
        None
    });
    let slots = protocol.map_or_else(PortSet::all, |protocol| protocol.slots(permission.from_port, permission.to_port));
    let &[slots] = slots.ranges() else { return None };
    let texts4 = permission.ip_ranges.iter().map(|range| (Family::V4, range.cidr_ip.as_str()));
    let texts6 = permission.ipv6_ranges.iter().map(|range| (Family::V6, range.cidr_ipv6.as_str()));
    let mut ranges = Vec::with_capacity(permission.ip_ranges.len() + permission.ipv6_ranges.len());
    for (family, text) in texts4.chain(texts6) {
        match cidr_range(text) {
            Some(range) if Family::of(range.1) == family => ranges.push(range),
            _ => doubt(text),
        }
    }
    let lists = permission.prefix_list_ids.iter().map(|id| list(&id.prefix_list_id)).collect();
    let pairs = permission.user_id_group_pairs.iter();
    let references = pairs.filter_map(|pair| {
        let stale = pair.peering_status.as_deref().is_some_and(|status| status != "active");
        Some(Reference { group: group(pair.group_id.as_deref()?), peering: pair.vpc_peering_connection_id.as_deref(), stale })
    });
    let references = references.collect();
    let readable = Protocol::parse(&permission.ip_protocol).is_some();
    let peers = if readable { CidrSet::from_ranges(ranges) } else { CidrSet::none() };
    Some(Rule { protocol, slots, peers, lists, references, unreadable, index: u32::try_from(index).unwrap_or(u32::MAX) })
}
