//! Writes the check reference of the book, `docs/src/checks/`, its part of `docs/src/SUMMARY.md`, and the table of AWS's
//! request quotas, `docs/src/quotas.md`. With `--check` it
//! writes nothing and fails when a page is not what it would write. Run by `make generate`.

#[path = "../src/page.rs"]
mod page;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use plimsoll_checks::{CHECKS, Check};
use plimsoll_collect::{quotas, services_without_quotas};
use plimsoll_report::check_page_markdown;

const BEGIN: &str = "<!-- checks -->";

fn main() -> ExitCode {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src");
    let files = match files(&source) {
        Ok(files) => files,
        Err(error) => return failed(&error),
    };
    let check_only = std::env::args().any(|argument| argument == "--check");
    for (path, text) in &files {
        if check_only {
            if !std::fs::read_to_string(path).is_ok_and(|present| present == *text) {
                eprintln!("error: {} is not up to date\nhint: run `make generate`", path.display());
                return ExitCode::FAILURE;
            }
        } else if let Err(error) = std::fs::write(path, text) {
            return failed(&error);
        }
    }
    ExitCode::SUCCESS
}

fn failed(error: &std::io::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn files(source: &Path) -> std::io::Result<BTreeMap<PathBuf, String>> {
    let mut files = BTreeMap::new();
    let mut checks = CHECKS.to_vec();
    checks.sort_by_key(|check| (check.area.as_str(), check.id));
    let (mut contents, mut list, mut area) = (String::new(), String::from("# Checks\n"), "");
    for check in checks {
        files.insert(source.join(format!("checks/{}.md", check.id)), markdown(check)?);
        // Writing to a String cannot fail.
        writeln!(contents, "  - [{}](checks/{}.md)", check.id, check.id).ok();
        if check.area.as_str() != area {
            area = check.area.as_str();
            writeln!(list, "\n## {area}\n\n| Check | Severity | Finds |\n|---|---|---|").ok();
        }
        writeln!(list, "| [{}]({}.md) | {} | {} |", check.id, check.id, check.severity, check.title).ok();
    }
    files.insert(source.join("checks/index.md"), list);
    files.insert(source.join("quotas.md"), quota_table());
    let summary = source.join("SUMMARY.md");
    let kept = std::fs::read_to_string(&summary)?;
    let head = kept.split(BEGIN).next().unwrap_or_default();
    files.insert(summary, format!("{head}{BEGIN}\n\n- [Checks](checks/index.md)\n{contents}"));
    Ok(files)
}

fn quota_table() -> String {
    let mut text = String::from(
        "# AWS's request quotas\n\n\
        Every bucket is one in each account and Region. `burst` is how many requests it holds, `rate` how many come back in a \
        second. Written from `crates/collect/src/quotas.json`; the [API budget](api-budget.md) says what plimsoll makes of it.\n\n\
        | Service | Requests | A bucket | Burst | Rate | Source |\n|---|---|---|---|---|---|\n",
    );
    for quota in quotas() {
        let operations: Vec<String> = quota.operations.iter().map(|operation| format!("`{operation}`")).collect();
        let operations = if quota.service == "*" { "all others".to_owned() } else { operations.join(", ") };
        let service = if quota.service == "*" { "all".to_owned() } else { format!("`{}`", quota.service) };
        let each = if quota.each { "each" } else { "together" };
        let source = quota.looked_up.map_or_else(|| quota.source.clone(), |day| format!("[AWS]({}), {day}", quota.source));
        // Writing to a String cannot fail.
        writeln!(text, "| {service} | {operations} | {each} | {} | {} | {source} |", quota.capacity, quota.rate).ok();
    }
    let services: Vec<String> = services_without_quotas().iter().map(|service| format!("`{service}`")).collect();
    writeln!(text, "\nAWS publishes no request rates for what plimsoll calls of {}.", services.join(", ")).ok();
    text
}

fn markdown(check: &Check) -> std::io::Result<String> {
    let mut text = Vec::new();
    check_page_markdown(&page::page(check, &check.controls()), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
