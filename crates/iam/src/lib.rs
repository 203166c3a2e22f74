//! The IAM policy language. Documents flow in through [`Document`], questions through [`evaluate`] and [`Simulation`];
//! verdicts flow out with the statements that decide them. Nothing here knows AWS beyond its policies: no calls, no
//! clock, no accounts.

mod actions;
mod arn;
mod atom;
mod bulk;
mod choose;
mod condition;
mod context;
mod decision;
mod document;
mod error;
pub mod escalation;
mod evaluate;
mod glob;
mod granted;
mod json;
mod lint;
mod operator;
mod parse;
mod policies;
mod principal;
mod simulate;
mod situation;
mod summary;
mod text;
mod tri;
mod value;

pub use actions::{AccessLevel, KnownAction, actions_of};
pub use atom::Atom;
pub use bulk::{Answers, Bulk, Library, Question, Subject, who_can};
pub use context::{Context, ContextValue, KeyState, Others};
pub use decision::{Cited, Decision, Explanation, Verdict};
pub use document::{Document, DocumentKind, Effect};
pub use error::PolicyError;
pub use evaluate::evaluate;
pub use granted::{Granted, GrantedAction, granted};
pub use json::{MAX_BYTES, MAX_DEPTH};
pub use lint::{Lint, Remark};
pub use policies::{Attached, Layer, Malformed, Policies, RCP_SERVICES, Request};
pub use principal::{Caller, NamedBy};
pub use simulate::{Outcome, Simulated, Simulation};
pub use situation::{PrincipalFacts, Vantage};
pub use summary::{ServiceAccess, summarize};
pub use tri::Tri;
