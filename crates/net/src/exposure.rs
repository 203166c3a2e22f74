//! What reaches an interface from the internet: straight, and through each load balancer. The direct part is computed
//! once for all interfaces of a class.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::address::Family;
use crate::arena::Ix;
use crate::balanced::{Client, Packets, Posture};
use crate::balancing::{Health, port, takes};
use crate::network::{BlockMode, Class, Eni, Network};
use crate::protocol::Protocol;
use crate::question::{Balanced, Flow, Via};
use crate::reach::flows;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Piece, Walk, client_ports};

/// What passes on one kind of path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PathExposure {
    /// The load balancer that it leads through; none for the direct path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced: Option<Balanced>,
    /// What certainly passes: protocols, ports (the listener's behind a load balancer) and sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// What passes as far as is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<Flow>,
    /// What may come by a front door of another service, from anybody: TCP and UDP. It is not straight, and not certain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by_doors: Vec<Flow>,
    /// Why the doubtful part, or what comes by doors, is not certain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Whether it is open at this moment: a target that is unhealthy now keeps its configuration open, and gets no
    /// traffic.
    pub now: bool,
    /// What a client must do beside sending packets: `authenticated`, `listener-rule:10`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

impl PathExposure {
    /// `Some(true)` when something certainly passes, `None` when something may.
    pub fn is_open(&self) -> Option<bool> {
        let nothing = self.doubtful.is_empty() && self.by_doors.is_empty();
        if self.flows.is_empty() { nothing.then_some(false) } else { Some(true) }
    }

    /// As [`PathExposure::is_open`], of everything but ICMP.
    pub fn takes_connections(&self) -> Option<bool> {
        let some = |flows: &[Flow]| flows.iter().any(|flow| !flow.protocol.is_icmp());
        if some(&self.flows) { Some(true) } else { (!some(&self.doubtful) && self.by_doors.is_empty()).then_some(false) }
    }

    /// Whether some port is open to every address of a family: judged on the union, so that two halves are the whole.
    pub fn is_open_to_everyone(&self) -> bool {
        self.flows.iter().any(|flow| Family::BOTH.iter().any(|family| family.internet().is_subset(&flow.peers)))
    }
}

/// Everything that reaches an interface from the internet, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// The interface.
    pub interface: String,
    /// Whether nothing is attached to it: then nothing is exposed, whatever the rules say.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub detached: bool,
    /// The direct path.
    pub direct: Arc<PathExposure>,
    /// One for each load balancer's listener, target group and target port that leads to it, where something passes or
    /// may pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub balanced: Vec<PathExposure>,
    /// Why there may be load balancers in front of it that are not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseen: Option<String>,
}

impl Exposure {
    /// Whether the internet reaches it: `None` is not known.
    pub fn reachable(&self) -> Option<bool> {
        if self.detached {
            return Some(false);
        }
        let mut paths = std::iter::once(&*self.direct).chain(&self.balanced).map(PathExposure::is_open);
        let unsure = self.unseen.is_some() || paths.clone().any(|open| open.is_none());
        if paths.any(|open| open == Some(true)) {
            Some(true)
        } else if unsure {
            None
        } else {
            Some(false)
        }
    }

    /// What is missing to know more.
    pub fn missing(&self) -> Vec<&str> {
        let paths = std::iter::once(&*self.direct).chain(&self.balanced);
        let mut missing: Vec<&str> = paths.flat_map(|path| &path.missing).chain(&self.unseen).map(String::as_str).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }
}

/// What arrives of each protocol, certainly and doubtfully.
type Arrived = BTreeMap<Protocol, [Vec<Piece>; 2]>;

/// The exposure of all interfaces, class by class.
#[derive(Debug)]
pub struct Exposures<'n, 'a> {
    network: &'n Network<'a>,
    /// By class.
    direct: Vec<Arc<PathExposure>>,
}

impl<'a> Exposures<'_, 'a> {
    /// All interfaces with what reaches them, in the order of the world.
    pub fn iter(&self) -> impl Iterator<Item = Exposure> {
        self.network.enis.iter().map(|(ix, eni)| self.exposure(ix, eni))
    }

    /// The exposure of one interface; `None` when there is no such interface.
    pub fn of(&self, interface: &str) -> Option<Exposure> {
        let ix = *self.network.ids.enis.get(interface)?;
        Some(self.exposure(ix, self.network.enis.get(ix)))
    }

    /// The direct part of one interface's exposure, shared by its class.
    pub fn direct(&self, interface: &str) -> Option<&PathExposure> {
        let ix = self.network.ids.enis.get(interface)?;
        self.direct.get(self.network.enis.get(*ix).class.at()).map(|direct| &**direct)
    }

    fn exposure(&self, ix: Ix<Eni<'a>>, eni: &Eni<'a>) -> Exposure {
        let direct = self.direct.get(eni.class.at()).cloned().unwrap_or_default();
        self.network.exposure_with(ix, direct)
    }
}

impl<'a> Network<'a> {
    /// What reaches one interface from the internet; `None` when there is no such interface. For many, take
    /// [`Network::exposures`].
    pub fn exposure(&self, interface: &str) -> Option<Exposure> {
        let ix = *self.ids.enis.get(interface)?;
        let direct = Arc::new(self.direct_exposure(ix));
        Some(self.exposure_with(ix, direct))
    }

    /// What reaches all interfaces from the internet. Computes the direct part of every class; what comes through load
    /// balancers is computed as the result is read.
    pub fn exposures(&self) -> Exposures<'_, 'a> {
        let mut members: Vec<Option<Ix<Eni<'a>>>> = vec![None; self.classes.len()];
        for (ix, eni) in self.enis.iter() {
            if let Some(member) = members.get_mut(eni.class.at()) {
                member.get_or_insert(ix);
            }
        }
        let shut = Arc::new(PathExposure::default());
        let direct = members.into_iter().map(|member| match member {
            Some(member) if Family::BOTH.iter().any(|family| self.may_be_open(member, *family)) => Arc::new(self.direct_exposure(member)),
            _ => Arc::clone(&shut),
        });
        Exposures { network: self, direct: direct.collect() }
    }

    fn exposure_with(&self, ix: Ix<Eni<'a>>, direct: Arc<PathExposure>) -> Exposure {
        let eni = self.enis.get(ix);
        let detached = eni.data.status.as_deref() == Some("available");
        let unseen = self.balancing_unread(eni.account, eni.region).or_else(|| self.balancing_doubt(ix));
        Exposure {
            interface: eni.id.to_owned(),
            detached,
            direct,
            balanced: if detached { Vec::new() } else { self.balanced_exposure(ix) },
            unseen: unseen.map(|doubt| doubt.to_string()),
        }
    }

    /// Whether the internet's packets of a family get as far as the ACL: what no port can change.
    fn may_be_open(&self, ix: Ix<Eni<'a>>, family: Family) -> bool {
        let eni = self.enis.get(ix);
        let class: &Class<'a> = self.classes.get(eni.class);
        let Some(subnet) = class.subnet.map(|subnet| self.subnets.get(subnet)) else { return true };
        let public = if family == Family::V4 { class.public4 } else { class.public6 && !class.denies_gateway };
        let access = &subnet.public_access;
        let vpc = self.vpcs.get(subnet.vpc);
        let gateway = !vpc.gateways.is_empty() || self.unread(vpc.account, vpc.region, "ec2:DescribeInternetGateways").is_some();
        let door = self.front_doors.contains_key(&subnet.vpc);
        door || public && (access.mode == BlockMode::Off || access.doubt.is_some()) && gateway
    }

    /// Protocols that an interface's inbound rules can let in: those that are named, and one for all others.
    fn inbound_protocols(&self, eni: &Eni<'a>) -> Vec<Protocol> {
        let groups = &self.group_sets.get(eni.groups).groups;
        let mut protocols = vec![Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6, Protocol::OTHER];
        let known = groups.iter().map(|group| self.groups.get(*group));
        if !groups.is_empty() && known.clone().all(|group| group.doubt().is_none()) {
            let rules = || known.clone().flat_map(|group| group.rules(false));
            protocols.retain(|protocol| rules().any(|rule| rule.protocol.is_none_or(|named| named == *protocol)));
            let others = rules().filter_map(|rule| rule.protocol);
            protocols.extend(others);
        }
        protocols.sort_unstable();
        protocols.dedup();
        protocols
    }

    /// The ports on which something may answer: all, but for what AWS runs itself. A NAT gateway takes nothing in, and a
    /// load balancer's node only what it has a listener for.
    fn answers_on(&self, ix: Ix<Eni<'a>>, protocol: Protocol) -> PortSet {
        if matches!(self.enis.get(ix).data.interface_type.as_deref(), Some("nat_gateway" | "natGateway")) {
            return PortSet::none();
        }
        let Some(balancer) = self.node_of.get(&ix).map(|balancer| self.balancers.get(*balancer)) else { return PortSet::all() };
        if balancer.listeners_unread.is_some() {
            return PortSet::all();
        }
        let ports = balancer.listeners.iter().filter(|listener| takes(listener, protocol)).filter_map(|listener| port(listener));
        PortSet::from_ranges(ports.map(|port| (port, port)))
    }

    fn direct_exposure(&self, ix: Ix<Eni<'a>>) -> PathExposure {
        let mut out = PathExposure::default();
        let protocols = self.inbound_protocols(self.enis.get(ix));
        for protocol in protocols {
            let ports = self.answers_on(ix, protocol);
            if ports.is_empty() {
                continue;
            }
            let (mut certain, mut doubtful) = (Vec::new(), Vec::new());
            for family in Family::BOTH {
                if !protocol.runs_over(family) || !self.may_be_open(ix, family) {
                    continue;
                }
                let mut walk = Walk::new(self, protocol, family, family.internet(), ports.clone(), client_ports(true));
                self.enter_from_internet(&mut walk, ix);
                let (known, unknown): (Vec<Piece>, Vec<Piece>) = walk.into_arrived().into_iter().partition(|piece| piece.doubt.is_none());
                certain.extend(known);
                doubtful.extend(unknown);
            }
            out.add(protocol, &certain, &doubtful);
            let (family, posture) = (Family::V4, Posture::Configured);
            let packets = Packets { protocol, family, ports: &ports, traced: false, posture, open_only: true };
            let by_doors = self.through_doors(&CidrSet::internet(), ix, Some(Via::Direct), packets).into_iter();
            let by_doors: Vec<Piece> = by_doors.flat_map(|outcome| outcome.walk.into_arrived()).collect();
            out.by_doors.extend(flows(protocol, &by_doors.iter().collect::<Vec<_>>()));
            note_missing(&mut out.missing, &by_doors);
        }
        out.now = out.is_open() != Some(false);
        out
    }

    /// The open ways through load balancers, those of one listener, target group and target port as one.
    fn balanced_exposure(&self, ix: Ix<Eni<'a>>) -> Vec<PathExposure> {
        let mut merged: BTreeMap<Balanced, (PathExposure, Arrived)> = BTreeMap::new();
        if !self.targeted.contains_key(&ix) {
            return Vec::new();
        }
        let everyone = CidrSet::internet();
        for protocol in [Protocol::TCP, Protocol::UDP] {
            for family in Family::BOTH {
                let packets =
                    Packets { protocol, family, ports: &PortSet::all(), traced: false, posture: Posture::Configured, open_only: true };
                let by_doors = if family == Family::V4 { self.through_doors(&everyone, ix, Some(Via::Lb), packets) } else { Vec::new() };
                for outcome in self.balanced(Client::Internet(&everyone), ix, packets).into_iter().chain(by_doors) {
                    let Some(balanced) = outcome.balanced else { continue };
                    let (known, unknown): (Vec<Piece>, Vec<Piece>) =
                        outcome.walk.into_arrived().into_iter().partition(|piece| piece.doubt.is_none());
                    if known.is_empty() && unknown.is_empty() {
                        continue;
                    }
                    let words = balanced.answer(self);
                    let key = Balanced { node: String::new(), ..words.clone() };
                    let conditions = balanced.conditions();
                    let (path, pieces) = merged.entry(key).or_insert_with(|| {
                        let path = PathExposure { balanced: Some(words), conditions: conditions.clone(), ..PathExposure::default() };
                        (path, Arrived::new())
                    });
                    // Where one rule asks for a login and another does not, there is a way without.
                    path.conditions.retain(|condition| conditions.contains(condition));
                    path.now |= matches!(balanced.health, Health::Serves | Health::FailOpen);
                    // A listener may take both protocols.
                    let [certain, doubtful] = pieces.entry(protocol).or_default();
                    certain.extend(known);
                    doubtful.extend(unknown);
                }
            }
        }
        let paths = merged.into_values().map(|(mut path, pieces)| {
            for (protocol, [certain, doubtful]) in pieces {
                path.add(protocol, &certain, &doubtful);
            }
            path
        });
        paths.collect()
    }
}

/// Adds what is missing, each once, in the order in which it was met.
pub(crate) fn note_missing(missing: &mut Vec<String>, doubtful: &[Piece]) {
    let mut known: FxHashSet<String> = missing.iter().cloned().collect();
    for doubt in doubtful.iter().filter_map(|piece| piece.doubt.as_deref()) {
        if !known.contains(doubt) {
            known.insert(doubt.to_owned());
            missing.push(doubt.to_owned());
        }
    }
}

impl PathExposure {
    fn add(&mut self, protocol: Protocol, certain: &[Piece], doubtful: &[Piece]) {
        self.flows.extend(flows(protocol, &certain.iter().collect::<Vec<_>>()));
        self.doubtful.extend(flows(protocol, &doubtful.iter().collect::<Vec<_>>()));
        note_missing(&mut self.missing, doubtful);
    }
}
