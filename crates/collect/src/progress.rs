//! Calls flow in; a line a Region on a terminal's standard error flows out, and is gone at the end.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Operation;

/// The lines of all Regions.
#[derive(Debug)]
pub(crate) struct Progress {
    lines: Option<MultiProgress>,
}

/// The line of one Region.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    bar: ProgressBar,
    shown: bool,
}

impl Progress {
    /// Shows progress or keeps quiet.
    pub(crate) fn new(shown: bool) -> Self {
        Self { lines: shown.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10))) }
    }

    /// Adds the line of a Region.
    pub(crate) fn line(&self, name: &str) -> Line {
        let Some(lines) = &self.lines else {
            return Line::hidden();
        };
        let bar = lines.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:14} {pos:>5} calls  {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        Line { bar, shown: true }
    }

    /// Removes what was drawn.
    pub(crate) fn clear(&self) {
        if let Some(lines) = &self.lines {
            // A terminal that went away needs no clearing.
            drop(lines.clear());
        }
    }
}

impl Line {
    /// One that shows nothing.
    pub(crate) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), shown: false }
    }

    /// A request is on its way.
    pub(crate) fn asks(&self, operation: &Operation) {
        if self.shown {
            self.bar.set_message(operation.id());
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self) {
        if self.shown {
            self.bar.inc(1);
        }
    }

    /// The Region is done.
    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}
