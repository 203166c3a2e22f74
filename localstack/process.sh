# shellcheck shell=bash
# Sourced by start.sh, stop.sh and moto.sh: Python, virtual environments and background processes.

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# Prints the first Python of at least 3.13 among the usual names and pyenv's versions.
find_python() {
  local candidate
  for candidate in "${PLIMSOLL_PYTHON:-}" python3.13 python3.14 python3 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[3-9]*/bin/python; do
    if [ -n "$candidate" ] && is_new_python "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  die "no Python 3.13 or newer found; install one, or name it in PLIMSOLL_PYTHON"
}

is_new_python() {
  command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 13))' >/dev/null 2>&1
}

# take_lock FOLDER lets one start at a time work in the folder; a lock whose owner is gone does not count.
take_lock() {
  local lock=$1/lock deadline=$((SECONDS + 300)) owner
  until mkdir "$lock" 2>/dev/null; do
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
      rm -rf "$lock"
    elif [ "$SECONDS" -ge "$deadline" ]; then
      die "another start holds $lock; remove it if none is running"
    else
      sleep 0.2
    fi
  done
  printf '%s\n' "$$" >"$lock/pid"
  # shellcheck disable=SC2064 # the path is known now
  trap "rm -rf '$lock'" EXIT
}

# fingerprint FILE... prints a checksum over the contents of the files.
fingerprint() { cat "$@" | cksum | tr ' ' '-'; }

# ensure_venv PYTHON VENV REQUIREMENTS installs the pinned packages unless exactly these are there already.
ensure_venv() {
  local python=$1 venv=$2 requirements=$3 stamp
  stamp="$("$python" --version) $(fingerprint "$requirements")"
  if [ "$(cat "$venv/.requirements" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  say "installing $(basename "$requirements") into $venv"
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  "$python" -m venv "$venv" >&2 || die "cannot create a virtual environment in $venv"
  "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet \
    --require-hashes -r "$requirements" >&2 || die "cannot install $requirements"
  printf '%s\n' "$stamp" >"$venv/.requirements"
}

# answers PYTHON URL tells whether the URL answers 200, without any proxy.
answers() {
  "$1" - "$2" >/dev/null 2>&1 <<'PYTHON'
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.exit(opener.open(sys.argv[1], timeout=3).status != 200)
PYTHON
}

# wait_until_answers PYTHON URL PID LOG SECONDS waits for a process to serve, and fails when it ends or takes too long.
wait_until_answers() {
  local python=$1 url=$2 pid=$3 log=$4 deadline=$((SECONDS + $5))
  until answers "$python" "$url"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      tail -n 20 "$log" >&2
      die "the process ended before it answered; its log is $log"
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      kill "$pid" 2>/dev/null || true
      tail -n 20 "$log" >&2
      die "no answer from $url within $5 seconds; the log is $log"
    fi
    sleep 0.3
  done
}

# stop_process PIDFILE NAME ends the process that a start script began, and only that.
stop_process() {
  local pidfile=$1 name=$2 pid tries=0
  if ! pid=$(cat "$pidfile" 2>/dev/null) || ! is_ours "$pid" "$pidfile"; then
    rm -f "$pidfile"
    say "$name is not running"
    return
  fi
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -KILL "$pid" 2>/dev/null || true
  rm -f "$pidfile"
  say "$name stopped"
}

# is_ours PID PIDFILE tells whether the process runs from the folder of the PID file; a PID may have been reused.
is_ours() {
  case "$(ps -o command= -p "$1" 2>/dev/null)" in
  "$(dirname "$2")"/*) return 0 ;;
  *) return 1 ;;
  esac
}
