"""One cluster with 300 services and 1,500 tasks: paging, batching and the scope of task definitions at size."""

from typing import Any

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110006"
FAMILIES = 30
REVISIONS = 4
SERVICES = 300
TASKS_EACH = 5
PASSWORD = "correct" + "HorseBattery9Staple"


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    place = estate.network(session, 60)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    estate.cluster(session, "large", insights="disabled", capacityProviders=["FARGATE"])
    group = estate.security_group(session, place.vpc, "jobs", egress=[estate.port(443, "10.60.0.0/16")])
    roles = estate.task_role(session, "job-task"), estate.execution_role(session, "job")
    estate.in_parallel(lambda number: register(session, number, *roles), range(FAMILIES))
    network = estate.placement(place, [group])
    estate.in_parallel(lambda number: start(session, number, network), range(SERVICES))


def register(session: Session, number: int, task_role: str, execution_role: str) -> None:
    """Four revisions of a family: the first holds a password, the third is in use, the last one is the latest."""
    for revision in range(1, REVISIONS + 1):
        password = [{"name": "DATABASE_PASSWORD", "value": PASSWORD}] if revision == 1 else []
        job = estate.container(session, "job", environment=password, portMappings=[])
        roles: dict[str, Any] = {"taskRoleArn": task_role, "executionRoleArn": execution_role}
        estate.definition(session, f"job-{number:02}", [job], **roles)


def start(session: Session, number: int, network: dict[str, Any]) -> None:
    """A service on the third revision of its family; the first of all still runs the revision with the password."""
    revision = 1 if number == 0 else 3
    definition = f"job-{number % FAMILIES:02}:{revision}"
    estate.service(
        session,
        "large",
        f"job-{number:03}",
        definition,
        desiredCount=TASKS_EACH,
        networkConfiguration=network,
    )
