//! Who reaches a port from inside: rules as selectors, found by group or by address, and expanded to interfaces only
//! when someone asks. A rule for `10.0.0.0/8` is one selector, not a million edges.

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::address::Family;
use crate::arena::Ix;
use crate::groups::Group;
use crate::network::{Eni, Network};
use crate::protocol::Protocol;
use crate::set::{CidrSet, PortSet};
use crate::walk::{Walk, client_ports};

/// Who reaches one port of an interface, straight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// Interfaces that certainly do, by id.
    pub interfaces: Vec<String>,
    /// Interfaces that do as far as is known, each with what is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<(String, String)>,
    /// Addresses on the internet that certainly do.
    pub internet: CidrSet,
    /// Private addresses that the receiver's side admits, whoever has them now or gets them tomorrow.
    pub blocks: CidrSet,
}

/// Inbound rules of all groups, by whom they admit.
#[derive(Debug)]
pub struct Selectors<'n, 'a> {
    network: &'n Network<'a>,
    /// By the group that is admitted: the group whose rule it is, and the rule's place.
    by_group: FxHashMap<Ix<Group<'a>>, Vec<(Ix<Group<'a>>, u32)>>,
    /// First and last address that is admitted, in order, with the highest last address so far.
    by_block: Vec<Block<'a>>,
    references: usize,
}

#[derive(Clone, Copy, Debug)]
struct Block<'a> {
    first: u128,
    last: u128,
    reaches: u128,
    group: Ix<Group<'a>>,
    rule: u32,
}

impl<'a> Selectors<'_, 'a> {
    /// Number of selectors: references to groups, and blocks of addresses.
    pub fn len(&self) -> usize {
        self.references + self.by_block.len()
    }

    /// Whether no rule admits anyone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The interfaces whose groups admit an interface on a port: what ACLs and routes then say is for
    /// [`Network::reach`]. In the order of the world.
    pub fn admitting(&self, interface: &str, protocol: Protocol, port: u16) -> Vec<&'a str> {
        let network = self.network;
        let Some(&ix) = network.ids.enis.get(interface) else { return Vec::new() };
        let eni = network.enis.get(ix);
        let admits = |group: Ix<Group<'a>>, rule: u32| {
            let rule = network.groups.get(group).rules(false).get(rule as usize);
            rule.and_then(|rule| rule.slots(protocol)).is_some_and(|(first, last)| (first..=last).contains(&port))
        };
        let mut groups: Vec<Ix<Group<'a>>> = Vec::new();
        for own in &network.group_sets.get(eni.groups).groups {
            let rules = self.by_group.get(own).into_iter().flatten();
            groups.extend(rules.filter(|(group, rule)| admits(*group, *rule)).map(|(group, _)| *group));
        }
        for address in network.addresses_of(eni) {
            let end = self.by_block.partition_point(|block| block.first <= address.last);
            let before = self.by_block.get(..end).unwrap_or_default().iter().rev();
            let met = before.take_while(|block| block.reaches >= address.first).filter(|block| block.last >= address.first);
            groups.extend(met.filter(|block| admits(block.group, block.rule)).map(|block| block.group));
        }
        groups.sort_unstable();
        groups.dedup();
        let mut enis: Vec<Ix<Eni<'a>>> =
            groups.iter().flat_map(|group| network.members.get(group).into_iter().flatten().copied()).collect();
        enis.sort_unstable();
        enis.dedup();
        enis.into_iter().map(|eni| network.enis.get(eni).id).collect()
    }
}

impl<'a> Network<'a> {
    /// Every inbound rule by whom it admits.
    pub fn selectors(&self) -> Selectors<'_, 'a> {
        let mut by_group: FxHashMap<_, Vec<_>> = FxHashMap::default();
        let mut by_block = Vec::new();
        let mut references = 0;
        for (group, data) in self.groups.iter() {
            for (at, rule) in data.rules(false).iter().enumerate() {
                let at = u32::try_from(at).unwrap_or(u32::MAX);
                let lists = rule.lists.iter().map(|list| &self.lists.get(*list).addresses);
                for &(first, last) in std::iter::once(&rule.peers).chain(lists).flat_map(CidrSet::ranges) {
                    by_block.push(Block { first, last, reaches: 0, group, rule: at });
                }
                for reference in &rule.references {
                    references += 1;
                    by_group.entry(reference.group).or_default().push((group, at));
                }
            }
        }
        by_block.sort_unstable_by_key(|block: &Block<'a>| (block.first, block.last, block.group, block.rule));
        let mut reaches = 0;
        for block in &mut by_block {
            reaches = block.last.max(reaches);
            block.reaches = reaches;
        }
        Selectors { network: self, by_group, by_block, references }
    }

    /// Which interfaces and addresses reach one port of an interface straight; `None` when there is no such interface.
    pub fn sources_of(&self, interface: &str, protocol: Protocol, port: u16) -> Option<Sources> {
        let target = *self.ids.enis.get(interface)?;
        let ports = if protocol.has_ports() { PortSet::one(port) } else { PortSet::all() };
        let mut out = Sources::default();
        for candidate in self.candidates(target, protocol, port) {
            let mut doubt = None;
            let mut certain = false;
            for family in Family::BOTH.into_iter().filter(|family| protocol.runs_over(*family)) {
                for walk in self.between(candidate, target, protocol, family, &ports, false) {
                    certain |= walk.arrived().any(|piece| piece.doubt.is_none());
                    doubt = doubt.or_else(|| walk.arrived().find_map(|piece| piece.doubt.clone()));
                }
            }
            let id = self.enis.get(candidate).id.to_owned();
            match doubt {
                _ if certain => out.interfaces.push(id),
                Some(doubt) => out.doubtful.push((id, doubt.to_string())),
                None => {}
            }
        }
        for family in Family::BOTH.into_iter().filter(|family| protocol.runs_over(*family)) {
            let local = self.vpc_of(self.enis.get(target)).map(|vpc| vpc.local.clone()).unwrap_or_default();
            let mut walk = Walk::new(self, protocol, family, family.internet(), ports.clone(), client_ports(true));
            self.enter_from_internet(&mut walk, target);
            out.internet = out.internet.union(&certain_peers(&walk));
            let inside = family.addresses().minus(&Family::internet(family)).union(&local.of_family(family));
            let mut walk = Walk::new(self, protocol, family, inside, ports.clone(), client_ports(false));
            self.enter_from_block(&mut walk, target);
            out.blocks = out.blocks.union(&certain_peers(&walk));
        }
        out.interfaces.sort_unstable();
        out.doubtful.sort_unstable();
        Some(out)
    }

    /// Interfaces that the receiver's groups may admit, in order; everyone where that is not known.
    fn candidates(&self, target: Ix<Eni<'a>>, protocol: Protocol, port: u16) -> Vec<Ix<Eni<'a>>> {
        let set = self.group_sets.get(self.enis.get(target).groups);
        let mut enis: Vec<Ix<Eni<'a>>> = Vec::new();
        let mut everyone = set.groups.is_empty();
        for group in set.groups.iter().map(|group| self.groups.get(*group)) {
            everyone |= group.doubt().is_some();
            for rule in group.rules(false) {
                let speaks = rule.slots(protocol).is_some_and(|(first, last)| !protocol.has_ports() || (first..=last).contains(&port));
                if !speaks {
                    continue;
                }
                everyone |= rule.unreadable.is_some() || rule.lists.iter().any(|list| self.lists.get(*list).doubt.is_some());
                enis.extend(rule.references.iter().flat_map(|reference| self.members.get(&reference.group).into_iter().flatten().copied()));
                let lists = rule.lists.iter().map(|list| &self.lists.get(*list).addresses);
                for &(first, last) in std::iter::once(&rule.peers).chain(lists).flat_map(CidrSet::ranges) {
                    let start = self.by_address.partition_point(|entry| entry.first < first);
                    let within = self.by_address.iter().skip(start).take_while(|entry| entry.first <= last);
                    enis.extend(within.map(|entry| entry.eni));
                    // A delegated block that begins before the range and reaches into it.
                    let before = self.by_address.get(..start).unwrap_or_default().iter().rev();
                    enis.extend(
                        before.take_while(|entry| entry.reaches >= first).filter(|entry| entry.last >= first).map(|entry| entry.eni),
                    );
                }
            }
        }
        if everyone {
            enis = self.enis.iter().map(|(ix, _)| ix).collect();
        }
        enis.sort_unstable();
        enis.dedup();
        enis.retain(|eni| *eni != target);
        enis
    }
}

fn certain_peers(walk: &Walk<'_, '_>) -> CidrSet {
    CidrSet::union_of(walk.arrived().filter(|piece| piece.doubt.is_none()).map(|piece| &piece.peers))
}
