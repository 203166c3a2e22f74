//! Network ACLs: numbered entries flow in; for each direction and protocol, what is allowed as a few products of ports
//! and addresses flows out, the order of the numbers already decided.

use plimsoll_model::aws::ec2;
use rustc_hash::FxHashMap;

use crate::address::cidr_range;
use crate::protocol::Protocol;
use crate::routes::Doubt;
use crate::set::{CidrSet, PortSet};

/// Addresses and ports that pass together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) peers: CidrSet,
    pub(crate) ports: PortSet,
}

/// AWS allows forty entries a direction; beyond this many, the input is not an ACL.
const MOST_ENTRIES: usize = 1_000;

/// A compiled network ACL.
#[derive(Debug)]
pub(crate) struct Acl<'a> {
    pub(crate) id: &'a str,
    /// Ingress and egress.
    sides: [Side; 2],
}

#[derive(Debug)]
struct Side {
    entries: Vec<Entry>,
    allowed: FxHashMap<Protocol, Vec<Product>>,
    /// Whether everything passes that is of any protocol.
    open: bool,
    unreadable: Option<Doubt>,
}

#[derive(Debug)]
struct Entry {
    number: i32,
    allows: bool,
    protocol: Option<Protocol>,
    from: Option<i32>,
    to: Option<i32>,
    peers: CidrSet,
}

impl Entry {
    fn slots(&self, protocol: Protocol) -> PortSet {
        match self.protocol {
            None => PortSet::all(),
            Some(mine) if mine == protocol => protocol.slots(self.from, self.to),
            Some(_) => PortSet::none(),
        }
    }
}

impl<'a> Acl<'a> {
    pub(crate) fn compile(data: &'a ec2::NetworkAcl) -> Self {
        let side = |egress: bool| Side::compile(&data.network_acl_id, data.entries.iter().filter(|entry| entry.egress == egress));
        Self { id: &data.network_acl_id, sides: [side(false), side(true)] }
    }

    /// The same ACL was read twice with different entries.
    pub(crate) fn contradict(&mut self) {
        for side in &mut self.sides {
            *side = Side {
                entries: Vec::new(),
                allowed: FxHashMap::default(),
                open: false,
                unreadable: Some(format!("contradictory:{}", self.id).into()),
            };
        }
    }

    fn side(&self, egress: bool) -> &Side {
        let [ingress, outward] = &self.sides;
        if egress { outward } else { ingress }
    }

    /// What passes of a protocol.
    pub(crate) fn allowed(&self, egress: bool, protocol: Protocol) -> &[Product] {
        let side = self.side(egress);
        // Protocols that no entry names are all alike.
        side.allowed.get(&protocol).or_else(|| side.allowed.get(&Protocol::OTHER)).map_or(&[], Vec::as_slice)
    }

    /// Whether everything passes.
    pub(crate) fn is_open(&self, egress: bool) -> bool {
        self.side(egress).open
    }

    /// Every set of addresses that it tells from others.
    pub(crate) fn cuts(&self) -> impl Iterator<Item = &CidrSet> {
        self.sides.iter().flat_map(|side| side.entries.iter().map(|entry| &entry.peers))
    }

    /// Why this direction is not certain.
    pub(crate) fn unreadable(&self, egress: bool) -> Option<&Doubt> {
        self.side(egress).unreadable.as_ref()
    }

    /// The number of the entry that decides about one packet; `None` is the `*` that denies the rest.
    pub(crate) fn decides(&self, egress: bool, protocol: Protocol, peer: u128, slot: u16) -> Option<i32> {
        let entries = &self.side(egress).entries;
        let found = entries.iter().find(|entry| entry.peers.contains(peer) && entry.slots(protocol).contains(slot))?;
        // AWS numbers the last entries of both families 32767 and 32768 and shows them as `*`.
        (found.number < 32767).then_some(found.number)
    }
}

impl Side {
    fn compile<'e>(acl: &str, entries: impl Iterator<Item = &'e ec2::NetworkAclEntry>) -> Self {
        let mut unreadable = None;
        let mut compiled: Vec<Entry> = Vec::new();
        for entry in entries {
            let Some(entry) = read(entry) else {
                unreadable = Some(Doubt::from(format!("acl-entry-unreadable:{acl}:{}", entry.rule_number)));
                continue;
            };
            compiled.push(entry);
        }
        if compiled.len() > MOST_ENTRIES {
            compiled.truncate(0);
            unreadable = Some(Doubt::from(format!("acl-too-long:{acl}")));
        }
        compiled.sort_by_key(|entry| entry.number);
        let mut protocols = vec![Protocol::TCP, Protocol::UDP, Protocol::ICMP, Protocol::ICMPV6, Protocol::OTHER];
        protocols.extend(compiled.iter().filter_map(|entry| entry.protocol));
        protocols.sort_unstable();
        protocols.dedup();
        let everything = |product: &Product| {
            product.ports.is_all() && crate::Family::BOTH.iter().all(|family| family.addresses().is_subset(&product.peers))
        };
        let allowed: FxHashMap<_, _> = protocols.iter().map(|&protocol| (protocol, products(&compiled, protocol))).collect();
        let open = unreadable.is_none()
            && protocols.iter().all(|protocol| allowed.get(protocol).is_some_and(|products| products.iter().any(everything)));
        Self { entries: compiled, allowed, open, unreadable }
    }
}

fn read(entry: &ec2::NetworkAclEntry) -> Option<Entry> {
    let protocol = Protocol::parse(&entry.protocol)?;
    let mut ranges = Vec::new();
    for cidr in [&entry.cidr_block, &entry.ipv6_cidr_block].into_iter().flatten() {
        ranges.push(cidr_range(cidr)?);
    }
    let (from, to) = if protocol.is_some_and(Protocol::is_icmp) {
        entry.icmp_type_code.as_ref().map_or((None, None), |icmp| (icmp.type_, icmp.code))
    } else {
        entry.port_range.as_ref().map_or((None, None), |range| (range.from, range.to))
    };
    let allows = match entry.rule_action.as_str() {
        "allow" => true,
        "deny" => false,
        _ => return None,
    };
    Some(Entry { number: entry.rule_number, allows, protocol, from, to, peers: CidrSet::from_ranges(ranges) })
}

/// Walks the entries in order for every stretch of ports that none of them cuts.
fn products(entries: &[Entry], protocol: Protocol) -> Vec<Product> {
    let entries: Vec<(&Entry, PortSet)> =
        entries.iter().map(|entry| (entry, entry.slots(protocol))).filter(|(_, slots)| !slots.is_empty()).collect();
    let mut out: Vec<Product> = Vec::new();
    for ports in stretches(entries.iter().map(|(_, slots)| slots)) {
        let Some(slot) = ports.first() else { continue };
        let (mut allowed, mut decided) = (CidrSet::none(), CidrSet::none());
        for (entry, _) in entries.iter().filter(|(_, slots)| slots.contains(slot)) {
            if entry.allows {
                allowed = allowed.union(&entry.peers.minus(&decided));
            }
            decided = decided.union(&entry.peers);
        }
        if allowed.is_empty() {
            continue;
        }
        match out.iter_mut().find(|product| product.peers == allowed) {
            Some(product) => product.ports = product.ports.union(&ports),
            None => out.push(Product { peers: allowed, ports }),
        }
    }
    out
}

/// All ports, cut wherever one of the sets begins or ends.
pub(crate) fn stretches<'s>(sets: impl Iterator<Item = &'s PortSet>) -> impl Iterator<Item = PortSet> {
    let mut starts = vec![0];
    for (first, last) in sets.flat_map(|set| set.ranges().iter().copied()) {
        starts.push(first);
        starts.extend(last.checked_add(1));
    }
    starts.sort_unstable();
    starts.dedup();
    let ends: Vec<u16> = starts.iter().skip(1).map(|start| start - 1).chain([u16::MAX]).collect();
    starts.into_iter().zip(ends).map(|(first, last)| PortSet::range(first, last))
}

#[cfg(test)]
mod tests {
    use plimsoll_model::aws::ec2;

    use super::Acl;
    use crate::address::parse_address;
    use crate::protocol::Protocol;

    fn passes(acl: &Acl<'_>, egress: bool, protocol: Protocol, peer: &str, port: u16) -> bool {
        let peer = parse_address(peer).unwrap();
        acl.allowed(egress, protocol).iter().any(|product| product.peers.contains(peer) && product.ports.contains(port))
    }

    fn acl() -> ec2::NetworkAcl {
        serde_json::from_str(
            r#"{"NetworkAclId": "acl-1", "Entries": [
                {"RuleNumber": 32767, "Egress": false, "RuleAction": "deny", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"},
                {"RuleNumber": 200, "Egress": false, "RuleAction": "allow", "Protocol": "6", "CidrBlock": "203.0.113.0/24", "PortRange": {"From": 80, "To": 443}},
                {"RuleNumber": 100, "Egress": false, "RuleAction": "deny", "Protocol": "6", "CidrBlock": "203.0.113.8/32", "PortRange": {"From": 443, "To": 443}},
                {"RuleNumber": 300, "Egress": false, "RuleAction": "allow", "Protocol": "1", "CidrBlock": "0.0.0.0/0", "IcmpTypeCode": {"Type": 8, "Code": -1}}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn the_lowest_number_that_matches_decides() {
        let data = acl();
        let acl = Acl::compile(&data);
        assert!(passes(&acl, false, Protocol::TCP, "203.0.113.7", 443));
        assert!(!passes(&acl, false, Protocol::TCP, "203.0.113.8", 443));
        assert!(passes(&acl, false, Protocol::TCP, "203.0.113.8", 80));
        assert!(!passes(&acl, false, Protocol::UDP, "203.0.113.7", 443));
        assert_eq!(acl.decides(false, Protocol::TCP, parse_address("203.0.113.8").unwrap(), 443), Some(100));
        assert_eq!(acl.decides(false, Protocol::TCP, parse_address("192.0.2.1").unwrap(), 443), None);
    }

    #[test]
    fn types_of_icmp_are_not_ports() {
        let data = acl();
        let acl = Acl::compile(&data);
        assert!(passes(&acl, false, Protocol::ICMP, "192.0.2.1", 8 << 8));
        assert!(!passes(&acl, false, Protocol::ICMP, "192.0.2.1", 8));
        assert!(!acl.is_open(true), "no entry denies");
    }
}
