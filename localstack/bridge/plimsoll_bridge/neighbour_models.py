"""Patches of what moto knows about the services around containers. Each function closes one gap."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from localstack.aws.api import RequestContext, ServiceRequest, ServiceResponse
from localstack.services.moto import call_moto
from localstack.utils.patch import patch
from moto.acmpca.models import CertificateAuthority, acmpca_backends
from moto.ec2 import ec2_backends
from moto.efs.models import EFSBackend
from moto.guardduty.models import Detector
from moto.networkfirewall.models import NetworkFirewallModel
from moto.rds.models import DBInstance, RDSBackend
from moto.ssm.models import Parameter

from plimsoll_bridge.eks_operations import EXTENDED, SUPPORTED

ALWAYS_ON = ("CLOUD_TRAIL", "DNS_LOGS", "FLOW_LOGS")
FEATURES = (
    "EBS_MALWARE_PROTECTION",
    "EKS_AUDIT_LOGS",
    "EKS_RUNTIME_MONITORING",
    "LAMBDA_NETWORK_LOGS",
    "RDS_LOGIN_EVENTS",
    "RUNTIME_MONITORING",
    "S3_DATA_EVENTS",
)
RUNTIME_AGENTS = ("EKS_ADDON_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT", "EC2_AGENT_MANAGEMENT")
BOTTLEROCKET = "1.50.0-3a5b1c2d"


def apply() -> None:
    """Patches moto's classes when LocalStack starts."""
    patch(CertificateAuthority.__init__)(complete_authority)
    patch(Detector.to_json)(complete_detector)
    patch(EFSBackend.create_mount_target)(create_mount_target)
    patch(NetworkFirewallModel.__init__)(complete_firewall)
    patch(Parameter.response_object)(complete_parameter)
    patch(RDSBackend.create_db_instance)(create_db_instance)


def complete_authority(init: Any, authority: CertificateAuthority, *args: Any, **kwargs: Any) -> None:
    """General purpose is the default on AWS; moto issues short-lived certificates only."""
    init(authority, *args, **kwargs)
    authority.usage_mode = "GENERAL_PURPOSE"


def create_authority(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Takes the usage mode of the request, which moto drops."""
    answer = call_moto(context)
    authorities = acmpca_backends[context.account_id][context.region].certificate_authorities
    if request.get("UsageMode"):
        authorities[answer["CertificateAuthorityArn"]].usage_mode = request["UsageMode"]
    return answer


def complete_detector(original: Any, detector: Detector) -> dict[str, Any]:
    """Names every feature, on or off, and the sources that cannot be turned off; moto knows only what was asked for."""
    answer = original(detector)
    updated = detector.updated_at.replace(tzinfo=UTC)
    for source in ("cloudTrail", "dnsLogs", "flowLogs"):
        answer["dataSources"][source] = {"status": answer["status"]}
    asked = {str(feature["name"]): feature for feature in detector.features}
    features = [{"name": name, "status": answer["status"]} for name in ALWAYS_ON]
    for name in FEATURES:
        feature = {"name": name, "status": "DISABLED", **asked.get(name, {})}
        if name == "RUNTIME_MONITORING":
            agents = {each["name"]: each["status"] for each in feature.get("additionalConfiguration") or []}
            feature["additionalConfiguration"] = [
                {"name": agent, "status": agents.get(agent, "DISABLED"), "updatedAt": updated.timestamp()}
                for agent in RUNTIME_AGENTS
            ]
        features.append(feature)
    answer["features"] = [{**feature, "updatedAt": updated.timestamp()} for feature in features]
    return answer


def create_mount_target(original: Any, backend: EFSBackend, *args: Any, **kwargs: Any) -> Any:
    """Gives the interface of a mount target its description and state; moto's looks detached."""
    target = original(backend, *args, **kwargs)
    interface = ec2_backends[backend.account_id][backend.region_name].enis[target.network_interface_id]
    interface.description = f"EFS mount target for {target.file_system_id} ({target.mount_target_id})"
    mark_managed(interface, "amazon-elasticfilesystem")
    return target


def mark_managed(interface: Any, requester: str) -> None:
    """An interface that a service made and uses."""
    interface.requester_id = requester
    interface.requester_managed = True
    interface.status = "in-use"


def complete_firewall(init: Any, firewall: NetworkFirewallModel, *args: Any, **kwargs: Any) -> None:
    """Names the endpoint in each subnet, to which routes point."""
    init(firewall, *args, **kwargs)
    parts = firewall.arn.split(":")
    backend = ec2_backends[parts[4]][parts[3]]
    states = {}
    for mapping in firewall.subnet_mappings:
        subnet = mapping["SubnetId"]
        endpoint = "vpce-" + hashlib.sha256((firewall.arn + subnet).encode()).hexdigest()[:17]
        attachment = {"SubnetId": subnet, "EndpointId": endpoint, "Status": "READY"}
        zone = backend.get_subnet(subnet).availability_zone
        states[zone] = {"Attachment": attachment, "Config": {firewall.firewall_policy_arn: {"SyncStatus": "IN_SYNC"}}}
    firewall.firewall_status["SyncStates"] = states


def complete_parameter(original: Any, parameter: Parameter, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The value of a public parameter as text; moto hands out an object."""
    answer = original(parameter, *args, **kwargs)
    if not isinstance(answer["Value"], str):
        answer["Value"] = json.dumps(answer["Value"])
    return answer


def create_db_instance(original: Any, backend: RDSBackend, config: dict[str, Any]) -> DBInstance:
    """Names the AWS managed key by ARN, and puts the instance into the network, where moto's is not."""
    instance = original(backend, config)
    if instance.kms_key_id == "default_kms_key_id":
        digest = hashlib.sha256(f"{backend.account_id}/{backend.region_name}/aws/rds".encode()).hexdigest()
        key = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
        instance.kms_key_id = f"arn:aws:kms:{backend.region_name}:{backend.account_id}:key/{key}"
    group = getattr(instance, "db_subnet_group", None)
    if group:
        ec2 = ec2_backends[backend.account_id][backend.region_name]
        groups = list(instance.vpc_security_group_ids)
        interface = ec2.create_network_interface(
            group.subnets[0]["SubnetIdentifier"], None, group_ids=groups, description="RDSNetworkInterface"
        )
        address = interface.subnet.get_available_subnet_ip(interface)
        interface.private_ip_address = address
        interface.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
        mark_managed(interface, "amazon-rds")
    return instance


def get_parameter(context: RequestContext) -> dict[str, Any] | None:
    """A public parameter of EKS and Bottlerocket images, which moto lacks; it has those of ECS."""
    parameter = public_parameter(context, (context.service_request or {})["Name"])
    return {"Parameter": parameter} if parameter else None


def get_parameters(context: RequestContext) -> dict[str, Any] | None:
    """The same for several, when all of them are ours."""
    found = [public_parameter(context, name) for name in (context.service_request or {})["Names"]]
    return {"Parameters": found, "InvalidParameters": []} if all(found) else None


def public_parameter(context: RequestContext, name: str) -> dict[str, Any] | None:
    """A parameter that AWS publishes."""
    value = eks_image(name) or bottlerocket_image(name)
    if value is None:
        return None
    arn = f"arn:aws:ssm:{context.region}::parameter{name}"
    facts = {"Type": "String", "Version": 1, "DataType": "text", "LastModifiedDate": published()}
    return {"Name": name, "Value": value, "ARN": arn, **facts}


def published() -> datetime:
    """When the newest images came out: three weeks ago, as the emulator has no past."""
    return datetime.now(UTC) - timedelta(days=21)


def eks_image(name: str) -> str | None:
    """The recommended image of a Kubernetes version: its id or its release."""
    parts = name.removeprefix("/aws/service/eks/optimized-ami/").split("/")
    if parts[0] not in (*SUPPORTED, *EXTENDED) or "recommended" not in parts:
        return None
    facts = {"image_id": image_id(name), "release_version": f"{parts[0]}.2-{published():%Y%m%d}"}
    return facts.get(parts[-1])


def bottlerocket_image(name: str) -> str | None:
    """The latest Bottlerocket: its id or its version."""
    if not name.startswith("/aws/service/bottlerocket/"):
        return None
    facts: Mapping[str, str] = {"image_id": image_id(name), "image_version": BOTTLEROCKET}
    return facts.get(name.split("/")[-1])


def image_id(name: str) -> str:
    """An image id that follows from the name."""
    return "ami-" + hashlib.sha256(name.rpartition("/")[0].encode()).hexdigest()[:17]


OPERATIONS = {"ssm:GetParameter": get_parameter, "ssm:GetParameters": get_parameters}
