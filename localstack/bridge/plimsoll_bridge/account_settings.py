"""ECS account settings with their defaults; moto knows half of the names and no effective values."""

from localstack.aws.api import CommonServiceException, RequestContext, ServiceRequest, ServiceResponse

from plimsoll_bridge.paging import page

DEFAULTS = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "dualStackIPv6": "enabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "off",
    "taskLongArnFormat": "enabled",
}
_VALUES: dict[tuple[str, str], dict[str, str]] = {}


def _values(context: RequestContext) -> dict[str, str]:
    return _VALUES.setdefault((context.account_id, context.region), {})


def _check(name: str | None) -> None:
    if name is not None and name not in DEFAULTS:
        raise CommonServiceException("InvalidParameterException", f"Unknown setting: {name}.", 400, True)


def _setting(context: RequestContext, name: str, value: str) -> dict[str, str]:
    return {
        "name": name,
        "value": value,
        "principalArn": f"arn:aws:iam::{context.account_id}:root",
        "type": "aws_managed" if name == "guardDutyActivate" else "user",
    }


def put(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Sets a value for the account; the emulator knows no other principal."""
    _check(request["name"])
    _values(context)[request["name"]] = request["value"]
    return {"setting": _setting(context, request["name"], request["value"])}


def delete(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Returns a setting to its default."""
    _check(request["name"])
    value = _values(context).pop(request["name"], DEFAULTS[request["name"]])
    return {"setting": _setting(context, request["name"], value)}


def list_settings(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Lists what was set, or with `effectiveSettings` every setting with the value in force."""
    name, value = request.get("name"), request.get("value")
    _check(name)
    known = {**DEFAULTS, **_values(context)} if request.get("effectiveSettings") else _values(context)
    found = [
        _setting(context, each, known[each])
        for each in sorted(known)
        if name in (None, each) and value in (None, known[each])
    ]
    settings, token = page(found, request, default=10)
    return {"settings": settings, **token}
