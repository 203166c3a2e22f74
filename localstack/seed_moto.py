"""Seeds a plain moto server, which knows one account and no control endpoints: python seed_moto.py [--endpoint URL].

Two regions hold the same service and a standalone task of it; only in eu-west-3 are they asked to have public addresses.
With --services and --tasks it makes an account to measure instead: that many services in clusters of 20, each with its
share of the tasks, in us-east-1.
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


def crowd(session: Session, services: int, tasks: int) -> None:
    """Many services with a definition, roles and a security group each."""
    place = estate.network(session, 60)
    session.client("ec2").modify_vpc_attribute(VpcId=place.vpc, EnableDnsHostnames={"Value": True})
    for number in range(-(-services // 20)):
        estate.cluster(session, f"c{number}", capacityProviders=["FARGATE"])

    def one(number: int) -> None:
        name, cluster = f"svc{number}", f"c{number // 20}"
        group = estate.security_group(session, place.vpc, name, ingress=[estate.port(8080, "10.60.0.0/16")])
        definition = estate.workload_definition(session, name)
        network = estate.placement(place, [group])
        estate.service(session, cluster, name, definition, networkConfiguration=network)
        rest = tasks // services
        while rest > 0:
            request = {"networkConfiguration": network, "group": f"service:{name}", "count": min(rest, 10)}
            estate.run_task(session, cluster, definition, **request)
            rest -= 10

    estate.in_parallel(one, range(services))


def main() -> None:
    """Seeds both regions, or an account to measure, unless something is there."""
    parser = argparse.ArgumentParser(description="Seeds a plain moto server on this machine.")
    parser.add_argument("--endpoint", default=DEFAULT_ENDPOINT, help="default: %(default)s")
    parser.add_argument("--services", type=int, default=0, help="make an account to measure")
    parser.add_argument("--tasks", type=int, default=0, help="tasks of all services together")
    arguments = parser.parse_args()
    endpoint = arguments.endpoint
    forget_environment()
    try:
        sessions = [Session(endpoint, ACCOUNT, name) for name in ("us-east-1", "eu-west-3")]
    except NotLoopbackError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    if sessions[0].client("ecs").list_clusters()["clusterArns"]:
        return
    if arguments.services:
        crowd(sessions[0], arguments.services, arguments.tasks)
        return
    for session in sessions:
        region(session, public=session.region == "eu-west-3")


if __name__ == "__main__":
    main()
