//! The configuration file: where it is found, and `plimsoll config`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use plimsoll_checks::CHECKS;
use plimsoll_config::{Config, FILE_NAME, Names};

use crate::arguments::{Arguments, ConfigCommand, Format};
use crate::failure::Failure;
use crate::output;

/// The configuration that is in force: what the file says, and the defaults.
pub(crate) fn load(arguments: &Arguments) -> Result<Config, Failure> {
    found(arguments).map_or_else(|| Ok(Config::default()), |path| read(&path))
}

/// The same, but only of a file that the command line names: for what is not about the reader's accounts.
pub(crate) fn load_named(arguments: &Arguments) -> Result<Config, Failure> {
    arguments.config.as_deref().map_or_else(|| Ok(Config::default()), read)
}

/// The file to read.
fn found(arguments: &Arguments) -> Option<PathBuf> {
    let here = || Path::new(FILE_NAME).exists().then(|| PathBuf::from(FILE_NAME));
    if arguments.no_config { None } else { arguments.config.clone().or_else(here) }
}

fn read(path: &Path) -> Result<Config, Failure> {
    with_names(|names| plimsoll_config::read(path, names)).map_err(|error| {
        let hint = error.hint();
        Failure::usage(error, hint)
    })
}

fn with_names<T>(then: impl FnOnce(Names<'_>) -> T) -> T {
    let checks: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    let formats: Vec<_> = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
    let formats: Vec<&str> = formats.iter().map(clap::builder::PossibleValue::get_name).collect();
    then(Names { checks: &checks, formats: &formats })
}

pub(crate) fn run(command: &ConfigCommand, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let text = match command {
        ConfigCommand::Show => {
            let from = found(arguments);
            let text = load(arguments)?.to_toml().map_err(|error| Failure::usage(error, ""))?;
            let from =
                from.map_or_else(|| "the defaults: no file was read".to_owned(), |path| format!("{} and the defaults", path.display()));
            format!("# From {}.\n{text}", plimsoll_report::inline(&from))
        }
        ConfigCommand::Schema => {
            let schema = with_names(plimsoll_config::schema);
            let text = serde_json::to_string_pretty(&schema).context("the schema is no JSON").map_err(|error| Failure::usage(error, ""))?;
            format!("{text}\n")
        }
    };
    output::stdout(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
