//! Texts flow in (an environment variable, a command line, a user-data blob); verdicts flow out, never the text.
//!
//! A [`Detector`] says whether a text holds a secret in plain sight and of which [`SecretKind`]. What it returns carries
//! a line, a length and, with a key, a keyed fingerprint: nothing the value could be rebuilt from. [`user_data_facts`]
//! unwraps EC2 user data and keeps the findings and the few agent settings that checks judge.
//!
//! ```
//! use plimsoll_secrets::{Detector, SecretKind};
//!
//! let detector = Detector::new(None);
//! let found = detector.named_value("DATABASE_URL", concat!("postgres://app:", "s3cr3t@db/x"));
//! assert_eq!(found.map(|m| m.kind), Some(SecretKind::PASSWORD_IN_URL));
//! assert_eq!(detector.named_value("PASSWORD_FILE", "/run/secrets/password"), None);
//! ```

mod access_key;
mod agent;
mod assignment;
mod detector;
mod encoded;
mod kind;
mod name;
mod packet_filter;
mod rule;
mod user_data;
mod value;

pub use access_key::AccessKeyId;
pub use agent::Proxy;
pub use detector::{Detector, Match};
pub use kind::SecretKind;
pub use user_data::{UserDataError, UserDataFacts, user_data_facts};
