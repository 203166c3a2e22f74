//! `plimsoll schema`: the JSON Schemas of what plimsoll writes.

use std::process::ExitCode;

use crate::arguments::SchemaKind;
use crate::failure::Failure;
use crate::output;

pub(crate) fn run(which: SchemaKind) -> Result<ExitCode, Failure> {
    let schema = match which {
        SchemaKind::Result => plimsoll_report::result_schema(),
        SchemaKind::Snapshot => plimsoll_report::snapshot_schema(),
        SchemaKind::Responsibility => plimsoll_report::matrix_schema(),
        SchemaKind::Doctor => plimsoll_report::diagnosis_schema(),
    };
    output::stdout(|out| output::json(&schema, out))?;
    Ok(ExitCode::SUCCESS)
}
