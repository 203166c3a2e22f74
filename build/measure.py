"""Times `plimsoll check` on two snapshots, and plain parsing of the larger one by the same binary's reader."""

import os
import subprocess
import sys
import time


def run(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MiB of a command whose output is thrown away; the best of three runs."""
    best: tuple[float, float, float] | None = None
    for _ in range(3):
        start = time.monotonic()
        with open(os.devnull, "wb") as sink:
            process = subprocess.Popen(command, stdout=sink, stderr=sink)
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"failed: {' '.join(command)}")
        one = (wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        best = one if best is None else min(best, one)
    assert best is not None
    return best


def main() -> None:
    binary, small, large = sys.argv[1:]
    rows = {
        "check, 1,000 services, 10,000 tasks": run([binary, "check", small, "--format", "json"]),
        "check, 10,000 services, 100,000 tasks": run([binary, "check", large, "--format", "json"]),
        "the same, one check only (reading)": run([binary, "check", large, "--format", "json", "--only", "kms-key-policy-public"]),
    }
    for name, (wall, cpu, memory) in rows.items():
        print(f"{name:40} {wall:6.2f} s wall  {cpu:6.2f} s CPU  {memory:6.0f} MiB")
    first, second, reading = rows.values()
    print(f"ten times the account costs {second[1] / first[1]:.1f} times the CPU; all checks cost {second[1] / reading[1]:.2f} times the reading")


if __name__ == "__main__":
    main()
