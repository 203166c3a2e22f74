"""Patches of moto's EC2 and IAM, which LocalStack serves itself. Each function closes one gap."""

import hashlib
import random
import threading
from typing import Any

from localstack.aws.connect import connect_to
from localstack.services.kms.models import kms_stores
from localstack.utils.patch import patch
from moto.ec2.models import EC2Backend, elastic_ip_addresses, elastic_network_interfaces, instances
from moto.ec2.responses.availability_zones_and_regions import AvailabilityZonesAndRegions
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.responses.security_groups import SecurityGroups
from moto.ec2.responses.subnets import Subnets
from moto.ec2.utils import random_public_ip
from moto.iam.models import IAMBackend

from plimsoll_bridge.paging import page

EBS_KEY_ALIAS = "alias/aws/ebs"
OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eusc-")
MOST_EC2_RESULTS = 1000
_LAUNCH = threading.local()


def apply() -> None:
    """Patches moto's classes when LocalStack starts. Elastic addresses become public ones; moto's are loopback."""
    elastic_ip_addresses.random_ip = random_public_ip
    elastic_network_interfaces.random_mac_address = random_mac_address
    EC2Backend._create_default_encryption_key = default_encryption_key
    instances.random_instance_id = instance_id
    patch(EC2Backend.run_instances)(run_instances)
    patch(InstanceResponse._parse_block_device_mapping)(block_device_mapping)
    patch(EC2Backend.create_security_group)(create_security_group)
    patch(ElasticNetworkInterfaces.describe_network_interfaces)(paged("NetworkInterfaces"))
    patch(SecurityGroups.describe_security_groups)(paged("SecurityGroups"))
    patch(Subnets.describe_subnets)(paged("Subnets"))
    patch(EC2Backend.describe_regions)(describe_regions)
    patch(AvailabilityZonesAndRegions.describe_regions)(describe_enabled_regions)
    patch(IAMBackend.get_account_authorization_details)(authorization_details)


def random_mac_address() -> str:
    """A well-formed MAC address; moto's has stray letters."""
    return "02:" + ":".join(f"{random.randrange(256):02x}" for _ in range(5))


def run_instances(original: Any, backend: EC2Backend, *args: Any, **kwargs: Any) -> Any:
    """Remembers the client token of the launch, from which the instance ids follow."""
    _LAUNCH.token, _LAUNCH.count = kwargs.get("client_token"), 0
    return original(backend, *args, **kwargs)


def instance_id() -> str:
    """An id that follows from the client token, so that a scenario can foretell it; AWS makes it up."""
    _LAUNCH.count = getattr(_LAUNCH, "count", 0) + 1
    token = getattr(_LAUNCH, "token", None) or str(random.random())
    return "i-" + hashlib.sha256(f"{token}/{_LAUNCH.count}".encode()).hexdigest()[:17]


def block_device_mapping(original: Any, response: Any) -> list[dict[str, Any]]:
    """Takes `Encrypted` from the request; moto takes the volume size for it, so that every volume is encrypted."""
    mappings = original(response)
    for mapping, asked in zip(mappings, response._get_param("BlockDeviceMappings", []), strict=True):
        mapping["Ebs"]["Encrypted"] = str(asked.get("Ebs", {}).get("Encrypted", False)).lower() == "true"
    return mappings


def create_security_group(original: Any, backend: EC2Backend, *args: Any, **kwargs: Any) -> Any:
    """Lets the members of a default group reach each other, as AWS does; moto gives it no ingress rule."""
    group = original(backend, *args, **kwargs)
    if kwargs.get("is_default"):
        members = [{"GroupId": group.id}]
        backend.authorize_security_group_ingress(group.id, "-1", None, None, [], None, members, vpc_id=group.vpc_id)
    return group


def paged(key: str) -> Any:
    """Answers a listing in pages of at most 1,000; moto answers everything at once."""

    def describe(original: Any, response: Any) -> Any:
        result = original(response)
        asked = {"nextToken": response._get_param("NextToken"), "maxResults": response._get_param("MaxResults")}
        items, token = page(result._result[key], asked, default=MOST_EC2_RESULTS, most=MOST_EC2_RESULTS)
        result._result[key] = items
        if token:
            result._result["NextToken"] = token["nextToken"]
        return result

    return describe


def default_encryption_key(backend: EC2Backend) -> str:
    """The AWS managed EBS key, made in LocalStack's KMS so that DescribeKey knows it; moto makes one of its own."""
    client = connect_to(aws_access_key_id=backend.account_id, region_name=backend.region_name).kms
    metadata = client.describe_key(KeyId=EBS_KEY_ALIAS)["KeyMetadata"]
    stored = kms_stores[backend.account_id][backend.region_name].keys[metadata["KeyId"]]
    stored.metadata["KeyManager"] = "AWS"
    backend.default_kms_key_id = metadata["Arn"]
    return metadata["Arn"]


def describe_regions(original: Any, backend: EC2Backend, region_names: list[str] | None = None) -> list[Any]:
    """Regions of the standard partition only; moto mixes all partitions."""
    return [region for region in original(backend, region_names) if not region.name.startswith(OTHER_PARTITIONS)]


def describe_enabled_regions(original: Any, response: Any) -> Any:
    """Without `AllRegions`, only regions that the account has enabled."""
    result = original(response)
    every = str(response._get_param("AllRegions", False)).lower() == "true"
    if not every and not response._get_param("RegionNames", []):
        regions = result._result["Regions"]
        result._result["Regions"] = [region for region in regions if region.opt_in_status != "not-opted-in"]
    return result


def authorization_details(original: Any, backend: IAMBackend, policy_filter: list[str]) -> dict[str, Any]:
    """AWS managed policies only where something is attached to them; moto returns all 1,500."""
    details = original(backend, policy_filter)
    managed = set(backend.aws_managed_policies)
    details["managed_policies"] = [
        policy for policy in details["managed_policies"] if policy not in managed or policy.attachment_count
    ]
    return details
