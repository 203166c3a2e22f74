#!/usr/bin/env bash
# Seeds scenarios with the Python that start.sh installed: seed.sh all | SCENARIO...; seed.sh --moto: plain moto.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=process.sh
. "$here/process.sh"

python=${PLIMSOLL_LOCALSTACK_HOME:-$here/.cache}/venv/bin/python
[ -x "$python" ] || die "nothing is installed yet; run $here/start.sh first"
script=seed.py
if [ "${1:-}" = --moto ]; then
  script=seed_moto.py
  shift
fi
exec "$python" -B "$here/$script" "$@"
