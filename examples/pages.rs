//! Writes what of the book is generated: the check reference, `docs/src/checks/`; a page for each collector,
//! `docs/src/collectors/`; their parts of `docs/src/SUMMARY.md`; and the table of AWS's request quotas,
//! `docs/src/quotas.md`. With `--check` it writes nothing and fails when a page is not what it would write. Run by
//! `make generate`.

#[path = "../src/page.rs"]
mod page;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use plimsoll_checks::{CHECKS, Check};
use plimsoll_collect::{Operation, quotas, services_without_quotas};
use plimsoll_model::Inventory;
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
    let collectors = collectors(source, &mut files)?;
    let summary = source.join("SUMMARY.md");
    let kept = std::fs::read_to_string(&summary)?;
    let head = kept.split(BEGIN).next().unwrap_or_default();
    files.insert(
        summary,
        format!("{head}{BEGIN}\n\n- [What is read](collectors/index.md)\n{collectors}- [Checks](checks/index.md)\n{contents}"),
    );
    Ok(files)
}

/// A page for each service: what its collector says of itself, what it calls and why, what it yields, who needs it.
fn collectors(source: &Path, files: &mut BTreeMap<PathBuf, String>) -> std::io::Result<String> {
    let mut services: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in plimsoll_collect::operations() {
        services.entry(operation.service).or_default().push(operation);
    }
    let (mut contents, mut list) = (String::new(), String::from("# What is read\n\n| Service | What | Operations |\n|---|---|---|\n"));
    for (service, mut operations) in services {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("crates/collect/src/{}.rs", service.replace('-', "_")));
        let says = says(&std::fs::read_to_string(file)?);
        operations.sort_by_key(|operation| operation.name);
        let mut text = format!("# {service}\n\n{says}\n## Operations\n\n| Operation | Permission | What for |\n|---|---|---|\n");
        for operation in &operations {
            let resource = plimsoll_collect::resource_scope(operation.permission);
            let only = resource.map_or(String::new(), |resource| format!(", only on `arn:*:{resource}`"));
            writeln!(text, "| `{}` | `{}`{only} | {} |", operation.name, operation.permission, operation.why).ok();
        }
        let kinds: Vec<_> = Inventory::KINDS.iter().filter(|(kind, _)| kind.split(':').next() == Some(service)).collect();
        if !kinds.is_empty() {
            text.push_str("\n## In the snapshot\n\n| Kind | Resource |\n|---|---|\n");
            for (kind, resource) in kinds {
                writeln!(text, "| `{kind}` | {resource} |").ok();
            }
        }
        let of_service = |need: &str| need.split(':').next() == Some(service);
        let mut needing: Vec<&str> =
            CHECKS.iter().filter(|check| check.needs.iter().any(|need| of_service(need))).map(|check| check.id).collect();
        needing.sort_unstable();
        if !needing.is_empty() {
            text.push_str("\n## Checks that need it\n\n");
            for id in needing {
                writeln!(text, "- [{id}](../checks/{id}.md)").ok();
            }
        }
        let first = says.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        writeln!(contents, "  - [{service}](collectors/{service}.md)").ok();
        writeln!(list, "| [{service}]({service}.md) | {first} | {} |", operations.len()).ok();
        files.insert(source.join(format!("collectors/{service}.md")), text);
    }
    files.insert(source.join("collectors/index.md"), list);
    Ok(contents)
}

/// The words with which a source file begins.
fn says(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    let text = lines.fold(String::new(), |text, line| text + line + "\n");
    // Links of the source lead nowhere in the book.
    text.replace("[`", "`").replace("`]", "`")
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
