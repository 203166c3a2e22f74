//! Answers single questions: which walks to send, and what their outcomes say.

use crate::address::{Family, number};
use crate::arena::Ix;
use crate::balanced::{BalancedWalk, Client, Packets, Posture};
use crate::describe::block_word;
use crate::network::{Eni, Network};
use crate::pair::Leg;
use crate::protocol::{Protocol, icmp_slots};
use crate::question::{Answer, Endpoint, Flow, PathAnswer, Question, Scope, Via};
use crate::set::{CidrSet, PortSet};
use crate::walk::{Piece, Walk, client_ports};

/// One path that was walked, with the load balancer that it took.
pub(crate) struct Outcome<'n, 'a> {
    pub(crate) walk: Walk<'n, 'a>,
    pub(crate) balanced: Option<BalancedWalk<'a>>,
}

/// The slots that a question asks about.
fn slots(question: &Question, protocol: Protocol) -> PortSet {
    match question.port {
        Some(kind) if protocol.is_icmp() => {
            u8::try_from(kind).map_or_else(|_| PortSet::none(), |kind| icmp_slots(Some(kind), Some(question.code.unwrap_or(0))))
        }
        Some(port) if protocol.has_ports() => PortSet::one(port),
        _ => PortSet::all(),
    }
}

/// What a question's ends turn out to be.
pub(crate) enum Ends<'a> {
    /// From addresses; whether some may be inside.
    Inward(CidrSet, Ix<Eni<'a>>, bool),
    Outward(Ix<Eni<'a>>, CidrSet),
    Between(Ix<Eni<'a>>, Ix<Eni<'a>>),
}

impl<'a> Network<'a> {
    /// Whether, how and with what A reaches B.
    pub fn reach(&self, question: &Question) -> Answer {
        let ends = match self.ends(question) {
            Ok(ends) => ends,
            Err(answer) => return *answer,
        };
        let outcomes = self.outcomes(question, &ends, false);
        if outcomes.is_empty() {
            return self.no_path(question, &ends);
        }
        let paths = outcomes.iter().map(|outcome| self.path_answer(outcome)).collect();
        Answer::of(paths, Some(self.scope(&ends)))
    }

    /// Finds the ends of a question, or says why there is none.
    pub(crate) fn ends(&self, question: &Question) -> Result<Ends<'a>, Box<Answer>> {
        let find = |id: &str| {
            let found = self.ids.enis.get(id).copied();
            found.ok_or_else(|| Box::new(Answer::unknown(format!("network-interface-missing:{id}"))))
        };
        let addresses = |endpoint: &Endpoint| match endpoint {
            Endpoint::Internet => CidrSet::internet(),
            Endpoint::Address(address) => CidrSet::one(number(*address)),
            Endpoint::Block(block) => block.clone(),
            Endpoint::Interface(_) => CidrSet::none(),
        };
        match (&question.from, &question.to) {
            (Endpoint::Interface(from), Endpoint::Interface(to)) => Ok(Ends::Between(find(from)?, find(to)?)),
            (from, Endpoint::Interface(to)) => Ok(Ends::Inward(addresses(from), find(to)?, matches!(from, Endpoint::Block(_)))),
            (Endpoint::Interface(from), to) => Ok(Ends::Outward(find(from)?, addresses(to))),
            _ => Err(Box::new(Answer::unknown("no-interface".to_owned()))),
        }
    }

    /// All paths that a question asks about.
    pub(crate) fn outcomes(&self, question: &Question, ends: &Ends<'a>, traced: bool) -> Vec<Outcome<'_, 'a>> {
        let mut out = Vec::new();
        if let Ends::Inward(peers, target, _) = ends {
            let peers = question.family.map_or_else(|| peers.clone(), |family| peers.of_family(family));
            for protocol in self.protocols(question, ends) {
                let (ports, posture, open_only) = (slots(question, protocol), Posture::Now, false);
                let packets = Packets { protocol, family: Family::V4, ports: &ports, traced, posture, open_only };
                out.extend(self.through_doors(&peers, *target, question.via, packets));
            }
        }
        for family in self.families(question, ends) {
            for protocol in self.protocols(question, ends).into_iter().filter(|protocol| protocol.runs_over(family)) {
                let ports = slots(question, protocol);
                if question.via != Some(Via::Lb) {
                    let direct = self.direct(ends, protocol, family, &ports, traced);
                    out.extend(direct.into_iter().map(|walk| Outcome { walk, balanced: None }));
                }
                let packets = Packets { protocol, family, ports: &ports, traced, posture: Posture::Now, open_only: false };
                if question.via != Some(Via::Direct) && protocol.has_ports() {
                    let (client, target) = match ends {
                        Ends::Inward(peers, target, _) => (Client::Internet(peers), *target),
                        Ends::Between(client, target) => (Client::Interface(*client), *target),
                        Ends::Outward(..) => continue,
                    };
                    out.extend(self.balanced(client, target, packets));
                }
            }
        }
        out
    }

    /// The families to look at: the one in question, or those that all interfaces have addresses of.
    fn families(&self, question: &Question, ends: &Ends<'a>) -> Vec<Family> {
        if let Some(family) = question.family {
            return vec![family];
        }
        let both = match ends {
            Ends::Inward(_, eni, _) | Ends::Outward(eni, _) => [*eni, *eni],
            Ends::Between(a, b) => [*a, *b],
        };
        // Through a load balancer a client of one family may reach a target of the other.
        let balanced = question.via != Some(Via::Direct)
            && !matches!(ends, Ends::Outward(..))
            && both.iter().any(|eni| self.targeted.contains_key(eni));
        let has = |family: &Family| balanced || both.iter().all(|eni| !self.addresses_in(*eni, *family).is_empty());
        let families: Vec<Family> = Family::BOTH.into_iter().filter(has).collect();
        if families.is_empty() { Family::BOTH.to_vec() } else { families }
    }

    /// The protocols to look at: the one in question, or all that can differ.
    fn protocols(&self, question: &Question, ends: &Ends<'a>) -> Vec<Protocol> {
        if let Some(protocol) = question.protocol {
            return vec![protocol];
        }
        let mut protocols = vec![Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6, Protocol::OTHER];
        let both = match ends {
            Ends::Inward(_, eni, _) | Ends::Outward(eni, _) => [*eni, *eni],
            Ends::Between(a, b) => [*a, *b],
        };
        for eni in both {
            protocols.extend(self.named_protocols(self.enis.get(eni).groups));
        }
        protocols.sort_unstable();
        protocols.dedup();
        protocols
    }

    /// Protocols that the rules of some groups name.
    pub(crate) fn named_protocols(&self, set: Ix<crate::network::GroupSet<'a>>) -> impl Iterator<Item = Protocol> {
        let groups = self.group_sets.get(set).groups.iter().map(|group| self.groups.get(*group));
        groups.flat_map(|group| group.rules(false).iter().chain(group.rules(true)).filter_map(|rule| rule.protocol))
    }

    /// The paths without a load balancer.
    fn direct(&self, ends: &Ends<'a>, protocol: Protocol, family: Family, ports: &PortSet, traced: bool) -> Vec<Walk<'_, 'a>> {
        match ends {
            Ends::Inward(peers, target, may_be_inside) => {
                let peers = peers.of_family(family);
                if peers.is_empty() {
                    return Vec::new();
                }
                let inside = if *may_be_inside { self.inside_of(*target, &peers) } else { CidrSet::none() };
                let outside = peers.minus(&inside);
                let mut walks = Vec::new();
                if !outside.is_empty() {
                    let mut walk = Walk::new(self, protocol, family, outside, ports.clone(), client_ports(true)).traced(traced);
                    self.enter_from_internet(&mut walk, *target);
                    walks.push(walk);
                }
                if !inside.is_empty() {
                    let mut walk = Walk::new(self, protocol, family, inside, ports.clone(), client_ports(false)).traced(traced);
                    self.enter_from_block(&mut walk, *target);
                    walks.push(walk);
                }
                walks
            }
            Ends::Outward(source, peers) => {
                let peers = peers.of_family(family);
                if peers.is_empty() {
                    return Vec::new();
                }
                let walk = Walk::new(self, protocol, family, peers, ports.clone(), client_ports(false)).traced(traced);
                self.to_internet(walk, *source, false).into_iter().map(|(_, walk)| walk).collect()
            }
            Ends::Between(source, target) => self.between(*source, *target, protocol, family, ports, traced),
        }
    }

    /// Between two interfaces: one walk for each kind of target address.
    pub(crate) fn between(
        &self,
        source: Ix<Eni<'a>>,
        target: Ix<Eni<'a>>,
        protocol: Protocol,
        family: Family,
        ports: &PortSet,
        traced: bool,
    ) -> Vec<Walk<'_, 'a>> {
        let senders = self.addresses_in(source, family);
        let mut walks = Vec::new();
        for at in self.target_atoms(source, &self.addresses_in(target, family)) {
            let mut walk = Walk::new(self, protocol, family, senders.clone(), ports.clone(), client_ports(false)).traced(traced);
            let leg = Leg { from: source, to: target, at: &at, joint: self.joint(source, target, &at) };
            self.there(&mut walk, leg);
            walk.turn();
            self.back(&mut walk, leg, None);
            walks.push(walk);
        }
        walks
    }

    /// The addresses of a set that are taken to be inside the VPC of an interface or behind its peerings: those that are
    /// not globally routed, and its own.
    fn inside_of(&self, target: Ix<Eni<'a>>, peers: &CidrSet) -> CidrSet {
        let local = self.vpc_of(self.enis.get(target)).map(|vpc| peers.intersect(&vpc.local)).unwrap_or_default();
        peers.minus(&CidrSet::internet()).union(&local)
    }

    fn scope(&self, ends: &Ends<'a>) -> Scope {
        let Ends::Between(from, to) = ends else { return Scope::Internet };
        let subnets = [*from, *to].map(|eni| self.enis.get(eni).subnet);
        match subnets {
            [Some(a), Some(b)] if a == b => Scope::Subnet,
            [Some(a), Some(b)] if self.subnets.get(a).vpc == self.subnets.get(b).vpc => Scope::Vpc,
            _ => Scope::Peered,
        }
    }

    fn no_path(&self, question: &Question, ends: &Ends<'a>) -> Answer {
        let target = match ends {
            Ends::Inward(_, target, _) | Ends::Between(_, target) => *target,
            Ends::Outward(source, _) => *source,
        };
        let eni = self.enis.get(target);
        if question.via == Some(Via::Direct) || question.protocol.is_some_and(|protocol| !protocol.has_ports()) {
            return Answer::blocked(format!("no-address:{}", eni.id));
        }
        if let Some(doubt) = self.balancing_unread(eni.account, eni.region) {
            return Answer::unknown(doubt.to_string());
        }
        if let Some(doubt) = self.balancing_doubt(target) {
            return Answer::unknown(doubt.to_string());
        }
        // A listener that forwards to it and is not among the paths keeps these clients out.
        let listened =
            !self.is_listened_for(target, question.protocol, question.port) && self.has_listener(question.protocol, question.port);
        Answer::blocked(match (question.protocol, question.port) {
            (Some(protocol), Some(port)) if !listened => format!("no-listener:{protocol}/{port}"),
            _ => format!("no-lb-target:{}", eni.id),
        })
    }

    /// Puts what a walk found into words.
    pub(crate) fn path_answer(&self, outcome: &Outcome<'_, 'a>) -> PathAnswer {
        let walk = &outcome.walk;
        let (certain, doubtful): (Vec<&Piece>, Vec<&Piece>) = walk.arrived().partition(|piece| piece.doubt.is_none());
        let flows = flows(walk.protocol, &certain);
        let mut missing: Vec<String> = doubtful.iter().filter_map(|piece| piece.doubt.as_deref()).map(str::to_owned).collect();
        missing.dedup();
        let blocked = walk.steps.iter().filter(|step| step.blocked);
        let mut blocked_by: Vec<String> = blocked.map(|step| block_word(self, walk, step)).collect();
        if !walk.is_blocked() {
            blocked_by.clear();
        }
        if blocked_by.is_empty() && certain.is_empty() && doubtful.is_empty() {
            blocked_by.push("no-address".to_owned());
        }
        let mut hops: Vec<String> = Vec::new();
        for name in walk.steps.iter().filter(|step| !step.reply).filter_map(|step| crate::describe::object(self, &step.hop)) {
            if hops.last() != Some(&name) {
                hops.push(name);
            }
        }
        let narrowest = certain.first().or(doubtful.first()).map(|piece| &piece.client);
        let reply_ports = narrowest.filter(|client| walk.protocol.has_ports() && !client_ports(false).is_subset(client)).cloned();
        PathAnswer {
            balanced: outcome.balanced.as_ref().map(|balanced| balanced.answer(self)),
            family: walk.family,
            flows,
            doubtful: self::flows(walk.protocol, &doubtful),
            missing,
            hops,
            one_way: walk.is_one_way(),
            blocked_by,
            reply_ports,
            conditions: outcome.balanced.as_ref().map(BalancedWalk::conditions).unwrap_or_default(),
        }
    }
}

/// As many different address sets are cut by ports; more stay as they are.
const MOST: usize = 64;

/// The pieces of one protocol as flows: disjoint stretches of ports, each with all its addresses, where that is small;
/// else as they are, overlapping.
pub(crate) fn flows(protocol: Protocol, pieces: &[&Piece]) -> Vec<Flow> {
    let mut by_peers: Vec<(&CidrSet, PortSet)> = Vec::new();
    for piece in pieces {
        match by_peers.iter_mut().rev().take(MOST).find(|entry| *entry.0 == piece.peers) {
            Some(entry) => entry.1 = entry.1.union(&piece.ports),
            None => by_peers.push((&piece.peers, piece.ports.clone())),
        }
    }
    if by_peers.len() == 1 || by_peers.len() > MOST {
        return by_peers.into_iter().map(|(peers, ports)| Flow { protocol, ports, peers: peers.clone() }).collect();
    }
    let mut out: Vec<Flow> = Vec::new();
    for ports in crate::acl::stretches(by_peers.iter().map(|entry| &entry.1)) {
        let Some(port) = ports.first() else { continue };
        let peers = CidrSet::union_of(by_peers.iter().filter(|entry| entry.1.contains(port)).map(|entry| entry.0));
        if peers.is_empty() {
            continue;
        }
        match out.iter_mut().find(|flow| flow.peers == peers) {
            Some(flow) => flow.ports = flow.ports.union(&ports),
            None => out.push(Flow { protocol, ports, peers }),
        }
    }
    out
}
