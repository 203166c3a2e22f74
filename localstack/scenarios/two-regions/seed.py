"""The same service in two regions; only one of them gives its tasks public addresses."""

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110005"


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    region(session_factory(ACCOUNT, "us-east-1"), public=False)
    region(session_factory(ACCOUNT, "eu-west-3"), public=True)


def region(session: Session, *, public: bool) -> None:
    """A cluster with one service."""
    estate.authorize_tagging(session)
    place = estate.network(session, 50, public=public)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    estate.cluster(session, "edge", capacityProviders=["FARGATE"])
    group = estate.security_group(
        session,
        place.vpc,
        "api",
        ingress=[estate.port(8080, "10.50.0.0/16")],
        egress=[estate.port(443, "10.50.0.0/16")],
    )
    family = f"api-{session.region}"  # roles are global, so each region needs names of its own
    estate.service(
        session,
        "edge",
        "api",
        estate.workload_definition(session, family),
        networkConfiguration=estate.placement(place, [group], public=public),
    )
