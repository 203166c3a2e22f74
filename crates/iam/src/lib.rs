//! The IAM policy language. Documents flow in through [`Document`], questions through [`evaluate`] and [`Simulation`];
//! verdicts flow out with the statements that decide them. Nothing here knows AWS beyond its policies: no calls, no
//! clock, no accounts.
//!
//! ```
//! use plimsoll_iam::{Attached, Caller, DocumentKind, Policies, Request, Verdict, evaluate};
//!
//! let policy = serde_json::json!({
//!     "Version": "2012-10-17",
//!     "Statement": {"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::logs/*"},
//! });
//! let policies = Policies { identity: vec![Attached::parse("reader", DocumentKind::Identity, &policy)], ..Policies::default() };
//! let caller = Caller::parse("arn:aws:iam::111122223333:role/app").ok_or("no principal")?;
//! let request = Request::new(caller, "s3:GetObject", "arn:aws:s3:::logs/today");
//! let decision = evaluate(&request, &policies)?;
//! assert_eq!(decision.verdict, Verdict::Allowed);
//! assert!(decision.explain(&request).to_string().contains("statement Read"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod actions;
mod arn;
mod atom;
mod bulk;
mod case;
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
pub use simulate::{Outcome, Simulated, Simulation, simulate};
pub use situation::{PrincipalFacts, Vantage};
pub use summary::{ServiceAccess, summarize};
pub use tri::Tri;
