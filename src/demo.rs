//! `plimsoll demo`: the checks over an embedded snapshot of a sample account.

use std::path::Path;
use std::process::ExitCode;

use crate::arguments::DemoOptions;
use crate::check::{judge, selection, verdict};
use crate::failure::Failure;
use crate::output::Outputs;
use crate::screen::Screen;

/// Collected from the `demo` scenario of `localstack/`; `make demo-snapshot` writes it anew.
const SNAPSHOT: &[u8] = include_bytes!("demo.ndjson.zst");

pub(crate) fn run(options: &DemoOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let selection = selection(&options.judging)?;
    let outputs = Outputs::of(&options.report)?;
    let name = Path::new("the embedded sample");
    let (inventory, _) =
        plimsoll_model::read_compressed(SNAPSHOT, name).map_err(|error| Failure::usage(error, "this binary is damaged"))?;
    screen.note("This is a sample account inside the binary: nothing was read from AWS. `plimsoll scan` reads yours.");
    let result = judge(&inventory, &selection, options.report.include_passed);
    outputs.write(&result, screen)?;
    Ok(verdict(&inventory, &result, &options.judging))
}
