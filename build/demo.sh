#!/usr/bin/env bash
# Builds, starts LocalStack, seeds the sample account and scans it live. Needs no AWS account and no Docker.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${PLIMSOLL_CARGO:=cargo}"
export PLIMSOLL_LOCALSTACK_PORT=${PLIMSOLL_LOCALSTACK_PORT:-4566}

localstack/start.sh >/dev/null &
starting=$!
eval "$PLIMSOLL_CARGO build"
wait "$starting"
trap 'localstack/stop.sh >/dev/null 2>&1' EXIT
endpoint=http://127.0.0.1:$PLIMSOLL_LOCALSTACK_PORT
localstack/seed.sh --endpoint "$endpoint" demo

# Dummy credentials: the 12-digit key selects the sample account in the emulator, and no one else accepts it.
echo >&2
echo "\$ plimsoll scan --region us-east-1,eu-west-3" >&2
env -u AWS_PROFILE -u AWS_SESSION_TOKEN AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null \
    AWS_ENDPOINT_URL="$endpoint" AWS_ACCESS_KEY_ID=222222222222 AWS_SECRET_ACCESS_KEY=test \
    target/debug/plimsoll scan --region us-east-1,eu-west-3
