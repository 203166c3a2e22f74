#![doc = include_str!("../README.md")]
//!
//! AWS's own `Describe*` shapes flow in as a [`World`]; [`Network::compile`] makes them ready once; questions then get
//! answers that carry sources, protocols and ports, the path, and every hop that blocks. Everything is a static reading
//! of configuration: no packet is sent, no guest firewall is seen, and *reachable* never means that something listens.

mod acl;
mod address;
mod arena;
mod balanced;
mod balancing;
mod block;
mod chain;
mod compile;
mod describe;
mod direct;
mod doors;
mod egress;
mod endpoint;
mod explain;
mod explain_text;
mod exposure;
mod groups;
mod network;
mod pair;
mod placed;
mod prefix_list;
mod protocol;
mod question;
mod reach;
mod routes;
mod rule_words;
mod set;
mod sources;
mod walk;
mod world;
mod world_file;

pub use address::{Cidr, Family, number};
pub use egress::{Egress, EgressKind, EgressWay};
pub use endpoint::EndpointAccess;
pub use explain::{ExplainedPath, ExplainedStep, Explanation, Fix, StepOutcome};
pub use explain_text::Fares;
pub use exposure::{Exposure, Exposures, PathExposure};
pub use network::Network;
pub use protocol::Protocol;
pub use question::{Answer, Balanced, Endpoint, EndpointError, Flow, PathAnswer, Question, Scope, Via};
pub use set::{CidrSet, Point, PortSet, Set};
pub use sources::{Selectors, Sources};
pub use world::World;
pub use world_file::{WorldError, WorldFile};
