"""Seeds a plain moto server, which knows one account and no control endpoints: python seed_moto.py [--endpoint URL].

Two regions hold the same service and a standalone task of it; only in eu-west-3 are they asked to have public addresses.
"""

import argparse
import os
import sys

import estate
from seed import forget_environment
from sessions import NotLoopbackError, Session

ACCOUNT = "123456789012"
DEFAULT_ENDPOINT = f"http://127.0.0.1:{os.environ.get('PLIMSOLL_MOTO_PORT', '5566')}"


def region(session: Session, *, public: bool) -> None:
    """A cluster with one service and one standalone task."""
    place = estate.network(session, 50, public=public)
    # Without host names moto's RunTask fails on the interface of the task.
    session.client("ec2").modify_vpc_attribute(VpcId=place.vpc, EnableDnsHostnames={"Value": True})
    estate.cluster(session, "edge", capacityProviders=["FARGATE"])
    group = estate.security_group(
        session,
        place.vpc,
        "api",
        ingress=[estate.port(8080, "10.50.0.0/16")],
        egress=[estate.port(443, "10.50.0.0/16")],
    )
    # Roles are global, so each region needs names of its own.
    definition = estate.workload_definition(session, f"api-{session.region}")
    network = estate.placement(place, [group], public=public)
    estate.service(session, "edge", "api", definition, networkConfiguration=network)
    estate.run_task(session, "edge", definition, networkConfiguration=network)


def main() -> None:
    """Seeds both regions, unless they are seeded."""
    parser = argparse.ArgumentParser(description="Seeds a plain moto server on this machine.")
    parser.add_argument("--endpoint", default=DEFAULT_ENDPOINT, help="default: %(default)s")
    endpoint = parser.parse_args().endpoint
    forget_environment()
    try:
        sessions = [Session(endpoint, ACCOUNT, name) for name in ("us-east-1", "eu-west-3")]
    except NotLoopbackError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    if sessions[0].client("ecs").list_clusters()["clusterArns"]:
        return
    for session in sessions:
        region(session, public=session.region == "eu-west-3")


if __name__ == "__main__":
    main()
