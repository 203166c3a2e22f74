"""Answers that AWS makes up itself and no API call can seed: findings, coverage, patch states, insights.

A scenario lays an answer down through `POST /_plimsoll/answer`; without one, the account has nothing of the kind.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import Shape
from localstack.aws.api import RequestContext

NOTHING: dict[str, dict[str, Any]] = {
    "autoscaling:DescribeInstanceRefreshes": {"InstanceRefreshes": []},
    "cloudtrail:ListEventDataStores": {"EventDataStores": []},
    "ecr:DescribeImageSigningStatus": {"signingStatuses": []},
    "eks:ListInsights": {"insights": []},
    "guardduty:GetFindings": {"Findings": []},
    "guardduty:ListCoverage": {"Resources": []},
    "guardduty:ListFindings": {"FindingIds": []},
    "inspector2:ListCoverage": {"coveredResources": []},
    "logs:DescribeAccountPolicies": {"accountPolicies": []},
    "route53resolver:ListFirewallRuleGroupAssociations": {"FirewallRuleGroupAssociations": []},
    "ssm:DescribeInstanceInformation": {"InstanceInformationList": []},
    "ssm:DescribeInstancePatchStates": {"InstancePatchStates": []},
}
_Answer = tuple[Mapping[str, Any], Mapping[str, Any]]
_ANSWERS: defaultdict[tuple[str, str, str], list[_Answer]] = defaultdict(list)


def add(body: Mapping[str, Any]) -> None:
    """Keeps `result` as the answer to an operation; with `when`, to requests that have these parameters."""
    place = (body["account"], body["region"], body["operation"])
    _ANSWERS[place].append((body.get("when") or {}, body["result"]))


def answer_to(context: RequestContext, name: str) -> dict[str, Any] | None:
    """The newest answer that fits the request, or the empty one of an operation that moto does not have."""
    request = context.service_request or {}
    for when, result in reversed(_ANSWERS[context.account_id, context.region, name]):
        if is_part(when, request):
            return typed(result, context.operation.output_shape)
    return NOTHING.get(name)


def is_part(wanted: Any, given: Any) -> bool:
    """Whether every parameter that is wanted is given, at any depth."""
    if isinstance(wanted, Mapping) and isinstance(given, Mapping):
        return all(name in given and is_part(value, given[name]) for name, value in wanted.items())
    return bool(wanted == given)


def typed(value: Any, shape: Shape | None) -> Any:
    """The value with its times parsed, where the operation's output has times."""
    if shape is None:
        return value
    if shape.type_name == "structure":
        return {name: typed(each, shape.members.get(name)) for name, each in value.items()}
    if shape.type_name == "list":
        return [typed(each, shape.member) for each in value]
    if shape.type_name == "map":
        return {name: typed(each, shape.value) for name, each in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value
