"""Fargate storage keys set too late, set in time, and set with a policy that does not let Fargate use them."""

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110004"
COMPLETE_KEY = "11111111-0004-4000-8000-000000000001"
INCOMPLETE_KEY = "11111111-0004-4000-8000-000000000002"


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    place = estate.network(session, 40)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    late(session, place)
    incomplete(session, place)


def late(session: Session, place: estate.Network) -> None:
    """Two tasks start, the cluster gets its key, a third task starts: the first two keep the old encryption."""
    estate.cluster(session, "late", capacityProviders=["FARGATE"])
    start(session, place, "late", "orders", count=2)
    key = estate.key(session, COMPLETE_KEY, estate.fargate_statements(session, "late"))
    session.client("ecs").update_cluster(cluster="late", configuration=estate.storage_configuration(key))
    session.client("ecs").update_service(cluster="late", service="orders", desiredCount=3)


def incomplete(session: Session, place: estate.Network) -> None:
    """The key policy forgets CreateGrant, and the key is never rotated."""
    statements = estate.fargate_statements(session, "incomplete")[:1]
    key = estate.key(session, INCOMPLETE_KEY, statements, rotation=False)
    configuration = estate.storage_configuration(key)
    estate.cluster(session, "incomplete", capacityProviders=["FARGATE"], configuration=configuration)
    start(session, place, "incomplete", "billing", count=1)


def start(session: Session, place: estate.Network, cluster: str, name: str, count: int) -> None:
    """A sound service with a security group of its own."""
    group = estate.security_group(session, place.vpc, name, egress=[estate.port(443, "10.40.0.0/16")])
    estate.service(
        session,
        cluster,
        name,
        estate.workload_definition(session, name),
        desiredCount=count,
        networkConfiguration=estate.placement(place, [group]),
    )
