"""Control endpoints under /_plimsoll/: deny operations, count calls, lay down answers, age tasks.

A handler in LocalStack's chain sees every parsed AWS request, counts it and answers denied operations itself.
"""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from localstack.aws import handlers
from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.chain import HandlerChain
from localstack.aws.protocol.serializer import create_serializer
from localstack.aws.protocol.service_router import signing_name_path_prefix_rules
from localstack.aws.spec import ServiceModelIdentifier
from localstack.http import Request, Response
from localstack.runtime import hooks
from localstack.services.edge import ROUTER
from moto.ecs.models import ecs_backends

from plimsoll_bridge import (
    account_models,
    answers,
    ecr_operations,
    elb_models,
    missing_operations,
    neighbour_models,
    organization_models,
    trail,
    trust,
)

_DENIED: defaultdict[str, set[tuple[str, str | None]]] = defaultdict(set)  # pattern of operations, region or all
_CALLS: defaultdict[str, Counter[str]] = defaultdict(Counter)
_SEEDED: set[str] = set()

# Error code and HTTP status by the protocol in which a service describes itself.
_ACCESS_DENIED = {
    "ec2": ("UnauthorizedOperation", 403),
    "json": ("AccessDeniedException", 400),
    "query": ("AccessDenied", 403),
    "rest-json": ("AccessDeniedException", 403),
    "rest-xml": ("AccessDenied", 403),
}
# A policy that keeps out of a region spares these.
_GLOBAL = {"cloudfront", "iam", "organizations", "route53", "sts", "support"}
_IAM_PREFIX = {"efs": "elasticfilesystem", "elbv2": "elasticloadbalancing", "s3control": "s3"}
# CloudWatch spoke query before it spoke anything else, and kept the code.
_QUERY_AT_HEART = {"cloudwatch"}


@hooks.on_infra_start()
def install() -> None:
    """Adds the request handler and the endpoints when LocalStack starts."""
    account_models.apply()
    ecr_operations.apply()
    elb_models.apply()
    neighbour_models.apply()
    organization_models.apply()
    trail.apply()
    # Signer shares its signing name with a newer service; LocalStack takes such a request for one to S3.
    signing_name_path_prefix_rules["signer"] = {"*": ServiceModelIdentifier("signer")}
    handlers.serve_custom_service_request_handlers.append(handle_request)
    ROUTER.add("/_plimsoll/deny", deny, methods=["POST"])
    ROUTER.add("/_plimsoll/reset", reset, methods=["POST"])
    ROUTER.add("/_plimsoll/calls", calls, methods=["GET"])
    ROUTER.add("/_plimsoll/calls/reset", reset_calls, methods=["POST"])
    ROUTER.add("/_plimsoll/age", age, methods=["POST"])
    ROUTER.add("/_plimsoll/answer", lay_down, methods=["POST"])
    ROUTER.add("/_plimsoll/image", change_image, methods=["POST"])
    ROUTER.add(f"{ecr_operations.LAYER_PATH}/<digest>", ecr_operations.layer, methods=["GET"])
    ROUTER.add("/_plimsoll/seeded", seeded, methods=["GET", "POST"])
    ROUTER.add("/_plimsoll/health", health, methods=["GET"])


def handle_request(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Counts an AWS request, and answers it when it is denied or when LocalStack cannot."""
    if not context.operation or context.is_internal_call:
        return
    name = f"{context.service.service_name}:{context.operation.name}"
    _CALLS[context.account_id][iam_action(context)] += 1
    if is_denied(context, name):
        response.update_from(denial(context))
        chain.stop()
        return
    trail.record(context)
    try:
        result = own_answer(context, name)
    except CommonServiceException as error:
        response.update_from(refusal(context, error))
        chain.stop()
        return
    if result is not None:
        response.update_from(answer(context, result))
        chain.stop()


def is_denied(context: RequestContext, name: str) -> bool:
    """Whether the operation is refused, by its SDK or its IAM name: everywhere, or in this region."""
    names = (name, iam_action(context))
    return any(
        (region is None or is_out_of_bounds(context, region)) and any(fnmatchcase(each, pattern) for each in names)
        for pattern, region in tuple(_DENIED[context.account_id])
    )


def is_out_of_bounds(context: RequestContext, region: str) -> bool:
    """Whether the request goes to a region that is denied."""
    return context.region == region and context.service.service_name not in _GLOBAL


def own_answer(context: RequestContext, name: str) -> dict[str, Any] | None:
    """The answer of the bridge, or None where LocalStack or moto shall answer."""
    if name == "sts:AssumeRole":
        trust.check_assume_role(context)
        return None
    if context.service.service_name == "organizations":
        organization_models.check_caller(context)
    if name in missing_operations.OPERATIONS:
        return missing_operations.OPERATIONS[name](context)
    return answers.answer_to(context, name)


def answer(context: RequestContext, result: dict[str, Any]) -> Response:
    """Serialises an answer in the wire format of the service."""
    serializer = create_serializer(context.service, context.protocol)
    return serializer.serialize_to_response(result, context.operation, context.request.headers, context.request_id)


def denial(context: RequestContext) -> Response:
    """The refusal that AWS sends when no policy allows the call."""
    service = context.service
    protocol = "query" if service.service_name in _QUERY_AT_HEART else service.protocol
    code, status = _ACCESS_DENIED[protocol]
    return refusal(context, CommonServiceException(code, denial_message(context), status, True))


def refusal(context: RequestContext, error: CommonServiceException) -> Response:
    """Serialises an error in the wire format of the service."""
    context.service_exception = error
    serializer = create_serializer(context.service, context.protocol)
    return serializer.serialize_error_to_response(error, context.operation, context.request.headers, context.request_id)


def iam_action(context: RequestContext) -> str:
    """The operation under the IAM prefix of its service, which differs from the SDK's name for some."""
    service, operation = context.service.service_name, context.operation.name
    if (service, operation) == ("s3control", "GetPublicAccessBlock"):
        return "s3:GetAccountPublicAccessBlock"  # which S3 has for buckets as well
    return f"{_IAM_PREFIX.get(service, service)}:{operation}"


def denial_message(context: RequestContext) -> str:
    """The sentence in which AWS names caller, action and reason."""
    service = context.service.service_name
    action = iam_action(context)
    user = f"arn:aws:sts::{context.account_id}:assumed-role/scanner/s"
    kept_out = any(region and is_out_of_bounds(context, region) for _, region in tuple(_DENIED[context.account_id]))
    reason = f"because no identity-based policy allows the {action} action"
    if kept_out:
        reason = "with an explicit deny in a service control policy"
    if service == "ec2":
        start = "You are not authorized to perform this operation. "
        return f"{start}User: {user} is not authorized to perform: {action} {reason}"
    return f"User: {user} is not authorized to perform: {action} on resource: * {reason}"


def deny(request: Request) -> dict[str, Any]:
    """POST /_plimsoll/deny {"account", "operations": ["ecs:ListTasks", ...], "region"} adds denials to the account.

    Operations may hold `*`. With a region it is as if a service control policy kept the account out of it.
    """
    body = request.get_json(force=True)
    _DENIED[body["account"]].update((operation, body.get("region")) for operation in body["operations"])
    return {"account": body["account"], "denied": sorted({operation for operation, _ in _DENIED[body["account"]]})}


def reset(request: Request) -> dict[str, Any]:
    """POST /_plimsoll/reset {"account"} lifts all denials of the account; without an account, all denials."""
    account = (request.get_json(force=True, silent=True) or {}).get("account")
    for each in [account] if account else list(_DENIED):
        _DENIED.pop(each, None)
    return {"account": account, "denied": []}


def calls(request: Request) -> dict[str, int]:
    """GET /_plimsoll/calls?account= returns how often each operation was called, denied ones included."""
    account = request.args.get("account")
    counters = [_CALLS[account]] if account else list(_CALLS.values())
    return dict(sorted(sum(counters, Counter()).items()))


def reset_calls(request: Request) -> dict[str, Any]:
    """POST /_plimsoll/calls/reset {"account"} sets the counts to zero; without an account, all counts."""
    account = (request.get_json(force=True, silent=True) or {}).get("account")
    for each in [account] if account else list(_CALLS):
        _CALLS.pop(each, None)
    return {"account": account}


def age(request: Request) -> dict[str, Any]:
    """POST /_plimsoll/age {"account", "taskArn", "startedAt"} backdates a task; the time is ISO 8601 with offset."""
    body = request.get_json(force=True)
    arn, started = body["taskArn"], datetime.fromisoformat(body["startedAt"])
    tasks = ecs_backends[body["account"]][arn.split(":")[3]].tasks
    task = next((found[arn] for found in tasks.values() if arn in found), None)
    if task is None:
        return {"error": f"no task {arn} in account {body['account']}"}
    task.created_at = started - timedelta(seconds=40)
    task.pull_started_at = started - timedelta(seconds=20)
    task.started_at = task.pull_stopped_at = task.connectivity_at = started
    return {"taskArn": arn, "startedAt": started.isoformat()}


def lay_down(request: Request) -> dict[str, str]:
    """POST /_plimsoll/answer {"account", "region", "operation", "when", "result"} answers an operation from now on."""
    body = request.get_json(force=True)
    answers.add(body)
    return {"operation": body["operation"]}


def change_image(request: Request) -> dict[str, Any]:
    """POST /_plimsoll/image {"account", "region", "repository", "tag", "changes"} sets fields of an ECR image."""
    return ecr_operations.change_image(request.get_json(force=True))


def seeded(request: Request) -> dict[str, list[str]]:
    """GET /_plimsoll/seeded lists the scenarios that are in place; POST {"scenario"} adds one."""
    if request.method == "POST":
        _SEEDED.add(request.get_json(force=True)["scenario"])
    return {"seeded": sorted(_SEEDED)}


def health(_request: Request) -> dict[str, str]:
    """GET /_plimsoll/health tells a client that the bridge is installed."""
    return {"bridge": "running"}
