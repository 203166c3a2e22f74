"""Operations that neither LocalStack nor moto has, of services that need no module of their own.

VPC Block Public Access, instance defaults, the default EBS key, key rotations, the public status of buckets,
Inspector, Shield and Signer.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.services.s3.models import s3_stores
from moto.inspector2.models import AccountStatus, inspector2_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.shield.models import shield_backends
from moto.signer.models import signer_backends

from plimsoll_bridge import ecr_operations, eks_operations, neighbour_models, trail

_BLOCK_MODES: dict[tuple[str, str], tuple[str, datetime | None]] = {}
_METADATA_DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {}


def describe_block_public_access(context: RequestContext) -> dict[str, Any]:
    """The Block Public Access mode of the region: off until someone sets it."""
    mode, updated = _BLOCK_MODES.get((context.account_id, context.region), ("off", None))
    options: dict[str, Any] = {
        "AwsAccountId": context.account_id,
        "AwsRegion": context.region,
        "State": "update-complete" if updated else "default-state",
        "InternetGatewayBlockMode": mode,
        "ExclusionsAllowed": "allowed",
        "ManagedBy": "account",
    }
    if updated:
        options["LastUpdateTimestamp"] = updated
    return {"VpcBlockPublicAccessOptions": options}


def modify_block_public_access(context: RequestContext) -> dict[str, Any]:
    """Sets the mode of the region."""
    mode = (context.service_request or {})["InternetGatewayBlockMode"]
    _BLOCK_MODES[(context.account_id, context.region)] = (mode, datetime.now(UTC))
    return describe_block_public_access(context)


def describe_block_public_access_exclusions(_context: RequestContext) -> dict[str, Any]:
    """No exclusions: the emulator cannot make any."""
    return {"VpcBlockPublicAccessExclusions": []}


def get_ebs_default_kms_key_id(_context: RequestContext) -> dict[str, Any]:
    """The AWS managed key, which every account starts with."""
    return {"KmsKeyId": "alias/aws/ebs"}


def list_key_rotations(_context: RequestContext) -> dict[str, Any]:
    """No rotation has happened yet: every key of the emulator is young."""
    return {"Rotations": [], "Truncated": False}


def get_instance_metadata_defaults(context: RequestContext) -> dict[str, Any]:
    """Nothing until someone sets it: then the region's defaults for new instances."""
    return {
        "AccountLevel": {"ManagedBy": "account", **_METADATA_DEFAULTS.get((context.account_id, context.region), {})}
    }


def modify_instance_metadata_defaults(context: RequestContext) -> dict[str, Any]:
    """Sets defaults of the region."""
    request = {name: value for name, value in (context.service_request or {}).items() if name != "DryRun"}
    _METADATA_DEFAULTS.setdefault((context.account_id, context.region), {}).update(request)
    return {"Return": True}


def batch_get_account_status(context: RequestContext) -> dict[str, Any]:
    """What Inspector scans, by default for the caller's own account; moto answers nothing without accounts."""
    accounts = (context.service_request or {}).get("accountIds") or [context.account_id]
    known = inspector2_backends[context.account_id][context.region].account_status
    return {"accounts": [known.get(account, AccountStatus(account)).to_batch_json() for account in accounts]}


def rotate_secret(context: RequestContext) -> dict[str, Any] | None:
    """Turns rotation on without rotating at once; LocalStack insists on a function that it can call."""
    request = context.service_request or {}
    if request.get("RotateImmediately", True):
        return None
    secret = secretsmanager_backends[context.account_id][context.region].secrets[request["SecretId"]]
    secret.rotation_lambda_arn = request.get("RotationLambdaARN")
    secret.auto_rotate_after_days = (request.get("RotationRules") or {}).get("AutomaticallyAfterDays") or 30
    secret.next_rotation_date = int(time.time()) + secret.auto_rotate_after_days * 86400
    secret.rotation_enabled = secret.rotation_requested = True
    return {"ARN": secret.arn, "Name": secret.name}


def get_subscription_state(context: RequestContext) -> dict[str, Any]:
    """Whether the account has Shield Advanced."""
    subscribed = shield_backends[context.account_id]["aws"].subscription
    return {"SubscriptionState": "ACTIVE" if subscribed else "INACTIVE"}


def get_bucket_policy_status(context: RequestContext) -> dict[str, Any]:
    """Public when a statement lets everyone in without a condition; AWS looks at conditions more closely."""
    name = (context.service_request or {})["Bucket"]
    store = s3_stores[context.account_id][context.region]
    bucket = s3_stores[store.global_bucket_map.get(name, context.account_id)][context.region].buckets.get(name)
    if bucket is None:
        raise CommonServiceException("NoSuchBucket", "The specified bucket does not exist", 404, True)
    if bucket.policy is None:
        raise CommonServiceException("NoSuchBucketPolicy", "The bucket policy does not exist", 404, True)
    statements = json.loads(bucket.policy)["Statement"]
    everyone = ("*", {"AWS": "*"}, {"AWS": ["*"]})
    public = any(
        each["Effect"] == "Allow" and each.get("Principal") in everyone and not each.get("Condition")
        for each in (statements if isinstance(statements, list) else [statements])
    )
    return {"PolicyStatus": {"IsPublic": public}}


def list_signing_profiles(context: RequestContext) -> dict[str, Any]:
    """The profiles that PutSigningProfile made."""
    profiles = signer_backends[context.account_id][context.region].signing_profiles.values()
    return {"profiles": [profile.to_dict() for profile in profiles]}


OPERATIONS: dict[str, Callable[[RequestContext], dict[str, Any] | None]] = {
    "ec2:DescribeVpcBlockPublicAccessExclusions": describe_block_public_access_exclusions,
    "ec2:DescribeVpcBlockPublicAccessOptions": describe_block_public_access,
    "ec2:GetEbsDefaultKmsKeyId": get_ebs_default_kms_key_id,
    "ec2:GetInstanceMetadataDefaults": get_instance_metadata_defaults,
    "ec2:ModifyInstanceMetadataDefaults": modify_instance_metadata_defaults,
    "ec2:ModifyVpcBlockPublicAccessOptions": modify_block_public_access,
    "inspector2:BatchGetAccountStatus": batch_get_account_status,
    "kms:ListKeyRotations": list_key_rotations,
    "s3:GetBucketPolicyStatus": get_bucket_policy_status,
    "secretsmanager:RotateSecret": rotate_secret,
    "shield:GetSubscriptionState": get_subscription_state,
    "signer:ListSigningProfiles": list_signing_profiles,
    **ecr_operations.OPERATIONS,
    **eks_operations.OPERATIONS,
    **neighbour_models.OPERATIONS,
    **trail.OPERATIONS,
}
