//! Rules in words: which permission, entry or route decides about a packet.

use crate::address::{Family, address_word, cidr_range};
use crate::direct::Far;
use crate::groups::Rule;
use crate::network::Network;
use crate::protocol::Protocol;
use crate::question::Flow;
use crate::routes::Target;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Hop, Step};

/// The hop of a public address, and that of cross-zone load balancing.
pub(crate) const PUBLIC_ADDRESS: &str = "public address";
pub(crate) const ZONES: &str = "zones of node and target";

/// The kind of a hop.
pub(crate) fn title(hop: &Hop<'_>) -> &'static str {
    match hop {
        Hop::PublicAccess(_) => "VPC Block Public Access",
        Hop::Gateway(_) => "internet gateway",
        Hop::PublicAddress(_) => PUBLIC_ADDRESS,
        Hop::Address(_) => "address of this family",
        Hop::GatewayDenied(_) => "DenyAllIgwTraffic",
        Hop::Edge(_) => "route table of the internet gateway",
        Hop::Acl { egress: false, .. } => "network ACL, inbound",
        Hop::Acl { egress: true, .. } => "network ACL, outbound",
        Hop::Groups { egress: false, .. } => "security groups, inbound",
        Hop::Groups { egress: true, .. } => "security groups, outbound",
        Hop::Route { .. } => "route",
        Hop::Peering { .. } => "peering connection",
        Hop::Nat { .. } => "NAT gateway",
        Hop::NatRoute { .. } => "route of the NAT gateway",
        Hop::CommonPort => "network ACLs, one port for both",
        Hop::Balancing { code: "lb-state", .. } => "state of the load balancer",
        Hop::Balancing { code: "lb-family", .. } => "address family of the load balancer",
        Hop::Balancing { code: "lb-internal", .. } => "scheme of the load balancer",
        Hop::Balancing { code: "target-health", .. } => "health of the target",
        Hop::Balancing { code: "lb-cross-zone", .. } => ZONES,
        Hop::Balancing { .. } => "load balancer",
        Hop::Unknown => "not known",
    }
}

/// The rule that decides at a hop, in words.
pub(crate) fn deciding<'a>(network: &Network<'a>, protocol: Protocol, step: &Step<'a>) -> Option<String> {
    match step.hop {
        Hop::PublicAccess(setting) => Some(setting.to_owned()),
        // The object of these is what is wrong.
        Hop::Balancing { code: "lb-family" | "lb-internal" | "lb-cross-zone", .. } if !step.blocked => None,
        Hop::Balancing { object, .. } => Some(object.to_owned()),
        Hop::Nat { state, .. } => Some(state.to_owned()),
        Hop::Peering { status, .. } => Some(status.to_owned()),
        Hop::NatRoute { place, target } => Some(format!("{place} leads to {}", target.word())),
        Hop::PublicAddress(eni) => {
            let eni = network.ids.enis.get(eni).map(|eni| network.enis.get(*eni))?;
            let association = eni
                .data
                .association
                .as_ref()
                .or_else(|| eni.data.private_ip_addresses.iter().find_map(|address| address.association.as_ref()));
            association?.public_ip.clone()
        }
        Hop::Acl { acl, egress } => {
            let acl = network.acls.get(acl);
            if acl.is_open(egress) {
                return Some("everything is allowed".to_owned());
            }
            let (peer, slot) = step.witness?;
            let number = acl.decides(egress, protocol, peer, slot);
            Some(number.map_or_else(|| "rule *".to_owned(), |number| format!("rule {number}")))
        }
        Hop::Groups { eni, egress, far } => {
            let set = network.group_sets.get(network.enis.get(eni).groups);
            if set.groups.is_empty() {
                return Some("no groups: everything passes".to_owned());
            }
            let (peer, slot) = step.witness?;
            for group in set.groups.iter().map(|group| network.groups.get(*group)) {
                let admits = group.rules(egress).iter().find(|rule| admits(network, rule, protocol, peer, slot, far));
                if let Some(rule) = admits {
                    return Some(format!("{}: {}", group.id, permission(network, rule, egress)));
                }
            }
            let names: Vec<&str> = set.groups.iter().map(|group| network.groups.get(*group).id).collect();
            Some(format!("no rule of {} lets packets {} {}", names.join(", "), if egress { "out to" } else { "in from" }, peer_word(peer)))
        }
        Hop::Route { table, target, .. } => {
            let (peer, _) = step.witness?;
            route(network, table, target, peer)
        }
        _ => None,
    }
}

/// An address; the first of the internet stands for all of it.
fn peer_word(peer: u128) -> String {
    let internet = CidrSet::internet();
    let first = Family::BOTH.into_iter().any(|family| internet.of_family(family).first() == Some(peer));
    if first { "the internet".to_owned() } else { address_word(peer) }
}

fn admits<'a>(network: &Network<'a>, rule: &Rule<'a>, protocol: Protocol, peer: u128, slot: u16, far: Far<'a>) -> bool {
    let speaks = rule.slots(protocol).is_some_and(|(first, last)| (first..=last).contains(&slot));
    let of_list = || rule.lists.iter().any(|list| network.lists.get(*list).addresses.contains(peer));
    speaks && (rule.peers.contains(peer) || of_list() || rule.references.iter().any(|reference| network.matches(reference, far)))
}

/// A permission as people say it: `tcp/443 from 0.0.0.0/0`.
pub(crate) fn permission<'a>(network: &Network<'a>, rule: &Rule<'a>, egress: bool) -> String {
    let mut peers: Vec<String> = Vec::new();
    if !rule.peers.is_empty() {
        let cidrs = rule.peers.cidrs();
        peers.extend(cidrs.iter().take(4).map(ToString::to_string));
        if cidrs.len() > 4 {
            peers.push(format!("{} more", cidrs.len() - 4));
        }
    }
    peers.extend(rule.lists.iter().map(|list| network.lists.get(*list).id.to_owned()));
    peers.extend(rule.references.iter().take(4).map(|reference| network.groups.get(reference.group).id.to_owned()));
    let what = match rule.protocol {
        None => "all traffic".to_owned(),
        Some(protocol) if protocol.has_ports() || protocol.is_icmp() => {
            let (first, last) = rule.slots(protocol).unwrap_or_default();
            let flow = Flow { protocol, ports: PortSet::range(first, last), peers: CidrSet::none() };
            format!("{protocol}/{}", flow.port_words().join(","))
        }
        Some(protocol) => format!("protocol {protocol}"),
    };
    format!("{what} {} {}", if egress { "to" } else { "from" }, peers.join(", "))
}

/// The route that an address takes: `10.0.0.0/8 to tgw-1`.
fn route<'a>(network: &Network<'a>, table: &'a str, target: Target<'a>, peer: u128) -> Option<String> {
    let table = network.ids.tables.get(table).map(|table| network.tables.get(*table))?;
    let target = if table.lookup(peer) == target { target } else { table.lookup(peer) };
    let id = match target {
        Target::None => return Some(format!("no route to {}", peer_word(peer))),
        Target::Blackhole => "blackhole",
        Target::Local => "local",
        Target::Igw(id) | Target::Nat(id) | Target::EgressOnly(id) | Target::Peering(id) | Target::Endpoint(id) | Target::Filtered(id) => {
            id
        }
    };
    let on_list = |list: &str| {
        let list = network.ids.lists.get(list).map(|list| network.lists.get(*list));
        list.and_then(|list| {
            list.entries.iter().copied().filter(|(first, last)| (*first..=*last).contains(&peer)).max_by_key(|range| range.0)
        })
    };
    let mut best: Option<(u128, &str)> = None;
    for route in &table.data.routes {
        let cidrs = [&route.destination_cidr_block, &route.destination_ipv6_cidr_block].into_iter().flatten();
        let by_cidr = cidrs.filter_map(|cidr| Some((cidr_range(cidr)?, cidr.as_str())));
        let by_list = route.destination_prefix_list_id.as_deref().and_then(|list| Some((on_list(list)?, list)));
        for ((first, last), name) in by_cidr.chain(by_list) {
            let size = last.saturating_sub(first);
            if (first..=last).contains(&peer) && best.is_none_or(|(least, _)| size < least) {
                best = Some((size, name));
            }
        }
    }
    best.map(|(_, name)| format!("{name} to {id}"))
}
