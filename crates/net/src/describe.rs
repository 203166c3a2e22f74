//! Hops in words: the codes of blocks, and the objects on a path.

use crate::network::Network;
use crate::walk::{Hop, Step, Walk};

/// `code:object[:detail]` of a hop that blocks.
pub(crate) fn block_word<'a>(network: &Network<'a>, walk: &Walk<'_, 'a>, step: &Step<'a>) -> String {
    let back = if step.reply { "return-" } else { "" };
    match step.hop {
        Hop::PublicAccess(setting) => format!("bpa:{setting}"),
        Hop::Gateway(vpc) => format!("no-igw:{vpc}"),
        Hop::PublicAddress(eni) => format!("no-public-ip:{eni}"),
        Hop::Address(eni) => format!("no-address:{eni}"),
        Hop::GatewayDenied(eni) => format!("igw-denied:{eni}"),
        Hop::Edge(table) => format!("edge-route:{table}"),
        Hop::Acl { acl, egress } => {
            let acl = network.acls.get(acl);
            let rule = step.witness.and_then(|(peer, slot)| acl.decides(egress, walk.protocol, peer, slot));
            let rule = rule.map_or_else(|| "*".to_owned(), |number| number.to_string());
            format!("{back}nacl-{}:{}:{rule}", side(egress), acl.id)
        }
        Hop::Groups { eni, egress, .. } => format!("sg-{}:{}", side(egress), network.enis.get(eni).id),
        Hop::Route { subnet, target, detached, .. } => {
            format!("{back}route:{subnet}:{}", if detached { "igw-not-attached" } else { target.word() })
        }
        Hop::Peering { id, status } => format!("peering:{id}:{status}"),
        Hop::Nat { id, state } => format!("nat:{id}:{state}"),
        Hop::NatRoute { place, target } => format!("nat-route:{place}:{}", target.word()),
        Hop::CommonPort => "return-nacl:no-common-source-port".to_owned(),
        Hop::Balancing { code, object } => format!("{code}:{object}"),
        Hop::Unknown => "unknown".to_owned(),
    }
}

fn side(egress: bool) -> &'static str {
    if egress { "out" } else { "in" }
}

/// The id of what a hop passes; `None` for conditions that are no place.
pub(crate) fn object<'a>(network: &Network<'a>, hop: &Hop<'a>) -> Option<String> {
    let id = match hop {
        Hop::Gateway(vpc) => network.ids.vpcs.get(vpc).and_then(|vpc| network.vpcs.get(*vpc).gateways.first().copied()).unwrap_or(vpc),
        Hop::Edge(table) | Hop::Route { table, .. } => table,
        Hop::Acl { acl, .. } => network.acls.get(*acl).id,
        Hop::Groups { eni, .. } => network.enis.get(*eni).id,
        Hop::Peering { id, .. } | Hop::Nat { id, .. } => id,
        _ => return None,
    };
    Some(id.to_owned())
}
