//! `plimsoll checks`: the catalogue, and one check in full.

use std::io::{self, Write};
use std::process::ExitCode;

use plimsoll_checks::{CHECKS, Check, Selection};
use plimsoll_report::{CheckRow, check_page, checks_table};
use serde_json::{Value, json};

use crate::arguments::{CatalogueCommand, CatalogueOptions, MatrixFormat};
use crate::failure::Failure;
use crate::output;
use crate::page::page;
use crate::screen::Screen;

pub(crate) fn run(options: &CatalogueOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let (checks, all) = match &options.command {
        Some(CatalogueCommand::Show { id }) => {
            // The selection knows the nearest name to a wrong one.
            let found =
                Selection::new(std::slice::from_ref(id), &[]).map_err(|error| Failure::usage(error, "`plimsoll checks` lists them"))?;
            (found.checks().to_vec(), false)
        }
        None => (CHECKS.to_vec(), true),
    };
    output::stdout(|mut out| match options.format {
        MatrixFormat::Json => output::json(&as_json(&checks), out),
        MatrixFormat::Table if all => as_list(&checks, screen, &mut out),
        MatrixFormat::Table => checks.iter().try_for_each(|check| check_page(&page(check, &check.controls()), &screen.table(), &mut out)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn as_list(checks: &[&Check], screen: &Screen, out: &mut impl Write) -> io::Result<()> {
    let mut rows: Vec<CheckRow<'_>> = checks
        .iter()
        .map(|check| CheckRow { id: check.id, severity: check.severity, title: check.title, area: check.area.as_str() })
        .collect();
    rows.sort_by_key(|row| (row.area, std::cmp::Reverse(row.severity), row.id));
    checks_table(&rows, &screen.table(), out)
}

fn as_json(checks: &[&Check]) -> Vec<Value> {
    checks
        .iter()
        .map(|check| {
            let by = check.responsibility;
            json!({
                "id": check.id,
                "title": check.title,
                "severity": check.severity,
                "resource": check.resource,
                "area": check.area.as_str(),
                "responsibility": {"fargate": by.fargate.as_str(), "ec2": by.ec2.as_str(), "eks": by.eks.as_str()},
                "needs": check.needs,
                "failsWhen": check.fails_when,
                "why": check.why,
                "remediation": {"text": check.remediation.text, "cli": check.remediation.cli},
                "compliance": check.controls(),
            })
        })
        .collect()
}
