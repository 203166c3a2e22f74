#!/usr/bin/env bash
# The whole binary over a snapshot of 10,000 services and 100,000 tasks, beside the cost of only unpacking and parsing
# the same file: a ratio, so that it says the same on every machine.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PLIMSOLL_CARGO:=cargo}"

eval "$PLIMSOLL_CARGO build --release"
eval "$PLIMSOLL_CARGO run -q --release -p plimsoll-fixture --example large -- 1000 10000 target/bench-small.ndjson.zst"
eval "$PLIMSOLL_CARGO run -q --release -p plimsoll-fixture --example large -- 10000 100000 target/bench-large.ndjson.zst"
python3 build/measure.py target/release/plimsoll target/bench-small.ndjson.zst target/bench-large.ndjson.zst
