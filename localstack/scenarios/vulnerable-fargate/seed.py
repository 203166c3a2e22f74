"""A Fargate estate that gets everything wrong which Fargate lets one get wrong."""

from datetime import UTC, datetime, timedelta

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110001"
DYING_KEY = "11111111-0001-4000-8000-000000000001"
PUBLIC_KEY = "11111111-0001-4000-8000-000000000002"
UNSCOPED_KEY = "11111111-0001-4000-8000-000000000003"
SECRET_KEY = "wJalrXUtnFEMI" + "K7MDENGbPxRfiCYzE4uQ9vLmT2s"
DATABASE_URL = "postgres://app:" + "Tr0ub4dor3" + "@db.internal:5432/app"


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    place = estate.network(session, 10, public=True)
    open_group = estate.security_group(
        session, place.vpc, "open", ingress=[estate.everything()], egress=[estate.everything()]
    )
    clusters(session)
    role = estate.role(
        session, "shop-shared", [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]
    )
    web, legacy = web_definition(session, role), legacy_definition(session, role)
    services(session, place, open_group, web, legacy)
    adhoc = estate.run_task(
        session, "shop", legacy, networkConfiguration=estate.placement(place, [open_group], public=True)
    )
    started = (datetime.now(UTC) - timedelta(days=60)).isoformat()
    session_factory.control("age", {"account": ACCOUNT, "taskArn": adhoc, "startedAt": started})


def clusters(session: Session) -> None:
    """Two untagged clusters; the storage key of one is about to be deleted. Two more keys have open policies."""
    dying = estate.key(session, DYING_KEY, estate.fargate_statements(session, "shop"))
    anyone = {"Sid": "Anyone", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    estate.key(session, PUBLIC_KEY, [anyone])
    actions = ("kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant")
    estate.key(session, UNSCOPED_KEY, [estate.fargate_statement(action) for action in actions])
    configuration = estate.storage_configuration(dying)
    estate.cluster(
        session, "shop", insights="disabled", tags={}, capacityProviders=["FARGATE"], configuration=configuration
    )
    estate.cluster(session, "backoffice", insights="disabled", tags={}, capacityProviders=["FARGATE"])
    session.client("kms").schedule_key_deletion(KeyId=DYING_KEY, PendingWindowInDays=7)


def web_definition(session: Session, role: str) -> str:
    """Static keys of a live user, a writable root, no logs from one container, blocking logs from the other."""
    iam = session.client("iam")
    iam.create_user(UserName="deploy")
    access_key = iam.create_access_key(UserName="deploy")["AccessKey"]["AccessKeyId"]
    environment = [
        {"name": "AWS_ACCESS_KEY_ID", "value": access_key},
        {"name": "AWS_SECRET_ACCESS_KEY", "value": SECRET_KEY},
        {"name": "DATABASE_URL", "value": DATABASE_URL},
    ]
    app = estate.container(
        session,
        "app",
        user=None,
        environment=environment,
        readonlyRootFilesystem=None,
        linuxParameters=None,
        logConfiguration=None,
        mountPoints=[{"sourceVolume": "uploads", "containerPath": "/uploads"}],
    )
    proxy = estate.container(
        session, "proxy", logConfiguration=estate.awslogs(session, "proxy", mode="blocking"), portMappings=[]
    )
    uploads = {"name": "uploads", "efsVolumeConfiguration": {"fileSystemId": "fs-0a1b2c3d4e5f60718"}}
    return estate.definition(
        session, "web", [app, proxy], tags={}, taskRoleArn=role, executionRoleArn=role, volumes=[uploads]
    )


def legacy_definition(session: Session, role: str) -> str:
    """A password in the command line, and the role of the web service."""
    command = ["/bin/sh", "-c", f"exec app --database={DATABASE_URL}"]
    legacy = estate.container(session, "legacy", command=command)
    return estate.definition(session, "legacy", [legacy], tags={}, taskRoleArn=role, executionRoleArn=role)


def services(session: Session, place: estate.Network, open_group: str, web: str, legacy: str) -> None:
    """Public addresses, the default group, an old platform version and an unencrypted volume."""
    public_default = estate.placement(place, [], public=True)
    estate.service(session, "shop", "web", web, tags={}, networkConfiguration=public_default)
    estate.service(
        session,
        "shop",
        "legacy",
        legacy,
        tags={},
        platformVersion="1.3.0",
        networkConfiguration=estate.placement(place, [open_group], public=True),
    )
    role = estate.role(session, "ecs-infrastructure", service="ecs.amazonaws.com")
    volume = {"name": "scratch", "managedEBSVolume": {"encrypted": False, "roleArn": role, "sizeInGiB": 10}}
    estate.service(
        session,
        "backoffice",
        "admin",
        admin_definition(session),
        tags={},
        networkConfiguration=public_default,
        volumeConfigurations=[volume],
    )


def admin_definition(session: Session) -> str:
    """A sound definition for a service that is not."""
    return estate.workload_definition(session, "admin", volumes=[{"name": "scratch", "configuredAtLaunch": True}])
