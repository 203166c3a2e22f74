#!/usr/bin/env bash
# The whole binary over a snapshot of 10,000 services and 100,000 tasks, beside the cost of only unpacking and parsing
# the same file: a ratio, so that it says the same on every machine. Then a live scan of 100 services and 1,000 tasks on
# an emulator: what counts there is requests and CPU, for the wall time is the emulator's.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PLIMSOLL_CARGO:=cargo}"

eval "$PLIMSOLL_CARGO build --release"
eval "$PLIMSOLL_CARGO run -q --release -p plimsoll-fixture --example large -- 1000 10000 target/bench-small.ndjson.zst"
eval "$PLIMSOLL_CARGO run -q --release -p plimsoll-fixture --example large -- 10000 100000 target/bench-large.ndjson.zst"
python3 build/measure.py target/release/plimsoll target/bench-small.ndjson.zst target/bench-large.ndjson.zst

# 100 accounts of 1,000 tasks, each with an interface, collected at once from an endpoint in the same process.
eval "$PLIMSOLL_CARGO test --release -q -p plimsoll-collect --lib -- --ignored --exact --nocapture \
  accounts::tests::a_hundred_accounts_with_a_thousand_tasks_each_fit_in_two_gigabytes" | grep '^peak'

export PLIMSOLL_MOTO_PORT=${PLIMSOLL_MOTO_PORT:-5588} PLIMSOLL_LOCALSTACK_PORT=${PLIMSOLL_LOCALSTACK_PORT:-4588}
trap 'localstack/stop.sh >/dev/null 2>&1' EXIT
# The seeds run with the Python that this installs.
localstack/start.sh >/dev/null
moto=$(localstack/moto.sh)
localstack/seed.sh --moto --endpoint "$moto" --services 100 --tasks 1000
python3 build/measure.py --live target/release/plimsoll "$moto"
