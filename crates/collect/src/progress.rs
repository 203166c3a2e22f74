//! Calls flow in; a line a Region on a terminal's standard error flows out, and is gone at the end.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Operation;

/// The lines of all Regions, and their total.
#[derive(Debug)]
pub(crate) struct Progress {
    lines: Option<MultiProgress>,
    total: ProgressBar,
}

/// The line of one Region.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    bar: ProgressBar,
    total: ProgressBar,
    shown: bool,
}

impl Progress {
    /// Shows progress or keeps quiet.
    pub(crate) fn new(shown: bool) -> Self {
        let lines = shown.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        let total = lines.as_ref().map_or_else(ProgressBar::hidden, |lines| lines.add(spinner("total")));
        Self { lines, total }
    }

    /// Adds the line of a Region, above the total.
    pub(crate) fn line(&self, name: &str) -> Line {
        let Some(lines) = &self.lines else {
            return Line::hidden();
        };
        let bar = lines.insert_before(&self.total, spinner(name));
        bar.enable_steady_tick(Duration::from_millis(100));
        Line { bar, total: self.total.clone(), shown: true }
    }

    /// Removes what was drawn.
    pub(crate) fn clear(&self) {
        if let Some(lines) = &self.lines {
            self.total.finish_and_clear();
            // A terminal that went away needs no clearing.
            drop(lines.clear());
        }
    }
}

impl Line {
    /// One that shows nothing.
    pub(crate) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), total: ProgressBar::hidden(), shown: false }
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
            self.total.inc(1);
        }
    }

    /// The Region is done.
    pub(crate) fn done(&self) {
        self.bar.finish_and_clear();
    }
}

fn spinner(name: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_prefix(name.to_owned());
    match ProgressStyle::with_template("{spinner} {prefix:14} {pos:>6} calls  {wide_msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
