//! Paths through two load balancers: a network load balancer, and an application load balancer as its target.

use crate::address::Family;
use crate::arena::Ix;
use crate::balanced::{BalancedWalk, Client, Packets, Posture, Way};
use crate::balancing::{Balancer, Health, Target, TargetGroup, forwards, port, takes};
use crate::network::{Eni, Network};
use crate::pair::Leg;
use crate::protocol::Protocol;
use crate::reach::Outcome;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Hop, Walk, client_ports};

/// A network load balancer with an application load balancer as its target.
#[derive(Clone, Copy)]
struct Chain<'a> {
    outer: Ix<Balancer<'a>>,
    outer_listener: usize,
    port: u16,
    outer_group: Ix<TargetGroup<'a>>,
    state: &'a str,
    inner: Ix<Balancer<'a>>,
    inner_listener: usize,
    inner_group: Ix<TargetGroup<'a>>,
}

impl<'a> Network<'a> {
    /// Paths through a network load balancer and an application load balancer behind it.
    pub(crate) fn chained<'n>(&'n self, out: &mut Vec<Outcome<'n, 'a>>, client: Client<'_, 'a>, target: Ix<Eni<'a>>, packets: Packets<'_>) {
        if packets.protocol != Protocol::TCP || !self.has_chains {
            return;
        }
        for &inner_group in self.targeted.get(&target).into_iter().flatten() {
            for &(inner, inner_listener) in self.forwarding.get(&inner_group).into_iter().flatten() {
                for &(outer_group, state) in self.chained_to.get(&(inner, inner_listener)).into_iter().flatten() {
                    for &(outer, outer_listener) in self.forwarding.get(&outer_group).into_iter().flatten() {
                        let Some(data) = self.balancers.get(outer).listeners.get(outer_listener) else { continue };
                        let Some(port) = port(data).filter(|port| takes(data, packets.protocol) && packets.ports.contains(*port)) else {
                            continue;
                        };
                        let chain = Chain { outer, outer_listener, port, outer_group, state, inner, inner_listener, inner_group };
                        self.walk_chain(out, chain, client, target, packets);
                    }
                }
            }
        }
    }

    /// The client's address is kept up to the application load balancer's node, unless the families differ; that node then
    /// calls the target itself.
    fn walk_chain<'n>(
        &'n self,
        out: &mut Vec<Outcome<'n, 'a>>,
        chain: Chain<'a>,
        client: Client<'_, 'a>,
        target: Ix<Eni<'a>>,
        packets: Packets<'_>,
    ) {
        let (outer, inner) = (self.balancers.get(chain.outer), self.balancers.get(chain.inner));
        let (Some(inner_listener), Some(outer_listener)) =
            (inner.listeners.get(chain.inner_listener), outer.listeners.get(chain.outer_listener))
        else {
            return;
        };
        let group = self.target_groups.get(chain.outer_group);
        let inner_port = port(inner_listener).unwrap_or_default();
        let (inner_forwards, inner_doubt) = forwards(inner_listener);
        let (outer_forwards, outer_doubt) = forwards(outer_listener);
        for outer_forward in outer_forwards.iter().filter(|forward| self.ids.target_groups.get(forward.group) == Some(&chain.outer_group)) {
            for inner_forward in
                inner_forwards.iter().filter(|forward| self.ids.target_groups.get(forward.group) == Some(&chain.inner_group))
            {
                for &candidate in self.target_groups.get(chain.inner_group).targets.iter().filter(|candidate| candidate.eni == target) {
                    for (&outer_node, &inner_node) in outer.nodes.iter().flat_map(|node| inner.nodes.iter().map(move |inner| (node, inner)))
                    {
                        let front = Way {
                            balancer: chain.outer,
                            listener: chain.outer_listener,
                            port: chain.port,
                            forward: outer_forward,
                            forward_doubt: outer_doubt.as_ref(),
                            group: chain.outer_group,
                            target: Target { eni: inner_node, address: None, port: inner_port, state: chain.state, zone: None },
                        };
                        let behind = Way {
                            balancer: chain.inner,
                            listener: chain.inner_listener,
                            port: inner_port,
                            forward: inner_forward,
                            forward_doubt: inner_doubt.as_ref(),
                            group: chain.inner_group,
                            target: candidate,
                        };
                        let walk = self.walk_both(front, behind, outer_node, client, packets);
                        let health = group.health(chain.state);
                        let balanced = BalancedWalk {
                            through: Some(chain.inner),
                            target_port: candidate.port,
                            authenticated: inner_forward.authenticated,
                            rule: inner_forward.rule,
                            ..front.taken(outer_node, health)
                        };
                        out.extend(walk.map(|walk| Outcome { walk, balanced: Some(balanced) }));
                    }
                }
            }
        }
    }

    fn walk_both<'n>(
        &'n self,
        front: Way<'_, 'a>,
        behind: Way<'_, 'a>,
        outer_node: Ix<Eni<'a>>,
        client: Client<'_, 'a>,
        packets: Packets<'_>,
    ) -> Option<Walk<'n, 'a>> {
        let Packets { family, traced, posture, .. } = packets;
        let (from_internet, mut peers) = match client {
            Client::Internet(peers) => (true, peers.of_family(family)),
            Client::Interface(eni) => (false, self.addresses_in(eni, family)),
        };
        let (between, preserves) = self.between_balancers(front.group, family);
        let mut callers = if preserves { CidrSet::none() } else { self.addresses_in(outer_node, between) };
        if let Some(clients) = &front.forward.clients {
            peers = peers.intersect(clients);
        }
        if let Some(clients) = &behind.forward.clients {
            // The application load balancer's rules look at the address that calls it.
            let seen = if preserves { &mut peers } else { &mut callers };
            *seen = seen.intersect(clients);
            if seen.is_empty() {
                return None;
            }
        }
        if peers.is_empty() {
            return None;
        }
        let mut walk = Walk::new(self, Protocol::TCP, family, peers, PortSet::one(front.port), client_ports(from_internet)).traced(traced);
        self.admit(&mut walk, self.balancers.get(front.balancer), front.forward_doubt, from_internet);
        if let Some(doubt) = behind.forward_doubt {
            walk.check(Hop::Unknown, true, Some(doubt));
        }
        let at;
        let entry = match client {
            Client::Internet(_) => {
                self.in_from_internet(&mut walk, outer_node);
                None
            }
            Client::Interface(eni) => {
                at = self.primary(outer_node, family);
                let leg = Leg { from: eni, to: outer_node, at: &at, joint: self.joint(eni, outer_node, &at) };
                self.there(&mut walk, leg);
                Some(leg)
            }
        };
        self.chain_leg(&mut walk, &front, &behind, (outer_node, &callers), posture);
        match entry {
            None => self.back_to_internet(&mut walk, outer_node),
            Some(leg) => self.back(&mut walk, leg, None),
        }
        Some(walk)
    }

    /// The family that the outer load balancer calls the inner one over, and whether clients keep their address there.
    fn between_balancers(&self, group: Ix<TargetGroup<'a>>, client: Family) -> (Family, bool) {
        let group = self.target_groups.get(group);
        let between = group.family(None);
        (between, between == client && group.preserves_client() != Some(false))
    }

    /// From the outer node to the inner one, with the target's leg in between there and back. `callers` are the outer
    /// node's addresses that the inner load balancer's rules let pass, where clients do not keep theirs.
    fn chain_leg(
        &self,
        walk: &mut Walk<'_, 'a>,
        front: &Way<'_, 'a>,
        behind: &Way<'_, 'a>,
        (outer_node, callers): (Ix<Eni<'a>>, &CidrSet),
        posture: Posture,
    ) {
        let (balancer, group) = (self.balancers.get(front.balancer), self.target_groups.get(front.group));
        let inner = self.balancers.get(behind.balancer);
        let state = inner.data.state.as_ref().and_then(|state| state.code.as_deref()).unwrap_or("active");
        walk.check(Hop::Balancing { code: "lb-state", object: state }, matches!(state, "active" | "active_impaired"), None);
        let health = group.health(front.target.state);
        let serves = if posture == Posture::Now { matches!(health, Health::Serves | Health::FailOpen) } else { health != Health::Never };
        walk.check(Hop::Balancing { code: "target-health", object: front.target.state }, serves, None);
        self.zones_hop(walk, balancer, group, front.target, outer_node);
        let (between, preserves) = self.between_balancers(front.group, walk.family);
        let at = self.primary(front.target.eni, between);
        let nodes = self.addresses_in(outer_node, between);
        if at.is_empty() || nodes.is_empty() {
            walk.block(Hop::Address(self.enis.get(front.target.eni).id));
            return walk.turn();
        }
        let leg = Leg { from: outer_node, to: front.target.eni, at: &at, joint: self.joint(outer_node, front.target.eni, &at) };
        if preserves {
            walk.rewritten = Some(front.target.port);
            self.there(walk, leg);
            walk.rewritten = None;
            self.second_leg(walk, behind, front.target.eni, None, posture);
            self.back(walk, leg, Some(&nodes));
        } else {
            let mut own = walk.alongside(callers.clone(), PortSet::one(front.target.port), client_ports(false), between);
            self.there(&mut own, leg);
            self.second_leg(&mut own, behind, front.target.eni, None, posture);
            self.back(&mut own, leg, None);
            walk.join(own);
            walk.turn();
        }
    }
}
