//! Paths through load balancers: client to node, node to target, and back. A network load balancer may keep the client's
//! address, and then both legs see the same packets; otherwise the second leg is a connection of the node's own.

use crate::address::Family;
use crate::arena::Ix;
use crate::balancing::{Balancer, Forward, Health, Target, TargetGroup, forwards, port, takes};
use crate::network::{Eni, Network};
use crate::pair::Leg;
use crate::protocol::Protocol;
use crate::question::Balanced;
use crate::reach::Outcome;
use crate::routes::Doubt;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Hop, Walk, client_ports};

/// Who calls the load balancer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client<'c, 'a> {
    /// Addresses on the internet.
    Internet(&'c CidrSet),
    /// An interface inside.
    Interface(Ix<Eni<'a>>),
}

/// The way that a walk took through a load balancer.
#[derive(Clone, Debug)]
pub(crate) struct BalancedWalk<'a> {
    pub(crate) balancer: Ix<Balancer<'a>>,
    pub(crate) listener: usize,
    pub(crate) group: Ix<TargetGroup<'a>>,
    pub(crate) node: Ix<Eni<'a>>,
    pub(crate) target_port: u16,
    pub(crate) health: Health,
    pub(crate) authenticated: bool,
    pub(crate) rule: Option<&'a str>,
    /// The application load balancer behind a network load balancer.
    pub(crate) through: Option<Ix<Balancer<'a>>>,
}

impl<'a> BalancedWalk<'a> {
    pub(crate) fn answer(&self, network: &Network<'a>) -> Balanced {
        let balancer = network.balancers.get(self.balancer);
        let listener = balancer.listeners.get(self.listener);
        Balanced {
            load_balancer: balancer.name.to_owned(),
            load_balancer_arn: balancer.data.load_balancer_arn.clone(),
            listener_arn: listener.map(|listener| listener.listener_arn.clone()).unwrap_or_default(),
            listener_port: listener.and_then(|listener| port(listener)).unwrap_or_default(),
            target_group_arn: network.target_groups.get(self.group).data.target_group_arn.clone(),
            target_port: self.target_port,
            node: network.enis.get(self.node).id.to_owned(),
            through: self.through.map(|through| network.balancers.get(through).data.load_balancer_arn.clone()),
        }
    }

    pub(crate) fn conditions(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.authenticated {
            out.push("authenticated".to_owned());
        }
        if let Some(rule) = self.rule {
            out.push(format!("listener-rule:{rule}"));
        }
        match self.health {
            Health::FailOpen => out.push("health:fail-open".to_owned()),
            Health::Waits => out.push("health:unhealthy".to_owned()),
            Health::Serves | Health::Never => {}
        }
        out
    }
}

/// One way through one load balancer to one target, before anything is walked.
#[derive(Clone, Copy)]
pub(crate) struct Way<'w, 'a> {
    pub(crate) balancer: Ix<Balancer<'a>>,
    pub(crate) listener: usize,
    pub(crate) port: u16,
    pub(crate) forward: &'w Forward<'a>,
    pub(crate) forward_doubt: Option<&'w Doubt>,
    pub(crate) group: Ix<TargetGroup<'a>>,
    pub(crate) target: Target<'a>,
}

impl<'a> Way<'_, 'a> {
    pub(crate) fn taken(&self, node: Ix<Eni<'a>>, health: Health) -> BalancedWalk<'a> {
        BalancedWalk {
            balancer: self.balancer,
            listener: self.listener,
            group: self.group,
            node,
            target_port: self.target.port,
            health,
            authenticated: self.forward.authenticated,
            rule: self.forward.rule,
            through: None,
        }
    }
}

/// The packets that paths are walked with, and how to look at them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packets<'p> {
    pub(crate) protocol: Protocol,
    pub(crate) family: Family,
    pub(crate) ports: &'p PortSet,
    /// Keeps what is left after each hop.
    pub(crate) traced: bool,
    pub(crate) posture: Posture,
    /// Leaves out paths once they are blocked: nobody wants to hear of them.
    pub(crate) open_only: bool,
}

/// Whether health keeps a target from traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posture {
    /// As targets are now.
    Now,
    /// As it is configured: what is unhealthy now will be healthy again.
    Configured,
}

impl<'a> Network<'a> {
    /// Every path through a load balancer to a target.
    pub(crate) fn balanced(&self, client: Client<'_, 'a>, target: Ix<Eni<'a>>, packets: Packets<'_>) -> Vec<Outcome<'_, 'a>> {
        let mut out = Vec::new();
        for &group in self.targeted.get(&target).into_iter().flatten() {
            for &(balancer, listener) in self.forwarding.get(&group).into_iter().flatten() {
                let Some(data) = self.balancers.get(balancer).listeners.get(listener) else { continue };
                let Some(port) = port(data).filter(|port| takes(data, packets.protocol) && packets.ports.contains(*port)) else { continue };
                let (all, doubt) = forwards(data);
                for forward in all.iter().filter(|forward| self.ids.target_groups.get(forward.group) == Some(&group)) {
                    for &candidate in self.target_groups.get(group).targets.iter().filter(|candidate| candidate.eni == target) {
                        let way = Way { balancer, listener, port, forward, forward_doubt: doubt.as_ref(), group, target: candidate };
                        self.walk_way(&mut out, way, client, packets);
                    }
                }
            }
        }
        self.chained(&mut out, client, target, packets);
        out
    }

    fn walk_way<'n>(&'n self, out: &mut Vec<Outcome<'n, 'a>>, way: Way<'_, 'a>, client: Client<'_, 'a>, packets: Packets<'_>) {
        let Packets { protocol, family, traced, posture, .. } = packets;
        let balancer = self.balancers.get(way.balancer);
        let (from_internet, peers) = match client {
            Client::Internet(peers) => (true, peers.of_family(family)),
            Client::Interface(eni) => (false, self.addresses_in(eni, family)),
        };
        let admitted = way.forward.clients.as_ref().map_or_else(|| peers.clone(), |clients| peers.intersect(clients));
        if admitted.is_empty() {
            // Packets of the other family, or clients whom a listener's rule keeps out.
            return;
        }
        let start = Walk::new(self, protocol, family, admitted, PortSet::one(way.port), client_ports(from_internet)).traced(traced);
        if balancer.nodes.is_empty() {
            let mut walk = start;
            walk.check(Hop::Unknown, true, Some(&Doubt::from(format!("load-balancer-nodes-missing:{}", balancer.name))));
            let health = self.target_groups.get(way.group).health(way.target.state);
            out.push(Outcome { walk, balanced: Some(way.taken(way.target.eni, health)) });
            return;
        }
        for &node in &balancer.nodes {
            let health = self.target_groups.get(way.group).health(way.target.state);
            let taken = way.taken(node, health);
            let mut walk = start.clone();
            self.admit(&mut walk, balancer, way.forward_doubt, from_internet);
            if packets.open_only && walk.is_blocked() {
                return;
            }
            match client {
                Client::Internet(_) => {
                    self.in_from_internet(&mut walk, node);
                    if packets.open_only && walk.is_blocked() {
                        continue;
                    }
                    self.second_leg(&mut walk, &way, node, None, posture);
                    self.back_to_internet(&mut walk, node);
                    out.push(Outcome { walk, balanced: Some(taken) });
                }
                Client::Interface(eni) => {
                    let addresses = self.addresses_in(node, family);
                    for at in self.target_atoms(eni, &addresses) {
                        let mut walk = walk.clone();
                        let leg = Leg { from: eni, to: node, at: &at, joint: self.joint(eni, node, &at) };
                        self.there(&mut walk, leg);
                        self.second_leg(&mut walk, &way, node, Some(eni), posture);
                        self.back(&mut walk, leg, None);
                        out.push(Outcome { walk, balanced: Some(taken.clone()) });
                    }
                    if addresses.is_empty() {
                        walk.block(Hop::Address(self.enis.get(node).id));
                        out.push(Outcome { walk, balanced: Some(taken) });
                    }
                }
            }
        }
    }

    /// Whether the load balancer takes the client's packets at all.
    pub(crate) fn admit(&self, walk: &mut Walk<'_, 'a>, balancer: &Balancer<'a>, forward_doubt: Option<&Doubt>, from_internet: bool) {
        let state = balancer.data.state.as_ref().and_then(|state| state.code.as_deref()).unwrap_or("active");
        walk.check(Hop::Balancing { code: "lb-state", object: state }, matches!(state, "active" | "active_impaired"), None);
        let kind = balancer.data.ip_address_type.as_deref().unwrap_or("ipv4");
        if walk.family == Family::V6 {
            walk.check(Hop::Balancing { code: "lb-family", object: "ipv4-only" }, kind.starts_with("dualstack") || kind == "ipv6", None);
            if from_internet {
                let denies = balancer.denies_gateway_over_ipv6();
                let unread = denies.is_none().then(|| Doubt::from(format!("load-balancer-attributes-missing:{}", balancer.name)));
                walk.check(Hop::Balancing { code: "lb-internal", object: balancer.name }, denies == Some(false), unread.as_ref());
            }
        } else if from_internet {
            walk.check(Hop::Balancing { code: "lb-family", object: "no-public-ipv4" }, kind != "dualstack-without-public-ipv4", None);
            let facing = balancer.data.is_internet_facing();
            let door = balancer.vpc.filter(|_| !facing).and_then(|vpc| self.front_door(vpc));
            walk.check(Hop::Balancing { code: "lb-internal", object: balancer.name }, facing, door.as_ref());
        }
        if let Some(doubt) = forward_doubt {
            walk.check(Hop::Unknown, true, Some(doubt));
        }
    }

    /// From a node to the target and back, as part of the client's walk. Afterwards the walk is on its way back, at the
    /// node.
    pub(crate) fn second_leg(
        &self,
        walk: &mut Walk<'_, 'a>,
        way: &Way<'_, 'a>,
        node: Ix<Eni<'a>>,
        client: Option<Ix<Eni<'a>>>,
        posture: Posture,
    ) {
        let (balancer, group, target) = (self.balancers.get(way.balancer), self.target_groups.get(way.group), way.target);
        let health = group.health(target.state);
        let serves = match posture {
            Posture::Now => matches!(health, Health::Serves | Health::FailOpen),
            Posture::Configured => health != Health::Never,
        };
        walk.check(Hop::Balancing { code: "target-health", object: target.state }, serves, None);
        self.zones_hop(walk, balancer, group, target, node);
        let family = group.family(target.address);
        let preserves = if balancer.is_application() || family != walk.family { Some(false) } else { group.preserves_client() };
        if preserves.is_none() {
            walk.doubt(&Doubt::from(format!("target-group-attributes-missing:{}", group.name)));
        }
        let preserves = preserves.unwrap_or(group.data.target_type.as_deref() == Some("instance"));
        if preserves && client == Some(target.eni) {
            walk.block(Hop::Balancing { code: "nlb-hairpin", object: balancer.name });
        }
        let at = target.address.map_or_else(|| self.primary(target.eni, family), CidrSet::one);
        let nodes = self.addresses_in(node, family);
        if at.is_empty() || nodes.is_empty() {
            let lacking = if at.is_empty() { target.eni } else { node };
            walk.block(Hop::Address(self.enis.get(lacking).id));
            return walk.turn();
        }
        let leg = Leg { from: node, to: target.eni, at: &at, joint: self.joint(node, target.eni, &at) };
        if preserves {
            walk.rewritten = Some(target.port);
            self.there(walk, leg);
            walk.turn();
            self.back(walk, leg, Some(&nodes));
            walk.rewritten = None;
        } else {
            let mut own = walk.alongside(nodes, PortSet::one(target.port), client_ports(false), family);
            self.there(&mut own, leg);
            own.turn();
            self.back(&mut own, leg, None);
            walk.join(own);
            walk.turn();
        }
    }

    pub(crate) fn zones_hop(
        &self,
        walk: &mut Walk<'_, 'a>,
        balancer: &Balancer<'a>,
        group: &TargetGroup<'a>,
        target: Target<'a>,
        node: Ix<Eni<'a>>,
    ) {
        let zone_of = |eni: Ix<Eni<'a>>| self.enis.get(eni).subnet.map(|subnet| self.subnets.get(subnet).zone);
        let target_zone = target.zone.or_else(|| zone_of(target.eni));
        if target_zone == Some("all") || target_zone == zone_of(node) {
            return;
        }
        let crosses = balancer.crosses_zones(group);
        let unread = crosses.is_none().then(|| Doubt::from(format!("target-group-attributes-missing:{}", group.name)));
        walk.check(Hop::Balancing { code: "lb-cross-zone", object: balancer.name }, crosses == Some(true), unread.as_ref());
    }

    /// The address that an instance's packets go to.
    pub(crate) fn primary(&self, ix: Ix<Eni<'a>>, family: Family) -> CidrSet {
        let eni = self.enis.get(ix);
        let primary = eni.data.private_ip_address.as_deref().and_then(crate::address::parse_address).filter(|_| family == Family::V4);
        let first = || self.addresses_of(eni).iter().find(|address| Family::of(address.first) == family).map(|address| address.first);
        primary.or_else(first).map(CidrSet::one).unwrap_or_default()
    }

    /// Whether any load balancer forwards what comes to a port.
    pub(crate) fn has_listener(&self, protocol: Option<Protocol>, wanted: Option<u16>) -> bool {
        self.balancers.iter().flat_map(|(_, balancer)| balancer.listeners.iter()).any(|listener| {
            protocol.is_none_or(|protocol| takes(listener, protocol))
                && wanted.is_none_or(|wanted| port(listener) == Some(wanted))
                && !forwards(listener).0.is_empty()
        })
    }

    /// Whether some listener on a port forwards to an interface.
    pub(crate) fn is_listened_for(&self, target: Ix<Eni<'a>>, protocol: Option<Protocol>, wanted: Option<u16>) -> bool {
        let groups = self.targeted.get(&target).into_iter().flatten();
        let ways = groups.flat_map(|group| self.forwarding.get(group).into_iter().flatten());
        let mut listeners = ways.filter_map(|(balancer, at)| self.balancers.get(*balancer).listeners.get(*at));
        listeners.any(|listener| {
            protocol.is_none_or(|protocol| takes(listener, protocol)) && wanted.is_none_or(|wanted| port(listener) == Some(wanted))
        })
    }

    /// Why it is not known which load balancers lead to an interface.
    pub(crate) fn balancing_doubt(&self, target: Ix<Eni<'a>>) -> Option<Doubt> {
        let groups = self.targeted.get(&target).into_iter().flatten().map(|group| self.target_groups.get(*group));
        let mut fronts = groups.flat_map(|group| &group.data.load_balancer_arns).filter_map(|arn| self.ids.balancers.get(arn.as_str()));
        let unread = fronts.find_map(|front| self.balancers.get(*front).listeners_unread.clone());
        unread.or_else(|| self.unsure_balancing.get(&self.subnets.get(self.enis.get(target).subnet?).vpc).cloned())
    }
}
