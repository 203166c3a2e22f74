"""Operations that neither LocalStack nor moto has: VPC Block Public Access, the default EBS key, key rotations."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import RequestContext

_BLOCK_MODES: dict[tuple[str, str], tuple[str, datetime | None]] = {}


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


OPERATIONS: dict[str, Callable[[RequestContext], dict[str, Any]]] = {
    "ec2:DescribeVpcBlockPublicAccessExclusions": describe_block_public_access_exclusions,
    "ec2:DescribeVpcBlockPublicAccessOptions": describe_block_public_access,
    "ec2:GetEbsDefaultKmsKeyId": get_ebs_default_kms_key_id,
    "ec2:ModifyVpcBlockPublicAccessOptions": modify_block_public_access,
    "kms:ListKeyRotations": list_key_rotations,
}
