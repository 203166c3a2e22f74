//! Random worlds, where sets of packets are compared with single packets, judged one at a time by a program that knows
//! nothing of sets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where something is missing")]

use plimsoll_net::{CidrSet, Family, Network, PortSet, Protocol, Question, WorldFile};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).unwrap() % sides
    }

    fn of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.roll(choice.len())]
    }
}

type Cidr = (u32, u32);

const CIDRS: [(&str, Cidr); 9] = [
    ("0.0.0.0/0", (0, 0)),
    ("0.0.0.0/1", (0, 1)),
    ("128.0.0.0/1", (0x8000_0000, 1)),
    ("10.0.0.0/8", (0x0a00_0000, 8)),
    ("10.0.1.0/24", (0x0a00_0100, 24)),
    ("10.1.0.0/16", (0x0a01_0000, 16)),
    ("203.0.113.0/24", (0xcb00_7100, 24)),
    ("203.0.113.7/32", (0xcb00_7107, 32)),
    ("198.51.100.0/25", (0xc633_6400, 25)),
];
const STRANGERS: [(&str, u32); 4] =
    [("203.0.113.7", 0xcb00_7107), ("203.0.113.9", 0xcb00_7109), ("198.51.100.1", 0xc633_6401), ("9.9.9.9", 0x0909_0909)];
const PORTS: [u16; 8] = [22, 80, 443, 1023, 1024, 8080, 32768, 65535];
/// Where a range of ports can begin or end, and so every client port that can make a difference.
const CLIENTS: [u16; 12] = [1, 22, 80, 443, 1023, 1024, 1025, 8080, 8081, 32768, 65534, 65535];

fn holds(cidr: Cidr, address: u32) -> bool {
    cidr.1 == 0 || (cidr.0 ^ address) >> (32 - cidr.1) == 0
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proto {
    All,
    Tcp,
    Udp,
}

impl Proto {
    fn matches(self, other: Self) -> bool {
        self == Self::All || self == other
    }

    fn number(self) -> &'static str {
        match self {
            Self::All => "-1",
            Self::Tcp => "6",
            Self::Udp => "17",
        }
    }
}

#[derive(Clone)]
enum Peer {
    Cidr(usize),
    Group(usize),
    List(Vec<usize>),
}

#[derive(Clone)]
struct Rule {
    proto: Proto,
    from: u16,
    to: u16,
    peer: Peer,
}

#[derive(Clone)]
struct Entry {
    number: u32,
    egress: bool,
    allows: bool,
    proto: Proto,
    from: u16,
    to: u16,
    cidr: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Local,
    Igw,
    Peering,
    Blackhole,
}

#[derive(Clone)]
struct Subnet {
    vpc: usize,
    routes: Vec<(Cidr, String, Target)>,
    /// `None` is the ACL that allows everything.
    acl: Option<Vec<Entry>>,
}

#[derive(Clone)]
struct Eni {
    subnet: usize,
    addresses: Vec<u32>,
    groups: Vec<usize>,
    public: bool,
}

/// Two VPCs of two subnets each, with a peering connection.
#[derive(Clone)]
struct World {
    subnets: Vec<Subnet>,
    /// Inbound and outbound.
    groups: Vec<[Vec<Rule>; 2]>,
    enis: Vec<Eni>,
}

fn ports(dice: &mut Dice) -> (u16, u16) {
    let (a, b) = (dice.of(&PORTS), dice.of(&PORTS));
    if dice.roll(4) == 0 { (0, 65535) } else { (a.min(b), a.max(b)) }
}

fn rule(dice: &mut Dice, groups: usize) -> Rule {
    let (from, to) = ports(dice);
    let peer = match dice.roll(4) {
        0 => Peer::Group(dice.roll(groups)),
        1 => Peer::List((0..3).map(|_| dice.roll(CIDRS.len())).collect()),
        _ => Peer::Cidr(dice.roll(CIDRS.len())),
    };
    let proto = dice.of(&[Proto::All, Proto::Tcp, Proto::Tcp, Proto::Udp]);
    if proto == Proto::All { Rule { proto, from: 0, to: 65535, peer } } else { Rule { proto, from, to, peer } }
}

fn entry(dice: &mut Dice, number: u32) -> Entry {
    let (from, to) = ports(dice);
    let proto = dice.of(&[Proto::All, Proto::Tcp, Proto::Udp]);
    let (from, to) = if proto == Proto::All { (0, 65535) } else { (from, to) };
    Entry { number, egress: dice.roll(2) == 0, allows: dice.roll(3) > 0, proto, from, to, cidr: dice.roll(CIDRS.len()) }
}

fn world(seed: u64) -> World {
    let mut dice = Dice(seed);
    let subnets = (0..4).map(|n| {
        let vpc = n / 2;
        let mut routes = vec![((0x0a00_0000 | u32::try_from(vpc).unwrap() << 16, 16), format!("10.{vpc}.0.0/16"), Target::Local)];
        if dice.roll(4) > 0 {
            routes.push(((0, 0), "0.0.0.0/0".to_owned(), Target::Igw));
        }
        if dice.roll(3) == 0 {
            routes.push(((0xcb00_7100, 24), "203.0.113.0/24".to_owned(), Target::Blackhole));
        }
        if dice.roll(4) > 0 {
            let other = 1 - vpc;
            routes.push(((0x0a00_0000 | u32::try_from(other).unwrap() << 16, 16), format!("10.{other}.0.0/16"), Target::Peering));
        }
        let count = u32::try_from(dice.roll(9)).unwrap();
        let acl = (dice.roll(2) == 0).then(|| (0..count).map(|n| entry(&mut dice, 100 + n)).collect());
        Subnet { vpc, routes, acl }
    });
    let subnets = subnets.collect();
    let groups = (0..6).map(|_| [0, 1].map(|_| (0..dice.roll(4)).map(|_| rule(&mut dice, 6)).collect())).collect();
    let enis = (0..6).map(|n| {
        let subnet = dice.roll(4);
        let base = 0x0a00_0000 | u32::try_from(subnet / 2).unwrap() << 16 | u32::try_from(subnet % 2).unwrap() << 8;
        let first = base | (10 + 2 * n);
        let addresses = if dice.roll(3) == 0 { vec![first, first + 1] } else { vec![first] };
        let mut carried = vec![dice.roll(6), dice.roll(6)];
        carried.dedup();
        Eni { subnet, addresses, groups: carried, public: dice.roll(3) > 0 }
    });
    World { subnets, groups, enis: enis.collect() }
}

fn dotted(address: u32) -> String {
    std::net::Ipv4Addr::from_bits(address).to_string()
}

impl World {
    fn describe(&self) -> Value {
        let permission = |rule: &Rule| {
            let mut out = json!({"IpProtocol": rule.proto.number()});
            if rule.proto != Proto::All {
                out["FromPort"] = json!(rule.from);
                out["ToPort"] = json!(rule.to);
            }
            match &rule.peer {
                Peer::Cidr(cidr) => out["IpRanges"] = json!([{"CidrIp": CIDRS[*cidr].0}]),
                Peer::Group(group) => {
                    out["UserIdGroupPairs"] =
                        json!([{"GroupId": format!("sg-{group}"), "VpcPeeringConnectionId": "pcx-1", "PeeringStatus": "active"}]);
                }
                Peer::List(list) => out["PrefixListIds"] = json!([{"PrefixListId": list_id(list)}]),
            }
            out
        };
        let lists: Vec<&Vec<usize>> = self
            .groups
            .iter()
            .flatten()
            .flatten()
            .filter_map(|rule| if let Peer::List(list) = &rule.peer { Some(list) } else { None })
            .collect();
        let acl = |(n, subnet): (usize, &Subnet)| {
            let entries: Vec<Value> = match &subnet.acl {
                None => [false, true].iter().map(|egress| json!({"RuleNumber": 100, "Egress": egress, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"})).collect(),
                Some(entries) => entries.iter().map(Entry::describe).collect(),
            };
            json!({"NetworkAclId": format!("acl-{n}"), "VpcId": format!("vpc-{}", subnet.vpc), "Associations": [{"SubnetId": format!("subnet-{n}")}], "Entries": entries})
        };
        let table = |(n, subnet): (usize, &Subnet)| {
            let routes: Vec<Value> = subnet
                .routes
                .iter()
                .map(|(_, text, target)| {
                    let mut route = json!({"DestinationCidrBlock": text});
                    match target {
                        Target::Local => route["GatewayId"] = json!("local"),
                        Target::Igw => route["GatewayId"] = json!(format!("igw-{}", subnet.vpc)),
                        Target::Peering => route["VpcPeeringConnectionId"] = json!("pcx-1"),
                        Target::Blackhole => route["State"] = json!("blackhole"),
                    }
                    route
                })
                .collect();
            json!({"RouteTableId": format!("rtb-{n}"), "VpcId": format!("vpc-{}", subnet.vpc), "Associations": [{"SubnetId": format!("subnet-{n}")}], "Routes": routes})
        };
        let interface = |(n, eni): (usize, &Eni)| {
            let addresses: Vec<Value> = eni.addresses.iter().map(|address| json!({"PrivateIpAddress": dotted(*address)})).collect();
            let groups: Vec<Value> = eni.groups.iter().map(|group| json!({"GroupId": format!("sg-{group}")})).collect();
            let mut out = json!({"NetworkInterfaceId": format!("eni-{n}"), "SubnetId": format!("subnet-{}", eni.subnet), "InterfaceType": "interface",
                   "PrivateIpAddress": dotted(eni.addresses[0]), "PrivateIpAddresses": addresses, "Groups": groups});
            if eni.public {
                out["Association"] = json!({"PublicIp": "198.18.0.1"});
            }
            out
        };
        json!({
            "region": "eu-west-1",
            "vpcs": (0..2).map(|n| json!({"VpcId": format!("vpc-{n}"), "CidrBlock": format!("10.{n}.0.0/16")})).collect::<Vec<_>>(),
            "subnets": self.subnets.iter().enumerate().map(|(n, subnet)| json!({"SubnetId": format!("subnet-{n}"), "VpcId": format!("vpc-{}", subnet.vpc), "CidrBlock": format!("10.{}.{}.0/24", n / 2, n % 2)})).collect::<Vec<_>>(),
            "network_acls": self.subnets.iter().enumerate().map(acl).collect::<Vec<_>>(),
            "route_tables": self.subnets.iter().enumerate().map(table).collect::<Vec<_>>(),
            "security_groups": self.groups.iter().enumerate().map(|(n, sides)| json!({"GroupId": format!("sg-{n}"),
                "IpPermissions": sides[0].iter().map(permission).collect::<Vec<_>>(), "IpPermissionsEgress": sides[1].iter().map(permission).collect::<Vec<_>>()})).collect::<Vec<_>>(),
            "network_interfaces": self.enis.iter().enumerate().map(interface).collect::<Vec<_>>(),
            "internet_gateways": (0..2).map(|n| json!({"InternetGatewayId": format!("igw-{n}"), "Attachments": [{"VpcId": format!("vpc-{n}")}]})).collect::<Vec<_>>(),
            "vpc_peering_connections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "active"}, "RequesterVpcInfo": {"VpcId": "vpc-0"}, "AccepterVpcInfo": {"VpcId": "vpc-1"}}],
            "prefix_lists": lists.iter().map(|list| json!({"PrefixListId": list_id(list), "Cidrs": list.iter().map(|cidr| CIDRS[*cidr].0).collect::<Vec<_>>()})).collect::<Vec<_>>(),
        })
    }

    fn groups_pass(&self, eni: &Eni, side: usize, proto: Proto, port: u16, peer: u32, carried: &[usize]) -> bool {
        eni.groups.iter().flat_map(|group| &self.groups[*group][side]).any(|rule| {
            let of_peer = match &rule.peer {
                Peer::Cidr(cidr) => holds(CIDRS[*cidr].1, peer),
                Peer::List(list) => list.iter().any(|cidr| holds(CIDRS[*cidr].1, peer)),
                Peer::Group(group) => carried.contains(group),
            };
            rule.proto.matches(proto) && (rule.from..=rule.to).contains(&port) && of_peer
        })
    }

    fn acl_passes(&self, subnet: usize, egress: bool, proto: Proto, port: u16, peer: u32) -> bool {
        let Some(entries) = &self.subnets[subnet].acl else { return true };
        let mut matching: Vec<&Entry> = entries
            .iter()
            .filter(|entry| {
                entry.egress == egress
                    && entry.proto.matches(proto)
                    && (entry.from..=entry.to).contains(&port)
                    && holds(CIDRS[entry.cidr].1, peer)
            })
            .collect();
        matching.sort_by_key(|entry| entry.number);
        matching.first().is_some_and(|entry| entry.allows)
    }

    fn route(&self, subnet: usize, address: u32) -> Option<Target> {
        let matching = self.subnets[subnet].routes.iter().filter(|(cidr, ..)| holds(*cidr, address));
        matching.max_by_key(|(cidr, ..)| cidr.1).map(|(_, _, target)| *target)
    }

    fn enters(&self, client: u32, eni: &Eni, proto: Proto, port: u16) -> bool {
        eni.public
            && self.acl_passes(eni.subnet, false, proto, port, client)
            && self.groups_pass(eni, 0, proto, port, client, &[])
            && CLIENTS.iter().any(|source| self.acl_passes(eni.subnet, true, proto, *source, client))
            && self.route(eni.subnet, client) == Some(Target::Igw)
    }

    fn between(&self, from: &Eni, to: &Eni, proto: Proto, port: u16) -> bool {
        from.addresses.iter().any(|source| to.addresses.iter().any(|target| self.one_pair(from, *source, to, *target, proto, port)))
    }

    fn one_pair(&self, from: &Eni, source: u32, to: &Eni, target: u32, proto: Proto, port: u16) -> bool {
        let joined = if self.subnets[from.subnet].vpc == self.subnets[to.subnet].vpc { Target::Local } else { Target::Peering };
        let routed =
            from.subnet == to.subnet || (self.route(from.subnet, target) == Some(joined) && self.route(to.subnet, source) == Some(joined));
        let acls = from.subnet == to.subnet
            || (self.acl_passes(from.subnet, true, proto, port, target)
                && self.acl_passes(to.subnet, false, proto, port, source)
                && CLIENTS.iter().filter(|client| **client >= 1024).any(|client| {
                    self.acl_passes(to.subnet, true, proto, *client, source) && self.acl_passes(from.subnet, false, proto, *client, target)
                }));
        routed
            && acls
            && self.groups_pass(from, 1, proto, port, target, &to.groups)
            && self.groups_pass(to, 0, proto, port, source, &from.groups)
    }

    fn leaves(&self, from: &Eni, server: u32, proto: Proto, port: u16) -> bool {
        from.public
            && self.groups_pass(from, 1, proto, port, server, &[])
            && self.acl_passes(from.subnet, true, proto, port, server)
            && self.route(from.subnet, server) == Some(Target::Igw)
            && CLIENTS.iter().filter(|client| **client >= 1024).any(|client| self.acl_passes(from.subnet, false, proto, *client, server))
    }
}

impl Entry {
    fn describe(&self) -> Value {
        json!({"RuleNumber": self.number, "Egress": self.egress, "RuleAction": if self.allows { "allow" } else { "deny" }, "Protocol": self.proto.number(),
               "CidrBlock": CIDRS[self.cidr].0, "PortRange": {"From": self.from, "To": self.to}})
    }
}

fn list_id(list: &[usize]) -> String {
    format!("pl-{}", list.iter().map(ToString::to_string).collect::<Vec<_>>().join("-"))
}

fn ask(network: &Network<'_>, from: &str, to: &str, protocol: Protocol, port: u16) -> bool {
    let question = Question {
        via: Some(plimsoll_net::Via::Direct),
        family: Some(Family::V4),
        ..Question::new(from.parse().unwrap(), to.parse().unwrap())
    };
    network.reach(&question.on(protocol, port)).reachable.unwrap()
}

fn protocol(proto: Proto) -> Protocol {
    if proto == Proto::Udp { Protocol::UDP } else { Protocol::TCP }
}

/// Every packet between two of a world's interfaces, and between one and a stranger, as the engine judges it.
fn verdicts(world: &World) -> Vec<bool> {
    let file = WorldFile::from_value(world.describe()).unwrap();
    let network = Network::compile(&file.world());
    let mut out = Vec::new();
    for proto in [Proto::Tcp, Proto::Udp] {
        for port in [80, 443, 8080] {
            for from in 0..world.enis.len() {
                for to in 0..world.enis.len() {
                    out.push(ask(&network, &format!("eni-{from}"), &format!("eni-{to}"), protocol(proto), port));
                }
                for (stranger, _) in STRANGERS {
                    out.push(ask(&network, &format!("internet:{stranger}"), &format!("eni-{from}"), protocol(proto), port));
                    out.push(ask(&network, &format!("eni-{from}"), &format!("internet:{stranger}"), protocol(proto), port));
                }
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn single_packets_are_judged_as_the_sets_say(seed in any::<u64>()) {
        let world = world(seed);
        let file = WorldFile::from_value(world.describe()).unwrap();
        let network = Network::compile(&file.world());
        let exposures = network.exposures();
        for (n, eni) in world.enis.iter().enumerate() {
            let id = format!("eni-{n}");
            let exposure = exposures.direct(&id).unwrap();
            for proto in [Proto::Tcp, Proto::Udp] {
                for port in PORTS {
                    for (text, stranger) in STRANGERS {
                        let expected = world.enters(stranger, eni, proto, port);
                        prop_assert_eq!(ask(&network, &format!("internet:{text}"), &id, protocol(proto), port), expected, "{} to {} port {}", text, id, port);
                        let address = plimsoll_net::number(text.parse().unwrap());
                        let in_set = exposure.flows.iter().any(|flow| flow.protocol == protocol(proto) && flow.ports.contains(port) && flow.peers.contains(address));
                        prop_assert_eq!(in_set, expected, "exposure of {} to {} port {}", id, text, port);
                        let out = world.leaves(eni, stranger, proto, port);
                        prop_assert_eq!(ask(&network, &id, &format!("internet:{text}"), protocol(proto), port), out, "{} to {} port {}", id, text, port);
                    }
                    for (m, other) in world.enis.iter().enumerate().filter(|(m, _)| *m != n) {
                        let expected = world.between(other, eni, proto, port);
                        prop_assert_eq!(ask(&network, &format!("eni-{m}"), &id, protocol(proto), port), expected, "eni-{} to {} port {}", m, id, port);
                    }
                }
            }
        }
    }

    #[test]
    fn sources_are_the_interfaces_that_reach_alone(seed in any::<u64>()) {
        let world = world(seed);
        let file = WorldFile::from_value(world.describe()).unwrap();
        let network = Network::compile(&file.world());
        for (n, eni) in world.enis.iter().enumerate() {
            let sources = network.sources_of(&format!("eni-{n}"), Protocol::TCP, 443).unwrap();
            let others = world.enis.iter().enumerate().filter(|(m, _)| *m != n);
            let expected: Vec<String> = others.filter(|(_, other)| world.between(other, eni, Proto::Tcp, 443)).map(|(m, _)| format!("eni-{m}")).collect();
            prop_assert_eq!(sources.interfaces, expected);
        }
    }

    #[test]
    fn another_allow_rule_never_closes_anything(seed in any::<u64>()) {
        let before = world(seed);
        let mut after = before.clone();
        let mut dice = Dice(seed ^ 1);
        let (group, side) = (dice.roll(6), dice.roll(2));
        after.groups[group][side].push(rule(&mut dice, 6));
        for (was, is) in verdicts(&before).into_iter().zip(verdicts(&after)) {
            prop_assert!(is || !was);
        }
    }

    #[test]
    fn another_deny_entry_never_opens_anything(seed in any::<u64>()) {
        let before = world(seed);
        let mut after = before.clone();
        let mut dice = Dice(seed ^ 2);
        let number = 90 + u32::try_from(dice.roll(5)).unwrap();
        let subnet = &mut after.subnets[dice.roll(4)];
        let mut added = entry(&mut dice, number);
        added.allows = false;
        let all = |egress| Entry { number: 100, egress, allows: true, proto: Proto::All, from: 0, to: 65535, cidr: 0 };
        subnet.acl.get_or_insert_with(|| vec![all(false), all(true)]).push(added);
        for (was, is) in verdicts(&before).into_iter().zip(verdicts(&after)) {
            prop_assert!(was || !is);
        }
    }
}

fn port_set() -> impl Strategy<Value = PortSet> {
    prop::collection::vec((any::<u16>(), 0_u16..300), 0..12)
        .prop_map(|ranges| ranges.into_iter().map(|(first, width)| (first, first.saturating_add(width))).collect())
}

fn cidr_set() -> impl Strategy<Value = CidrSet> {
    let cidr = (any::<u32>(), 0_u32..=32).prop_map(|(address, length)| CidrSet::parse(&format!("{}/{length}", dotted(address))).unwrap());
    let cidr6 = (any::<u128>(), 2_u32..=128)
        .prop_map(|(address, length)| CidrSet::parse(&format!("{}/{length}", std::net::Ipv6Addr::from_bits(address | 1 << 125))).unwrap());
    (prop::collection::vec(cidr, 0..6), prop::collection::vec(cidr6, 0..3)).prop_map(|(a, b)| CidrSet::union_of(a.iter().chain(&b)))
}

proptest! {
    #[test]
    fn sets_of_ports_keep_the_laws_of_sets(a in port_set(), b in port_set(), c in port_set(), value in any::<u16>()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.intersect(&b), b.intersect(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersect(&b.union(&c)), a.intersect(&b).union(&a.intersect(&c)));
        prop_assert_eq!(a.union(&b).complement(), a.complement().intersect(&b.complement()));
        prop_assert_eq!(a.minus(&b), a.intersect(&b.complement()));
        prop_assert_eq!(&a.complement().complement(), &a);
        prop_assert_eq!(a.overlaps(&b), !a.intersect(&b).is_empty());
        prop_assert_eq!(a.is_subset(&b), a.minus(&b).is_empty());
        prop_assert_eq!(a.union(&b).contains(value), a.contains(value) || b.contains(value));
        prop_assert_eq!(a.minus(&b).contains(value), a.contains(value) && !b.contains(value));
        for set in [a.union(&b), a.minus(&b), a.intersect(&b)] {
            prop_assert!(set.ranges().windows(2).all(|pair| pair[0].1 < pair[1].0 && pair[1].0 - pair[0].1 > 1), "disjoint, in order, not touching");
        }
    }

    #[test]
    fn sets_of_addresses_are_told_and_read_back(a in cidr_set(), b in cidr_set()) {
        let told = CidrSet::union_of(a.cidrs().iter().map(|cidr| CidrSet::parse(&cidr.to_string()).unwrap()).collect::<Vec<_>>().iter());
        prop_assert_eq!(&told, &a);
        prop_assert_eq!(a.minus(&b).union(&a.intersect(&b)), a.clone());
        let families: Vec<CidrSet> = Family::BOTH.iter().map(|family| a.of_family(*family)).collect();
        prop_assert_eq!(families[0].union(&families[1]), a);
    }
}
