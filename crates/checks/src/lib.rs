//! The catalogue: an estate flows in, judged findings flow out. One file a check, in a folder per area.

mod admission;
mod check;
mod context;
mod engine;
mod escape;
mod excess;
mod framework;
mod fronts;
mod grants;
mod hosts;
mod images;
mod ingress;
#[cfg(test)]
mod laws;
mod matrix;
#[cfg(test)]
mod outcome;
mod overrides;
mod pattern;
mod policies;
mod principals;
mod private_paths;
mod reading;
mod registry;
mod result;
mod roles;
#[cfg(test)]
mod scope;
mod vault;

pub use check::{Area, ByLaunch, Check, Control, Remediation, Responsibility, cis_aws, cis_docker, cis_eks, fsbp, nist, pci};
pub use engine::{Evaluation, Options, Outcome, OutcomeState, Selection, SelectionError, evaluate};
pub use framework::{FRAMEWORKS, Framework};
pub use matrix::matrix;
pub use registry::CHECKS;
pub use result::{RESULT_SCHEMA, result};
