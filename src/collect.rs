//! `plimsoll collect`, and the collection that `plimsoll scan` starts with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use plimsoll_collect::{Cache, CollectError, Interrupt, RegionChoice, Settings, Share};
use plimsoll_config::Config;
use plimsoll_model::{Gap, Inventory, write_file};

use crate::accounts;
use crate::arguments::{CollectOptions, Target};
use crate::failure::{self, Failure};
use crate::output::probe;
use crate::screen::Screen;

pub(crate) fn run(options: &CollectOptions, config: &Config, screen: &Screen) -> Result<ExitCode, Failure> {
    probe(&options.output)?;
    let inventory = collect(&options.target, config, screen)?;
    keep(&inventory, &options.output)?;
    screen.note(&format!(
        "{}: {} resources, {} gaps, {} calls{}{}",
        options.output.display(),
        inventory.len(),
        inventory.gaps.len(),
        inventory.call_totals().calls,
        match inventory.call_totals().cached {
            0 => String::new(),
            cached => format!(", {cached} answers from the cache"),
        },
        if inventory.header.complete { "" } else { ", interrupted" }
    ));
    let mut gaps: Vec<&Gap> = inventory.gaps.iter().collect();
    gaps.sort_by_key(|gap| (!gap.closes_account(), gap.closes_region()));
    for gap in gaps.into_iter().take(5) {
        screen.note(&format!("not read: {} in {} {} ({})", gap.operation, gap.account, gap.region, gap.code));
    }
    Ok(exit_code(&inventory, options.require_complete.unwrap_or(config.output.require_complete)))
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
pub(crate) fn collect(target: &Target, config: &Config, screen: &Screen) -> Result<Inventory, Failure> {
    let collected =
        with_settings(target, config, screen, async |settings| plimsoll_collect::collect(&settings, Interrupt::on_ctrl_c()).await);
    collected.inspect(|inventory| {
        for account in &inventory.header.scope.inactive_accounts {
            screen.note(&format!("account {account} is not active, and so not read"));
        }
    })
}

/// Runs what asks AWS, with the settings that the options and the configuration name.
pub(crate) fn with_settings<T>(
    target: &Target,
    config: &Config,
    screen: &Screen,
    run: impl AsyncFnOnce(Settings) -> Result<T, CollectError>,
) -> Result<T, Failure> {
    let cache = cache(target, config);
    let settings = Settings {
        profile: target.profile.clone().or_else(|| config.profile.clone()),
        regions: regions(if target.region.is_empty() { &config.regions } else { &target.region }),
        accounts: accounts::choice(target, &config.accounts)?,
        accounts_at_once: usize::from(target.accounts_at_once),
        concurrency: usize::from(target.concurrency.unwrap_or(config.collect.concurrency)),
        api_budget: share(target, config)?,
        timeout: Duration::from_secs(target.timeout.unwrap_or(config.collect.timeout)),
        all_revisions: target.all_revisions.unwrap_or(config.collect.all_revisions),
        image_configs: target.image_configs.unwrap_or(config.collect.image_configs),
        fingerprint_key: target.fingerprint_key.as_ref().map(|key| key.clone().into_bytes()),
        cache: cache.clone(),
        progress: screen.progress(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::nothing_scanned(error, "the system refuses threads or sockets"))?;
    let collected = runtime.block_on(run(settings));
    // Requests that hang must not hold up the end.
    runtime.shutdown_background();
    if let Some(trouble) = cache.and_then(|cache| cache.trouble()) {
        screen.note(&format!("{trouble}: {}", trouble.hint()));
    }
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

/// The cache that the options, the configuration or the environment name. Without a home directory there is none.
fn cache(target: &Target, config: &Config) -> Option<Cache> {
    let of_file = &config.collect.cache;
    let size = u64::from(target.cache_size.unwrap_or(of_file.max_mib)) << 20;
    // A folder on the command line asks for a cache, whatever the configuration says.
    if target.no_cache || (!of_file.enabled && target.cache_dir.is_none()) {
        return None;
    }
    if let Some(chosen) = target.cache_dir.as_ref().or(of_file.directory.as_ref()) {
        return Some(Cache::chosen(chosen.clone(), size));
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG specification has relative paths ignored.
    let of_user = || {
        let base = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        let base = base.or_else(|| variable("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".cache")))?;
        Some(base.join("plimsoll"))
    };
    Some(Cache::new(variable("PLIMSOLL_CACHE_DIR").or_else(of_user)?, size))
}

/// How much of AWS's request quotas to spend.
fn share(target: &Target, config: &Config) -> Result<Share, Failure> {
    let of_file =
        || Share::new(config.collect.api_budget).map_err(|error| Failure::usage(error, "mend collect.api-budget in the configuration"));
    target.api_budget.map_or_else(of_file, Ok)
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use plimsoll_config::Config;

    use super::cache;
    use crate::arguments::{Arguments, Command};

    fn has_cache(options: &[&str], config: &Config) -> bool {
        match Arguments::parse_from(["plimsoll", "scan"].iter().chain(options)).command {
            Command::Scan(options) => cache(&options.target, config).is_some(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cache_is_that_of_the_file_unless_the_command_line_says() {
        let mut config = Config::default();
        config.collect.cache.directory = Some("cache".into());
        assert!(has_cache(&[], &config));
        assert!(!has_cache(&["--no-cache"], &config));
        config.collect.cache.enabled = false;
        assert!(!has_cache(&[], &config));
        assert!(has_cache(&["--cache-dir", "other"], &config));
    }
}
