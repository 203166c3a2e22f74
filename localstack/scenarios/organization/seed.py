"""An organization with three members, each with a service in two regions; the scanner is refused in one of them.

The shop runs an image of the payments account and uses its key; a policy keeps the workloads out of other regions.
"""

from typing import Any

import estate
from sessions import Session, SessionFactory

MANAGEMENT = "111111110008"
PAYMENTS = "111111110009"
SHOP = "111111110010"
SANDBOX = "111111110011"
REGIONS = ("us-east-1", "eu-west-3")
ROLE = "PlimsollReadOnly"
EXTERNAL_ID = "plimsoll-example"
SHARED_KEY = "11111111-0009-4000-8000-000000000001"
GLOBAL_SERVICES = ["iam:*", "organizations:*", "route53:*", "cloudfront:*", "sts:*", "support:*"]


def seed(session_factory: SessionFactory) -> None:
    """Seeds the four accounts."""
    management = session_factory(MANAGEMENT)
    organization = management.client("organizations").create_organization(FeatureSet="ALL")["Organization"]
    structure(management, organization["Id"])
    reader(session_factory(PAYMENTS), MANAGEMENT)
    reader(session_factory(SHOP), MANAGEMENT)
    reader(session_factory(SANDBOX), "111111119999")  # the trust of a predecessor that nobody updated
    for number, account in enumerate((MANAGEMENT, PAYMENTS, SHOP, SANDBOX)):
        for region in REGIONS:
            workload(session_factory(account, region), 80 + number, organization["Id"])
    for account in (PAYMENTS, SHOP):
        keep_out(session_factory, account)


def structure(management: Session, organization: str) -> None:
    """Units, accounts and the policies on them."""
    organizations = management.client("organizations")
    root = organizations.list_roots()["Roots"][0]["Id"]
    for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
        organizations.enable_policy_type(RootId=root, PolicyType=kind)
    unit = organizations.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"]["Id"]
    for account, name in ((PAYMENTS, "payments"), (SHOP, "shop"), (SANDBOX, "sandbox")):
        tags = estate.aws_tags({"_custom_id_": account, "team": name})
        organizations.create_account(AccountName=name, Email=f"{name}@example.com", Tags=tags)
        if account != SANDBOX:
            organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    attach(
        management, "leave", root, [{"Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}]
    )
    attach(management, "regions", unit, [only_our_regions()])
    attach(management, "no-exec", PAYMENTS, [{"Effect": "Deny", "Action": "ecs:ExecuteCommand", "Resource": "*"}])
    attach(management, "perimeter", root, [only_our_people(organization)], kind="RESOURCE_CONTROL_POLICY")
    attach(management, "tls", unit, [only_over_tls()], kind="RESOURCE_CONTROL_POLICY")


def only_our_regions() -> dict[str, Any]:
    """Denies what is regional outside our regions."""
    condition = {"StringNotEquals": {"aws:RequestedRegion": list(REGIONS)}}
    return {"Effect": "Deny", "NotAction": GLOBAL_SERVICES, "Resource": "*", "Condition": condition}


def only_our_people(organization: str) -> dict[str, Any]:
    """Keeps everyone out of secrets and keys who is neither of the organization nor an AWS service."""
    condition = {
        "StringNotEqualsIfExists": {"aws:PrincipalOrgID": organization},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
    }
    actions = ["secretsmanager:GetSecretValue", "kms:Decrypt"]
    return {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*", "Condition": condition}


def only_over_tls() -> dict[str, Any]:
    """Denies buckets to those who come in the clear."""
    condition = {"BoolIfExists": {"aws:SecureTransport": "false"}}
    return {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition}


def attach(
    management: Session,
    name: str,
    target: str,
    statements: list[dict[str, Any]],
    kind: str = "SERVICE_CONTROL_POLICY",
) -> None:
    """Creates a policy and attaches it to a root, a unit or an account."""
    organizations = management.client("organizations")
    content = estate.policy_document(statements)
    policy = organizations.create_policy(Name=name, Description=name, Type=kind, Content=content)["Policy"]
    organizations.attach_policy(PolicyId=policy["PolicySummary"]["Id"], TargetId=target)


def keep_out(session_factory: SessionFactory, account: str) -> None:
    """Puts the policy on regions into force, which the emulator does not do by itself."""
    for region in session_factory(account).client("ec2").describe_regions()["Regions"]:
        if region["RegionName"] not in REGIONS:
            denial = {"account": account, "operations": ["*"], "region": region["RegionName"]}
            session_factory.control("deny", denial)


def reader(session: Session, trusted: str) -> None:
    """The role that the scanner takes in a member account."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{trusted}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}},
    }
    iam = session.client("iam")
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=estate.policy_document([statement]))
    iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/SecurityAudit")


def workload(session: Session, second_octet: int, organization: str) -> None:
    """A service of one task; payments owns the image and the key that the shop uses too."""
    estate.authorize_tagging(session)
    place = estate.network(session, second_octet)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    cidr = f"10.{second_octet}.0.0/16"
    group = estate.security_group(
        session, place.vpc, "web", ingress=[estate.port(8080, cidr)], egress=[estate.port(443, cidr)]
    )
    if session.account == PAYMENTS:
        share(session, organization)
    changes: dict[str, Any] = {}
    configuration: dict[str, Any] = {"executeCommandConfiguration": {"logging": "DEFAULT"}}
    if session.account in (PAYMENTS, SHOP):
        changes["image"] = f"{PAYMENTS}.dkr.ecr.{session.region}.amazonaws.com/base/web:1.4.2"
        configuration["executeCommandConfiguration"]["kmsKeyId"] = shared_key(session.region)
    estate.cluster(session, "main", capacityProviders=["FARGATE"], configuration=configuration)
    family = f"web-{session.region}"  # roles are global, so each region needs names of its own
    definition = estate.workload_definition(session, family, containers=[estate.container(session, "web", **changes)])
    network = estate.placement(place, [group])
    estate.service(session, "main", "web", definition, networkConfiguration=network)


def shared_key(region: str) -> str:
    """The ARN of the key that payments shares in a region."""
    return f"arn:aws:kms:{region}:{PAYMENTS}:key/{SHARED_KEY}"


def share(session: Session, organization: str) -> None:
    """A repository for the whole organization and a key for the shop."""
    pull = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    condition = {"StringEquals": {"aws:PrincipalOrgID": organization}}
    everyone = {"Effect": "Allow", "Principal": "*", "Action": pull, "Condition": condition}
    estate.repository(session, "base/web", [everyone])
    estate.push_image(session, "base/web", "1.4.2")
    shop = {"AWS": f"arn:aws:iam::{SHOP}:root"}
    use = {
        "Sid": "Shop",
        "Effect": "Allow",
        "Principal": shop,
        "Action": ["kms:Decrypt", "kms:DescribeKey"],
        "Resource": "*",
    }
    estate.key(session, SHARED_KEY, [use], alias="shared")
