//! Route tables: routes flow in, a map of disjoint address ranges to targets flows out, the longest prefix already
//! decided. Ties go to a static CIDR before a prefix list before a propagated route, as AWS has it.

use std::sync::Arc;

use plimsoll_model::aws::ec2;

use crate::address::cidr_range;
use crate::set::CidrSet;

/// Why something is not known: `filtered-by:tgw-1`, `prefix-list-missing:pl-1`, …
pub(crate) type Doubt = Arc<str>;

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// Nowhere: no route matches.
    None,
    /// A route matches and drops.
    Blackhole,
    /// Inside the VPC.
    Local,
    /// An internet gateway.
    Igw(&'a str),
    /// A NAT gateway.
    Nat(&'a str),
    /// An egress-only internet gateway.
    EgressOnly(&'a str),
    /// A peering connection.
    Peering(&'a str),
    /// A gateway endpoint: a route on a prefix list.
    Endpoint(&'a str),
    /// Something whose rules are not modelled: transit and virtual private gateways, appliances, firewall endpoints.
    Filtered(&'a str),
}

impl Target<'_> {
    /// What the reason of a block calls it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Blackhole => "blackhole",
            Self::Local => "local",
            Self::Igw(_) => "igw",
            Self::Nat(_) => "nat",
            Self::EgressOnly(_) => "eigw",
            Self::Peering(_) => "pcx",
            Self::Endpoint(_) => "gateway-endpoint",
            Self::Filtered(_) => "filtered",
        }
    }
}

/// A compiled route table.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(crate) id: &'a str,
    pub(crate) data: &'a ec2::RouteTable,
    map: Vec<(u128, u128, Target<'a>)>,
    /// A route on a prefix list that is not known leads to a gateway endpoint: what has no other route may take it.
    pub(crate) unsure_of_none: Option<Doubt>,
    /// A route on a prefix list that is not known leads elsewhere: any address may take it.
    pub(crate) unsure: Option<Doubt>,
}

/// The entries of a prefix list, as the table asks for them.
pub(crate) enum Entries<'s> {
    /// Its CIDRs.
    Known(&'s [(u128, u128)]),
    /// Why they are not known.
    Unknown(Doubt),
}

impl<'a> Table<'a> {
    pub(crate) fn compile<'s>(
        data: &'a ec2::RouteTable,
        gateway_load_balanced: impl Fn(&str) -> bool,
        entries: impl Fn(&str) -> Entries<'s>,
    ) -> Self {
        let (mut unsure, mut unsure_of_none) = (None, None);
        let mut prefixes: Vec<Prefix<'a>> = Vec::with_capacity(data.routes.len());
        for (order, route) in data.routes.iter().enumerate() {
            let on_list = route.destination_prefix_list_id.as_deref();
            let target = target(route, on_list.is_some(), &gateway_load_balanced);
            let rank = match (route.origin.as_deref(), on_list) {
                (Some("EnableVgwRoutePropagation" | "Advertisement"), _) => 2,
                (_, Some(_)) => 1,
                (_, None) => 0,
            };
            let mut add = |range: (u128, u128)| prefixes.push(Prefix { first: range.0, last: range.1, rank, order, target });
            for cidr in [&route.destination_cidr_block, &route.destination_ipv6_cidr_block].into_iter().flatten() {
                match cidr_range(cidr) {
                    Some(range) => add(range),
                    None => unsure = unsure.or_else(|| Some(Doubt::from(format!("route-unreadable:{}:{cidr}", data.route_table_id)))),
                }
            }
            match on_list.map(&entries) {
                Some(Entries::Known(ranges)) => ranges.iter().copied().for_each(add),
                Some(Entries::Unknown(doubt)) if matches!(target, Target::Endpoint(_)) => unsure_of_none = Some(doubt),
                Some(Entries::Unknown(doubt)) => unsure = Some(doubt),
                None => {}
            }
        }
        Self { id: &data.route_table_id, data, map: paint(prefixes), unsure_of_none, unsure }
    }

    /// Where packets to an address go.
    pub(crate) fn lookup(&self, address: u128) -> Target<'a> {
        let at = self.map.partition_point(|(_, last, _)| *last < address);
        self.map.get(at).filter(|(first, _, _)| *first <= address).map_or(Target::None, |(_, _, target)| *target)
    }

    /// Cuts a set of addresses by where they are sent; what no route takes comes last.
    pub(crate) fn split(&self, addresses: &CidrSet) -> Vec<(Target<'a>, CidrSet)> {
        let mut parts: Vec<(Target<'a>, Vec<(u128, u128)>)> = Vec::new();
        let mut routed = Vec::new();
        for &(from, to) in addresses.ranges() {
            let at = self.map.partition_point(|(_, last, _)| *last < from);
            for &(first, last, target) in self.map.iter().skip(at).take_while(|(first, _, _)| *first <= to) {
                let range = (first.max(from), last.min(to));
                routed.push(range);
                match parts.iter_mut().find(|part| part.0 == target) {
                    Some(part) => part.1.push(range),
                    None => parts.push((target, vec![range])),
                }
            }
        }
        let none = addresses.minus(&CidrSet::from_ranges(routed));
        let mut out: Vec<_> = parts.into_iter().map(|(target, ranges)| (target, CidrSet::from_ranges(ranges))).collect();
        if !none.is_empty() {
            out.push((Target::None, none));
        }
        out
    }

    /// Why the answer of a lookup is not certain.
    pub(crate) fn doubt(&self, target: Target<'_>) -> Option<&Doubt> {
        match target {
            Target::Local => None,
            Target::None => self.unsure.as_ref().or(self.unsure_of_none.as_ref()),
            _ => self.unsure.as_ref(),
        }
    }
}

fn target(route: &ec2::Route, on_list: bool, gateway_load_balanced: impl Fn(&str) -> bool) -> Target<'_> {
    let appliance = [
        &route.network_interface_id,
        &route.instance_id,
        &route.transit_gateway_id,
        &route.local_gateway_id,
        &route.carrier_gateway_id,
        &route.core_network_arn,
    ];
    let found = match (&route.gateway_id, &route.nat_gateway_id, &route.egress_only_internet_gateway_id, &route.vpc_peering_connection_id) {
        (Some(id), ..) if id == "local" => Target::Local,
        (Some(id), ..) if id.starts_with("igw-") => Target::Igw(id),
        (Some(id), ..) if id.starts_with("vpce-") && on_list && !gateway_load_balanced(id) => Target::Endpoint(id),
        (Some(id), ..) => Target::Filtered(id),
        (_, Some(id), ..) => Target::Nat(id),
        (_, _, Some(id), _) => Target::EgressOnly(id),
        (_, _, _, Some(id)) => Target::Peering(id),
        _ => appliance.into_iter().flatten().next().map_or(Target::Blackhole, |id| Target::Filtered(id)),
    };
    match route.state.as_deref() {
        Some("blackhole") => Target::Blackhole,
        Some("filtered") => match found {
            Target::Igw(id) | Target::Nat(id) | Target::EgressOnly(id) | Target::Peering(id) | Target::Endpoint(id) => Target::Filtered(id),
            other => other,
        },
        _ => found,
    }
}

struct Prefix<'a> {
    first: u128,
    last: u128,
    rank: u8,
    order: usize,
    target: Target<'a>,
}

/// Turns nested prefixes into disjoint ranges. Two CIDRs are disjoint or one holds the other, so a stack of those that
/// are open suffices.
fn paint(mut prefixes: Vec<Prefix<'_>>) -> Vec<(u128, u128, Target<'_>)> {
    // Larger blocks first; of equal ones the winner last, so that it lies on top.
    prefixes.retain(|prefix| prefix.first <= prefix.last);
    prefixes.sort_by(|a, b| (a.first, b.last, b.rank, b.order).cmp(&(b.first, a.last, a.rank, a.order)));
    let mut map: Vec<(u128, u128, Target<'_>)> = Vec::with_capacity(prefixes.len());
    let mut open: Vec<Prefix<'_>> = Vec::new();
    let mut at = 0;
    for prefix in prefixes {
        while let Some(top) = open.pop_if(|top| top.last < prefix.first) {
            emit(&mut map, at, top.last, top.target);
            at = at.max(top.last.saturating_add(1));
        }
        if let (Some(top), Some(before)) = (open.last(), prefix.first.checked_sub(1)) {
            emit(&mut map, at, before, top.target);
        }
        at = prefix.first;
        open.push(prefix);
    }
    while let Some(top) = open.pop() {
        emit(&mut map, at, top.last, top.target);
        let Some(next) = top.last.checked_add(1) else { break };
        at = at.max(next);
    }
    map
}

fn emit<'a>(map: &mut Vec<(u128, u128, Target<'a>)>, first: u128, last: u128, target: Target<'a>) {
    if first > last {
        return;
    }
    match map.last_mut() {
        Some(previous) if previous.2 == target && previous.1.checked_add(1) == Some(first) => previous.1 = last,
        _ => map.push((first, last, target)),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_model::aws::ec2;

    use super::{Entries, Table, Target};
    use crate::address::parse_address;
    use crate::set::CidrSet;

    fn table(routes: &str) -> ec2::RouteTable {
        serde_json::from_str(&format!(r#"{{"RouteTableId": "rtb-1", "Routes": [{routes}]}}"#)).unwrap()
    }

    fn lookup<'a>(table: &'a ec2::RouteTable, address: &str) -> Target<'a> {
        Table::compile(table, |_| false, |_| Entries::Unknown("no".into())).lookup(parse_address(address).unwrap())
    }

    #[test]
    fn the_longest_prefix_wins_and_its_end_gives_the_shorter_one_back() {
        let table = table(
            r#"{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"},
               {"DestinationCidrBlock": "10.0.3.0/24", "NetworkInterfaceId": "eni-fw"}, {"DestinationCidrBlock": "10.0.3.7/32", "GatewayId": "local"}"#,
        );
        assert_eq!(lookup(&table, "10.0.3.6"), Target::Filtered("eni-fw"));
        assert_eq!(lookup(&table, "10.0.3.7"), Target::Local);
        assert_eq!(lookup(&table, "10.0.3.8"), Target::Filtered("eni-fw"));
        assert_eq!(lookup(&table, "10.0.4.0"), Target::Local);
        assert_eq!(lookup(&table, "10.1.0.0"), Target::Igw("igw-1"));
        assert_eq!(lookup(&table, "255.255.255.255"), Target::Igw("igw-1"));
        assert_eq!(lookup(&table, "2001:db8::7"), Target::None);
    }

    #[test]
    fn a_static_route_beats_a_propagated_one_of_the_same_length() {
        let table = table(
            r#"{"DestinationCidrBlock": "192.0.2.0/24", "GatewayId": "vgw-1", "Origin": "EnableVgwRoutePropagation"},
               {"DestinationCidrBlock": "192.0.2.0/24", "GatewayId": "igw-1", "Origin": "CreateRoute"}"#,
        );
        assert_eq!(lookup(&table, "192.0.2.1"), Target::Igw("igw-1"));
    }

    #[test]
    fn a_blackhole_wins_its_match() {
        let table = table(
            r#"{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"},
               {"DestinationCidrBlock": "203.0.113.0/24", "NatGatewayId": "nat-1", "State": "blackhole"}"#,
        );
        assert_eq!(lookup(&table, "203.0.113.7"), Target::Blackhole);
    }

    #[test]
    fn a_split_covers_the_set_without_overlap() {
        let table = table(
            r#"{"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"}, {"DestinationCidrBlock": "10.0.0.0/8", "GatewayId": "local"}"#,
        );
        let compiled = Table::compile(&table, |_| false, |_| Entries::Unknown("no".into()));
        let parts = compiled.split(&CidrSet::internet().union(&CidrSet::parse("10.2.0.0/16").unwrap()));
        let words: Vec<_> = parts.iter().map(|(target, _)| target.word()).collect();
        assert_eq!(words, ["local", "igw", "none"]);
    }
}
