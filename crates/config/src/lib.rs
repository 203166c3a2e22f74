//! The file `plimsoll.toml` flows in, a [`Config`] flows out; or an error that names the line, the column and what was
//! probably meant.
//!
//! What may be named in it (checks, formats) is passed in as [`Names`]: this crate knows no check and no renderer.

mod accounts;
mod error;
mod file;
mod place;
mod read;
mod schema;

pub use accounts::{Accounts, OrgFilter};
pub use error::{ConfigError, Place};
pub use file::{Cache, Checks, Collect, Config, Day, Exception, Output};
pub use read::{FILE_NAME, parse, read};
pub use schema::schema;

/// What the file may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'n> {
    /// Ids of all checks.
    pub checks: &'n [&'n str],
    /// Names of all output formats.
    pub formats: &'n [&'n str],
}
