"""Seeds scenarios into the emulator: python seed.py [--endpoint URL] all | SCENARIO..."""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError

from botocore.exceptions import BotoCoreError, ClientError

from sessions import NotLoopbackError, SessionFactory

SCENARIOS = Path(__file__).resolve().parent / "scenarios"
SCENARIOS_AT_ONCE = 4
DEFAULT_ENDPOINT = f"http://127.0.0.1:{os.environ.get('PLIMSOLL_LOCALSTACK_PORT', '4566')}"


def scenario_names() -> list[str]:
    """Every folder that holds a scenario."""
    return sorted(path.parent.name for path in SCENARIOS.glob("*/seed.py"))


def load(name: str) -> Callable[[SessionFactory], None]:
    """The seed function of a scenario."""
    spec = importlib.util.spec_from_file_location(f"scenario_{name}", SCENARIOS / name / "seed.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.seed


def wanted(names: Sequence[str]) -> list[str]:
    """The scenarios that the command line names; `all` means every one."""
    known = scenario_names()
    unknown = sorted(set(names) - {*known, "all"})
    if unknown:
        raise SystemExit(f"error: no scenario {', '.join(unknown)}; there are: {', '.join(known)}, all")
    return known if "all" in names else list(dict.fromkeys(names))


def forget_environment() -> None:
    """Removes AWS settings of the user: the seeds bring credentials of their own, which no one else accepts."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Seeds scenarios into the emulator on this machine.")
    parser.add_argument("--endpoint", default=DEFAULT_ENDPOINT, help="default: %(default)s")
    parser.add_argument("scenarios", nargs="+", metavar="SCENARIO", help=f"all, or of {', '.join(scenario_names())}")
    return parser.parse_args()


def seed_once(sessions: SessionFactory, name: str) -> None:
    """Seeds a scenario unless it is in place already, and reports the time on stderr."""
    if name in sessions.control("seeded")["seeded"]:
        print(f"{name} is seeded already", file=sys.stderr)
        return
    begun = time.monotonic()
    load(name)(sessions)
    sessions.control("seeded", {"scenario": name})
    sys.stderr.write(f"seeded {name} in {time.monotonic() - begun:.1f} s\n")


def main() -> int:
    """Seeds the scenarios, several at a time: each has accounts of its own."""
    chosen = arguments()
    forget_environment()
    try:
        sessions = SessionFactory(chosen.endpoint)
        with ThreadPoolExecutor(SCENARIOS_AT_ONCE) as pool:
            list(pool.map(lambda name: seed_once(sessions, name), wanted(chosen.scenarios)))
    except NotLoopbackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError, URLError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
