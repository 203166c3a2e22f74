//! `plimsoll check`: judges a snapshot. `scan` and `demo` end here too.

use std::path::Path;
use std::process::ExitCode;

use plimsoll_checks::{Options, Selection, SelectionError, evaluate, result};
use plimsoll_config::Config;
use plimsoll_graph::Estate;
use plimsoll_model::{Exception, ExceptionState, Inventory, ScanResult, Severity, Thresholds};

use crate::arguments::{CheckOptions, Judging, Report};
use crate::collect::exit_code;
use crate::failure::Failure;
use crate::output::Outputs;
use crate::screen::Screen;

pub(crate) fn run(options: &CheckOptions, config: &Config, screen: &Screen) -> Result<ExitCode, Failure> {
    let rules = Rules::of(&options.judging, &options.report, config)?;
    let outputs = Outputs::of(&options.report, config)?;
    let inventory = open(&options.snapshot, screen)?;
    let result = rules.judge(&inventory, screen);
    outputs.write(&result, screen)?;
    Ok(rules.verdict(&inventory, &result))
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

/// How to judge: what the command line asks for, else the configuration.
pub(crate) struct Rules {
    selection: Selection,
    options: Options,
    thresholds: Thresholds,
    fail_on: Option<Severity>,
    require_complete: bool,
}

impl Rules {
    pub(crate) fn of(judging: &Judging, report: &Report, config: &Config) -> Result<Self, Failure> {
        let given = |list: &'_ [String], of_file: &'_ [String]| if list.is_empty() { of_file.to_vec() } else { list.to_vec() };
        let (only, skip) = (given(&judging.only, &config.checks.only), given(&judging.skip, &config.checks.skip));
        let selection = Selection::new(&only, &skip).map_err(|error| {
            let hint = match error {
                SelectionError::Unknown { .. } => "`plimsoll checks` lists them",
                SelectionError::Empty => "leave out some --skip",
            };
            Failure::usage(error, hint)
        })?;
        Ok(Self {
            selection,
            options: Options {
                include_passed: report.include_passed.unwrap_or(config.output.include_passed),
                include_suppressed: report.include_suppressed.unwrap_or(config.output.include_suppressed),
                severities: config.severity.clone(),
                exceptions: config.exceptions.iter().map(Exception::from).collect(),
            },
            thresholds: config.thresholds.clone(),
            fail_on: judging.fail_on.or(config.output.fail_on),
            require_complete: judging.require_complete.unwrap_or(config.output.require_complete),
        })
    }

    /// Runs the checks, and warns of exceptions that do nothing.
    pub(crate) fn judge(&self, inventory: &Inventory, screen: &Screen) -> ScanResult {
        let estate = Estate::with_thresholds(inventory, self.thresholds.clone());
        let evaluation = evaluate(&estate, &self.selection, self.options.clone());
        let result = result(&estate, evaluation, env!("CARGO_PKG_VERSION"));
        for used in &result.exceptions {
            let exception = &used.exception;
            let of_what = exception.resource.clone().or_else(|| exception.tag.as_ref().map(|tag| format!("tag {tag}")));
            let named = format!("the exception for {} on {}", exception.check, of_what.as_deref().unwrap_or("*"));
            match used.state {
                ExceptionState::Expired => screen.note(&format!(
                    "warning: {named} expired on {}: {}",
                    exception.expires,
                    match used.findings {
                        0 => "it names no finding any more".to_owned(),
                        1 => "1 finding is reported again".to_owned(),
                        many => format!("{many} findings are reported again"),
                    }
                )),
                ExceptionState::Unused => {
                    screen.note(&format!("warning: {named} names no finding: it is misspelt, or no longer needed"));
                }
                ExceptionState::Applied | ExceptionState::Skipped => {}
            }
        }
        result
    }

    /// The exit code: incompleteness that was to matter first, then findings.
    pub(crate) fn verdict(&self, inventory: &Inventory, result: &ScanResult) -> ExitCode {
        let ran = exit_code(inventory, self.require_complete);
        if ran != ExitCode::SUCCESS {
            return ran;
        }
        let reached = |least: Severity| Severity::ALL.into_iter().any(|level| level >= least && result.summary.fail.of(level) > 0);
        if self.fail_on.is_some_and(reached) { ExitCode::from(1) } else { ExitCode::SUCCESS }
    }
}
