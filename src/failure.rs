//! Errors that end the program, and what they say.

use std::fmt;
use std::process::ExitCode;

/// An error with its exit code and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    error: anyhow::Error,
    hint: String,
}

/// Wrong usage, configuration or input file, or an output that cannot be written.
const USAGE: u8 = 2;
/// Nothing could be scanned, or not all with `--require-complete`.
pub(crate) const NOTHING: u8 = 3;
/// Ctrl-C, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

impl Failure {
    /// Wrong usage, configuration or input file.
    pub(crate) fn usage(error: impl Into<anyhow::Error>, hint: impl fmt::Display) -> Self {
        Self { code: USAGE, error: error.into(), hint: hint.to_string() }
    }

    /// Nothing could be scanned.
    pub(crate) fn nothing_scanned(error: impl Into<anyhow::Error>, hint: impl fmt::Display) -> Self {
        Self { code: NOTHING, error: error.into(), hint: hint.to_string() }
    }

    /// Ctrl-C before there was anything to keep.
    pub(crate) fn interrupted(error: impl Into<anyhow::Error>) -> Self {
        Self { code: INTERRUPTED, error: error.into(), hint: String::new() }
    }

    /// Adds to the hint.
    pub(crate) fn and(mut self, more: &str) -> Self {
        if !self.hint.is_empty() {
            self.hint.push_str("; ");
        }
        self.hint.push_str(more);
        self
    }

    /// Writes the message to stderr and gives the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        // A reader that went away (`plimsoll … | head`) is no failure.
        if self
            .error
            .chain()
            .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe))
        {
            return ExitCode::SUCCESS;
        }
        let mut message = String::new();
        let mut said = String::new();
        for cause in self.error.chain() {
            let text = cause.to_string();
            // Errors that already print their source should not say it twice.
            if !said.contains(&text) {
                message.push_str(if message.is_empty() { "" } else { ": " });
                message.push_str(&text);
                said.push_str(&text);
            }
        }
        eprintln!("error: {}", plimsoll_report::inline(&message));
        if !self.hint.is_empty() {
            eprintln!("hint: {}", plimsoll_report::inline(&self.hint));
        }
        ExitCode::from(self.code)
    }
}
