//! What is wrong with the file flows in; a message with its place, and a hint, flow out.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Where in the file something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no TOML, or a value is of the wrong kind.
    #[error("{at}: {message}")]
    Syntax {
        /// Where.
        at: Place,
        /// What is wrong.
        message: String,
    },
    /// There is no such key.
    #[error("{at}: there is no key {key}{}", meant(nearest.as_deref()))]
    UnknownKey {
        /// Where.
        at: Place,
        /// The key.
        key: String,
        /// The key that looks most like it.
        nearest: Option<String>,
        /// The keys that there are.
        known: Vec<String>,
    },
    /// There is no such check, severity or format.
    #[error("{at}: there is no {what} {name}{}", meant(nearest.as_deref()))]
    UnknownName {
        /// Where.
        at: Place,
        /// What it should be the name of.
        what: &'static str,
        /// The name.
        name: String,
        /// The one that looks most like it.
        nearest: Option<String>,
        /// What to do.
        hint: String,
    },
    /// A value makes no sense.
    #[error("{at}: {message}")]
    Invalid {
        /// Where.
        at: Place,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: &'static str,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!("; did you mean {nearest}?"))
}

impl ConfigError {
    /// What the reader of the message can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Read { .. } => "name a file that exists and that you may read, or pass --no-config".to_owned(),
            Self::Syntax { .. } => "`plimsoll config schema` describes the file".to_owned(),
            Self::UnknownKey { known, .. } if known.len() <= 12 => format!("the keys here are {}", known.join(", ")),
            Self::UnknownKey { .. } => "`plimsoll config schema` describes the file, `plimsoll config show` has every key".to_owned(),
            Self::UnknownName { hint, .. } => hint.clone(),
            Self::Invalid { hint, .. } => (*hint).to_owned(),
        }
    }
}
