#!/usr/bin/env bash
# Starts plain moto, without any bridge, in the background and prints its endpoint URL on stdout.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=process.sh
. "$here/process.sh"

home=${PLIMSOLL_LOCALSTACK_HOME:-$here/.cache}
port=${PLIMSOLL_MOTO_PORT:-5566}
endpoint=http://127.0.0.1:$port
mkdir -p "$home"
home=$(cd -- "$home" && pwd)
venv=$home/moto-venv
log=$home/moto-$port.log
pidfile=$home/moto-$port.pid

python=$(find_python)
take_lock "$home"
if answers "$python" "$endpoint/moto-api/data.json"; then
  say "already running on port $port"
else
  ensure_venv "$python" "$venv" "$here/requirements-moto.txt"
  say "starting moto on port $port, log in $log"
  PYTHONNOUSERSITE=1 nohup "$venv/bin/python" "$venv/bin/moto_server" -H 127.0.0.1 -p "$port" </dev/null >"$log" 2>&1 &
  printf '%s\n' "$!" >"$pidfile"
  wait_until_answers "$venv/bin/python" "$endpoint/moto-api/data.json" "$!" "$log" 60
fi
printf '%s\n' "$endpoint"
