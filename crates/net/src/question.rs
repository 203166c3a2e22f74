//! Questions and their answers, as the command line and its JSON have them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::address::Family;
use crate::protocol::{Protocol, deserialize_protocol};
use crate::set::{CidrSet, PortSet};

/// One end of a question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Endpoint {
    /// A network interface by its id.
    Interface(String),
    /// All globally routed addresses: `internet`.
    Internet,
    /// One address on the internet: `internet:203.0.113.7`.
    Address(IpAddr),
    /// A block of addresses, wherever they are: `10.0.0.0/8`. As a source, private ones are taken to be inside the VPC or
    /// behind its peerings, and their own groups and ACLs are not asked.
    Block(CidrSet),
}

/// A text that is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an endpoint: eni-…, internet, internet:ADDRESS, or a CIDR")]
pub struct EndpointError(String);

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || EndpointError(text.chars().take(80).collect());
        if text == "internet" {
            return Ok(Self::Internet);
        }
        if let Some(address) = text.strip_prefix("internet:") {
            return address.parse().map(Self::Address).map_err(|_| wrong());
        }
        if text.starts_with("eni-") {
            return Ok(Self::Interface(text.to_owned()));
        }
        CidrSet::parse(text).filter(|block| !block.is_empty()).map(Self::Block).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(id) => f.write_str(id),
            Self::Internet => f.write_str("internet"),
            Self::Address(address) => write!(f, "internet:{address}"),
            Self::Block(block) => write!(f, "{block}"),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which paths a question asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Without a load balancer.
    Direct,
    /// Through some load balancer; the port is the listener's.
    Lb,
}

/// Can A reach B?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Who sends.
    pub from: Endpoint,
    /// Who receives.
    pub to: Endpoint,
    /// The protocol; `None` is any.
    #[serde(default, deserialize_with = "deserialize_protocol", skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The destination port, the type of ICMP, or with [`Via::Lb`] the listener's port; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The code of ICMP beside its type; `None` is 0, the code of a ping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// The address family; `None` is either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// Which paths count; `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

impl Question {
    /// Any way from one end to the other.
    pub fn new(from: Endpoint, to: Endpoint) -> Self {
        Self { from, to, protocol: None, port: None, code: None, family: None, via: None }
    }

    /// Narrows it to a protocol and a port.
    pub fn on(mut self, protocol: Protocol, port: u16) -> Self {
        (self.protocol, self.port) = (Some(protocol), Some(port));
        self
    }
}

/// Where the farthest source sits that gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// In the same subnet.
    Subnet,
    /// In the same VPC.
    Vpc,
    /// Behind a peering connection, or something that is not modelled.
    Peered,
    /// On the internet.
    Internet,
}

/// Packets that pass: these ports from, or to, these addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The protocol.
    pub protocol: Protocol,
    /// Destination ports; `type << 8 | code` for ICMP; all for protocols without ports.
    pub ports: PortSet,
    /// The far side's addresses.
    pub peers: CidrSet,
}

impl Flow {
    /// Its ports as people write them: `443`, `8000-8010`, or `8/0` for an ICMP type and code, `8` for a type.
    pub fn port_words(&self) -> Vec<String> {
        if !self.protocol.is_icmp() {
            return self.ports.words();
        }
        if self.ports.is_all() {
            return vec!["all".to_owned()];
        }
        let mut words = Vec::new();
        // Whole types come in runs: `9-255`.
        let mut run: Option<(u16, u16)> = None;
        let word = |(first, last): (u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
        for &(first, last) in self.ports.ranges() {
            for kind in (first >> 8)..=(last >> 8) {
                let codes = (first.max(kind << 8) & 255, last.min(kind << 8 | 255) & 255);
                if codes == (0, 255) {
                    run = match run {
                        Some((from, to)) if to + 1 == kind => Some((from, kind)),
                        before => {
                            words.extend(before.map(word));
                            Some((kind, kind))
                        }
                    };
                    continue;
                }
                words.extend(run.take().map(word));
                words.push(format!("{kind}/{}", word(codes)));
            }
        }
        words.extend(run.map(word));
        words
    }
}

impl Serialize for Flow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'f> {
            protocol: Protocol,
            #[serde(skip_serializing_if = "Option::is_none")]
            ports: Option<Vec<String>>,
            peers: &'f CidrSet,
        }
        let with_ports = self.protocol.has_ports() || self.protocol.is_icmp();
        Form { protocol: self.protocol, ports: with_ports.then(|| self.port_words()), peers: &self.peers }.serialize(serializer)
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.protocol)?;
        if self.protocol.has_ports() || self.protocol.is_icmp() {
            write!(f, "/{}", self.port_words().join(","))?;
        }
        write!(f, " {}", self.peers)
    }
}

/// The listener, group and target that a path through a load balancer takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Balanced {
    /// Name of the load balancer.
    pub load_balancer: String,
    /// Its ARN.
    pub load_balancer_arn: String,
    /// ARN of the listener.
    pub listener_arn: String,
    /// Port of the listener.
    pub listener_port: u16,
    /// ARN of the target group.
    pub target_group_arn: String,
    /// Port of the target.
    pub target_port: u16,
    /// The node that the path takes; others may do as well.
    pub node: String,
    /// An application load balancer behind the network load balancer, by its ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<String>,
}

/// One path and what becomes of packets on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathAnswer {
    /// The load balancer that it takes; none for a direct path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced: Option<Balanced>,
    /// The address family of the sender's packets.
    pub family: Family,
    /// What certainly passes. Ports are the listener's where there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<Flow>,
    /// What passes as far as is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<Flow>,
    /// Why the doubtful part is not certain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The objects on the way, in packet order, up to the receiver.
    pub hops: Vec<String>,
    /// All hops that block, `code:object[:detail]`, the first one first: fixing it alone may not be enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<String>,
    /// Whether packets arrive and only the replies are lost.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub one_way: bool,
    /// The client's source ports with which replies come through, where not all do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_ports: Option<PortSet>,
    /// What a client must do beside sending packets: `authenticated`, `listener-rule:10`, `health:fail-open`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

impl PathAnswer {
    /// `Some(true)` when something certainly passes, `None` when something may, `Some(false)` when nothing does.
    pub fn reachable(&self) -> Option<bool> {
        if self.flows.is_empty() { if self.doubtful.is_empty() { Some(false) } else { None } } else { Some(true) }
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// `Some(true)`: some path is certainly open. `Some(false)`: every path is blocked. `None`: it is not known.
    pub reachable: Option<bool>,
    /// How far away the sender may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Where not reachable: the first block of the first path, `code:object[:detail]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<String>,
    /// Where not reachable: whether packets arrive all the same, and only the replies are lost.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub one_way: bool,
    /// Where it is not known: what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Every path that was tried, open ones first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathAnswer>,
}

impl Answer {
    pub(crate) fn unknown(missing: String) -> Self {
        Self { reachable: None, scope: None, blocked_by: None, one_way: false, unknown: Some(missing), paths: Vec::new() }
    }

    pub(crate) fn blocked(by: String) -> Self {
        Self { reachable: Some(false), scope: None, blocked_by: Some(by), one_way: false, unknown: None, paths: Vec::new() }
    }

    /// Weighs the paths: any certain one, else any doubtful one, else none.
    pub(crate) fn of(mut paths: Vec<PathAnswer>, scope: Option<Scope>) -> Self {
        let rank = |path: &PathAnswer| match path.reachable() {
            Some(true) => 0,
            None => 1,
            Some(false) => 2,
        };
        paths.sort_by_key(rank);
        let Some(first) = paths.first() else { return Self::blocked("no-path".to_owned()) };
        let reachable = first.reachable();
        let shut = reachable == Some(false);
        Self {
            reachable,
            scope: scope.filter(|_| !shut),
            blocked_by: if shut { first.blocked_by.first().cloned() } else { None },
            one_way: shut && paths.iter().any(|path| path.one_way),
            unknown: if reachable.is_none() { first.missing.first().cloned() } else { None },
            paths,
        }
    }
}
