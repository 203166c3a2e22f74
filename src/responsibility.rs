//! `plimsoll responsibility`: the shared-responsibility matrix of a snapshot.

use std::process::ExitCode;

use plimsoll_checks::{Options, Selection, evaluate, matrix};
use plimsoll_config::Config;
use plimsoll_graph::Estate;

use crate::arguments::{MatrixFormat, ResponsibilityOptions};
use crate::check::open;
use crate::failure::Failure;
use crate::output::{self, probe};
use crate::screen::Screen;

pub(crate) fn run(options: &ResponsibilityOptions, config: &Config, screen: &Screen) -> Result<ExitCode, Failure> {
    if let Some(path) = &options.output {
        probe(path)?;
    }
    let inventory = open(&options.snapshot, screen)?;
    let estate = Estate::with_thresholds(&inventory, config.thresholds.clone());
    let evaluation = evaluate(&estate, &Selection::default(), Options::default());
    let matrix = matrix(&estate, &evaluation);
    let table = if options.output.is_some() { screen.file_table() } else { screen.table() };
    output::to(options.output.as_deref(), |mut out| match options.format {
        MatrixFormat::Table => plimsoll_report::matrix_table(&matrix, &table, &mut out),
        MatrixFormat::Json => plimsoll_report::matrix_json(&matrix, &mut out),
    })?;
    Ok(ExitCode::SUCCESS)
}
