//! `plimsoll schema`: the JSON Schemas of what plimsoll writes.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;

use crate::arguments::SchemaKind;
use crate::failure::Failure;

pub(crate) fn run(which: SchemaKind) -> Result<ExitCode, Failure> {
    let schema = match which {
        SchemaKind::Result => plimsoll_report::result_schema(),
        SchemaKind::Snapshot => plimsoll_report::snapshot_schema(),
        SchemaKind::Responsibility => plimsoll_report::matrix_schema(),
        SchemaKind::Doctor => plimsoll_report::diagnosis_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).context("the schema is no JSON").map_err(|error| Failure::usage(error, ""))?;
    writeln!(stdout(), "{text}").context("cannot write to stdout").map_err(|error| Failure::usage(error, "check where the output goes"))?;
    Ok(ExitCode::SUCCESS)
}
