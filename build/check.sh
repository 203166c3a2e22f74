#!/usr/bin/env bash
# Format, lints, generated files and dependencies. Installs cargo-deny under target/tools when it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PLIMSOLL_CARGO:=cargo}"

cargo fmt --all --check
eval "$PLIMSOLL_CARGO clippy --workspace --all-targets --all-features -- -D warnings"
eval "$PLIMSOLL_CARGO run -q -p plimsoll-checks --example generate -- --check"
eval "$PLIMSOLL_CARGO run -q --example pages -- --check"

deny=$(command -v cargo-deny || true)
if [ -z "$deny" ]; then
    deny=target/tools/bin/cargo-deny
    # Unoptimised: it runs once, and compiles in a third of the time.
    [ -x "$deny" ] || cargo install --quiet --debug --locked --no-default-features --root target/tools cargo-deny@0.20.2
fi
# Advisories need a network beyond the registry: `cargo deny check` by hand has them.
"$deny" check licenses bans sources
