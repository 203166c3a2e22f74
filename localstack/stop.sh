#!/usr/bin/env bash
# Stops what start.sh and moto.sh started; prints nothing on stdout. It is no error when nothing runs.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=process.sh
. "$here/process.sh"

home=${PLIMSOLL_LOCALSTACK_HOME:-$here/.cache}
if [ ! -d "$home" ]; then
  say "nothing was started"
  exit 0
fi
home=$(cd -- "$home" && pwd)
stop_process "$home/localstack-${PLIMSOLL_LOCALSTACK_PORT:-4566}.pid" LocalStack
stop_process "$home/moto-${PLIMSOLL_MOTO_PORT:-5566}.pid" moto
