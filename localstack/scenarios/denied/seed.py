"""A small careless estate of which the scanner may not read everything."""

import estate
from sessions import SessionFactory

ACCOUNT = "111111110007"
STORAGE_KEY = "11111111-0007-4000-8000-000000000001"
DENIED = ["ecs:ListTasks", "ec2:DescribeSecurityGroups", "kms:GetKeyPolicy"]


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account, then takes permissions away."""
    session = session_factory(ACCOUNT)
    place = estate.network(session, 70, public=True)
    group = estate.security_group(session, place.vpc, "open", egress=[estate.everything()])
    key = estate.key(session, STORAGE_KEY, estate.fargate_statements(session, "shop"), rotation=False)
    estate.cluster(
        session,
        "shop",
        insights="disabled",
        capacityProviders=["FARGATE"],
        configuration=estate.storage_configuration(key),
    )
    estate.service(
        session,
        "shop",
        "web",
        estate.workload_definition(
            session, "web", containers=[estate.container(session, "web", logConfiguration=None)]
        ),
        networkConfiguration=estate.placement(place, [group], public=True),
    )
    session_factory.control("deny", {"account": ACCOUNT, "operations": DENIED})
