//! Writes `src/registry.rs` from the check files that exist. With `--check` it writes nothing and fails when the
//! registry is not what it would write. Run by `make generate`.
#![allow(clippy::disallowed_methods, reason = "a generator reads and writes files")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let registry = source.join("registry.rs");
    match write(&source) {
        Ok(text) if std::env::args().any(|argument| argument == "--check") => {
            if std::fs::read_to_string(&registry).is_ok_and(|present| present == text) {
                ExitCode::SUCCESS
            } else {
                eprintln!("error: {} is not up to date\nhint: run `make generate`", registry.display());
                ExitCode::FAILURE
            }
        }
        Ok(text) => match std::fs::write(&registry, text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

fn failed(error: &std::io::Error) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn write(source: &Path) -> std::io::Result<String> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(source)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&folder)? {
            let file = file?.path();
            let names = (file.file_stem().and_then(|n| n.to_str()), folder.file_name().and_then(|n| n.to_str()));
            if let (Some(stem), Some(area)) = names
                && file.extension().is_some_and(|ending| ending == "rs")
            {
                files.push((stem.to_owned(), area.to_owned()));
            }
        }
    }
    files.sort();
    let mut text = String::from(
        "//! Every check of the catalogue. Written by `make generate`: edit the check files instead.\n\nuse crate::check::Check;\n\n",
    );
    // Writing to a String cannot fail.
    for (stem, area) in &files {
        writeln!(text, "#[path = \"{area}/{stem}.rs\"]\nmod {stem};").ok();
    }
    text.push_str("\n/// Every check, by id.\npub const CHECKS: &[&Check] = &[\n");
    for (stem, _) in &files {
        writeln!(text, "    &{stem}::CHECK,").ok();
    }
    text.push_str("];\n");
    Ok(text)
}
