//! `plimsoll check`: judges a snapshot. `scan` and `demo` end here too.

use std::path::Path;
use std::process::ExitCode;

use plimsoll_checks::{Options, Selection, SelectionError, evaluate, result};
use plimsoll_graph::Estate;
use plimsoll_model::{Inventory, ScanResult, Severity};

use crate::arguments::{CheckOptions, Judging};
use crate::collect::exit_code;
use crate::failure::Failure;
use crate::output::Outputs;
use crate::screen::Screen;

pub(crate) fn run(options: &CheckOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let selection = selection(&options.judging)?;
    let outputs = Outputs::of(&options.report)?;
    let inventory = open(&options.snapshot, screen)?;
    let result = judge(&inventory, &selection, options.report.include_passed);
    outputs.write(&result, screen)?;
    Ok(verdict(&inventory, &result, &options.judging))
}

/// Reads a snapshot and tells what it passed over.
pub(crate) fn open(path: &Path, screen: &Screen) -> Result<Inventory, Failure> {
    let (inventory, warnings) = plimsoll_model::open(path).map_err(|error| {
        let hint = error.hint();
        Failure::usage(error, hint)
    })?;
    for warning in warnings {
        screen.note(&format!(
            "warning: {} has lines of kind {}, which this version does not know: passed over",
            path.display(),
            warning.unknown_kind
        ));
    }
    Ok(inventory)
}

/// The checks that the options name.
pub(crate) fn selection(judging: &Judging) -> Result<Selection, Failure> {
    Selection::new(&judging.only, &judging.skip).map_err(|error| {
        let hint = match error {
            SelectionError::Unknown { .. } => "`plimsoll checks` lists them",
            SelectionError::Empty => "leave out some --skip",
        };
        Failure::usage(error, hint)
    })
}

/// Runs the checks.
pub(crate) fn judge(inventory: &Inventory, selection: &Selection, include_passed: bool) -> ScanResult {
    let estate = Estate::new(inventory);
    let evaluation = evaluate(&estate, selection, Options { include_passed });
    result(&estate, evaluation, env!("CARGO_PKG_VERSION"))
}

/// The exit code: incompleteness that was to matter first, then findings.
pub(crate) fn verdict(inventory: &Inventory, result: &ScanResult, judging: &Judging) -> ExitCode {
    let ran = exit_code(inventory, judging.require_complete);
    if ran != ExitCode::SUCCESS {
        return ran;
    }
    let reached = |least: Severity| Severity::ALL.into_iter().any(|level| level >= least && result.summary.fail.of(level) > 0);
    if judging.fail_on.is_some_and(reached) { ExitCode::from(1) } else { ExitCode::SUCCESS }
}
