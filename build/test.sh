#!/usr/bin/env bash
# Every test. Unit tests need nothing; the end-to-end tests get LocalStack and a plain moto server, each seeded.
# Installs the emulators into localstack/.cache when they are missing. Never touches a real AWS account.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PLIMSOLL_CARGO:=cargo}"
export PLIMSOLL_LOCALSTACK_PORT=${PLIMSOLL_LOCALSTACK_PORT:-4577} PLIMSOLL_MOTO_PORT=${PLIMSOLL_MOTO_PORT:-5577}

trap 'localstack/stop.sh >/dev/null 2>&1 || true' EXIT
mkdir -p target
# The emulators install and start while the compiler works.
localstack/start.sh >target/localstack.url 2>target/localstack.log &
starting=$!
eval "$PLIMSOLL_CARGO test --workspace --features localstack --no-run"
if ! wait "$starting"; then
    cat target/localstack.log >&2
    exit 1
fi
PLIMSOLL_LOCALSTACK=$(cat target/localstack.url)
PLIMSOLL_MOTO=$(localstack/moto.sh)
export PLIMSOLL_LOCALSTACK PLIMSOLL_MOTO
rm -f target/localstack.url target/localstack.log
localstack/seed.sh --endpoint "$PLIMSOLL_LOCALSTACK" all
localstack/seed.sh --moto --endpoint "$PLIMSOLL_MOTO"
eval "$PLIMSOLL_CARGO test --workspace --features localstack"
