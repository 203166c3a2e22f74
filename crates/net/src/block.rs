//! From an anonymous address inside: its own groups and ACLs are not asked, only what the receiver's side says.

use crate::arena::Ix;
use crate::direct::{Far, filtered};
use crate::network::{Eni, Network};
use crate::routes::{Doubt, Target};
use crate::set::CidrSet;
use crate::walk::{Gate, Hop, Walk};

impl<'a> Network<'a> {
    /// From addresses that are not globally routed; the walk's far side is the senders.
    pub(crate) fn enter_from_block(&self, walk: &mut Walk<'_, 'a>, ix: Ix<Eni<'a>>) {
        let eni = self.enis.get(ix);
        if let Some(doubt) = &eni.doubt {
            walk.check(Hop::Unknown, true, Some(doubt));
        }
        let Some(subnet) = eni.subnet.map(|subnet| self.subnets.get(subnet)) else { return };
        let vpc = self.vpcs.get(subnet.vpc);
        // Neighbours in the subnet meet no ACL: for them only the groups count.
        let peers = CidrSet::union_of(walk.pieces.iter().map(|piece| &piece.peers));
        if peers.is_subset(&subnet.addresses) {
            self.groups_hop(walk, ix, false, Far::Addresses, None);
            return walk.turn();
        }
        self.acl_hop(walk, subnet, false, false, None);
        self.groups_hop(walk, ix, false, Far::Addresses, None);
        walk.turn();
        self.acl_hop(walk, subnet, true, true, None);
        let Some(table) = subnet.table.map(|table| self.tables.get(table)) else {
            return walk.check(Hop::Unknown, true, Some(&Doubt::from(format!("route-table-missing:{}", subnet.id))));
        };
        let parts = table.split(&peers);
        let mut gates = Vec::new();
        let mut first = Target::None;
        for (target, addresses) in &parts {
            let gate = match *target {
                Target::Local => Gate::addresses(addresses, None),
                Target::Peering(id) => match self.ids.peerings.get(id).map(|ix| self.peerings.get(*ix)) {
                    Some(peering) if peering.status == "active" && peering.vpcs.contains(&vpc.id) => Gate::addresses(addresses, None),
                    Some(_) => continue,
                    None => Gate::addresses(addresses, Some(Doubt::from(format!("peering-missing:{id}")))),
                },
                Target::Filtered(id) => Gate::addresses(addresses, Some(filtered(id))),
                other => match table.doubt(other) {
                    Some(doubt) => Gate::addresses(addresses, Some(doubt.clone())),
                    None => continue,
                },
            };
            first = *target;
            gates.push(gate);
        }
        let shut = if gates.is_empty() { parts.first().map_or(Target::None, |part| part.0) } else { first };
        let hop = Hop::Route { subnet: subnet.id, table: table.id, target: shut, detached: false };
        if gates.is_empty() {
            walk.block(hop);
        } else {
            walk.filter(hop, &gates, None);
        }
    }
}
