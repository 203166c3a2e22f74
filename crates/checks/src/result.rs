//! Puts scan, verdicts and gaps together into the result contract.

use plimsoll_graph::Estate;
use plimsoll_model::{ScanResult, ScanSummary};

use crate::engine::Evaluation;
use crate::matrix::matrix;

/// Version of the result contract.
pub const RESULT_SCHEMA: u32 = 1;

/// The result of a scan; `version` is that of the plimsoll that judged.
pub fn result(estate: &Estate<'_>, evaluation: Evaluation, version: &str) -> ScanResult {
    let inventory = estate.inventory();
    let header = &inventory.header;
    let totals = inventory.call_totals();
    ScanResult {
        schema: RESULT_SCHEMA,
        plimsoll: version.to_owned(),
        scan: ScanSummary {
            started_at: header.started_at,
            finished_at: header.finished_at,
            complete: header.complete,
            accounts: header.scope.accounts.iter().cloned().collect(),
            regions: header.scope.regions.iter().cloned().collect(),
            calls: totals.calls,
            throttled: totals.throttled,
            waited_ms: totals.waited_ms,
            operations: header.calls.clone(),
        },
        summary: evaluation.summary,
        responsibility: matrix(estate, &evaluation).summary,
        findings: evaluation.findings,
        exceptions: evaluation.exceptions,
        gaps: inventory.gaps.clone(),
    }
}
