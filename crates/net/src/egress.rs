//! Where an interface can go: every way out of its VPC, with what its groups, its ACL and the way itself leave.

use serde::Serialize;

use crate::address::Family;
use crate::arena::Ix;
use crate::exposure::note_missing;
use crate::network::{Eni, Network, Subnet};
use crate::protocol::Protocol;
use crate::question::Flow;
use crate::reach::flows;
use crate::routes::Target;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Piece, Walk, client_ports};

/// Kinds of ways out, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EgressKind {
    /// An internet gateway, with a public address of its own.
    InternetDirect,
    /// A NAT gateway.
    InternetNat,
    /// An egress-only internet gateway.
    Ipv6EgressOnly,
    /// A peered VPC.
    Peered,
    /// Endpoints of AWS services alone.
    EndpointsOnly,
    /// Something that is not modelled or was not read: transit gateways, inspection.
    Unknown,
    /// No way out.
    None,
}

/// One way out of a VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EgressWay {
    /// What it is.
    pub kind: EgressKind,
    /// The gateway, connection or endpoint.
    pub through: String,
    /// The addresses that the internet sees, where they are a NAT gateway's or the interface's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public_ips: Vec<String>,
    /// What certainly gets out: protocols, ports and destinations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// What gets out as far as is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<Flow>,
    /// Why the doubtful part is not certain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// All ways out of an interface's VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Egress {
    /// The interface.
    pub interface: String,
    /// The widest way that is certainly open; `unknown` when there is none and one may be.
    pub kind: EgressKind,
    /// Every way that lets something out, or may.
    pub ways: Vec<EgressWay>,
    /// Interface endpoints in the VPC that it certainly reaches on port 443.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interface_endpoints: Vec<String>,
}

impl<'a> Network<'a> {
    /// Where an interface can go outside its VPC; `None` when there is no such interface.
    pub fn egress(&self, interface: &str) -> Option<Egress> {
        let ix = *self.ids.enis.get(interface)?;
        let eni = self.enis.get(ix);
        let mut ways: Vec<(Target<'a>, EgressWay)> = Vec::new();
        let local = self.vpc_of(eni).map(|vpc| vpc.local.clone()).unwrap_or_default();
        let mut protocols = vec![Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6, Protocol::OTHER];
        protocols.extend(self.named_protocols(eni.groups));
        protocols.sort_unstable();
        protocols.dedup();
        for protocol in protocols {
            for family in Family::BOTH.into_iter().filter(|family| protocol.runs_over(*family)) {
                let has_address = self.addresses_of(eni).iter().any(|address| Family::of(address.first) == family);
                if !has_address {
                    continue;
                }
                let walk = Walk::new(self, protocol, family, family.addresses().minus(&local), PortSet::all(), client_ports(false));
                for (target, walk) in self.to_internet(walk, ix, true) {
                    self.note_way(&mut ways, eni, target, protocol, family, walk);
                }
            }
        }
        let mut ways: Vec<EgressWay> = ways.into_iter().map(|(_, way)| way).collect();
        ways.sort_by(|a, b| (a.kind, &a.through).cmp(&(b.kind, &b.through)));
        let interface_endpoints = self.reached_endpoints(ix);
        let certain = ways.iter().filter(|way| !way.flows.is_empty()).map(|way| way.kind).min();
        let endpoints = (!interface_endpoints.is_empty()).then_some(EgressKind::EndpointsOnly);
        let possible = if ways.is_empty() { EgressKind::None } else { EgressKind::Unknown };
        // A way out that is not modelled may lead anywhere: endpoints alone would say too little.
        let kind = match certain.into_iter().chain(endpoints).min() {
            Some(EgressKind::EndpointsOnly) if ways.iter().any(|way| way.flows.is_empty()) => EgressKind::Unknown,
            found => found.unwrap_or(possible),
        };
        Some(Egress { interface: eni.id.to_owned(), kind, ways, interface_endpoints })
    }

    fn note_way(
        &self,
        ways: &mut Vec<(Target<'a>, EgressWay)>,
        eni: &Eni<'a>,
        target: Target<'a>,
        protocol: Protocol,
        family: Family,
        walk: Walk<'_, 'a>,
    ) {
        let (kind, through) = match target {
            Target::Igw(id) => (EgressKind::InternetDirect, id),
            Target::Nat(id) => (EgressKind::InternetNat, id),
            Target::EgressOnly(id) => (EgressKind::Ipv6EgressOnly, id),
            Target::Peering(id) => (EgressKind::Peered, id),
            Target::Endpoint(id) => (EgressKind::EndpointsOnly, id),
            Target::Filtered(id) => (EgressKind::Unknown, id),
            Target::None => (EgressKind::Unknown, "route"),
            Target::Blackhole | Target::Local => return,
        };
        let on_internet = matches!(target, Target::Igw(_) | Target::Nat(_) | Target::EgressOnly(_));
        let walk = if on_internet { walk.restricted(&family.internet()) } else { walk };
        let (certain, doubtful): (Vec<Piece>, Vec<Piece>) = walk.into_arrived().into_iter().partition(|piece| piece.doubt.is_none());
        if certain.is_empty() && doubtful.is_empty() {
            return;
        }
        let at = ways.iter().position(|(known, _)| *known == target).unwrap_or_else(|| {
            let way = EgressWay {
                kind,
                through: through.to_owned(),
                public_ips: self.public_ips(eni, target),
                flows: Vec::new(),
                doubtful: Vec::new(),
                missing: Vec::new(),
            };
            ways.push((target, way));
            ways.len() - 1
        });
        let Some((_, way)) = ways.get_mut(at) else { return };
        way.flows.extend(flows(protocol, &certain.iter().collect::<Vec<_>>()));
        way.doubtful.extend(flows(protocol, &doubtful.iter().collect::<Vec<_>>()));
        note_missing(&mut way.missing, &doubtful);
    }

    fn public_ips(&self, eni: &Eni<'a>, target: Target<'a>) -> Vec<String> {
        let mut ips: Vec<String> = match target {
            Target::Nat(id) => {
                let nat = self.ids.nats.get(id).map(|nat| self.nats.get(*nat));
                nat.into_iter()
                    .flat_map(|nat| nat.data.nat_gateway_addresses.iter().filter_map(|address| address.public_ip.clone()))
                    .collect()
            }
            Target::Igw(_) => {
                let associations = eni.data.private_ip_addresses.iter().filter_map(|address| address.association.as_ref());
                associations.chain(&eni.data.association).filter_map(|association| association.public_ip.clone()).collect()
            }
            _ => Vec::new(),
        };
        ips.sort_unstable();
        ips.dedup();
        ips
    }

    /// The interface endpoints of a VPC that one of its interfaces certainly reaches on 443.
    fn reached_endpoints(&self, ix: Ix<Eni<'a>>) -> Vec<String> {
        let Some(vpc) = self.vpc_of(self.enis.get(ix)).map(|vpc| vpc.id) else { return Vec::new() };
        let here = self.endpoints.iter().filter(|endpoint| endpoint.vpc_id.as_deref() == Some(vpc));
        let reached = here.filter(|endpoint| {
            endpoint.vpc_endpoint_type.as_deref() == Some("Interface")
                && endpoint
                    .network_interface_ids
                    .iter()
                    .filter_map(|id| self.ids.enis.get(id.as_str()))
                    .any(|target| self.opens(ix, *target) == Some(true))
        });
        let mut ids: Vec<String> = reached.map(|endpoint| endpoint.vpc_endpoint_id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Whether one interface reaches another on TCP port 443, over either family.
    pub(crate) fn opens(&self, from: Ix<Eni<'a>>, to: Ix<Eni<'a>>) -> Option<bool> {
        let mut possible = false;
        for family in Family::BOTH {
            for walk in self.between(from, to, Protocol::TCP, family, &PortSet::one(443), false) {
                if walk.arrived().any(|piece| piece.doubt.is_none()) {
                    return Some(true);
                }
                possible |= walk.arrived().next().is_some();
            }
        }
        if possible { None } else { Some(false) }
    }

    /// Where the routes of a subnet lead to a gateway endpoint.
    pub(crate) fn behind_endpoint(&self, subnet: &Subnet<'a>, endpoint: &str) -> CidrSet {
        let table = subnet.table.map(|table| self.tables.get(table));
        let parts = table.map(|table| table.split(&CidrSet::all())).unwrap_or_default();
        parts.into_iter().find(|(target, _)| *target == Target::Endpoint(endpoint)).map(|part| part.1).unwrap_or_default()
    }
}
