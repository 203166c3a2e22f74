"""Deploys a template into fresh accounts of the emulator and prints as JSON what came of it.

python deploy.py [--endpoint URL] --stack-set TEMPLATE            as a stack set into two accounts
python deploy.py [--endpoint URL] TEMPLATE [PARAMETER=VALUE...]   as a stack into one
"""

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from seed import DEFAULT_ENDPOINT, forget_environment
from sessions import NotLoopbackError, Session, SessionFactory

NAME = "plimsoll"
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


def fresh_account() -> str:
    """An account that no earlier run has left anything in."""
    return f"4{secrets.randbelow(10**11):011}"


def as_stack_set(sessions: SessionFactory, template: str) -> list[Session]:
    """Deploys from one account into two others; the emulator passes no parameters on, so defaults must do."""
    targets = [fresh_account(), fresh_account()]
    client = sessions(fresh_account()).client("cloudformation")
    client.create_stack_set(StackSetName=NAME, TemplateBody=template, Capabilities=CAPABILITIES)
    client.create_stack_instances(StackSetName=NAME, Accounts=targets, Regions=["us-east-1"])
    return [sessions(account) for account in targets]


def as_stack(sessions: SessionFactory, template: str, parameters: dict[str, str]) -> list[Session]:
    """Deploys into one account and waits until it is done."""
    session = sessions(fresh_account())
    client = session.client("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    client.create_stack(StackName=NAME, TemplateBody=template, Capabilities=CAPABILITIES, Parameters=given)
    client.get_waiter("stack_create_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return [session]


def outcome(session: Session) -> dict[str, Any]:
    """The stack of an account and the role that it made, read back from IAM."""
    (stack,) = session.client("cloudformation").describe_stacks()["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    iam = session.client("iam")
    role = iam.get_role(RoleName=outputs["RoleArn"].rpartition("/")[2])["Role"]
    documents = []
    for attached in iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]:
        policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        documents.append(version["PolicyVersion"]["Document"])
    return {
        "account": session.account,
        "status": stack["StackStatus"],
        "role": {key: role[key] for key in ("Arn", "RoleName", "MaxSessionDuration", "AssumeRolePolicyDocument")},
        "policies": documents,
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Deploys a template into fresh accounts of the emulator.")
    parser.add_argument("--endpoint", default=DEFAULT_ENDPOINT, help="default: %(default)s")
    parser.add_argument("--stack-set", action="store_true", help="as a stack set into two accounts")
    parser.add_argument("template", type=Path)
    parser.add_argument("parameters", nargs="*", metavar="PARAMETER=VALUE")
    return parser.parse_args()


def main() -> int:
    """Deploys, then reads back."""
    chosen = arguments()
    forget_environment()
    template = chosen.template.read_text()
    try:
        sessions = SessionFactory(chosen.endpoint)
        if chosen.stack_set:
            deployed = as_stack_set(sessions, template)
        else:
            deployed = as_stack(sessions, template, dict(each.split("=", 1) for each in chosen.parameters))
        print(json.dumps([outcome(session) for session in deployed]))
    except NotLoopbackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError, WaiterError, URLError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
