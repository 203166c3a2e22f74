//! What the engine costs on worlds of 1,000 to 100,000 interfaces: compiling, the internet exposure of all, selectors,
//! one explanation, and memory. Prints a table; the last column is the growth against the size before.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark talks to people, and looks at the clock and at its own memory"
)]

use std::time::{Duration, Instant};

use plimsoll_model::aws::{ec2, elasticloadbalancing as elb};
use plimsoll_model::{AccountId, Located, Region, Seen};
use plimsoll_net::{Endpoint, Network, Protocol, Question, World};

/// How groups and interfaces relate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Many interfaces share a few sets of groups.
    FewBigGroups,
    /// Each task brings its own group.
    GroupPerTask,
    /// Every rule set refers to fifty other groups.
    DenseReferences,
    /// As the group per task, behind load balancers of a thousand targets each.
    Balanced,
}

#[derive(Default)]
struct Lists {
    vpcs: Vec<Located<ec2::Vpc>>,
    subnets: Vec<Located<ec2::Subnet>>,
    route_tables: Vec<Located<ec2::RouteTable>>,
    network_acls: Vec<Located<ec2::NetworkAcl>>,
    security_groups: Vec<Located<ec2::SecurityGroup>>,
    network_interfaces: Vec<Located<ec2::NetworkInterface>>,
    internet_gateways: Vec<Located<ec2::InternetGateway>>,
    load_balancers: Vec<Located<elb::LoadBalancer>>,
    listeners: Vec<Located<elb::Listener>>,
    target_groups: Vec<Located<elb::TargetGroup>>,
}

fn at<T>(data: T) -> Located<T> {
    Located { account: AccountId::new("111122223333"), region: Region::new("eu-west-1"), data }
}

/// A small generator of numbers that are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
    }
}

const SUBNETS: usize = 250;

fn lists(interfaces: usize, groups: usize, shape: Shape, own_class: bool) -> Lists {
    let mut dice = Dice(7);
    let mut lists = Lists::default();
    lists.vpcs.push(at(ec2::Vpc { vpc_id: "vpc-1".to_owned(), cidr_block: Some("10.0.0.0/8".to_owned()), ..Default::default() }));
    let attachment = ec2::InternetGatewayAttachment { vpc_id: Some("vpc-1".to_owned()), state: Some("available".to_owned()) };
    lists.internet_gateways.push(at(ec2::InternetGateway {
        internet_gateway_id: "igw-1".to_owned(),
        attachments: vec![attachment],
        tags: Vec::new(),
    }));
    let route = |cidr: &str, gateway: &str| ec2::Route {
        destination_cidr_block: Some(cidr.to_owned()),
        gateway_id: Some(gateway.to_owned()),
        ..Default::default()
    };
    let main = ec2::RouteTableAssociation { main: true, ..Default::default() };
    lists.route_tables.push(at(ec2::RouteTable {
        route_table_id: "rtb-1".to_owned(),
        vpc_id: "vpc-1".to_owned(),
        associations: vec![main],
        routes: vec![route("10.0.0.0/8", "local"), route("0.0.0.0/0", "igw-1")],
        ..Default::default()
    }));
    for n in 0..SUBNETS {
        lists.subnets.push(at(ec2::Subnet {
            subnet_id: format!("subnet-{n}"),
            vpc_id: "vpc-1".to_owned(),
            cidr_block: Some(format!("10.{n}.0.0/16")),
            availability_zone: Some(format!("eu-west-1{}", ["a", "b", "c"].get(n % 3).unwrap_or(&"a"))),
            ..Default::default()
        }));
    }
    // An ACL a fifth of the subnets, with the usual ports and one address shut out.
    for n in 0..=SUBNETS / 5 {
        lists.network_acls.push(at(acl(n)));
    }
    for n in 0..groups {
        lists.security_groups.push(at(group(n, groups, shape, &mut dice)));
    }
    for n in 0..interfaces {
        lists.network_interfaces.push(at(interface(n, groups, shape, own_class, &mut dice)));
    }
    if shape == Shape::Balanced {
        for n in 0..interfaces.div_ceil(1_000) {
            balance(&mut lists, n);
        }
    }
    lists
}

/// A load balancer in front of a thousand interfaces, with a node in each of two subnets.
fn balance(lists: &mut Lists, n: usize) {
    let suffix = format!("app/shop{n}/0123456789abcdef");
    let arn = format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/{suffix}");
    let group = format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop{n}/0123456789abcdef");
    lists.load_balancers.push(at(elb::LoadBalancer {
        load_balancer_arn: arn.clone(),
        load_balancer_name: format!("shop{n}"),
        kind: "application".to_owned(),
        scheme: Some("internet-facing".to_owned()),
        vpc_id: Some("vpc-1".to_owned()),
        attributes: Seen::Known(Vec::new()),
        listeners: Seen::Known(Vec::new()),
        ..Default::default()
    }));
    let action = elb::Action { kind: "forward".to_owned(), target_group_arn: Some(group.clone()), ..Default::default() };
    lists.listeners.push(at(elb::Listener {
        listener_arn: format!("{arn}/listener"),
        load_balancer_arn: arn,
        port: Some(443),
        protocol: Some("HTTPS".to_owned()),
        default_actions: vec![action],
        rules: Seen::Known(Vec::new()),
        ..Default::default()
    }));
    let healthy = || Some(elb::TargetHealth { state: Some("healthy".to_owned()), reason: None });
    let members = lists.network_interfaces.iter().skip(n * 1_000).take(1_000).filter_map(|eni| eni.data.private_ip_address.clone());
    let targets = members.map(|id| elb::TargetHealthDescription {
        target: elb::TargetDescription { id, port: Some(443), availability_zone: None },
        target_health: healthy(),
        ..Default::default()
    });
    lists.target_groups.push(at(elb::TargetGroup {
        target_group_arn: group,
        target_group_name: format!("shop{n}"),
        protocol: Some("HTTPS".to_owned()),
        vpc_id: Some("vpc-1".to_owned()),
        target_type: Some("ip".to_owned()),
        attributes: Seen::Known(Vec::new()),
        target_health_descriptions: Seen::Known(targets.collect()),
        ..Default::default()
    }));
    for zone in 0..2 {
        let public = ec2::NetworkInterfaceAssociation { public_ip: Some("198.18.0.2".to_owned()), ..Default::default() };
        lists.network_interfaces.push(at(ec2::NetworkInterface {
            network_interface_id: format!("eni-node-{n}-{zone}"),
            interface_type: Some("interface".to_owned()),
            description: Some(format!("ELB {suffix}")),
            subnet_id: Some(format!("subnet-{zone}")),
            private_ip_address: Some(format!("10.{zone}.{}.{}", 250 - n / 250, n % 250 + 1)),
            association: Some(public),
            groups: vec![ec2::GroupIdentifier { group_id: "sg-0".to_owned(), group_name: None }],
            ..Default::default()
        }));
    }
}

fn acl(n: usize) -> ec2::NetworkAcl {
    let entry = |rule_number, egress, action: &str, protocol: &str, cidr: &str, ports: Option<(i32, i32)>| ec2::NetworkAclEntry {
        rule_number,
        egress,
        rule_action: action.to_owned(),
        protocol: protocol.to_owned(),
        cidr_block: Some(cidr.to_owned()),
        port_range: ports.map(|(from, to)| ec2::PortRange { from: Some(from), to: Some(to) }),
        ..Default::default()
    };
    let associations = (0..SUBNETS).filter(|subnet| n > 0 && subnet % 5 == 0 && subnet / 5 == n - 1);
    let associations =
        associations.map(|subnet| ec2::NetworkAclAssociation { subnet_id: Some(format!("subnet-{subnet}")), ..Default::default() });
    let entries = if n == 0 {
        vec![entry(100, false, "allow", "-1", "0.0.0.0/0", None), entry(100, true, "allow", "-1", "0.0.0.0/0", None)]
    } else {
        vec![
            entry(90, false, "deny", "-1", "198.51.100.0/24", None),
            entry(100, false, "allow", "6", "0.0.0.0/0", Some((0, 1023))),
            entry(110, false, "allow", "6", "10.0.0.0/8", Some((0, 65535))),
            entry(100, true, "allow", "6", "0.0.0.0/0", Some((1024, 65535))),
        ]
    };
    ec2::NetworkAcl {
        network_acl_id: format!("acl-{n}"),
        vpc_id: "vpc-1".to_owned(),
        is_default: n == 0,
        associations: associations.collect(),
        entries,
        ..Default::default()
    }
}

fn group(n: usize, groups: usize, shape: Shape, dice: &mut Dice) -> ec2::SecurityGroup {
    let rule = |dice: &mut Dice, at: usize| {
        let port = i32::try_from([443, 80, 8080, 5432, 6379, 22, 9090, 3306].get(dice.roll(8)).copied().unwrap_or(443) + at).unwrap_or(443);
        let mut rule =
            ec2::IpPermission { ip_protocol: "tcp".to_owned(), from_port: Some(port), to_port: Some(port), ..Default::default() };
        match dice.roll(4) {
            0 => rule.ip_ranges.push(ec2::IpRange { cidr_ip: "0.0.0.0/0".to_owned(), description: None }),
            1 => {
                rule.ip_ranges.push(ec2::IpRange { cidr_ip: format!("203.{}.{}.0/24", dice.roll(250), dice.roll(250)), description: None });
            }
            2 => rule.ip_ranges.push(ec2::IpRange { cidr_ip: format!("10.{}.0.0/16", dice.roll(250)), description: None }),
            _ => {
                // The references of this shape are all in the first rule.
                if shape != Shape::DenseReferences {
                    rule.user_id_group_pairs.push(reference(dice.roll(groups)));
                }
            }
        }
        rule
    };
    let mut ip_permissions: Vec<ec2::IpPermission> = (0..10).map(|at| rule(dice, at)).collect();
    if shape == Shape::DenseReferences
        && let Some(first) = ip_permissions.first_mut()
    {
        first.user_id_group_pairs.extend((0..50).map(|_| reference(dice.roll(groups))));
    }
    let everywhere = ec2::IpPermission {
        ip_protocol: "-1".to_owned(),
        ip_ranges: vec![ec2::IpRange { cidr_ip: "0.0.0.0/0".to_owned(), description: None }],
        ..Default::default()
    };
    ec2::SecurityGroup {
        group_id: format!("sg-{n}"),
        vpc_id: Some("vpc-1".to_owned()),
        ip_permissions,
        ip_permissions_egress: vec![everywhere],
        ..Default::default()
    }
}

fn reference(n: usize) -> ec2::UserIdGroupPair {
    ec2::UserIdGroupPair { group_id: Some(format!("sg-{n}")), ..Default::default() }
}

fn interface(n: usize, groups: usize, shape: Shape, own_class: bool, dice: &mut Dice) -> ec2::NetworkInterface {
    let subnet = n % SUBNETS;
    let host = n / SUBNETS + 10;
    let address = format!("10.{subnet}.{}.{}", host / 250, host % 250 + 1);
    let carried: Vec<usize> = match shape {
        _ if own_class => vec![n % groups, (n / groups + n * 7) % groups],
        Shape::FewBigGroups => vec![dice.roll(20)],
        // About five thousand tasks' worth of groups in use, the rest lying about.
        Shape::GroupPerTask | Shape::Balanced => vec![n % 5_000 % groups],
        Shape::DenseReferences => vec![n % 2_500 % groups, (n % 2_500 + 1) % groups],
    };
    let association =
        (dice.roll(2) == 0).then(|| ec2::NetworkInterfaceAssociation { public_ip: Some("198.18.0.1".to_owned()), ..Default::default() });
    ec2::NetworkInterface {
        network_interface_id: format!("eni-{n}"),
        interface_type: Some("interface".to_owned()),
        status: Some("in-use".to_owned()),
        vpc_id: Some("vpc-1".to_owned()),
        subnet_id: Some(format!("subnet-{subnet}")),
        private_ip_address: Some(address),
        association,
        groups: carried.into_iter().map(|group| ec2::GroupIdentifier { group_id: format!("sg-{group}"), group_name: None }).collect(),
        ..Default::default()
    }
}

/// A line `VmHWM:` or `VmRSS:` of this process, in megabytes.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    found.unwrap_or_default() / 1024.0
}

struct Costs {
    compile: Duration,
    exposure: Duration,
    selectors: Duration,
    explain: Duration,
    classes: usize,
    open: usize,
    added: f64,
}

fn measure(lists: &Lists) -> Costs {
    let world = World {
        vpcs: &lists.vpcs,
        subnets: &lists.subnets,
        route_tables: &lists.route_tables,
        network_acls: &lists.network_acls,
        security_groups: &lists.security_groups,
        network_interfaces: &lists.network_interfaces,
        internet_gateways: &lists.internet_gateways,
        load_balancers: &lists.load_balancers,
        listeners: &lists.listeners,
        target_groups: &lists.target_groups,
        ..World::default()
    };
    let before = memory("VmRSS:");
    let start = Instant::now();
    let network = Network::compile(&world);
    let compile = start.elapsed();
    let start = Instant::now();
    let exposures = network.exposures();
    let open = exposures.iter().filter(|exposure| exposure.reachable() == Some(true)).count();
    let exposure = start.elapsed();
    let start = Instant::now();
    let selectors = network.selectors();
    let admitted = selectors.admitting("eni-7", Protocol::TCP, 443).len();
    let sources = network.sources_of("eni-8", Protocol::TCP, 443).map_or(0, |sources| sources.interfaces.len());
    let selecting = start.elapsed();
    let start = Instant::now();
    let question = Question::new(Endpoint::Interface("eni-1".to_owned()), Endpoint::Interface("eni-2".to_owned())).on(Protocol::TCP, 443);
    let explained = network.explain(&question).to_string().len();
    let explain = start.elapsed();
    let added = memory("VmRSS:") - before;
    assert!(explained > 0 && !selectors.is_empty() && admitted + sources < usize::MAX);
    Costs { compile, exposure, selectors: selecting, explain, classes: network.class_count(), open, added }
}

fn main() {
    println!(
        "{:<24}{:>10}{:>9}{:>9}{:>9}{:>12}{:>12}{:>12}{:>12}{:>10}",
        "shape", "ENIs", "groups", "classes", "open", "compile ms", "expose ms", "select ms", "explain ms", "added MB"
    );
    for (name, shape, own_class) in [
        ("few big groups", Shape::FewBigGroups, false),
        ("a group per task", Shape::GroupPerTask, false),
        ("dense references", Shape::DenseReferences, false),
        ("each its own class", Shape::GroupPerTask, true),
        ("behind load balancers", Shape::Balanced, false),
    ] {
        let mut before: Option<f64> = None;
        for interfaces in [1_000, 10_000, 100_000] {
            let groups = interfaces / 5;
            let lists = lists(interfaces, groups, shape, own_class);
            let costs = measure(&lists);
            let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
            let total = ms(costs.compile) + ms(costs.exposure);
            let growth = before.map_or_else(String::new, |before| format!("  x{:.1}", total / before));
            println!(
                "{name:<24}{interfaces:>10}{groups:>9}{:>9}{:>9}{:>12.1}{:>12.1}{:>12.1}{:>12.2}{:>10.0}{growth}",
                costs.classes,
                costs.open,
                ms(costs.compile),
                ms(costs.exposure),
                ms(costs.selectors),
                ms(costs.explain),
                costs.added
            );
            before = Some(total);
        }
    }
    println!("peak memory, worlds included: {:.0} MB", memory("VmHWM:"));
}
