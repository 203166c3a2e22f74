//! How a principal may come to do more than its policies say. A [`Landscape`] flows in, paths to administrators flow out:
//! each step takes another principal over, or raises the caller, by a method of the catalogue.

mod ecs;
mod exposure;
mod holdings;
mod landscape;
mod method;
mod node;
mod path;
mod raise;
mod reach;
mod rows;
mod search;
mod takeover;
#[cfg(test)]
mod tests;

pub use ecs::{Reached, ThroughEcs};
pub use landscape::{
    AuthenticationMode, Cluster, Deployment, EksCluster, Group, Instance, InstanceProfile, Landscape, ManagedPolicy,
    PodIdentityAssociation, Principal, PrincipalKind, Repository, Service, Task, TaskDefinition,
};
pub use method::{Method, methods};
pub(crate) use node::example;
pub use path::{Certainty, Cut, Edge, Gained, Path, Permission};
pub use rows::not_assessed;
pub use search::{Administrator, Escalations, Search, escalate};
