//! `plimsoll permissions`: the least-privilege policy, from what the collectors declare.

use std::collections::BTreeSet;
use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::failure::Failure;

/// A policy document, its members in the order in which people write them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: BTreeSet<&'static str>,
    resource: &'static str,
}

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let further = plimsoll_collect::further_permissions().iter().map(|(_, action)| *action);
    let action = plimsoll_collect::operations().iter().map(|operation| operation.permission).chain(further).collect();
    let statement = [Statement { sid: "PlimsollReads", effect: "Allow", action, resource: "*" }];
    let policy = Policy { version: "2012-10-17", statement };
    let text = serde_json::to_string_pretty(&policy).context("the policy is no JSON").map_err(|error| Failure::usage(error, ""))?;
    writeln!(stdout(), "{text}").context("cannot write to stdout").map_err(|error| Failure::usage(error, "check where the output goes"))?;
    Ok(ExitCode::SUCCESS)
}
