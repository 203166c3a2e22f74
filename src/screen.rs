//! Terminals: width, colours, progress, log.

use std::io::{IsTerminal, stderr, stdout};

use plimsoll_report::TableOptions;
use tracing_subscriber::EnvFilter;

use crate::arguments::Arguments;

/// Columns where neither a terminal nor COLUMNS tells.
const DEFAULT_WIDTH: usize = 100;

/// What the person at the other end sees.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    width: usize,
    color: bool,
    /// -1 for quiet, 0, 1, 2…
    verbosity: i8,
}

impl Screen {
    pub(crate) fn of(arguments: &Arguments) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let columns =
            std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| (20..=1000).contains(columns));
        let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            width: columns.or(terminal).unwrap_or(DEFAULT_WIDTH),
            color: stdout().is_terminal() && !arguments.no_color && !set("NO_COLOR"),
            verbosity: arguments.verbosity(),
        }
    }

    /// Whether to show progress on stderr: on a terminal, where no log runs.
    pub(crate) fn progress(self) -> bool {
        stderr().is_terminal() && self.verbosity == 0
    }

    /// How to lay out a table on stdout.
    pub(crate) fn table(self) -> TableOptions {
        TableOptions { width: self.width, color: self.color, verbose: self.verbosity > 0, action, ..TableOptions::default() }
    }

    /// How to lay out a table in a file.
    pub(crate) fn file_table(self) -> TableOptions {
        TableOptions { color: false, ..self.table() }
    }

    /// Says something on stderr.
    pub(crate) fn note(self, text: &str) {
        if self.verbosity >= 0 {
            eprintln!("{}", plimsoll_report::inline(text));
        }
    }
}

/// The IAM action that allows an operation; most are called the same.
fn action(operation: &str) -> &str {
    plimsoll_collect::operations().into_iter().find(|known| known.id() == operation).map_or(operation, |known| known.permission)
}

/// Starts the log on stderr. `PLIMSOLL_LOG` takes the directives of tracing's `EnvFilter`.
pub(crate) fn log(verbosity: i8) {
    let level = match verbosity {
        ..=0 => "error",
        1 => "plimsoll=info,plimsoll_collect=info",
        2 => "plimsoll=debug,plimsoll_collect=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("PLIMSOLL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal()).init();
}
