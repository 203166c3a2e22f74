//! Load balancers as the engine sees them: nodes, listeners, target groups, and the interfaces behind them.

use plimsoll_model::aws::elasticloadbalancing::{Action, Listener, LoadBalancer, Rule, TargetGroup as Data};

use crate::address::{Family, parse_address};
use crate::arena::Ix;
use crate::network::{Eni, Network, Vpc};
use crate::protocol::Protocol;
use crate::routes::Doubt;
use crate::set::CidrSet;

/// An application or network load balancer.
#[derive(Debug)]
pub(crate) struct Balancer<'a> {
    pub(crate) name: &'a str,
    pub(crate) data: &'a LoadBalancer,
    pub(crate) vpc: Option<Ix<Vpc<'a>>>,
    /// Its interfaces, one a subnet.
    pub(crate) nodes: Vec<Ix<Eni<'a>>>,
    pub(crate) listeners: Vec<&'a Listener>,
    /// Why the list of listeners is not known.
    pub(crate) listeners_unread: Option<Doubt>,
}

/// A target group with the interfaces that its targets are.
#[derive(Debug)]
pub(crate) struct TargetGroup<'a> {
    pub(crate) name: &'a str,
    pub(crate) data: &'a Data,
    pub(crate) targets: Vec<Target<'a>>,
    /// Load balancers among its targets.
    pub(crate) chained: Vec<(Ix<Balancer<'a>>, u16, &'a str)>,
    /// Whether some target is healthy.
    pub(crate) some_healthy: bool,
    /// Why the targets are not known.
    pub(crate) unread: Option<Doubt>,
}

/// A registered target that is an interface.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) eni: Ix<Eni<'a>>,
    /// The address that packets go to; `None` for an instance, whose primary address it is.
    pub(crate) address: Option<u128>,
    pub(crate) port: u16,
    pub(crate) state: &'a str,
    pub(crate) zone: Option<&'a str>,
}

/// Whether a target gets traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It does.
    Serves,
    /// Only because no target of its group is healthy.
    FailOpen,
    /// It does not now, and will when it is healthy again.
    Waits,
    /// It never does.
    Never,
}

impl TargetGroup<'_> {
    pub(crate) fn health(&self, state: &str) -> Health {
        match state {
            "healthy" | "unavailable" | "" => Health::Serves,
            "draining" | "unhealthy.draining" | "unused" => Health::Never,
            _ if self.some_healthy => Health::Waits,
            _ => Health::FailOpen,
        }
    }

    /// Whether its targets see the client's address behind a network load balancer; `None` when the attributes, which
    /// decide, were not read.
    pub(crate) fn preserves_client(&self) -> Option<bool> {
        if matches!(self.data.protocol.as_deref(), Some("UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC")) {
            return Some(true);
        }
        let attributes = self.data.attributes.known().ok()?;
        match Network::attribute(attributes, "preserve_client_ip.enabled") {
            Some(value) => Some(value == "true"),
            None => Some(matches!(self.data.target_type.as_deref(), Some("instance" | "alb"))),
        }
    }

    /// The family that its targets are reached over.
    pub(crate) fn family(&self, target: Option<u128>) -> Family {
        match target {
            Some(address) => Family::of(address),
            None if self.data.ip_address_type.as_deref() == Some("ipv6") => Family::V6,
            None => Family::V4,
        }
    }
}

impl Balancer<'_> {
    pub(crate) fn is_application(&self) -> bool {
        self.data.kind == "application"
    }

    /// Whether nodes send to targets of other zones; `None` when the attribute was not read.
    pub(crate) fn crosses_zones(&self, group: &TargetGroup<'_>) -> Option<bool> {
        const KEY: &str = "load_balancing.cross_zone.enabled";
        let of_group = group.data.attributes.known().ok().map(|attributes| Network::attribute(attributes, KEY));
        match of_group {
            Some(Some("true")) => return Some(true),
            Some(Some("false")) => return Some(false),
            // What the group says outranks the load balancer, and was not read.
            None => return None,
            Some(_) => {}
        }
        if self.is_application() {
            return Some(true);
        }
        let attributes = self.data.attributes.known().ok()?;
        Some(Network::attribute(attributes, KEY) == Some("true"))
    }

    /// Whether internet traffic over IPv6 is refused; `None` when the attribute was not read.
    pub(crate) fn denies_gateway_over_ipv6(&self) -> Option<bool> {
        let attributes = self.data.attributes.known().ok()?;
        Some(match Network::attribute(attributes, "ipv6.deny_all_igw_traffic") {
            Some(value) => value == "true",
            None => !self.data.is_internet_facing(),
        })
    }
}

/// The transport protocols that a listener takes.
pub(crate) fn takes(listener: &Listener, protocol: Protocol) -> bool {
    match listener.protocol.as_deref() {
        Some("HTTP" | "HTTPS" | "TCP" | "TLS") => protocol == Protocol::TCP,
        Some("UDP" | "QUIC") => protocol == Protocol::UDP,
        Some("TCP_UDP" | "TCP_QUIC") => protocol.has_ports(),
        _ => false,
    }
}

/// The port of a listener.
pub(crate) fn port(listener: &Listener) -> Option<u16> {
    listener.port.and_then(|port| u16::try_from(port).ok())
}

/// A way through a listener: for some clients, to some target groups.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    /// The clients whom a rule's `source-ip` conditions admit; `None` when no condition restricts them.
    pub(crate) clients: Option<CidrSet>,
    pub(crate) group: &'a str,
    /// Whether clients must log in first.
    pub(crate) authenticated: bool,
    /// The priority of the rule; `None` is the default action.
    pub(crate) rule: Option<&'a str>,
}

/// Everything that a listener forwards. A rule whose conditions are all about the source ends evaluation for the clients
/// that it matches; every other condition is a choice of the client's.
pub(crate) fn forwards(listener: &Listener) -> (Vec<Forward<'_>>, Option<Doubt>) {
    let mut out = Vec::new();
    let (rules, doubt) = match listener.rules.known() {
        Ok(rules) => (rules.as_slice(), None),
        Err(_) if matches!(listener.protocol.as_deref(), Some("HTTP" | "HTTPS")) => {
            (&[][..], Some(Doubt::from(format!("listener-rules-missing:{}", listener.listener_arn))))
        }
        Err(_) => (&[][..], None),
    };
    let mut rules: Vec<&Rule> = rules.iter().filter(|rule| !rule.is_default && rule.priority.as_deref() != Some("default")).collect();
    rules.sort_by_key(|rule| rule.priority.as_deref().and_then(|priority| priority.parse::<u32>().ok()).unwrap_or(u32::MAX));
    let mut rest: Option<CidrSet> = None;
    for rule in rules {
        let mut matched: Option<CidrSet> = None;
        let mut conditional = false;
        for condition in &rule.conditions {
            let Some(sources) = &condition.source_ip_config else {
                conditional = true;
                continue;
            };
            let sources = CidrSet::union_of(sources.values.iter().filter_map(|cidr| CidrSet::parse(cidr)).collect::<Vec<_>>().iter());
            matched = Some(matched.map_or_else(|| sources.clone(), |before| before.intersect(&sources)));
        }
        let clients = match (&matched, &rest) {
            (Some(matched), Some(rest)) => Some(matched.intersect(rest)),
            (one, other) => one.as_ref().or(other.as_ref()).cloned(),
        };
        take(&mut out, &rule.actions, clients.as_ref(), rule.priority.as_deref());
        if !conditional {
            let matched = matched.unwrap_or_else(CidrSet::all);
            rest = Some(rest.unwrap_or_else(CidrSet::all).minus(&matched));
        }
    }
    take(&mut out, &listener.default_actions, rest.as_ref(), None);
    (out, doubt)
}

fn take<'a>(out: &mut Vec<Forward<'a>>, actions: &'a [Action], clients: Option<&CidrSet>, rule: Option<&'a str>) {
    if clients.is_some_and(CidrSet::is_empty) {
        return;
    }
    let authenticated = actions.iter().any(|action| {
        let config = action.authenticate_oidc_config.as_ref().or(action.authenticate_cognito_config.as_ref());
        let lets_pass = config.and_then(|config| config.on_unauthenticated_request.as_deref()) == Some("allow");
        action.kind.starts_with("authenticate-") && !lets_pass
    });
    for action in actions.iter().filter(|action| action.kind == "forward") {
        let mut groups: Vec<&str> = match &action.forward_config {
            Some(config) if !config.target_groups.is_empty() => {
                let positive = config.target_groups.iter().filter(|group| group.weight.is_none_or(|weight| weight > 0));
                positive.filter_map(|group| group.target_group_arn.as_deref()).collect()
            }
            _ => action.target_group_arn.as_deref().into_iter().collect(),
        };
        groups.dedup();
        out.extend(groups.into_iter().map(|group| Forward { clients: clients.cloned(), group, authenticated, rule }));
    }
}

/// The targets of a group as interfaces, found by address or instance.
pub(crate) fn targets<'a>(network: &Network<'a>, data: &'a Data) -> TargetGroup<'a> {
    let mut group =
        TargetGroup { name: &data.target_group_name, data, targets: Vec::new(), chained: Vec::new(), some_healthy: false, unread: None };
    let Ok(descriptions) = data.target_health_descriptions.known() else {
        group.unread = Some(format!("target-health-missing:{}", data.target_group_name).into());
        return group;
    };
    for description in descriptions {
        let target = &description.target;
        let state = description.target_health.as_ref().and_then(|health| health.state.as_deref()).unwrap_or_default();
        group.some_healthy |= state == "healthy";
        let Some(port) = target.port.or(data.port).and_then(|port| u16::try_from(port).ok()) else { continue };
        let zone = target.availability_zone.as_deref();
        let mut add = |eni, address| group.targets.push(Target { eni, address, port, state, zone });
        match data.target_type.as_deref() {
            Some("ip") => {
                let Some(address) = parse_address(&target.id) else { continue };
                network.owners(address, data.vpc_id.as_deref()).for_each(|eni| add(eni, Some(address)));
            }
            Some("instance") | None => {
                if let Some(&eni) = network.ids.instances.get(target.id.as_str()) {
                    add(eni, None);
                }
            }
            Some("alb") => {
                if let Some(&balancer) = network.ids.balancers.get(target.id.as_str()) {
                    group.chained.push((balancer, port, state));
                }
            }
            Some(_) => {}
        }
    }
    group
}

impl<'a> Network<'a> {
    /// The interfaces that have an address in a VPC, or in one that is peered with it.
    pub(crate) fn owners(&self, address: u128, vpc: Option<&str>) -> impl Iterator<Item = Ix<Eni<'a>>> {
        let end = self.by_address.partition_point(|entry| entry.first <= address);
        let before = self.by_address.get(..end).unwrap_or_default();
        let found = before.iter().rev().take_while(move |entry| entry.reaches >= address).filter(move |entry| entry.last >= address);
        let mut enis: Vec<Ix<Eni<'a>>> = found.map(|entry| entry.eni).collect();
        enis.retain(|eni| {
            let (Some(wanted), Some(vpc)) = (vpc, self.vpc_of(self.enis.get(*eni))) else { return true };
            vpc.id == wanted || self.joined.contains(&(wanted, vpc.id))
        });
        enis.sort_unstable();
        enis.dedup();
        enis.into_iter()
    }
}
