"""Reads `service:Operation` lines and prints those that AWS does not have, as botocore's models tell."""

import sys
from collections.abc import Iterator
from functools import cache

from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

LOADER = Loader()
# The block of an account and that of a bucket are one operation by name, but not by permission.
RENAMED = {"s3:GetAccountPublicAccessBlock": "s3control:GetPublicAccessBlock"}


@cache
def model(name: str) -> dict:
    """The model of a service, empty where botocore has none of that name."""
    try:
        return LOADER.load_service_model(name, "service-2")
    except DataNotFoundError:
        return {}


def candidates(service: str) -> Iterator[dict]:
    """The models that may be meant by a prefix of IAM actions: that of the name first, all others only when it fails."""
    yield model(service)
    for name in LOADER.list_available_services("service-2"):
        metadata = model(name)["metadata"]
        if service in {metadata.get("signingName"), metadata["endpointPrefix"]}:
            yield model(name)


def exists(line: str) -> bool:
    """Whether AWS has the operation."""
    service, _, operation = RENAMED.get(line, line).partition(":")
    return any(operation in each.get("operations", {}) for each in candidates(service))


def main() -> None:
    """Prints what does not exist."""
    for line in sys.stdin.read().split():
        if not exists(line):
            print(line)


if __name__ == "__main__":
    main()
