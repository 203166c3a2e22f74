"""CloudTrail's event history: the calls that changed something, and what Fargate does with a storage key.

moto records nothing, does not know LookupEvents, and looks for the buckets of trails in an S3 of its own.
"""

import json
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext
from localstack.services.s3.models import s3_stores
from localstack.utils.patch import patch
from moto.cloudtrail.exceptions import S3BucketDoesNotExistException
from moto.cloudtrail.models import Trail

from plimsoll_bridge.paging import page

MOST_EVENTS = 2000
READS = ("Describe", "Get", "List", "BatchGet", "BatchCheck", "Lookup", "Head", "Search", "Select", "Query", "Simulate")
# Request parameters are kept where a reader of the history needs them; elsewhere they may hold secrets.
TOLD = {"ecs:ExecuteCommand", "ecs:RunTask", "ecs:StartTask", "kms:CreateGrant", "sts:AssumeRole"}
_EVENTS: defaultdict[tuple[str, str], deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=MOST_EVENTS))


def apply() -> None:
    """Patches moto's trails when LocalStack starts."""
    Trail.check_bucket_exists = check_bucket_exists
    Trail.check_topic_exists = lambda _trail: None
    patch(Trail.description)(description)
    patch(Trail.get_event_selectors)(event_selectors)
    patch(Trail.put_event_selectors)(put_event_selectors)


def check_bucket_exists(trail: Trail) -> None:
    """Looks for the bucket in LocalStack's S3."""
    store = s3_stores[trail.account_id][trail.region_name]
    if trail.bucket_name not in store.global_bucket_map:
        raise S3BucketDoesNotExistException(f"S3 bucket {trail.bucket_name} does not exist!")


def event_selectors(original: Any, trail: Trail) -> Any:
    """The selectors with all their fields; a trail that has none of its own records every management event."""
    simple, advanced = original(trail)
    complete = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [],
        "ExcludeManagementEventSources": [],
    }
    if not simple and not advanced:
        simple = [{}]
    return [{**complete, **each} for each in simple], advanced


def put_event_selectors(original: Any, trail: Trail, *args: Any, **kwargs: Any) -> None:
    """Notes that the trail has selectors of its own."""
    original(trail, *args, **kwargs)
    trail.has_selectors = True


def description(original: Any, trail: Trail, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Whether the trail has selectors of its own; moto always says no."""
    return {**original(trail, *args, **kwargs), "HasCustomEventSelectors": getattr(trail, "has_selectors", False)}


def record(context: RequestContext) -> None:
    """Notes a call that changes something. The emulator notes it before it is carried out, so without an outcome."""
    name = context.operation.name
    if name.startswith(READS):
        return
    service = context.service
    told = f"{service.service_name}:{name}" in TOLD
    parameters = dict(context.service_request or {}) if told else None
    source = f"{service.endpoint_prefix}.amazonaws.com"
    identity = {
        "type": "Root",
        "principalId": context.account_id,
        "arn": f"arn:aws:iam::{context.account_id}:root",
        "accountId": context.account_id,
    }
    add(context.account_id, context.region, source, name, identity, parameters)


def add(
    account: str,
    region: str,
    source: str,
    name: str,
    identity: Mapping[str, Any],
    parameters: Mapping[str, Any] | None,
    key: str | None = None,
) -> None:
    """Adds an event to the history; `key` is the ARN of the KMS key that it used."""
    resources = [{"ResourceType": "AWS::KMS::Key", "ResourceName": key}] if key else []
    now = datetime.now(UTC)
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": source,
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": identity.get("invokedBy", "127.0.0.1"),
        "userAgent": identity.get("invokedBy", "emulator"),
        "requestParameters": parameters,
        "responseElements": None,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "resources": [{"accountId": account, "type": "AWS::KMS::Key", "ARN": key}] if key else [],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    summary = {
        "EventId": event["eventID"],
        "EventName": name,
        "ReadOnly": "false",
        "EventTime": now,
        "EventSource": source,
        "Resources": resources,
        "CloudTrailEvent": json.dumps(event, default=str),
    }
    _EVENTS[account, region].appendleft(summary if "invokedBy" in identity else {**summary, "Username": "root"})


def storage_key_used(account: str, region: str, cluster: str, key: str) -> None:
    """What the history shows when a Fargate task gets a volume under the storage key of its cluster."""
    context = {
        "aws:ecs:clusterAccount": account,
        "aws:ebs:id": f"vol-{uuid.uuid4().hex[:17]}",
        "aws:ecs:clusterName": cluster,
    }
    data_key = {"keyId": key, "numberOfBytes": 64, "encryptionContext": context}
    grant = {
        "keyId": key,
        "granteePrincipal": f"fargate.{region}.amazonaws.com",
        "operations": ["Decrypt"],
        "constraints": {"encryptionContextSubset": context},
        "retiringPrincipal": f"ec2.{region}.amazonaws.com",
    }
    ec2 = {"type": "AWSService", "invokedBy": "ec2-frontend-api.amazonaws.com"}
    source = "kms.amazonaws.com"
    add(account, region, source, "GenerateDataKeyWithoutPlaintext", ec2, data_key, key)
    add(account, region, source, "CreateGrant", ec2, grant, key)


def lookup_events(context: RequestContext) -> dict[str, Any]:
    """The newest events first, by attribute and time."""
    request = context.service_request or {}
    attributes = [(each["AttributeKey"], each["AttributeValue"]) for each in request.get("LookupAttributes") or []]
    begin, end = request.get("StartTime"), request.get("EndTime")
    found = [
        event
        for event in list(_EVENTS[context.account_id, context.region])
        if all(has(event, key, value) for key, value in attributes)
        and (begin is None or event["EventTime"] >= aware(begin))
        and (end is None or event["EventTime"] <= aware(end))
    ]
    asked = {"nextToken": request.get("NextToken"), "maxResults": request.get("MaxResults")}
    events, token = page(found, asked, default=50, most=50)
    return {"Events": events, **({"NextToken": token["nextToken"]} if token else {})}


def has(event: Mapping[str, Any], key: str, value: str) -> bool:
    """Whether an event has a value of a lookup attribute."""
    if key in ("ResourceName", "ResourceType"):
        return any(resource[key] == value for resource in event["Resources"])
    return bool(event.get(key) == value)


def aware(moment: datetime) -> datetime:
    """A moment of the request, which comes without a zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


OPERATIONS = {"cloudtrail:LookupEvents": lookup_events}
