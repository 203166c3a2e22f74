//! The estate: an inventory with its relations. Resources flow in as flat lists; typed nodes that know their
//! neighbours flow out. A dangling reference is a value, and what was not read stays unknown.

mod address;
mod audit;
mod balancing;
mod carrier;
mod confinement;
mod coverage;
mod ecs;
mod eks;
mod encryption;
mod estate;
mod fleet;
mod identity;
mod image;
mod ingress;
mod link;
mod network;
mod node;
mod opening;
mod protection;
mod relation;
mod storage;
mod vault;
mod workload;

pub use address::{Family, Ranges, exceed_prefix, is_public_range};
pub use audit::{ContainerLogGroup, LogPurpose, LogWriter, Place};
pub use balancing::Front;
pub use carrier::CarriedGroup;
pub use confinement::Confinement;
pub use coverage::{Closed, Coverage};
pub use ecs::{Host, Launch, TaskGroup, Trigger};
pub use eks::NodeKind;
pub use encryption::{KEY_USE_OPERATIONS, KeyUser};
pub use estate::Estate;
pub use image::{ElsewhereImage, LATEST};
pub use ingress::{OpenPorts, Openings, Source, Sources, rule_admits};
pub use link::{Link, Missing, Unknown};
pub use network::{Egress, Route};
pub use node::Node;
pub use opening::Opening;
pub use storage::bucket_of;
pub use workload::{Attachment, Workload};
