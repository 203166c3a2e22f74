//! Between two interfaces: the leg there and the leg back, which load balancers' paths are made of too.

use crate::acl::Acl;
use crate::address::Family;
use crate::arena::Ix;
use crate::direct::{Far, Joint, atoms, filtered};
use crate::network::{Eni, Network, Subnet};
use crate::routes::{Doubt, Table, Target};
use crate::set::CidrSet;
use crate::walk::{Gate, Hop, Walk};

/// A leg: who sends, who receives, and the addresses that packets are sent to, which are all treated alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg<'s, 'a> {
    pub(crate) from: Ix<Eni<'a>>,
    pub(crate) to: Ix<Eni<'a>>,
    pub(crate) at: &'s CidrSet,
    pub(crate) joint: Joint<'a>,
}

impl<'a> Network<'a> {
    /// How two interfaces are joined for packets to an address.
    pub(crate) fn joint(&self, from: Ix<Eni<'a>>, to: Ix<Eni<'a>>, at: &CidrSet) -> Joint<'a> {
        let (Some(source), Some(target)) = (self.enis.get(from).subnet, self.enis.get(to).subnet) else { return Joint::Assumed };
        if source == target {
            return Joint::Subnet;
        }
        let (source, target) = (self.subnets.get(source), self.subnets.get(target));
        if source.vpc == target.vpc {
            return Joint::Vpc;
        }
        let route = at.first().and_then(|address| Some(self.tables.get(source.table?).lookup(address)));
        let ends = [self.vpcs.get(source.vpc).id, self.vpcs.get(target.vpc).id];
        match route {
            Some(Target::Peering(id)) => match self.ids.peerings.get(id) {
                Some(ix) if self.peerings.get(*ix).joins(ends[0], ends[1]) => Joint::Peering(*ix),
                Some(_) => Joint::Apart,
                None => Joint::Assumed,
            },
            Some(Target::Filtered(_)) | None => Joint::Assumed,
            Some(_) => Joint::Apart,
        }
    }

    /// Addresses of a receiver that every rule of the sender treats alike.
    pub(crate) fn target_atoms(&self, from: Ix<Eni<'a>>, addresses: &CidrSet) -> Vec<CidrSet> {
        let eni = self.enis.get(from);
        let subnet = eni.subnet.map(|subnet| self.subnets.get(subnet));
        let acl = subnet.and_then(|subnet| subnet.acl).map(|acl| self.acls.get(acl));
        let routed: Vec<CidrSet> = subnet
            .and_then(|subnet| subnet.table)
            .map(|table| self.tables.get(table).split(addresses))
            .into_iter()
            .flatten()
            .map(|part| part.1)
            .collect();
        atoms(addresses, || {
            let groups = self.group_sets.get(eni.groups).groups.iter().map(|group| self.groups.get(*group));
            let rules = groups.flat_map(|group| group.rules(true));
            let in_rules =
                rules.flat_map(|rule| std::iter::once(&rule.peers).chain(rule.lists.iter().map(|list| &self.lists.get(*list).addresses)));
            in_rules.chain(acl.into_iter().flat_map(Acl::cuts)).chain(routed.iter())
        })
    }

    /// The way there; the walk's far side is the senders' addresses.
    pub(crate) fn there(&self, walk: &mut Walk<'_, 'a>, leg: Leg<'_, 'a>) {
        let (source, target) = (self.enis.get(leg.from), self.enis.get(leg.to));
        for doubt in [&source.doubt, &target.doubt].into_iter().flatten() {
            walk.check(Hop::Unknown, true, Some(doubt));
        }
        self.groups_hop(walk, leg.from, true, Far::Groups(target.groups, leg.joint), Some(leg.at));
        if let (Some(from), Some(to)) = (source.subnet, target.subnet)
            && from != to
        {
            let (from, to) = (self.subnets.get(from), self.subnets.get(to));
            self.acl_hop(walk, from, true, false, Some(leg.at));
            self.route_hop(walk, from, to, leg.at);
            self.acl_hop(walk, to, false, false, None);
        }
        self.groups_hop(walk, leg.to, false, Far::Groups(source.groups, leg.joint), None);
    }

    /// The way back. `to` are the addresses that the receiver sends to where they are not the walk's far side: a load
    /// balancer's node, which hands replies on.
    pub(crate) fn back(&self, walk: &mut Walk<'_, 'a>, leg: Leg<'_, 'a>, to: Option<&CidrSet>) {
        let (Some(from), Some(target)) = (self.enis.get(leg.from).subnet, self.enis.get(leg.to).subnet) else { return };
        if from == target {
            return;
        }
        let (from, target) = (self.subnets.get(from), self.subnets.get(target));
        self.acl_hop(walk, target, true, true, None);
        self.acl_hop(walk, from, false, true, Some(leg.at));
        match to {
            Some(to) => self.route_hop(walk, target, from, to),
            None => self.return_route(walk, target, from),
        }
    }

    /// The route from one subnet to one address in another.
    pub(crate) fn route_hop(&self, walk: &mut Walk<'_, 'a>, from: &Subnet<'a>, to: &Subnet<'a>, at: &CidrSet) {
        let Some(table) = from.table.map(|table| self.tables.get(table)) else {
            return walk.check(Hop::Unknown, true, Some(&Doubt::from(format!("route-table-missing:{}", from.id))));
        };
        let target = at.first().map_or(Target::None, |address| table.lookup(address));
        let hop = Hop::Route { subnet: from.id, table: table.id, target, detached: false };
        match self.verdict(table, target, from, to) {
            Verdict::Passes => walk.check_at(hop, true, None, at),
            Verdict::Doubtful(doubt) => walk.check_at(hop, true, Some(doubt), at),
            Verdict::Blocked => walk.check_at(hop, false, None, at),
            Verdict::Peering { id, status } => walk.block(Hop::Peering { id, status }),
        }
    }

    /// The routes back to the walk's far side.
    pub(crate) fn return_route(&self, walk: &mut Walk<'_, 'a>, from: &Subnet<'a>, to: &Subnet<'a>) {
        let Some(table) = from.table.map(|table| self.tables.get(table)) else {
            return walk.check(Hop::Unknown, true, Some(&Doubt::from(format!("route-table-missing:{}", from.id))));
        };
        let peers = CidrSet::union_of(walk.pieces.iter().map(|piece| &piece.peers));
        let parts = table.split(&peers);
        let mut gates = Vec::new();
        let refused = walk.witness().map_or(Target::None, |(peer, _)| table.lookup(peer));
        let mut passed = Target::None;
        for (target, addresses) in &parts {
            match self.verdict(table, *target, from, to) {
                Verdict::Passes => gates.push(Gate::addresses(addresses, None)),
                Verdict::Doubtful(doubt) => gates.push(Gate::addresses(addresses, Some(doubt))),
                Verdict::Blocked | Verdict::Peering { .. } => continue,
            }
            passed = *target;
        }
        gates.sort_by_key(|gate| gate.doubt.is_some());
        let target = if gates.is_empty() { refused } else { passed };
        let hop = Hop::Route { subnet: from.id, table: table.id, target, detached: false };
        if gates.is_empty() {
            walk.block(hop);
        } else {
            walk.filter(hop, &gates, None);
        }
    }

    /// Whether a route leads from one subnet to another.
    fn verdict(&self, table: &Table<'a>, target: Target<'a>, from: &Subnet<'a>, to: &Subnet<'a>) -> Verdict<'a> {
        let one_vpc = from.vpc == to.vpc;
        let certain = match target {
            Target::Local if one_vpc => Verdict::Passes,
            Target::Filtered(id) => Verdict::Doubtful(filtered(id)),
            Target::Peering(id) if !one_vpc => match self.ids.peerings.get(id).map(|ix| self.peerings.get(*ix)) {
                None => Verdict::Doubtful(Doubt::from(format!("peering-missing:{id}"))),
                Some(peering) if !peering.joins(self.vpcs.get(from.vpc).id, self.vpcs.get(to.vpc).id) => Verdict::Blocked,
                Some(peering) if peering.status != "active" => Verdict::Peering { id: peering.id, status: peering.status },
                Some(_) => Verdict::Passes,
            },
            _ => Verdict::Blocked,
        };
        match (certain, table.doubt(target)) {
            (Verdict::Doubtful(doubt), _) => Verdict::Doubtful(doubt),
            (_, Some(doubt)) => Verdict::Doubtful(doubt.clone()),
            (certain, None) => certain,
        }
    }

    /// All private addresses of an interface in one family.
    pub(crate) fn addresses_in(&self, ix: Ix<Eni<'a>>, family: Family) -> CidrSet {
        self.address_set(self.enis.get(ix), |address| Family::of(address.first) == family)
    }
}

enum Verdict<'a> {
    Passes,
    Blocked,
    Peering { id: &'a str, status: &'a str },
    Doubtful(Doubt),
}
