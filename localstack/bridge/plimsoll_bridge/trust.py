"""Whom a role lets in: LocalStack's AssumeRole hands out credentials for any role, even for one that does not exist."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends
from moto.sts.models import sts_backends


def check_assume_role(context: RequestContext) -> None:
    """Refuses what the role's trust policy does not allow; all that the caller's own policies say is ignored."""
    request = context.service_request or {}
    role_arn = request.get("RoleArn") or ""
    caller = caller_arn(context)
    trust = trust_policy(role_arn)
    keys = condition_keys(context, caller, request)
    if trust is None or not allows(trust, context.account_id, caller, keys):
        message = f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        raise CommonServiceException("AccessDenied", message, 403, True)


def caller_arn(context: RequestContext) -> str:
    """The session that calls, or the root user of the account."""
    authorization = context.request.headers.get("Authorization") or ""
    key = authorization.partition("Credential=")[2].partition("/")[0]
    session = sts_backends[context.account_id]["aws"].get_assumed_role_from_access_key(key)
    return session.arn if session else f"arn:aws:iam::{context.account_id}:root"


def trust_policy(role_arn: str) -> Mapping[str, Any] | None:
    """The trust policy of a role, or None when there is no such role."""
    parts = role_arn.split(":")
    if len(parts) != 6 or not parts[5].startswith("role/"):
        return None
    roles = iam_backends[parts[4]]["aws"].roles.values()
    document = next((role.assume_role_policy_document for role in roles if role.arn == role_arn), None)
    return json.loads(document) if isinstance(document, str) else document


def condition_keys(context: RequestContext, caller: str, request: Mapping[str, Any]) -> dict[str, str]:
    """What a condition may ask for, by lower-case name; a key that is not there satisfies no condition."""
    keys = {
        "aws:principalaccount": context.account_id,
        "aws:principalarn": caller,
        "aws:principalorgid": organization_of(context.account_id),
        "sts:externalid": request.get("ExternalId"),
        "sts:rolesessionname": request.get("RoleSessionName"),
    }
    return {name: value for name, value in keys.items() if value}


def organization_of(account: str) -> str | None:
    """The id of the organization that an account is in."""
    for backend in [each["aws"] for each in list(organizations_backends.values()) if "aws" in each]:
        if backend.org and any(member.id == account for member in backend.accounts):
            return backend.org.id
    return None


def allows(trust: Mapping[str, Any], account: str, caller: str, keys: Mapping[str, str]) -> bool:
    """Whether a statement allows the caller and none denies it."""
    effects = [
        statement["Effect"] for statement in listed(trust["Statement"]) if fits(statement, account, caller, keys)
    ]
    return "Allow" in effects and "Deny" not in effects


def fits(statement: Mapping[str, Any], account: str, caller: str, keys: Mapping[str, str]) -> bool:
    """Whether a statement speaks of this caller and this moment."""
    actions = listed(statement.get("Action", []))
    principal = statement.get("Principal", {})
    principals = ["*"] if principal == "*" else listed(principal.get("AWS", []))
    named = {"*", account, f"arn:aws:iam::{account}:root", caller, role_of(caller)}
    return (
        any(fnmatchcase("sts:assumerole", action.lower()) for action in actions)
        and any(each in named for each in principals)
        and all(holds(operator, asked, keys) for operator, asked in statement.get("Condition", {}).items())
    )


def holds(operator: str, asked: Mapping[str, Any], keys: Mapping[str, str]) -> bool:
    """Whether a condition holds; an operator that is not for text never does."""
    optional = operator.endswith("IfExists")
    name = operator.removesuffix("IfExists").removeprefix("ForAnyValue:")
    for key, values in asked.items():
        given = keys.get(key.lower())
        if given is None:
            if not optional and "Not" not in name:
                return False
            continue
        like = name.removesuffix("Equals").removesuffix("Like").removesuffix("Not")
        if like not in ("String", "Arn"):
            return False
        match = any(fnmatchcase(given, value) for value in listed(values))
        if match == ("Not" in name):
            return False
    return True


def role_of(caller: str) -> str:
    """The role of a session, which is what trust policies name."""
    parts = caller.split(":")
    if not parts[5].startswith("assumed-role/"):
        return caller
    return f"arn:aws:iam::{parts[4]}:role/{parts[5].split('/')[1]}"


def listed(value: Any) -> list[Any]:
    """Policies write a list of one as the one."""
    return value if isinstance(value, list) else [value]
