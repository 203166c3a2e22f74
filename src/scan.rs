//! `plimsoll scan`: the whole line in one process.

use std::process::ExitCode;

use plimsoll_config::Config;

use crate::arguments::ScanOptions;
use crate::check::Rules;
use crate::collect::{collect, keep, rescue};
use crate::failure::Failure;
use crate::output::{Outputs, probe};
use crate::screen::Screen;

pub(crate) fn run(options: &ScanOptions, config: &Config, screen: &Screen) -> Result<ExitCode, Failure> {
    let rules = Rules::of(&options.judging, &options.report, config)?;
    let outputs = Outputs::of(&options.report, config)?;
    if let Some(path) = &options.snapshot {
        probe(path)?;
    }
    let inventory = collect(&options.target, config, screen)?;
    let kept = options.snapshot.as_ref().map_or(Ok(()), |path| keep(&inventory, path));
    let result = rules.judge(&inventory, screen);
    outputs.write(&result, screen).map_err(|failure| match (&options.snapshot, rescue(&inventory)) {
        (None, Some(path)) => failure.and(&format!("what was collected is in {}: plimsoll check reads it", path.display())),
        _ => failure,
    })?;
    kept?;
    Ok(rules.verdict(&inventory, &result))
}
