#!/usr/bin/env bash
# Runs a script of this folder with the Python that start.sh installed: run.sh deploy.py ARGUMENT...
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=process.sh
. "$here/process.sh"

python=${PLIMSOLL_LOCALSTACK_HOME:-$here/.cache}/venv/bin/python
[ -x "$python" ] || die "nothing is installed yet; run $here/start.sh first"
script=${1:?"name a script of $here"}
shift
exec "$python" -B "$here/$script" "$@"
