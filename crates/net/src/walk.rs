//! A set of packets on its way: each hop keeps what it lets pass, and the walk remembers who stopped the rest.

use crate::acl::{Acl, Product};
use crate::address::Family;
use crate::arena::Ix;
use crate::direct::Far;
use crate::network::{Eni, Network};
use crate::protocol::Protocol;
use crate::routes::{Doubt, Target};
use crate::set::{CidrSet, PortSet};

/// Packets that fare alike: every address with every port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The far side's addresses.
    pub(crate) peers: CidrSet,
    /// Destination ports, or ICMP types and codes.
    pub(crate) ports: PortSet,
    /// Source ports of the client with which replies come through.
    pub(crate) client: PortSet,
    /// Why it is not certain that they pass; the first reason on the way.
    pub(crate) doubt: Option<Doubt>,
}

/// A place on the way, with what identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop<'a> {
    /// VPC Block Public Access, with the account's setting.
    PublicAccess(&'a str),
    /// A VPC's internet gateway.
    Gateway(&'a str),
    /// An interface's public address.
    PublicAddress(&'a str),
    /// An interface's address of the family in question.
    Address(&'a str),
    /// `DenyAllIgwTraffic` of an interface.
    GatewayDenied(&'a str),
    /// The route table of an internet gateway.
    Edge(&'a str),
    /// A subnet's network ACL.
    Acl { acl: Ix<Acl<'a>>, egress: bool },
    /// The groups of an interface.
    Groups { eni: Ix<Eni<'a>>, egress: bool, far: Far<'a> },
    /// The route table of a subnet.
    Route { subnet: &'a str, table: &'a str, target: Target<'a>, detached: bool },
    /// A peering connection and its status.
    Peering { id: &'a str, status: &'a str },
    /// A NAT gateway that is not there for this.
    Nat { id: &'a str, state: &'a str },
    /// The route of a NAT gateway's subnet, or of the gateway itself.
    NatRoute { place: &'a str, target: Target<'a> },
    /// Two ACLs on the way back, which must agree on one port.
    CommonPort,
    /// Something about a load balancer: code and object.
    Balancing { code: &'static str, object: &'a str },
    /// Something that could not be read, or that is not modelled.
    Unknown,
}

/// One hop that was taken, in packet order.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) hop: Hop<'a>,
    pub(crate) reply: bool,
    pub(crate) blocked: bool,
    /// An address and a slot to show the deciding rule for.
    pub(crate) witness: Option<(u128, u16)>,
    /// What was left after it; kept only when someone wants to read it.
    pub(crate) left: Vec<Piece>,
}

/// What a gate's ports are.
#[derive(Clone, Debug)]
pub(crate) enum Ports<'s> {
    All,
    Range(u16, u16),
    Set(&'s PortSet),
    Union(PortSet),
}

/// Addresses and ports that a hop lets pass together; `None` is any address.
#[derive(Clone, Debug)]
pub(crate) struct Gate<'s> {
    pub(crate) peers: Option<&'s CidrSet>,
    pub(crate) ports: Ports<'s>,
    pub(crate) doubt: Option<Doubt>,
}

impl<'s> Gate<'s> {
    pub(crate) fn product(product: &'s Product) -> Self {
        Self { peers: Some(&product.peers), ports: Ports::Set(&product.ports), doubt: None }
    }

    pub(crate) fn doubtful(doubt: Doubt) -> Self {
        Self { peers: None, ports: Ports::All, doubt: Some(doubt) }
    }

    pub(crate) fn addresses(peers: &'s CidrSet, doubt: Option<Doubt>) -> Self {
        Self { peers: Some(peers), ports: Ports::All, doubt }
    }
}

impl Ports<'_> {
    fn contains(&self, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Range(first, last) => (*first..=*last).contains(&port),
            Self::Set(set) => set.contains(port),
            Self::Union(set) => set.contains(port),
        }
    }

    fn cut(&self, ports: &PortSet) -> PortSet {
        match self {
            Self::All => ports.clone(),
            Self::Range(first, last) if ports.is_all() => PortSet::range(*first, *last),
            Self::Range(first, last) => ports.intersect(&PortSet::range(*first, *last)),
            Self::Set(set) => ports.intersect(set),
            Self::Union(set) => ports.intersect(set),
        }
    }
}

/// What became of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Some packets are still on their way.
    Open,
    /// None arrives.
    Blocked,
    /// Some arrive, and no reply comes back.
    OneWay,
}

/// Packets of one protocol and family on one path.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'n, 'a> {
    pub(crate) network: &'n Network<'a>,
    pub(crate) protocol: Protocol,
    pub(crate) family: Family,
    pub(crate) pieces: Vec<Piece>,
    /// The source ports that a client may begin with.
    client: PortSet,
    /// Packets that need no reply and have arrived.
    done: Vec<Piece>,
    pub(crate) steps: Vec<Step<'a>>,
    fate: Fate,
    replying: bool,
    /// Keeps what was left after each step.
    traced: bool,
    /// The port that packets have from here on instead of their own: a target's behind a listener.
    pub(crate) rewritten: Option<u16>,
}

/// The source ports that a client may have: an attacker chooses, AWS's own systems take from 1024 up.
pub(crate) fn client_ports(from_internet: bool) -> PortSet {
    PortSet::range(if from_internet { 1 } else { 1024 }, u16::MAX)
}

impl<'n, 'a> Walk<'n, 'a> {
    pub(crate) fn new(
        network: &'n Network<'a>,
        protocol: Protocol,
        family: Family,
        peers: CidrSet,
        ports: PortSet,
        client: PortSet,
    ) -> Self {
        let piece = Piece { peers, ports, client: client.clone(), doubt: None };
        let pieces = if piece.peers.is_empty() || piece.ports.is_empty() { Vec::new() } else { vec![piece] };
        Self {
            network,
            protocol,
            family,
            pieces,
            client,
            done: Vec::new(),
            steps: Vec::new(),
            fate: Fate::Open,
            replying: false,
            traced: false,
            rewritten: None,
        }
    }

    /// Keeps what is left after each step from here on.
    pub(crate) fn traced(mut self, traced: bool) -> Self {
        self.traced = traced;
        self
    }

    /// An address and a slot of what is on its way.
    pub(crate) fn witness(&self) -> Option<(u128, u16)> {
        let piece = self.pieces.first()?;
        Some((piece.peers.first()?, self.rewritten.or(piece.ports.first())?))
    }

    fn note(&mut self, hop: Hop<'a>, blocked: bool, witness: Option<(u128, u16)>) {
        if blocked && self.fate == Fate::Open {
            self.fate = if self.replying && self.done.is_empty() { Fate::OneWay } else { Fate::Blocked };
        }
        let left = if self.traced && !blocked { self.pieces.iter().chain(&self.done).cloned().collect() } else { Vec::new() };
        self.steps.push(Step { hop, reply: self.replying, blocked, witness, left });
    }

    /// A hop that lets everything pass, for the record.
    pub(crate) fn pass(&mut self, hop: Hop<'a>) {
        if !self.pieces.is_empty() {
            let witness = self.witness();
            self.note(hop, false, witness);
        }
    }

    /// A hop that lets nothing pass. What would have come is kept, to see what else would stop it.
    pub(crate) fn block(&mut self, hop: Hop<'a>) {
        if !self.pieces.is_empty() {
            let witness = self.witness();
            self.note(hop, true, witness);
        }
    }

    /// Everything that passes is uncertain from here on.
    pub(crate) fn doubt(&mut self, doubt: &Doubt) {
        for piece in &mut self.pieces {
            piece.doubt.get_or_insert_with(|| doubt.clone());
        }
    }

    /// What arrived came by something that is not seen: it is doubtful, and anybody of these may have sent it.
    pub(crate) fn come_by(&mut self, doubt: &Doubt, peers: &CidrSet) {
        let left = self.steps.iter_mut().flat_map(|step| &mut step.left);
        for piece in self.pieces.iter_mut().chain(&mut self.done).chain(left) {
            piece.doubt = Some(doubt.clone());
            piece.peers = peers.clone();
        }
    }

    /// Passes, blocks or doubts as a whole.
    pub(crate) fn check(&mut self, hop: Hop<'a>, passes: bool, doubt: Option<&Doubt>) {
        match doubt {
            Some(doubt) => {
                self.doubt(doubt);
                self.pass(hop);
            }
            None if passes => self.pass(hop),
            None => self.block(hop),
        }
    }

    /// Passes, or blocks, or doubts, because of an address that is not the far side's.
    pub(crate) fn check_at(&mut self, hop: Hop<'a>, passes: bool, doubt: Option<Doubt>, at: &CidrSet) {
        let gate = Gate { peers: None, ports: Ports::All, doubt };
        let gates = std::slice::from_ref(&gate);
        self.filter(hop, if passes || gate.doubt.is_some() { gates } else { &[] }, Some(at));
    }

    /// Forward: keeps what some gate lets pass. With `fixed`, gates look at those addresses and not at the far side's.
    pub(crate) fn filter(&mut self, hop: Hop<'a>, gates: &[Gate<'_>], fixed: Option<&CidrSet>) {
        if self.pieces.is_empty() {
            return;
        }
        let rewritten = self.rewritten;
        let out = self.through(gates, fixed, |piece, gate| match rewritten {
            Some(port) => gate.ports.contains(port).then(|| (piece.ports.clone(), piece.client.clone())),
            None => Some((gate.ports.cut(&piece.ports), piece.client.clone())),
        });
        self.settle(hop, out, fixed, None);
    }

    /// The way back: what needs no reply has arrived.
    pub(crate) fn turn(&mut self) {
        self.replying = true;
        if !self.protocol.is_icmp() || self.is_blocked() {
            return;
        }
        let Some((echo, _)) = self.protocol.echo() else { return };
        let mut asking = Vec::new();
        for piece in std::mem::take(&mut self.pieces) {
            let (needs, rest) = (piece.ports.intersect(&echo), piece.ports.minus(&echo));
            if !rest.is_empty() {
                self.done.push(Piece { ports: rest, ..piece.clone() });
            }
            if !needs.is_empty() {
                asking.push(Piece { ports: needs, ..piece });
            }
        }
        self.pieces = asking;
    }

    /// A connection of a load balancer's node, opened for the clients of this walk.
    pub(crate) fn alongside(&self, peers: CidrSet, ports: PortSet, client: PortSet, family: Family) -> Self {
        Self { traced: self.traced, ..Self::new(self.network, self.protocol, family, peers, ports, client) }
    }

    /// Takes over what became of the node's connection: all clients share its fate.
    pub(crate) fn join(&mut self, own: Self) {
        if self.pieces.is_empty() {
            return;
        }
        if self.fate == Fate::Open {
            self.fate = own.fate;
        }
        let certain = own.arrived().any(|piece| piece.doubt.is_none());
        let doubt = own.arrived().find_map(|piece| piece.doubt.clone()).filter(|_| !certain);
        self.steps.extend(own.steps);
        if let Some(doubt) = doubt {
            self.doubt(&doubt);
        }
    }

    /// Reply: keeps what has a client port that some gate lets pass.
    pub(crate) fn reply(&mut self, hop: Hop<'a>, gates: &[Gate<'_>], fixed: Option<&CidrSet>) {
        if self.pieces.is_empty() {
            return;
        }
        let protocol = self.protocol;
        let echo_reply = protocol.echo().map(|(_, slot)| slot);
        let narrow = |client: &PortSet, gate: &Gate<'_>| match echo_reply {
            Some(slot) => gate.ports.contains(slot).then(|| client.clone()),
            None if protocol.has_ports() => Some(gate.ports.cut(client)).filter(|client| !client.is_empty()),
            None => Some(client.clone()),
        };
        let out = self.through(gates, fixed, |piece, gate| Some((piece.ports.clone(), narrow(&piece.client, gate)?)));
        let slot = echo_reply.or_else(|| self.pieces.first()?.client.first()).unwrap_or_default();
        // Each ACL alone has a port to give, only not the same one.
        let disagree = out.is_empty() && protocol.has_ports() && {
            !self.through(gates, fixed, |piece, gate| Some((piece.ports.clone(), narrow(&self.client, gate)?))).is_empty()
        };
        self.settle(if disagree { Hop::CommonPort } else { hop }, out, fixed, Some(slot));
    }

    fn settle(&mut self, hop: Hop<'a>, out: Vec<Piece>, fixed: Option<&CidrSet>, slot: Option<u16>) {
        if out.is_empty() {
            let witness = self.witness().map(|(peer, port)| (fixed.and_then(CidrSet::first).unwrap_or(peer), slot.unwrap_or(port)));
            self.note(hop, true, witness);
        } else {
            let witness = fixed.and_then(CidrSet::first).or_else(|| out.first()?.peers.first());
            let port = slot.or(self.rewritten).or_else(|| out.first()?.ports.first());
            self.pieces = out;
            self.note(hop, false, witness.zip(port));
        }
    }

    fn through(
        &self,
        gates: &[Gate<'_>],
        fixed: Option<&CidrSet>,
        cut: impl Fn(&Piece, &Gate<'_>) -> Option<(PortSet, PortSet)>,
    ) -> Vec<Piece> {
        let mut out: Vec<Piece> = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            for gate in gates {
                let peers = match (gate.peers, fixed) {
                    (Some(peers), Some(fixed)) if !peers.overlaps(fixed) => continue,
                    (None, _) | (_, Some(_)) => piece.peers.clone(),
                    (Some(peers), None) => {
                        let peers = piece.peers.intersect(peers);
                        if peers.is_empty() {
                            continue;
                        }
                        peers
                    }
                };
                let Some((ports, client)) = cut(piece, gate).filter(|(ports, _)| !ports.is_empty()) else { continue };
                let doubt = piece.doubt.clone().or_else(|| gate.doubt.clone());
                match out.last_mut() {
                    Some(last) if last.peers == peers && last.client == client && last.doubt == doubt => {
                        last.ports = last.ports.union(&ports);
                    }
                    Some(last) if last.peers == peers && last.ports == ports && last.doubt == doubt => {
                        last.client = last.client.union(&client);
                    }
                    _ => out.push(Piece { peers, ports, client, doubt }),
                }
            }
        }
        out
    }

    /// The walk of those packets alone whose far side is in a set.
    pub(crate) fn restricted(&self, peers: &CidrSet) -> Self {
        let mut walk = self.clone();
        for pieces in [&mut walk.pieces, &mut walk.done] {
            pieces.retain_mut(|piece| {
                piece.peers = piece.peers.intersect(peers);
                !piece.peers.is_empty()
            });
        }
        walk
    }

    /// Whether nothing arrived.
    pub(crate) fn is_blocked(&self) -> bool {
        self.fate != Fate::Open
    }

    /// Whether packets arrive and only replies are lost.
    pub(crate) fn is_one_way(&self) -> bool {
        self.fate == Fate::OneWay
    }

    /// What arrived, and whose replies do.
    pub(crate) fn arrived(&self) -> impl Iterator<Item = &Piece> {
        let pieces = if self.is_blocked() { &[] } else { self.pieces.as_slice() };
        pieces.iter().chain(&self.done)
    }

    /// Takes what arrived.
    pub(crate) fn into_arrived(mut self) -> Vec<Piece> {
        if self.is_blocked() {
            return self.done;
        }
        self.pieces.append(&mut self.done);
        self.pieces
    }
}
