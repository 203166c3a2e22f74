//! The binary in an environment of its own: no settings of the person who runs the tests reach it, and no test reaches
//! AWS, since every endpoint is on this machine.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use plimsoll_model::{Inventory, write_file};
use serde_json::Value;

/// A port on which nothing listens.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";

/// The binary without credentials and with an endpoint that refuses.
pub(crate) fn bare() -> Command {
    let mut command = Command::cargo_bin("plimsoll").unwrap();
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", NOWHERE)
        .env("COLUMNS", "100");
    command
}

/// The binary with dummy credentials of an account, against an endpoint on this machine.
pub(crate) fn against(endpoint: &str, account: &str) -> Command {
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint} is not on this machine");
    let mut command = bare();
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ACCESS_KEY_ID", account).env("AWS_SECRET_ACCESS_KEY", "test");
    command
}

/// Writes a snapshot of a fixture.
pub(crate) fn snapshot(inventory: &Inventory, folder: &Path, name: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    write_file(inventory, &path).unwrap();
    path
}

/// What was written to stdout, as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What was written to stderr, as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What was written to stdout, as JSON.
pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}\nstdout: {}\nstderr: {}", stdout(output), stderr(output)))
}

/// Fails with every violation unless the result agrees with its schema.
pub(crate) fn assert_valid(result: &Value, schema: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(result).map(|error| format!("{} at {}", error, error.instance_path())).take(5).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}
