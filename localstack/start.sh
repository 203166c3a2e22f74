#!/usr/bin/env bash
# Starts LocalStack with the bridge in the background and prints its endpoint URL on stdout.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=process.sh
. "$here/process.sh"

home=${PLIMSOLL_LOCALSTACK_HOME:-$here/.cache}
port=${PLIMSOLL_LOCALSTACK_PORT:-4566}
endpoint=http://127.0.0.1:$port
mkdir -p "$home"
home=$(cd -- "$home" && pwd)
venv=$home/venv
log=$home/localstack-$port.log
pidfile=$home/localstack-$port.pid

# Reinstalls the bridge when its sources or the virtual environment changed. Builds in a copy: setuptools leaves
# folders beside the sources.
ensure_bridge() {
  local stamp build
  stamp="$(cat "$venv/.requirements") $(fingerprint "$here"/bridge/pyproject.toml "$here"/bridge/plimsoll_bridge/*.py)"
  if [ "$(cat "$venv/.bridge" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  say "installing the bridge"
  build=$(mktemp -d)
  cp -R "$here/bridge/." "$build"
  "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet --force-reinstall \
    --no-index --no-deps --no-build-isolation "$build" >&2 || die "cannot install the bridge from $here/bridge"
  rm -rf "$build"
  printf '%s\n' "$stamp" >"$venv/.bridge"
}

start_localstack() {
  say "starting LocalStack on port $port, log in $log"
  SKIP_SSL_CERT_DOWNLOAD=1 DISABLE_EVENTS=1 DNS_ADDRESS=0 PARITY_AWS_ACCESS_KEY_ID=1 GATEWAY_LISTEN="127.0.0.1:$port" LOCALSTACK_HOST="127.0.0.1:$port" \
    FILESYSTEM_ROOT="$home/state-$port" XDG_CACHE_HOME="$home/xdg" LS_LOG="${LS_LOG:-info}" PYTHONNOUSERSITE=1 \
    nohup "$venv/bin/python" -m localstack.runtime.main </dev/null >"$log" 2>&1 &
  printf '%s\n' "$!" >"$pidfile"
  wait_until_answers "$venv/bin/python" "$endpoint/_plimsoll/health" "$!" "$log" 120
}

python=$(find_python)
take_lock "$home"
if answers "$python" "$endpoint/_plimsoll/health"; then
  say "already running on port $port"
elif answers "$python" "$endpoint/_localstack/health"; then
  die "a LocalStack without the bridge answers on port $port; stop it, or set PLIMSOLL_LOCALSTACK_PORT"
else
  ensure_venv "$python" "$venv" "$here/requirements.txt"
  ensure_bridge
  start_localstack
fi
printf '%s\n' "$endpoint"
