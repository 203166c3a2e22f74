//! Where reports go: stdout, or files that only their owner may read.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use plimsoll_config::Config;
use plimsoll_model::{ScanResult, create_private};
use serde::Serialize;

use crate::arguments::{Format, Report};
use crate::failure::Failure;
use crate::screen::Screen;

/// The reports to write.
#[derive(Debug)]
pub(crate) struct Outputs {
    stdout: Option<Format>,
    files: Vec<(Format, PathBuf)>,
}

impl Outputs {
    /// Reads the options; a file that could not be written is told now, not after a long scan.
    pub(crate) fn of(report: &Report, config: &Config) -> Result<Self, Failure> {
        // The configuration knows no other formats than these.
        let of_file = Format::from_str(&config.output.format, false).unwrap_or(Format::Table);
        let default = report.format.unwrap_or(of_file);
        // A format alone asks for stdout, whatever files the configuration names.
        let outputs = if report.output.is_empty() && report.format.is_none() { &config.output.outputs } else { &report.output };
        let mut files = Vec::new();
        for output in outputs {
            let named = output.split_once('=').and_then(|(format, path)| Some((Format::from_str(format, true).ok()?, path)));
            let (format, path) = named.unwrap_or((default, output));
            if path.is_empty() {
                return Err(Failure::usage(anyhow::anyhow!("--output {output} names no file"), "use --output FORMAT=FILE"));
            }
            if path == "-" {
                return Err(Failure::usage(anyhow::anyhow!("--output - is not a file"), "leave --output out to write to stdout"));
            }
            probe(Path::new(path))?;
            files.push((format, PathBuf::from(path)));
        }
        Ok(Self { stdout: files.is_empty().then_some(default), files })
    }

    /// Writes them all, and tells of the first that could not be written.
    pub(crate) fn write(&self, result: &ScanResult, screen: &Screen) -> Result<(), Failure> {
        let mut failed = None;
        for (format, path) in &self.files {
            if let Err(error) = file(path, |out| render(*format, result, screen.file_table(), out)) {
                failed.get_or_insert(error);
            }
        }
        if let Some(format) = self.stdout
            && let Err(error) = stdout(|out| render(format, result, screen.table(), out))
        {
            failed.get_or_insert(error);
        }
        failed.map_or(Ok(()), Err)
    }
}

fn render(format: Format, result: &ScanResult, table: plimsoll_report::TableOptions, mut out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => plimsoll_report::table(result, &table, &mut out),
        Format::Json => plimsoll_report::json(result, &mut out),
        Format::Ndjson => plimsoll_report::ndjson(result, &mut out),
    }
}

/// Writes to stdout, to the end.
pub(crate) fn stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    written.context("cannot write to stdout").map_err(|error| Failure::usage(error, "check where the output goes"))
}

/// Writes a file that only its owner may read.
pub(crate) fn file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let written = create_private(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    let written = written.with_context(|| format!("cannot write {}", path.display()));
    written.map_err(|error| Failure::usage(error, "check the path, its permissions and the free space"))
}

/// Writes to a file, or to stdout where none is named.
pub(crate) fn to(path: Option<&Path>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    match path {
        Some(path) => file(path, write),
        None => stdout(write),
    }
}

/// One JSON document for people and programs.
pub(crate) fn json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    out.write_all(b"\n")
}

/// One JSON document on a line.
pub(crate) fn json_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Tells now whether a file can be written, and leaves no trace of having tried.
pub(crate) fn probe(path: &Path) -> Result<(), Failure> {
    let existed = path.exists();
    let tried = if existed { OpenOptions::new().append(true).open(path).map(drop) } else { create_private(path).map(drop) };
    if !existed && tried.is_ok() {
        // Only an empty file of ours is lost, and the real one is written later.
        drop(std::fs::remove_file(path));
    }
    tried
        .with_context(|| format!("cannot write {}", path.display()))
        .map_err(|error| Failure::usage(error, "name a file in a folder that exists and that you may write to"))
}
