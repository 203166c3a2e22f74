//! `plimsoll collect`, and the collection that `plimsoll scan` starts with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use plimsoll_collect::{CollectError, Interrupt, RegionChoice, Settings};
use plimsoll_model::{Inventory, write_file};

use crate::arguments::{CollectOptions, Target};
use crate::failure::{self, Failure};
use crate::output::probe;
use crate::screen::Screen;

pub(crate) fn run(options: &CollectOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    probe(&options.output)?;
    let inventory = collect(&options.target, screen)?;
    keep(&inventory, &options.output)?;
    screen.note(&format!(
        "{}: {} resources, {} gaps, {} calls{}",
        options.output.display(),
        inventory.len(),
        inventory.gaps.len(),
        inventory.call_totals().calls,
        if inventory.header.complete { "" } else { ", interrupted" }
    ));
    for gap in inventory.gaps.iter().take(5) {
        screen.note(&format!("not read: {} in {} {} ({})", gap.operation, gap.account, gap.region, gap.code));
    }
    Ok(exit_code(&inventory, options.require_complete))
}

/// The exit code of a scan that ran.
pub(crate) fn exit_code(inventory: &Inventory, require_complete: bool) -> ExitCode {
    let nothing = inventory.is_empty() && !inventory.gaps.is_empty();
    if !inventory.header.complete {
        ExitCode::from(failure::INTERRUPTED)
    } else if nothing || (require_complete && !inventory.gaps.is_empty()) {
        ExitCode::from(failure::NOTHING)
    } else {
        ExitCode::SUCCESS
    }
}

/// Reads what the options name. Ctrl-C ends it early with what was read.
pub(crate) fn collect(target: &Target, screen: &Screen) -> Result<Inventory, Failure> {
    let settings = Settings {
        profile: target.profile.clone(),
        regions: regions(&target.region),
        role_arn: target.role_arn.clone(),
        external_id: target.external_id.clone(),
        concurrency: usize::from(target.concurrency),
        api_budget: target.api_budget,
        timeout: Duration::from_secs(target.timeout),
        all_revisions: target.all_revisions,
        fingerprint_key: target.fingerprint_key.as_ref().map(|key| key.clone().into_bytes()),
        progress: screen.progress(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::nothing_scanned(error, "the system refuses threads or sockets"))?;
    let collected = runtime.block_on(async { plimsoll_collect::collect(&settings, Interrupt::on_ctrl_c()).await });
    // Requests that hang must not hold up the end.
    runtime.shutdown_background();
    collected.map_err(|error| {
        let hint = error.hint();
        match error {
            // Where they were looked for is a long list that says no more than this.
            CollectError::NoCredentials { .. } => Failure::nothing_scanned(anyhow::anyhow!("no AWS credentials found"), hint),
            CollectError::Interrupted => Failure::interrupted(error),
            wrong if wrong.is_usage() => Failure::usage(wrong, hint),
            _ => Failure::nothing_scanned(error, hint),
        }
    })
}

fn regions(names: &[String]) -> RegionChoice {
    if names.iter().any(|name| name.eq_ignore_ascii_case("all")) { RegionChoice::All } else { RegionChoice::Named(names.to_vec()) }
}

/// Writes a snapshot; where that fails, keeps it in the temporary folder rather than lose it.
pub(crate) fn keep(inventory: &Inventory, path: &Path) -> Result<(), Failure> {
    write_file(inventory, path).map_err(|error| {
        let hint = error.hint();
        let failure = Failure::usage(error, hint);
        match rescue(inventory) {
            Some(kept) => failure.and(&format!("what was collected is in {}", kept.display())),
            None => failure,
        }
    })
}

/// Puts a snapshot where it can be found again; `None` when even that fails.
pub(crate) fn rescue(inventory: &Inventory) -> Option<PathBuf> {
    let path = std::env::temp_dir().join(format!("plimsoll-{}.ndjson.zst", std::process::id()));
    write_file(inventory, &path).ok().map(|()| path)
}
