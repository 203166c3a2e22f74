"""Times `plimsoll check` on two snapshots, and plain parsing of the larger one by the same binary's reader; or, with
--live, a scan of an emulated account."""

import json
import os
import subprocess
import sys
import time


def run(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MiB of a command whose output is thrown away; the best of three runs."""
    best: tuple[float, float, float] | None = None
    for _ in range(3):
        start = time.monotonic()
        with open(os.devnull, "wb") as sink:
            process = subprocess.Popen(command, stdout=sink, stderr=sink, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        if os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"failed: {' '.join(command)}")
        one = (wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        best = one if best is None else min(best, one)
    assert best is not None
    return best


def live(binary: str, endpoint: str) -> None:
    """A scan of the account at the endpoint, and its requests by operation."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [binary, "scan", "--region", "us-east-1", "--format", "json"]
    wall, cpu, memory = run(command, environment)
    calls = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)["scan"]["calls"]
    print(f"live scan, 100 services, 1,000 tasks: {calls} requests, {cpu:.2f} s CPU, {memory:.0f} MiB, {wall:.2f} s wall")
    # 100 definitions, 10 batches of services and of tasks, 5 clusters with a page of services and two of tasks at most.
    print(f"{calls / 135:.2f} times the 135 requests that ECS alone cannot do without")


def main() -> None:
    if sys.argv[1] == "--live":
        live(*sys.argv[2:])
        return
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
