//! `plimsoll demo`: the checks over an embedded snapshot of a sample account.

use std::path::Path;
use std::process::ExitCode;

use plimsoll_config::Config;

use crate::arguments::DemoOptions;
use crate::check::Rules;
use crate::failure::Failure;
use crate::output::Outputs;
use crate::screen::Screen;

/// Collected from the `demo` scenario of `localstack/`; `make demo-snapshot` writes it anew.
const SNAPSHOT: &[u8] = include_bytes!("demo.ndjson.zst");

pub(crate) fn run(options: &DemoOptions, config: &Config, screen: &Screen) -> Result<ExitCode, Failure> {
    let rules = Rules::of(&options.judging, &options.report, config)?;
    let outputs = Outputs::of(&options.report, config)?;
    let name = Path::new("the embedded sample");
    let (inventory, _) =
        plimsoll_model::read_compressed(SNAPSHOT, name).map_err(|error| Failure::usage(error, "this binary is damaged"))?;
    screen.note("This is a sample account inside the binary: nothing was read from AWS. `plimsoll scan` reads yours.");
    let result = rules.judge(&inventory, screen);
    outputs.write(&result, screen)?;
    Ok(rules.verdict(&inventory, &result))
}
