//! What security groups let in. The rules of a group flow in; what they admit together flows out: the ports that the whole
//! internet may reach, and where connections to one port may come from. Two rules that admit half of the internet each
//! admit all of it, and a prefix list admits what its entries say.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use plimsoll_model::aws::ec2::{IpPermission, ManagedPrefixList, SecurityGroup, UserIdGroupPair};

use crate::address::{Family, Ranges, Span, parse, united};
use crate::{Link, Node, Unknown};

/// Protocol numbers of IANA, as rules mean them.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// The highest port.
const LAST_PORT: u32 = 65_535;

/// Ports of one protocol that the whole internet may reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenPorts {
    /// As rules write it: `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for every protocol.
    pub protocol: String,
    /// The ports of TCP and UDP, first and last.
    pub ports: Option<(u16, u16)>,
    /// Whose addresses may come in.
    pub family: Family,
}

impl OpenPorts {
    /// Whether it admits connections to a TCP port.
    pub fn admits_tcp(&self, port: u16) -> bool {
        self.protocol == "-1" || self.protocol == "tcp" && self.ports.is_some_and(|(first, last)| (first..=last).contains(&port))
    }

    /// Whether it admits anything to some of these ports of `tcp` or `udp`.
    pub fn admits_some(&self, protocol: &str, asked: &RangeInclusive<u16>) -> bool {
        let overlaps = |(first, last): (u16, u16)| first <= *asked.end() && *asked.start() <= last;
        self.protocol == "-1" || self.protocol == protocol && self.ports.is_some_and(overlaps)
    }

    /// Whether a rule has a part in it: it names addresses, and its ports are among these.
    pub fn is_by(&self, rule: &IpPermission) -> bool {
        let named = match self.family {
            Family::V4 => !rule.ip_ranges.is_empty(),
            Family::V6 => !rule.ipv6_ranges.is_empty(),
        };
        let all = number(&rule.ip_protocol).is_none();
        let shared = match self.ports {
            _ if all => true,
            Some((first, last)) => {
                let (from, to) = ports(rule);
                from <= u32::from(last) && u32::from(first) <= to
            }
            None => true,
        };
        let same = all || self.protocol != "-1" && number(&rule.ip_protocol) == number(&self.protocol);
        (named || !rule.prefix_list_ids.is_empty()) && same && shared
    }

    /// Whether it admits TCP connections or UDP datagrams to a port.
    pub fn admits_port(&self, port: u16) -> bool {
        self.protocol == "-1" || self.ports.is_some_and(|(first, last)| (first..=last).contains(&port))
    }
}

/// What of a group's rules the whole internet may use.
#[derive(Clone, Debug, Default)]
pub struct Openings {
    /// In order, each port once for a family.
    pub open: Vec<OpenPorts>,
    /// A prefix list that was not read and may open more.
    pub unread: Option<Unknown>,
}

impl Openings {
    /// What the rules of all these groups together open to every public address.
    pub fn of<'e>(groups: impl IntoIterator<Item = Node<'e, SecurityGroup>>) -> Self {
        let mut openings = Self::default();
        let mut rules = Rules::default();
        for group in groups {
            for rule in &group.data().ip_permissions {
                let (sources, unread) = group.sources(rule);
                openings.unread = openings.unread.or(unread);
                rules.add(rule, &sources);
            }
        }
        openings.open = rules.openings();
        openings
    }
}

/// One of the sources that a rule names by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'e> {
    /// A range in CIDR notation.
    pub cidr: &'e str,
    /// The prefix list that it is in.
    pub prefix_list_id: Option<&'e str>,
}

/// Where connections to one port may come from.
#[derive(Clone, Debug, Default)]
pub struct Sources<'e> {
    /// By address.
    pub addresses: Vec<Source<'e>>,
    /// By group.
    pub groups: Vec<&'e UserIdGroupPair>,
    /// A prefix list that was not read and may hold more.
    pub unread: Option<Unknown>,
}

impl Sources<'_> {
    /// Adds those of another group: what several groups admit, they admit together.
    pub fn extend(&mut self, other: Self) {
        self.addresses.extend(other.addresses);
        self.groups.extend(other.groups);
        self.unread = self.unread.take().or(other.unread);
    }

    /// All addresses together.
    pub fn ranges(&self) -> Ranges {
        self.addresses.iter().map(|source| source.cidr).collect()
    }
}

impl<'e> Node<'e, SecurityGroup> {
    /// What its rules together open to every public address.
    pub fn open_to_internet(self) -> Openings {
        Openings::of([self])
    }

    /// Where its rules admit connections to a TCP port from.
    pub fn sources_of_tcp(self, port: u16) -> Sources<'e> {
        let mut found = Sources::default();
        for rule in self.data().ip_permissions.iter().filter(|rule| rule_admits(rule, "tcp", &(port..=port))) {
            let (sources, unread) = self.sources(rule);
            found.addresses.extend(sources);
            found.groups.extend(&rule.user_id_group_pairs);
            found.unread = found.unread.or(unread);
        }
        found
    }

    /// The addresses that a rule names, prefix lists spelled out, those of AWS services too.
    pub fn sources(self, rule: &'e IpPermission) -> (Vec<Source<'e>>, Option<Unknown>) {
        let ipv4 = rule.ip_ranges.iter().map(|range| range.cidr_ip.as_str());
        let ipv6 = rule.ipv6_ranges.iter().map(|range| range.cidr_ipv6.as_str());
        let mut sources: Vec<Source<'e>> = ipv4.chain(ipv6).map(|cidr| Source { cidr, prefix_list_id: None }).collect();
        let mut unread = None;
        for reference in &rule.prefix_list_ids {
            let id = reference.prefix_list_id.as_str();
            let list: Link<'e, ManagedPrefixList> = self.estate.link(self.account(), self.region(), id);
            match list.exists().and_then(|list| list.map_or(Ok(Vec::new()), Node::<'e, ManagedPrefixList>::entries)) {
                Ok(ranges) => sources.extend(ranges.into_iter().map(|cidr| Source { cidr, prefix_list_id: Some(id) })),
                Err(unknown) => unread = Some(unknown),
            }
        }
        (sources, unread)
    }
}

impl<'e> Node<'e, ManagedPrefixList> {
    /// The ranges of its entries. The lists that AWS publishes hold AWS services and not the internet: they count as
    /// empty.
    pub fn ranges(self) -> Result<Vec<&'e str>, Unknown> {
        if self.data().owner_id.as_deref() == Some("AWS") {
            return Ok(Vec::new());
        }
        self.entries()
    }

    fn entries(self) -> Result<Vec<&'e str>, Unknown> {
        Ok(self.data().entries.known()?.iter().filter_map(|entry| entry.cidr.as_deref()).collect())
    }
}

/// Whether a rule admits anything to some of these ports of `tcp` or `udp`.
pub fn rule_admits(rule: &IpPermission, protocol: &str, asked: &RangeInclusive<u16>) -> bool {
    let (first, last) = ports(rule);
    let of = number(&rule.ip_protocol);
    (of.is_none() || of == number(protocol)) && first <= u32::from(*asked.end()) && u32::from(*asked.start()) <= last
}

/// The number of a protocol; `None` for `-1`, which is every protocol, and for what AWS never writes.
fn number(protocol: &str) -> Option<u8> {
    match protocol {
        "tcp" => Some(TCP),
        "udp" => Some(UDP),
        "icmp" => Some(ICMP),
        "icmpv6" => Some(ICMPV6),
        other => other.parse().ok(),
    }
}

/// The ports of a rule, first and last. Those of ICMP are its types, each with 256 codes; other protocols have none.
fn ports(rule: &IpPermission) -> (u32, u32) {
    let set = |port: Option<i32>| port.and_then(|port| u32::try_from(port).ok()).map(|port| port.min(LAST_PORT));
    match number(&rule.ip_protocol) {
        Some(TCP | UDP) => (set(rule.from_port).unwrap_or(0), set(rule.to_port).unwrap_or(LAST_PORT)),
        Some(ICMP | ICMPV6) => match (set(rule.from_port), set(rule.to_port)) {
            (None, _) => (0, LAST_PORT),
            (Some(of), None) => (of.min(255) << 8, (of.min(255) << 8) + 255),
            (Some(of), Some(code)) => ((of.min(255) << 8) + code.min(255), (of.min(255) << 8) + code.min(255)),
        },
        _ => (0, LAST_PORT),
    }
}

/// A rectangle: these ports from these addresses.
type Admitted = ((u32, u32), Span);

/// What rules admit, by family of addresses and protocol.
#[derive(Default)]
struct Rules {
    admitted: BTreeMap<(Family, Option<u8>), Vec<Admitted>>,
}

impl Rules {
    fn add(&mut self, rule: &IpPermission, sources: &[Source<'_>]) {
        for source in sources {
            let at = |family| (family, number(&rule.ip_protocol));
            match parse(source.cidr) {
                Some((family, span)) => self.admitted.entry(at(family)).or_default().push((ports(rule), span)),
                // What is no range counts as all.
                None => self.admitted.entry(at(Family::V4)).or_default().push((ports(rule), (0, u128::from(u32::MAX)))),
            }
        }
    }

    fn openings(&self) -> Vec<OpenPorts> {
        let mut found = Vec::new();
        for family in [Family::V4, Family::V6] {
            let of_all = self.admitted.get(&(family, None)).map(Vec::as_slice).unwrap_or_default();
            let is_all = !open_ports(family, of_all.to_vec()).is_empty();
            if is_all {
                found.push(OpenPorts { protocol: "-1".to_owned(), ports: None, family });
            }
            for (&(_, protocol), rules) in self.admitted.range((family, Some(0))..=(family, Some(u8::MAX))) {
                // What every protocol may do adds to what this one may.
                let more = if is_all { &[] } else { of_all };
                let open = open_ports(family, rules.iter().chain(more).copied().collect());
                found.extend(told(protocol, &open).into_iter().map(|(protocol, ports)| OpenPorts { protocol, ports, family }));
            }
        }
        found
    }
}

/// Open ports under the name that rules give to their protocol.
fn told(protocol: Option<u8>, open: &[(u32, u32)]) -> Vec<(String, Option<(u16, u16)>)> {
    let name = match protocol {
        Some(TCP) => "tcp".to_owned(),
        Some(UDP) => "udp".to_owned(),
        Some(ICMP) => "icmp".to_owned(),
        Some(ICMPV6) => "icmpv6".to_owned(),
        Some(number) => number.to_string(),
        None => "-1".to_owned(),
    };
    let port = |port: u32| u16::try_from(port).unwrap_or(u16::MAX);
    match protocol {
        Some(TCP | UDP) => open.iter().map(|&(first, last)| (name.clone(), Some((port(first), port(last))))).collect(),
        _ => open.first().map(|_| (name, None)).into_iter().collect(),
    }
}

/// The ports that are admitted from every public address of the family, as disjoint ranges in ascending order.
fn open_ports(family: Family, admitted: Vec<Admitted>) -> Vec<(u32, u32)> {
    let beside = family.beside_internet();
    let is_internet = |spans: Vec<Span>| !spans.is_empty() && united(beside.iter().copied().chain(spans).collect()).len() == 1;
    // Nearly always one rule alone opens a port, or all together open none.
    let (alone, parts): (Vec<Admitted>, Vec<Admitted>) = admitted.into_iter().partition(|&(_, span)| is_internet(vec![span]));
    let mut open: Vec<Span> = alone.into_iter().map(|((first, last), _)| (u128::from(first), u128::from(last))).collect();
    if is_internet(parts.iter().map(|&(_, span)| span).collect()) {
        open.extend(swept(&beside, &parts));
    }
    let port = |port: u128| u32::try_from(port).unwrap_or(LAST_PORT);
    united(open).into_iter().map(|(first, last)| (port(first), port(last))).collect()
}

/// Walks over the ports in ascending order, and keeps count of how many rules admit each address.
fn swept(beside: &[Span], parts: &[Admitted]) -> Vec<Span> {
    let spans = || beside.iter().copied().chain(parts.iter().map(|&(_, span)| span));
    let mut starts: Vec<u128> = spans().flat_map(|(first, last)| [Some(first), last.checked_add(1)]).flatten().collect();
    starts.sort_unstable();
    starts.dedup();
    // Nothing is asked about what lies after the last of all spans.
    let end = spans().map(|(_, last)| last).max().unwrap_or_default();
    starts.retain(|&start| start <= end);
    let mut cover = Cover::new(&starts);
    for &span in beside {
        cover.add(span, 1);
    }
    // What opens at a port and what closes before it.
    let mut events: BTreeMap<u32, Vec<(Span, i64)>> = BTreeMap::new();
    for &((first, last), span) in parts.iter().filter(|((first, last), _)| first <= last) {
        events.entry(first).or_default().push((span, 1));
        events.entry(last + 1).or_default().push((span, -1));
    }
    let (mut open, mut since) = (Vec::new(), None);
    for (port, changes) in events {
        for (span, by) in changes {
            cover.add(span, by);
        }
        match (since, cover.is_whole()) {
            (None, true) => since = Some(port),
            (Some(first), false) => {
                open.push((u128::from(first), u128::from(port - 1)));
                since = None;
            }
            _ => {}
        }
    }
    open
}

/// How often each of some consecutive spans is covered: a tree in which each node knows the least of those below it.
struct Cover<'s> {
    /// Where each span begins; it ends before the next.
    starts: &'s [u128],
    nodes: Vec<Covered>,
}

#[derive(Clone, Copy, Default)]
struct Covered {
    /// By what covers all below the node.
    whole: i64,
    /// The least below the node, `whole` included.
    least: i64,
}

impl<'s> Cover<'s> {
    fn new(starts: &'s [u128]) -> Self {
        Self { starts, nodes: vec![Covered::default(); starts.len().next_power_of_two() * 2] }
    }

    fn add(&mut self, (first, last): Span, by: i64) {
        let from = self.starts.partition_point(|&start| start < first);
        let to = self.starts.partition_point(|&start| start <= last);
        self.change(1, (0, self.starts.len()), (from, to), by);
    }

    /// Changes the spans `from..to` of those in `low..high`, which are below the node.
    fn change(&mut self, node: usize, (low, high): (usize, usize), (from, to): (usize, usize), by: i64) {
        if to <= low || high <= from || low >= high {
            return;
        }
        let below = if from <= low && high <= to {
            if let Some(covered) = self.nodes.get_mut(node) {
                covered.whole += by;
                covered.least += by;
            }
            return;
        } else {
            let middle = low.midpoint(high);
            self.change(node * 2, (low, middle), (from, to), by);
            self.change(node * 2 + 1, (middle, high), (from, to), by);
            let least = |child: usize| self.nodes.get(child).map_or(0, |covered| covered.least);
            least(node * 2).min(least(node * 2 + 1))
        };
        if let Some(covered) = self.nodes.get_mut(node) {
            covered.least = covered.whole + below;
        }
    }

    fn is_whole(&self) -> bool {
        self.nodes.get(1).is_some_and(|covered| covered.least > 0)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{fixture, gap, rule};
    use plimsoll_model::Seen;
    use plimsoll_model::aws::ec2::{IpPermission, ManagedPrefixList, PrefixListEntry, PrefixListId, SecurityGroup};
    use proptest::prelude::*;

    use super::{Admitted, Family, Openings, Ranges, open_ports, rule_admits};
    use crate::Estate;

    fn ports(protocol: &str, first: i32, last: i32, range: &str) -> IpPermission {
        IpPermission { from_port: Some(first), to_port: Some(last), ..rule(protocol, 0, range) }
    }

    fn openings(rules: &[IpPermission], list: Option<Seen<Vec<PrefixListEntry>>>) -> Openings {
        let mut account = fixture().security_group("web", |group| group.ip_permissions = rules.to_vec());
        if let Some(entries) = list {
            account = account.resource(ManagedPrefixList { prefix_list_id: "pl-1".to_owned(), entries, ..Default::default() });
        }
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        estate.all::<SecurityGroup>().next().unwrap().open_to_internet()
    }

    fn open(rules: &[IpPermission]) -> Vec<String> {
        let told = |opening: super::OpenPorts| match opening.ports {
            Some((first, last)) => format!("{} {first}-{last} {:?}", opening.protocol, opening.family),
            None => format!("{} {:?}", opening.protocol, opening.family),
        };
        openings(rules, None).open.into_iter().map(told).collect()
    }

    #[test]
    fn one_rule_may_open_a_port_alone() {
        assert_eq!(open(&[rule("tcp", 22, "0.0.0.0/0")]), ["tcp 22-22 V4"]);
        assert_eq!(open(&[rule("6", 22, "::/0")]), ["tcp 22-22 V6"]);
        assert_eq!(open(&[rule("-1", 0, "0.0.0.0/0"), rule("tcp", 22, "::/0")]), ["-1 V4", "tcp 22-22 V6"]);
        assert_eq!(open(&[rule("icmp", 8, "0.0.0.0/0"), rule("50", 0, "0.0.0.0/0")]), ["icmp V4", "50 V4"]);
        assert_eq!(open(&[rule("tcp", 22, "10.0.0.0/8"), rule("-1", 0, "52.0.0.0/6")]), [""; 0]);
    }

    #[test]
    fn halves_open_the_ports_that_both_admit() {
        let halves = [ports("tcp", 20, 30, "0.0.0.0/1"), ports("tcp", 25, 80, "128.0.0.0/1")];
        assert_eq!(open(&halves), ["tcp 25-30 V4"]);
        assert_eq!(open(&[ports("tcp", 20, 30, "0.0.0.0/1"), ports("udp", 25, 80, "128.0.0.0/1")]), [""; 0]);
        assert_eq!(open(&[ports("tcp", 20, 30, "0.0.0.0/1"), rule("-1", 0, "128.0.0.0/1")]), ["tcp 20-30 V4"]);
        assert_eq!(open(&[rule("tcp", 22, "::/1"), rule("tcp", 22, "8000::/1")]), ["tcp 22-22 V6"]);
        assert_eq!(open(&[rule("tcp", 22, "0.0.0.0/1"), rule("tcp", 23, "128.0.0.0/1")]), [""; 0]);
    }

    #[test]
    fn groups_open_together_what_none_opens_alone() {
        let half = |range| move |group: &mut SecurityGroup| group.ip_permissions = vec![rule("tcp", 22, range)];
        let inventory = fixture().security_group("a", half("0.0.0.0/1")).security_group("b", half("128.0.0.0/1")).build();
        let estate = Estate::new(&inventory);
        assert!(estate.all::<SecurityGroup>().all(|group| group.open_to_internet().open.is_empty()));
        let together = Openings::of(estate.all::<SecurityGroup>()).open;
        assert_eq!(together.len(), 1);
        assert!(together[0].admits_some("tcp", &(20..=30)) && together[0].admits_tcp(22));
        assert!(!together[0].admits_some("udp", &(20..=30)) && !together[0].admits_some("tcp", &(23..=30)));
    }

    #[test]
    fn a_rule_admits_its_ports_of_its_protocol() {
        let dynamic = || 32_768..=65_535;
        for (rule, tcp, udp) in [
            (ports("tcp", 1024, 40_000, "10.0.0.0/8"), true, false),
            (ports("17", 65_535, 65_535, "10.0.0.0/8"), false, true),
            (ports("tcp", 0, 32_767, "10.0.0.0/8"), false, false),
            (ports("tcp", -1, -1, "10.0.0.0/8"), true, false),
            (rule("-1", 0, "10.0.0.0/8"), true, true),
            (ports("icmp", 8, -1, "10.0.0.0/8"), false, false),
        ] {
            assert_eq!((rule_admits(&rule, "tcp", &dynamic()), rule_admits(&rule, "udp", &dynamic())), (tcp, udp), "{rule:?}");
        }
    }

    #[test]
    fn a_prefix_list_admits_what_its_entries_say_and_may_be_unread() {
        let listed = IpPermission {
            prefix_list_ids: vec![PrefixListId { prefix_list_id: "pl-1".to_owned(), description: None }],
            ..ports("tcp", 22, 22, "0.0.0.0/1")
        };
        let entry = |cidr: &str| PrefixListEntry { cidr: Some(cidr.to_owned()), description: None };
        assert_eq!(openings(std::slice::from_ref(&listed), Some(Seen::Known(vec![entry("128.0.0.0/1")]))).open.len(), 1);
        assert!(openings(std::slice::from_ref(&listed), Some(Seen::Known(vec![entry("10.0.0.0/8")]))).open.is_empty());
        let unread = openings(&[listed], Some(gap("ec2:GetManagedPrefixListEntries").into()));
        assert!(unread.open.is_empty());
        assert_eq!(unread.unread.unwrap().gap.operation, "ec2:GetManagedPrefixListEntries");
    }

    #[test]
    fn many_rules_take_no_long_time() {
        let halves = |port: i32| [ports("tcp", port, port + 1, "0.0.0.0/1"), ports("tcp", port + 1, port + 2, "128.0.0.0/1")];
        let rules: Vec<IpPermission> = (0..20_000).flat_map(|at| halves(at * 3)).collect();
        assert_eq!(openings(&rules, None).open.len(), 20_000);
    }

    proptest! {
        #[test]
        fn the_sweep_agrees_with_asking_port_by_port(
            rules in prop::collection::vec((0_u32..12, 0_u32..12, 0_u32..8, 0_u32..4), 0..12),
        ) {
            let admitted: Vec<Admitted> = rules
                .iter()
                .map(|&(one, other, at, length)| {
                    let range = format!("{}.0.0.0/{length}", (at << 5) & !(255 >> length) & 255);
                    ((one.min(other), one.max(other)), crate::address::parse(&range).unwrap().1)
                })
                .collect();
            let found = open_ports(Family::V4, admitted.clone());
            for port in 0..12 {
                let at_port = admitted.iter().filter(|((first, last), _)| (*first..=*last).contains(&port));
                let ranges: Ranges = at_port.flat_map(|&(_, (first, last))| cidrs(first, last)).collect();
                let is_open = found.iter().any(|&(first, last)| (first..=last).contains(&port));
                prop_assert_eq!(is_open, ranges.is_internet(), "port {}", port);
            }
        }
    }

    fn cidrs(first: u128, last: u128) -> Vec<String> {
        let length = 32 - (last - first + 1).ilog2();
        vec![format!("{}/{length}", std::net::Ipv4Addr::from_bits(u32::try_from(first).unwrap()))]
    }
}
