"""Deployers that may or may not become administrator, and keys, secrets and repositories that let too many in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110016"
ELSEWHERE = "999999999999"
ADMIN = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
RUN = {"Effect": "Allow", "Action": ["ecs:RegisterTaskDefinition", "ecs:RunTask"], "Resource": "*"}
Statements = Sequence[Mapping[str, Any]]


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    place = estate.network(session, 160)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    key = estate.key(session, "66666666-0000-4000-8000-000000000001", [everybody])
    sessions = {"executeCommandConfiguration": {"logging": "DEFAULT", "kmsKeyId": key}}
    estate.cluster(session, "deploy", capacityProviders=["FARGATE"], configuration=sessions)
    group = estate.security_group(session, place.vpc, "deployers", egress=[estate.port(443, "10.160.0.0/16")])
    targets(session)
    for name, statements in deployers(session).items():
        deployer(session, place, group, name, statements)
    bound(session)
    stores(session)
    endpoints(session, place)


def role_arn(session: Session, name: str) -> str:
    """The ARN of a role of the account."""
    return f"arn:aws:iam::{session.account}:role/{name}"


def targets(session: Session) -> None:
    """The roles that somebody might pass to a task."""
    trusted = estate.task_trust_condition(session)
    estate.role(session, "admin", ADMIN, condition=trusted)
    estate.role(session, "admin-of-functions", ADMIN, service="lambda.amazonaws.com")
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::prices/*"}
    estate.role(session, "harmless", [read], condition=trusted)


def deployers(session: Session) -> dict[str, Statements]:
    """What each deployer may do, by the name of its service."""

    def passing(target: str, **changes: Any) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role_arn(session, target), **changes}

    def to(service: str) -> dict[str, Any]:
        return {"Condition": {"StringEquals": {"iam:PassedToService": service}}}

    deny = {"Effect": "Deny", "Action": "iam:PassRole", "Resource": role_arn(session, "admin")}
    return {
        "passes-admin": [RUN, passing("admin", **to("ecs-tasks.amazonaws.com"))],
        "passes-denied": [RUN, passing("admin"), deny],
        "passes-bounded": [RUN, passing("admin")],
        "passes-untrusted": [RUN, passing("admin-of-functions")],
        "passes-harmless": [RUN, passing("harmless")],
        "passes-elsewhere": [RUN, passing("admin", **to("ec2.amazonaws.com"))],
        "passes-by-wildcard": [
            {"Effect": "Allow", "Action": ["iam:Pass*", "ecs:R*"], "Resource": "*"},
        ],
        "all-but-storage": [{"Effect": "Allow", "NotAction": ["s3:*", "organizations:*"], "Resource": "*"}],
    }


def deployer(session: Session, place: estate.Network, group: str, name: str, statements: Statements) -> None:
    """A service of one task whose role is the deployer's."""
    definition = estate.workload_definition(session, name, taskRoleArn=estate.task_role(session, name, statements))
    estate.service(session, "deploy", name, definition, networkConfiguration=estate.placement(place, [group]))


def bound(session: Session) -> None:
    """A boundary that lets one deployer register and run, and pass nothing."""
    iam = session.client("iam")
    document = estate.policy_document([RUN])
    arn = iam.create_policy(PolicyName="deployers-boundary", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="passes-bounded", PermissionsBoundary=arn)


def stores(session: Session) -> None:
    """Secrets and repositories for everybody, and the same with a Deny that takes it back."""
    everybody = {"Effect": "Allow", "Principal": "*"}
    outsiders = {"StringNotEquals": {"aws:PrincipalAccount": session.account}}
    secrets = session.client("secretsmanager")
    reading = {**everybody, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    taken_back = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": outsiders}
    injected = []
    for name, statements in {"open": [reading], "taken-back": [reading, taken_back]}.items():
        value = json.dumps({"user": "shop"})
        created = secrets.create_secret(Name=name, SecretString=value, Tags=estate.aws_tags(estate.TAGS))
        secrets.put_resource_policy(SecretId=name, ResourcePolicy=estate.policy_document(statements))
        injected.append({"name": name.upper().replace("-", "_"), "valueFrom": created["ARN"]})
    # Only secrets that a definition names are those of containers; its latest revision counts though nothing runs it.
    reader = estate.container(session, "reader", secrets=injected)
    estate.workload_definition(session, "reader", containers=[reader])
    pull = {**everybody, "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]}
    push = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ELSEWHERE}:root"},
        "Action": ["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"],
    }
    denied = {"Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Condition": outsiders}
    estate.repository(session, "public", [pull])
    estate.repository(session, "public-taken-back", [pull, denied])
    estate.repository(session, "pushed", [push])
    estate.repository(session, "pushed-taken-back", [push, denied])


def endpoints(session: Session, place: estate.Network) -> None:
    """Endpoints with the policy that EC2 gives them, and with one for the account alone."""
    group = estate.security_group(session, place.vpc, "endpoints", ingress=[estate.port(443, "10.160.0.0/16")])
    everything = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    estate.endpoint(session, place, "secretsmanager", group, everything)
    estate.endpoint(session, place, "kms", group, estate.own_account(session))
