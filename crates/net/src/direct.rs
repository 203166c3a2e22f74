//! Paths without a load balancer: from the internet to an interface, from an interface to the internet, and between two
//! interfaces. Each function sends a walk through the hops in packet order, replies included.

use std::collections::BTreeMap;

use crate::acl::Acl;
use crate::address::Family;
use crate::arena::Ix;
use crate::groups::{Group, Reference};
use crate::network::{BlockMode, Eni, GroupSet, Nat, Network, Peering, Subnet, Vpc};
use crate::prefix_list::PrefixList;
use crate::routes::{Doubt, Table, Target};
use crate::set::{CidrSet, PortSet};
use crate::walk::{Gate, Hop, Ports, Walk, client_ports};

/// How two interfaces are joined, as far as references to groups care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joint<'a> {
    /// One subnet: neither ACLs nor routes.
    Subnet,
    /// One VPC.
    Vpc,
    /// An active peering connection.
    Peering(Ix<Peering<'a>>),
    /// Something that is not modelled; references are assumed to match.
    Assumed,
    /// Nothing.
    Apart,
}

/// Who is at the far side, for references to groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Far<'a> {
    /// Nobody who carries groups: the internet, or an address.
    Addresses,
    /// An interface's groups.
    Groups(Ix<GroupSet<'a>>, Joint<'a>),
}

impl<'a> Network<'a> {
    /// The groups of an interface, in one direction.
    pub(crate) fn groups_hop(&self, walk: &mut Walk<'_, 'a>, ix: Ix<Eni<'a>>, egress: bool, far: Far<'a>, fixed: Option<&CidrSet>) {
        let eni = self.enis.get(ix);
        let set = self.group_sets.get(eni.groups);
        let hop = Hop::Groups { eni: ix, egress, far };
        if set.groups.is_empty() {
            let managed =
                !matches!(eni.data.interface_type.as_deref(), Some("interface" | "efa" | "efa-only" | "branch" | "trunk" | "lambda"));
            let doubt = (!managed).then(|| Doubt::from(format!("security-groups-missing:{}", eni.id)));
            return walk.check(hop, true, doubt.as_ref());
        }
        let mut gates = Vec::new();
        self.group_gates(eni.groups, egress, walk.protocol, far, &mut gates);
        walk.filter(hop, &gates, fixed);
    }

    /// What a set of groups lets pass. Certain gates come before doubtful ones.
    pub(crate) fn group_gates<'n>(
        &'n self,
        set: Ix<GroupSet<'a>>,
        egress: bool,
        protocol: crate::Protocol,
        far: Far<'a>,
        gates: &mut Vec<Gate<'n>>,
    ) {
        self.gates_of(&self.group_sets.get(set).groups, egress, protocol, |reference| self.matches(reference, far), gates);
    }

    /// What groups let pass together, where a reference to a group counts as the caller says.
    pub(crate) fn gates_of<'n>(
        &'n self,
        groups: &[Ix<Group<'a>>],
        egress: bool,
        protocol: crate::Protocol,
        matches: impl Fn(&Reference<'a>) -> bool,
        gates: &mut Vec<Gate<'n>>,
    ) {
        let mut doubtful = Vec::new();
        // Lists are long and shared: one gate each, with the ports of all rules that name it.
        let mut by_list: BTreeMap<Ix<PrefixList<'a>>, Vec<(u16, u16)>> = BTreeMap::new();
        for group in groups.iter().map(|group| self.groups.get(*group)) {
            if let Some(doubt) = group.doubt() {
                doubtful.push(Gate::doubtful(doubt));
                continue;
            }
            for rule in group.rules(egress) {
                let Some((first, last)) = rule.slots(protocol) else { continue };
                let ports = || if (first, last) == (0, u16::MAX) { Ports::All } else { Ports::Range(first, last) };
                if let Some(doubt) = &rule.unreadable {
                    doubtful.push(Gate { peers: None, ports: ports(), doubt: Some(doubt.clone()) });
                }
                if !rule.peers.is_empty() {
                    gates.push(Gate { peers: Some(&rule.peers), ports: ports(), doubt: None });
                }
                for list in &rule.lists {
                    by_list.entry(*list).or_default().push((first, last));
                }
                if rule.references.iter().any(&matches) {
                    gates.push(Gate { peers: None, ports: ports(), doubt: None });
                }
            }
        }
        for (list, ranges) in by_list {
            let list = self.lists.get(list);
            let ports = PortSet::from_ranges(ranges);
            if let Some(doubt) = &list.doubt {
                doubtful.push(Gate { peers: None, ports: Ports::Union(ports.clone()), doubt: Some(doubt.clone()) });
            }
            gates.push(Gate { peers: Some(&list.addresses), ports: Ports::Union(ports), doubt: None });
        }
        gates.append(&mut doubtful);
    }

    pub(crate) fn matches(&self, reference: &Reference<'a>, far: Far<'a>) -> bool {
        let Far::Groups(set, joint) = far else { return false };
        let counts = match joint {
            Joint::Subnet | Joint::Vpc | Joint::Assumed => true,
            Joint::Peering(peering) => {
                let peering = self.peerings.get(peering);
                !reference.stale && peering.same_region && peering.status == "active" && reference.peering.is_none_or(|id| id == peering.id)
            }
            Joint::Apart => false,
        };
        counts && self.group_sets.get(set).groups.binary_search(&reference.group).is_ok()
    }

    /// The ACL of a subnet. On the way back it sees the client's port.
    pub(crate) fn acl_hop(&self, walk: &mut Walk<'_, 'a>, subnet: &Subnet<'a>, egress: bool, reply: bool, fixed: Option<&CidrSet>) {
        let Some(ix) = subnet.acl else {
            let doubt = Doubt::from(format!("network-acl-missing:{}", subnet.id));
            return walk.check(Hop::Unknown, true, Some(&doubt));
        };
        let acl = self.acls.get(ix);
        let hop = Hop::Acl { acl: ix, egress };
        if acl.is_open(egress) {
            return walk.pass(hop);
        }
        let gates: Vec<Gate<'_>> = match acl.unreadable(egress) {
            Some(doubt) => vec![Gate::doubtful(doubt.clone())],
            None => acl.allowed(egress, walk.protocol).iter().map(Gate::product).collect(),
        };
        if reply {
            walk.reply(hop, &gates, fixed);
        } else {
            walk.filter(hop, &gates, fixed);
        }
    }

    fn table_of(&self, subnet: &Subnet<'a>, walk: &mut Walk<'_, 'a>) -> Option<&Table<'a>> {
        let table = subnet.table.map(|table| self.tables.get(table));
        if table.is_none() {
            let doubt = Doubt::from(format!("route-table-missing:{}", subnet.id));
            walk.check(Hop::Unknown, true, Some(&doubt));
        }
        table
    }

    /// Whether an internet gateway is attached to a VPC, or why that is not known.
    fn attached(&self, vpc: &Vpc<'a>, gateway: &str) -> Result<bool, Doubt> {
        if vpc.gateways.contains(&gateway) {
            return Ok(true);
        }
        match self.unread(vpc.account, vpc.region, "ec2:DescribeInternetGateways") {
            Some(doubt) if !self.gateways.contains(gateway) => Err(doubt),
            _ => Ok(false),
        }
    }

    /// Return route to the internet: every address must be sent to the VPC's internet gateway.
    fn return_through_gateway(&self, walk: &mut Walk<'_, 'a>, subnet: &Subnet<'a>, vpc: &Vpc<'a>) {
        let Some(table) = self.table_of(subnet, walk) else { return };
        let peers = CidrSet::union_of(walk.pieces.iter().map(|piece| &piece.peers));
        let parts = table.split(&peers);
        let mut gates = Vec::new();
        let refused = walk.witness().map_or(Target::None, |(peer, _)| table.lookup(peer));
        let mut taken = Target::None;
        for (target, addresses) in &parts {
            let (passes, doubt) = match *target {
                Target::Igw(id) => match self.attached(vpc, id) {
                    Ok(attached) => (attached, None),
                    Err(doubt) => (true, Some(doubt)),
                },
                Target::Filtered(id) => (true, Some(filtered(id))),
                _ => (false, None),
            };
            let doubt = doubt.or_else(|| table.doubt(*target).cloned());
            if passes || doubt.is_some() {
                taken = *target;
                gates.push(Gate::addresses(addresses, doubt));
            }
        }
        // What is certain comes first, so that it is what a reader sees.
        gates.sort_by_key(|gate| gate.doubt.is_some());
        let target = if gates.is_empty() { refused } else { taken };
        let hop = Hop::Route { subnet: subnet.id, table: table.id, target, detached: gates.is_empty() && matches!(target, Target::Igw(_)) };
        if gates.is_empty() {
            return walk.block(hop);
        }
        walk.filter(hop, &gates, None);
    }

    /// From the internet straight to an interface; the walk's far side is the clients.
    pub(crate) fn enter_from_internet(&self, walk: &mut Walk<'_, 'a>, ix: Ix<Eni<'a>>) {
        self.in_from_internet(walk, ix);
        walk.turn();
        self.back_to_internet(walk, ix);
    }

    /// The way in, up to the interface.
    pub(crate) fn in_from_internet(&self, walk: &mut Walk<'_, 'a>, ix: Ix<Eni<'a>>) {
        let eni = self.enis.get(ix);
        let Some(subnet) = self.subnet_or_doubt(walk, eni) else { return };
        let vpc = self.vpcs.get(subnet.vpc);
        let family = walk.family;
        let public = self.public_addresses(eni, family);
        let door = if public.is_empty() { self.front_door(subnet.vpc) } else { None };
        walk.check(Hop::PublicAddress(eni.id), !public.is_empty(), door.as_ref());
        if family == Family::V6 {
            walk.check(Hop::GatewayDenied(eni.id), eni.data.deny_all_igw_traffic != Some(true), None);
        }
        let unread = self.unread(vpc.account, vpc.region, "ec2:DescribeInternetGateways").filter(|_| vpc.gateways.is_empty());
        walk.check(Hop::Gateway(vpc.id), !vpc.gateways.is_empty(), unread.as_ref());
        let access = &subnet.public_access;
        walk.check(Hop::PublicAccess(access.setting), access.mode == BlockMode::Off, access.doubt.as_ref());
        self.edge_hop(walk, vpc, &public);
        self.acl_hop(walk, subnet, false, false, None);
        self.groups_hop(walk, ix, false, Far::Addresses, None);
    }

    /// The way back from an interface to clients on the internet.
    pub(crate) fn back_to_internet(&self, walk: &mut Walk<'_, 'a>, ix: Ix<Eni<'a>>) {
        let Some(subnet) = self.enis.get(ix).subnet.map(|subnet| self.subnets.get(subnet)) else { return };
        self.acl_hop(walk, subnet, true, true, None);
        let public = self.public_addresses(self.enis.get(ix), walk.family);
        if public.is_empty() && self.front_door(subnet.vpc).is_some() {
            // What came by a door that keeps its clients' addresses goes back by it; that is as doubtful as its coming.
            return;
        }
        self.return_through_gateway(walk, subnet, self.vpcs.get(subnet.vpc));
    }

    fn subnet_or_doubt(&self, walk: &mut Walk<'_, 'a>, eni: &Eni<'a>) -> Option<&Subnet<'a>> {
        if let Some(doubt) = &eni.doubt {
            walk.check(Hop::Unknown, true, Some(doubt));
        }
        eni.subnet.map(|subnet| self.subnets.get(subnet))
    }

    /// The route table of the internet gateway: what it does not leave to the VPC's own routing is inspected somewhere.
    fn edge_hop(&self, walk: &mut Walk<'_, 'a>, vpc: &Vpc<'a>, addresses: &CidrSet) {
        let Some(table) = vpc.edge.map(|edge| self.tables.get(edge)) else { return };
        let parts = table.split(addresses);
        // One address that is not diverted suffices.
        if parts.iter().any(|(target, _)| matches!(target, Target::Local | Target::None)) {
            return walk.pass(Hop::Edge(table.id));
        }
        let diverted = parts.iter().find_map(|(target, _)| if let Target::Filtered(id) = target { Some(filtered(id)) } else { None });
        walk.check(Hop::Edge(table.id), addresses.is_empty(), diverted.as_ref());
    }

    /// From an interface to addresses outside; the walk's far side is where it goes. One walk for each kind of way out.
    /// Peerings count only in a summary: nothing on the internet is behind them.
    pub(crate) fn to_internet<'n>(&'n self, mut walk: Walk<'n, 'a>, ix: Ix<Eni<'a>>, summarized: bool) -> Vec<(Target<'a>, Walk<'n, 'a>)> {
        let eni = self.enis.get(ix);
        let Some(subnet) = self.subnet_or_doubt(&mut walk, eni) else { return vec![(Target::None, walk)] };
        let vpc = self.vpcs.get(subnet.vpc);
        self.groups_hop(&mut walk, ix, true, Far::Addresses, None);
        self.acl_hop(&mut walk, subnet, true, false, None);
        let Some(table) = self.table_of(subnet, &mut walk) else { return vec![(Target::None, walk)] };
        let peers = CidrSet::union_of(walk.pieces.iter().map(|piece| &piece.peers));
        let parts = table.split(&peers);
        let mut out = Vec::with_capacity(parts.len());
        for (target, addresses) in parts {
            let mut walk = walk.restricted(&addresses);
            if let Some(doubt) = table.doubt(target) {
                walk.doubt(doubt);
            }
            let attached = if let Target::Igw(id) = target { self.attached(vpc, id) } else { Ok(true) };
            let hop = Hop::Route { subnet: subnet.id, table: table.id, target, detached: attached == Ok(false) };
            match target {
                Target::Igw(_) => {
                    walk.check(hop, attached == Ok(true), attached.err().as_ref());
                    self.out_through_gateway(&mut walk, eni, subnet, vpc);
                }
                Target::EgressOnly(_) if walk.family == Family::V6 => {
                    walk.pass(hop);
                    let access = &subnet.public_access;
                    walk.check(Hop::PublicAccess(access.setting), access.mode != BlockMode::Both, access.doubt.as_ref());
                    let public = self.public_addresses(eni, Family::V6);
                    walk.check(Hop::PublicAddress(eni.id), !public.is_empty(), None);
                    walk.turn();
                    self.acl_hop(&mut walk, subnet, false, true, None);
                }
                Target::Nat(id) if walk.family == Family::V4 => {
                    walk.pass(hop);
                    walk = self.through_nat(walk, eni, subnet, id);
                }
                Target::Endpoint(_) => {
                    walk.pass(hop);
                    walk.turn();
                    self.acl_hop(&mut walk, subnet, false, true, None);
                }
                Target::Filtered(id) => {
                    walk.check(hop, true, Some(&filtered(id)));
                    walk.turn();
                    self.acl_hop(&mut walk, subnet, false, true, None);
                }
                Target::Peering(id) if summarized => {
                    let known = self.ids.peerings.get(id).map(|ix| self.peerings.get(*ix));
                    match known {
                        Some(peering) if peering.status == "active" && peering.vpcs.contains(&vpc.id) => walk.pass(hop),
                        Some(peering) => walk.block(Hop::Peering { id, status: peering.status }),
                        None => walk.check(hop, true, Some(&Doubt::from(format!("peering-missing:{id}")))),
                    }
                    walk.turn();
                    self.acl_hop(&mut walk, subnet, false, true, None);
                }
                Target::None if table.doubt(target).is_some() => {
                    walk.pass(hop);
                    walk.turn();
                    self.acl_hop(&mut walk, subnet, false, true, None);
                }
                _ => walk.block(hop),
            }
            out.push((target, walk));
        }
        if out.is_empty() {
            out.push((Target::None, walk));
        }
        out
    }

    fn out_through_gateway(&self, walk: &mut Walk<'_, 'a>, eni: &Eni<'a>, subnet: &Subnet<'a>, vpc: &Vpc<'a>) {
        let family = walk.family;
        let public = self.public_addresses(eni, family);
        walk.check(Hop::PublicAddress(eni.id), !public.is_empty(), None);
        let access = &subnet.public_access;
        walk.check(Hop::PublicAccess(access.setting), access.mode == BlockMode::Off, access.doubt.as_ref());
        walk.turn();
        self.edge_hop(walk, vpc, &public);
        self.acl_hop(walk, subnet, false, true, None);
    }

    fn through_nat<'n>(&'n self, mut walk: Walk<'n, 'a>, eni: &Eni<'a>, subnet: &Subnet<'a>, id: &'a str) -> Walk<'n, 'a> {
        let Some(nat) = self.ids.nats.get(id).map(|nat| self.nats.get(*nat)) else {
            walk.check(Hop::Nat { id, state: "" }, true, Some(&Doubt::from(format!("nat-gateway-missing:{id}"))));
            return walk;
        };
        let state = nat.data.state.as_deref().unwrap_or("available");
        let kind = nat.data.connectivity_type.as_deref().unwrap_or("public");
        let contradictory = nat.contradictory.then(|| Doubt::from(format!("contradictory:{id}")));
        if state != "available" {
            walk.check(Hop::Nat { id, state }, false, contradictory.as_ref());
        } else if kind != "public" {
            walk.check(Hop::Nat { id, state: kind }, false, None);
        } else {
            walk.check(Hop::Nat { id, state }, true, contradictory.as_ref());
        }
        let regional = nat.data.availability_mode.as_deref() == Some("regional");
        if regional {
            self.nat_route(&mut walk, nat, nat.id, nat.table, self.vpcs.get(subnet.vpc), &subnet.public_access);
            walk.turn();
            self.acl_hop(&mut walk, subnet, false, true, None);
            return walk;
        }
        let Some(home) = nat.subnet.map(|subnet| self.subnets.get(subnet)) else {
            walk.check(Hop::Unknown, true, Some(&Doubt::from(format!("subnet-missing:{}", nat.data.subnet_id.as_deref().unwrap_or(id)))));
            return walk;
        };
        let clients = self.address_set(eni, |address| Family::of(address.first) == Family::V4);
        let mut first: Option<Walk<'n, 'a>> = None;
        for client in self.atoms_for_acl(&clients, home) {
            let mut walk = walk.clone();
            self.through_zonal_nat(&mut walk, nat, subnet, home, &client);
            if walk.arrived().any(|piece| piece.doubt.is_none()) {
                return walk;
            }
            let better = first.as_ref().is_none_or(|first| first.is_blocked() && !walk.is_blocked());
            if better {
                first = Some(walk);
            }
        }
        first.unwrap_or_else(|| {
            walk.block(Hop::Address(eni.id));
            walk
        })
    }

    fn through_zonal_nat(&self, walk: &mut Walk<'_, 'a>, nat: &Nat<'a>, subnet: &Subnet<'a>, home: &Subnet<'a>, client: &CidrSet) {
        let crosses = subnet.id != home.id;
        if crosses {
            self.acl_hop(walk, home, false, false, Some(client));
        }
        self.acl_hop(walk, home, true, false, None);
        self.nat_route(walk, nat, home.id, home.table, self.vpcs.get(home.vpc), &home.public_access);
        walk.turn();
        // The gateway has ports of its own towards the internet: they leave the client's untouched.
        let kept: Vec<_> = walk.pieces.iter().map(|piece| piece.client.clone()).collect();
        let all_alike = kept.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
        for piece in &mut walk.pieces {
            piece.client = client_ports(false);
        }
        self.acl_hop(walk, home, false, true, None);
        for piece in &mut walk.pieces {
            piece.client = kept.first().filter(|_| all_alike).cloned().unwrap_or_else(|| client_ports(false));
        }
        if crosses {
            self.acl_hop(walk, home, true, true, Some(client));
            self.acl_hop(walk, subnet, false, true, None);
        }
    }

    fn nat_route(
        &self,
        walk: &mut Walk<'_, 'a>,
        nat: &Nat<'a>,
        place: &'a str,
        table: Option<Ix<Table<'a>>>,
        vpc: &Vpc<'a>,
        access: &crate::network::PublicAccess<'a>,
    ) {
        let Some(table) = table.map(|table| self.tables.get(table)) else {
            let doubt = Doubt::from(format!("nat-route-table-missing:{}", nat.id));
            return walk.check(Hop::Unknown, true, Some(&doubt));
        };
        let peers = CidrSet::union_of(walk.pieces.iter().map(|piece| &piece.peers));
        let parts = table.split(&peers);
        let mut gates = Vec::new();
        let refused = walk.witness().map_or(Target::None, |(peer, _)| table.lookup(peer));
        for (target, addresses) in &parts {
            let (passes, doubt) = match *target {
                Target::Igw(id) => match self.attached(vpc, id) {
                    Ok(attached) => (attached, None),
                    Err(doubt) => (true, Some(doubt)),
                },
                Target::Filtered(id) => (true, Some(filtered(id))),
                _ => (false, None),
            };
            let doubt = doubt.or_else(|| table.doubt(*target).cloned());
            if passes || doubt.is_some() {
                gates.push(Gate::addresses(addresses, doubt));
            }
        }
        let target = if gates.is_empty() { refused } else { Target::Igw("") };
        let hop = Hop::NatRoute { place, target };
        if gates.is_empty() {
            walk.block(hop);
        } else {
            walk.filter(hop, &gates, None);
        }
        walk.check(Hop::PublicAccess(access.setting), access.mode != BlockMode::Both, access.doubt.as_ref());
    }

    /// Addresses that an ACL treats alike, in both directions.
    fn atoms_for_acl(&self, addresses: &CidrSet, subnet: &Subnet<'a>) -> Vec<CidrSet> {
        let acl = subnet.acl.map(|acl| self.acls.get(acl));
        atoms(addresses, || acl.into_iter().flat_map(Acl::cuts))
    }
}

/// `filtered-by:tgw-1`.
pub(crate) fn filtered(id: &str) -> Doubt {
    Doubt::from(format!("filtered-by:{id}"))
}

/// The parts of a set that are wholly in or out of each of the others: addresses that no rule tells apart are one part.
pub(crate) fn atoms<'s, I: Iterator<Item = &'s CidrSet>>(set: &CidrSet, others: impl Fn() -> I) -> Vec<CidrSet> {
    if let [] | [(_, _)] = set.ranges()
        && set.ranges().iter().all(|range| range.0 == range.1)
    {
        return if set.is_empty() { Vec::new() } else { vec![set.clone()] };
    }
    let mut starts: Vec<u128> = Vec::new();
    for other in others() {
        for &(from, to) in set.ranges() {
            let at = other.ranges().partition_point(|range| range.1 < from);
            for &(first, last) in other.ranges().iter().skip(at).take_while(|range| range.0 <= to) {
                starts.push(first);
                starts.extend(last.checked_add(1));
            }
        }
    }
    starts.sort_unstable();
    starts.dedup();
    let mut parts: Vec<(u128, u128)> = Vec::new();
    for &(from, to) in set.ranges() {
        let mut at = from;
        let inner = starts.partition_point(|start| *start <= from);
        for &start in starts.iter().skip(inner).take_while(|start| **start <= to) {
            parts.push((at, start - 1));
            at = start;
        }
        parts.push((at, to));
    }
    if starts.is_empty() {
        return vec![set.clone()];
    }
    // Parts that the same sets hold are one.
    let mut signatures: Vec<Vec<u64>> = vec![Vec::new(); parts.len()];
    for (index, other) in others().enumerate() {
        for (part, signature) in parts.iter().zip(&mut signatures) {
            if index % 64 == 0 {
                signature.push(0);
            }
            if let Some(word) = signature.last_mut() {
                *word = *word << 1 | u64::from(other.contains(part.0));
            }
        }
    }
    let mut alike: BTreeMap<Vec<u64>, Vec<(u128, u128)>> = BTreeMap::new();
    for (part, signature) in parts.into_iter().zip(signatures) {
        alike.entry(signature).or_default().push(part);
    }
    let mut out: Vec<CidrSet> = alike.into_values().map(CidrSet::from_ranges).collect();
    out.sort_unstable();
    out
}
