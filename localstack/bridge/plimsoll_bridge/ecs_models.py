"""Patches of moto's ECS objects: what AWS remembers about a task, a service or a definition and moto does not.

Each function closes one gap. Attributes set on moto's objects appear in answers, since moto serialises by name.
"""

import uuid
from types import SimpleNamespace
from typing import Any

from localstack.utils.patch import patch
from moto.core.utils import utcnow
from moto.ec2 import ec2_backends
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.utils import generate_dns_from_ip, random_public_ip
from moto.ecs.models import EC2ContainerServiceBackend, Task, TaskDefinition
from moto.guardduty.models import Detector, guardduty_backends

from plimsoll_bridge.ecr_operations import digest_of
from plimsoll_bridge.trail import storage_key_used

NEWEST_LINUX_PLATFORM = "1.4.0"
DEFAULT_FARGATE_STORAGE_GIB = 20
FIRST_DYNAMIC_PORT = 32768


def apply() -> None:
    """Patches moto's classes. LocalStack loads a provider once, so this runs once."""
    NetworkInterface.private_dns_name = None  # moto reads it even when the VPC has no DNS host names
    Task.advance = keep_state
    EC2ContainerServiceBackend._calculate_task_resource_requirements = staticmethod(resource_requirements)
    EC2ContainerServiceBackend.describe_task_definition = describe_task_definition(
        EC2ContainerServiceBackend.describe_task_definition
    )
    patch(Task.__init__)(complete_task)
    patch(TaskDefinition.__init__)(complete_task_definition)


def keep_state(_task: Task) -> None:
    """A task stays in its state however often it is described; moto moves it one state further each time."""


def complete_task(init: Any, task: Task, *args: Any, **kwargs: Any) -> None:
    """Runs moto's constructor, then adds what AWS reports of a running task."""
    spread_over_subnets(kwargs)
    init(task, *args, **kwargs)
    definition = task._backend.describe_task_definition(task.task_definition_arn)
    set_launch_facts(task, definition)
    if task.launch_type == "FARGATE":
        set_fargate_platform(task, definition)
        set_fargate_storage(task, definition)
    interface = task_network_interface(task)
    if interface:
        set_addresses(task, interface)
    set_containers(task, definition)


def complete_task_definition(init: Any, definition: TaskDefinition, *args: Any, **kwargs: Any) -> None:
    """Notes when and by whom the revision was registered."""
    init(definition, *args, **kwargs)
    definition.registered_at = utcnow()
    definition.registered_by = f"arn:aws:iam::{definition.arn.split(':')[4]}:root"


def describe_task_definition(original: Any) -> Any:
    """A bare family means its latest ACTIVE revision; moto takes the latest of any status."""

    def describe(backend: EC2ContainerServiceBackend, task_definition_str: str) -> TaskDefinition:
        family = task_definition_str.split("/")[-1]
        revisions = backend.task_definitions.get(family, {}).values()
        active = [definition for definition in revisions if definition.status == "ACTIVE"]
        if active:
            return max(active, key=lambda definition: definition.revision)
        return original(backend, task_definition_str)

    return describe


def resource_requirements(definition: TaskDefinition) -> dict[str, Any]:
    """What a task takes from its host. Unlike moto: memory is optional, and only host and bridge mode take ports."""
    containers = definition.container_definitions
    ports: list[int] = []
    if definition.network_mode != "awsvpc":
        ports = [mapping.get("hostPort", 0) for c in containers for mapping in c.get("portMappings", [])]
    return {
        "CPU": sum(c.get("cpu") or 0 for c in containers),
        "MEMORY": sum(c.get("memory") or c.get("memoryReservation") or 0 for c in containers),
        "PORTS": [port for port in ports if port],
        "PORTS_UDP": [],
    }


def spread_over_subnets(arguments: dict[str, Any]) -> None:
    """Places tasks in all subnets of their configuration by turns; moto uses the first one only."""
    network = arguments.get("networking_configuration") or {}
    awsvpc = network.get("awsvpcConfiguration")
    backend, cluster = arguments.get("backend"), arguments.get("cluster")
    if not awsvpc or not backend or not cluster or len(awsvpc["subnets"]) < 2:
        return
    turn = len(backend.tasks.get(cluster.name, {})) % len(awsvpc["subnets"])
    subnets = awsvpc["subnets"][turn:] + awsvpc["subnets"][:turn]
    arguments["networking_configuration"] = {"awsvpcConfiguration": {**awsvpc, "subnets": subnets}}


def set_launch_facts(task: Task, definition: TaskDefinition) -> None:
    """Times, sizes and connectivity of a task that has just started."""
    now = utcnow()
    task.created_at = task.pull_started_at = task.pull_stopped_at = task.started_at = task.connectivity_at = now
    task.connectivity = "CONNECTED"
    task.launch_type = task.launch_type or "EC2"
    task.cpu, task.memory = definition.cpu, definition.memory
    task.health_status = "UNKNOWN"
    task.version = 4


def set_fargate_platform(task: Task, definition: TaskDefinition) -> None:
    """The platform a Fargate task runs on: LATEST is resolved at launch."""
    asked = task.platform_version
    task.platform_version = NEWEST_LINUX_PLATFORM if asked in (None, "", "LATEST") else asked
    family = (definition.runtime_platform or {}).get("operatingSystemFamily", "LINUX")
    task.platform_family = "Linux" if family == "LINUX" else family


def set_fargate_storage(task: Task, definition: TaskDefinition) -> None:
    """Ephemeral storage, encrypted with the key that the cluster names at this moment."""
    size = (definition.ephemeral_storage or {}).get("sizeInGiB", DEFAULT_FARGATE_STORAGE_GIB)
    storage = {"sizeInGiB": size}
    key = cluster_storage_key(task)
    if key and task.platform_version == NEWEST_LINUX_PLATFORM:
        storage["kmsKeyId"] = key
        storage_key_used(task._account_id, task.region_name, task.cluster_name, key)
    task.fargate_ephemeral_storage = storage
    task.ephemeral_storage = {"sizeInGiB": size}


def cluster_storage_key(task: Task) -> str | None:
    """The Fargate storage key in the configuration of the task's cluster."""
    configuration = task._backend.clusters[task.cluster_name].configuration or {}
    return (configuration.get("managedStorageConfiguration") or {}).get("fargateEphemeralStorageKmsKeyId")


def attachment_detail(task: Task, name: str) -> str | None:
    """One detail of the task's network attachment."""
    for attachment in task.attachments:
        for detail in attachment["details"]:
            if detail["name"] == name:
                return detail["value"]
    return None


def task_network_interface(task: Task) -> NetworkInterface | None:
    """The network interface that moto made for an awsvpc task."""
    interface_id = attachment_detail(task, "networkInterfaceId")
    if not interface_id:
        return None
    backend = ec2_backends[task._account_id][task.region_name]
    return backend.enis.get(interface_id)


def set_addresses(task: Task, interface: NetworkInterface) -> None:
    """A private address inside the subnet, and a public one when the task asked for it; moto does neither."""
    address = interface.subnet.get_available_subnet_ip(interface)
    interface.private_ip_address = address
    interface.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
    if interface.private_dns_name:
        interface.private_dns_name = generate_dns_from_ip(address)
    attachment = task.attachments[0]
    details = {detail["name"]: detail["value"] for detail in attachment["details"]}
    details |= {"privateIPv4Address": address, "privateDnsName": interface.private_dns_name}
    attachment["details"] = [{"name": name, "value": value} for name, value in details.items() if value]
    interface.description = f"arn:aws:ecs:{task.region_name}:{task._account_id}:attachment/{attachment['id']}"
    awsvpc = task.network_configuration["awsvpcConfiguration"]
    if task.launch_type == "FARGATE" and awsvpc.get("assignPublicIp") == "ENABLED":
        interface.public_ip = random_public_ip()
    task.availability_zone = interface.subnet.availability_zone


def set_containers(task: Task, definition: TaskDefinition) -> None:
    """One running container per container definition; moto reports the first only, and as pending."""
    declared = [*definition.container_definitions, *security_agent(task)]
    task.containers = [container(task, definition, each) for each in declared]


def security_agent(task: Task) -> list[dict[str, Any]]:
    """The sidecar that GuardDuty puts into a Fargate task when it manages agents, which no definition names."""
    cluster = task._backend.clusters[task.cluster_name]
    excluded = {"key": "GuardDutyManaged", "value": "false"} in (cluster.tags or [])
    detectors = guardduty_backends[task._account_id][task.region_name].detectors.values()
    if task.launch_type != "FARGATE" or excluded or not any(manages_agents(each) for each in detectors):
        return []
    registry = f"593207742271.dkr.ecr.{task.region_name}.amazonaws.com"
    image = f"{registry}/aws-guardduty-agent-fargate:v1.8.0-Fg_x86_64"
    return [{"name": f"aws-guardduty-agent-{task.id[:7]}", "image": image}]


def manages_agents(detector: Detector) -> bool:
    """Whether a detector looks after its agents on Fargate."""
    agents = [
        agent
        for feature in detector.features
        if feature["name"] == "RUNTIME_MONITORING" and feature["status"] == "ENABLED"
        for agent in feature.get("additionalConfiguration") or []
    ]
    wanted = {"name": "ECS_FARGATE_AGENT_MANAGEMENT", "status": "ENABLED"}
    return detector.enabled and any({**agent, **wanted} == agent for agent in agents)


def container(task: Task, definition: TaskDefinition, declared: dict[str, Any]) -> SimpleNamespace:
    """The running container of one container definition."""
    prefix = f"arn:aws:ecs:{task.region_name}:{task._account_id}:container"
    return SimpleNamespace(
        container_arn=f"{prefix}/{task.cluster_name}/{task.id}/{uuid.uuid4()}",
        task_arn=task.task_arn,
        name=declared["name"],
        image=declared["image"],
        image_digest=digest_of(declared["image"]),
        runtime_id=f"{task.id.replace('-', '')}-{uuid.uuid4().int % 10**10}",
        last_status="RUNNING",
        health_status="UNKNOWN",
        cpu=str(declared.get("cpu") or 0),
        memory=str(declared["memory"]) if declared.get("memory") else None,
        network_bindings=network_bindings(definition, declared),
        network_interfaces=network_interfaces(task),
    )


def network_interfaces(task: Task) -> list[dict[str, str]]:
    """The interface of an awsvpc task as its containers report it."""
    address = attachment_detail(task, "privateIPv4Address")
    if not address:
        return []
    return [{"attachmentId": task.attachments[0]["id"], "privateIpv4Address": address}]


def network_bindings(definition: TaskDefinition, declared: dict[str, Any]) -> list[dict[str, Any]]:
    """The host ports of a container in host or bridge mode."""
    if definition.network_mode not in ("host", "bridge"):
        return []
    return [
        {
            "bindIP": "0.0.0.0",
            "containerPort": mapping["containerPort"],
            "hostPort": host_port(definition, mapping),
            "protocol": mapping.get("protocol", "tcp"),
        }
        for mapping in declared.get("portMappings", [])
    ]


def host_port(definition: TaskDefinition, mapping: dict[str, Any]) -> int:
    """The port on the host: the container's own in host mode, else the one declared or a dynamic one."""
    if definition.network_mode == "host":
        return mapping["containerPort"]
    return mapping.get("hostPort") or FIRST_DYNAMIC_PORT
