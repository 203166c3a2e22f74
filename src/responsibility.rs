//! `plimsoll responsibility`: the shared-responsibility matrix of a snapshot.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context;
use plimsoll_checks::{Options, Selection, evaluate, matrix};
use plimsoll_config::Config;
use plimsoll_graph::Estate;
use plimsoll_model::{Matrix, create_private};

use crate::arguments::{MatrixFormat, ResponsibilityOptions};
use crate::check::open;
use crate::failure::Failure;
use crate::output::probe;
use crate::screen::Screen;

pub(crate) fn run(options: &ResponsibilityOptions, config: &Config, screen: &Screen) -> Result<ExitCode, Failure> {
    if let Some(path) = &options.output {
        probe(path)?;
    }
    let inventory = open(&options.snapshot, screen)?;
    let estate = Estate::with_thresholds(&inventory, config.thresholds.clone());
    let evaluation = evaluate(&estate, &Selection::default(), Options::default());
    let matrix = matrix(&estate, &evaluation);
    let written = match &options.output {
        Some(path) => create_private(path)
            .and_then(|file| render(&matrix, options.format, screen.file_table(), BufWriter::new(file)))
            .with_context(|| path.display().to_string()),
        None => render(&matrix, options.format, screen.table(), BufWriter::new(io::stdout().lock())).context("cannot write to stdout"),
    };
    written.map_err(|error| Failure::usage(error, "check the path, its permissions and the free space"))?;
    Ok(ExitCode::SUCCESS)
}

fn render(matrix: &Matrix, format: MatrixFormat, table: plimsoll_report::TableOptions, mut out: impl Write) -> io::Result<()> {
    match format {
        MatrixFormat::Table => plimsoll_report::matrix_table(matrix, &table, &mut out)?,
        MatrixFormat::Json => plimsoll_report::matrix_json(matrix, &mut out)?,
    }
    out.flush()
}
