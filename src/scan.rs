//! `plimsoll scan`: the whole line in one process.

use std::process::ExitCode;

use crate::arguments::ScanOptions;
use crate::check::{judge, selection, verdict};
use crate::collect::{collect, keep, rescue};
use crate::failure::Failure;
use crate::output::{Outputs, probe};
use crate::screen::Screen;

pub(crate) fn run(options: &ScanOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let selection = selection(&options.judging)?;
    let outputs = Outputs::of(&options.report)?;
    if let Some(path) = &options.snapshot {
        probe(path)?;
    }
    let inventory = collect(&options.target, screen)?;
    let kept = options.snapshot.as_ref().map_or(Ok(()), |path| keep(&inventory, path));
    let result = judge(&inventory, &selection, options.report.include_passed);
    outputs.write(&result, screen).map_err(|failure| match (&options.snapshot, rescue(&inventory)) {
        (None, Some(path)) => failure.and(&format!("what was collected is in {}: plimsoll check reads it", path.display())),
        _ => failure,
    })?;
    kept?;
    Ok(verdict(&inventory, &result, &options.judging))
}
