"""ECS operations that moto answers incompletely, or not as AWS does. All others go to moto as they are."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore import xform_name
from localstack.aws.api import CommonServiceException, RequestContext, ServiceRequest, ServiceResponse
from localstack.aws.skeleton import DispatchTable
from localstack.services.moto import call_moto, call_moto_with_request
from moto.autoscaling.models import autoscaling_backends
from moto.core.utils import utcnow
from moto.ecs.models import Cluster, EC2ContainerServiceBackend, Service, Task, ecs_backends

from plimsoll_bridge import account_settings
from plimsoll_bridge.ecs_models import cluster_storage_key, task_network_interface
from plimsoll_bridge.paging import page

Handler = Callable[[RequestContext, ServiceRequest], ServiceResponse]

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
SERVICE_FIELDS = (
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
)
DEPLOYMENT_FIELDS = (
    "capacityProviderStrategy",
    "networkConfiguration",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)
_LOCK = threading.RLock()  # moto's collections are not safe to change while another thread reads them


def overrides() -> DispatchTable:
    """The operations served here, by name."""
    handlers: dict[str, Handler] = {
        "CreateService": create_service,
        "DeleteAccountSetting": account_settings.delete,
        "DeleteService": delete_service,
        "DescribeCapacityProviders": describe_capacity_providers,
        "DescribeClusters": describe_clusters,
        "DescribeContainerInstances": describe_container_instances,
        "DescribeServices": describe_services,
        "DescribeTasks": describe_tasks,
        "ListAccountSettings": account_settings.list_settings,
        "ListClusters": list_clusters,
        "ListContainerInstances": list_container_instances,
        "ListServices": list_services,
        "ListTaskDefinitionFamilies": list_task_definition_families,
        "ListTaskDefinitions": list_task_definitions,
        "ListTasks": list_tasks,
        "PutAccountSetting": account_settings.put,
        "PutAccountSettingDefault": account_settings.put,
        "RegisterContainerInstance": register_container_instance,
        "RunTask": run_task,
        "StopTask": stop_task,
        "UpdateService": update_service,
    }
    return {name: one_at_a_time(handler) for name, handler in handlers.items()}


def one_at_a_time(handler: Handler) -> Handler:
    """Serialises the handlers, so that a scan may read while a scenario is seeded."""

    def locked(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
        with _LOCK:
            return handler(context, request or {})

    return locked


def backend_of(context: RequestContext) -> EC2ContainerServiceBackend:
    """Moto's ECS state for the account and region of the request."""
    return ecs_backends[context.account_id][context.region]


def short_name(name_or_arn: str | None) -> str:
    """The last part of an ARN, or the name itself; ECS takes a missing cluster for `default`."""
    return (name_or_arn or "default").split("/")[-1]


def refuse(message: str) -> CommonServiceException:
    """The error that ECS answers to a request outside its limits."""
    return CommonServiceException("InvalidParameterException", message, 400, True)


def limit(names: list[str], most: int, what: str) -> None:
    """Refuses a batch that AWS would refuse; moto takes any number."""
    if len(names) > most:
        raise refuse(f"{what} can have at most {most} items.")


# Clusters and capacity providers


def list_clusters(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Clusters in pages; moto lists all at once."""
    active = [c.arn for c in backend_of(context).clusters.values() if c.status == "ACTIVE"]
    arns, token = page(sorted(active), request)
    return {"clusterArns": arns, **token}


def describe_clusters(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Live counts, and settings, configuration and attachments only when the request includes them."""
    limit(request.get("clusters") or [], 100, "clusters")
    response = call_moto(context)
    include = request.get("include") or []
    backend = backend_of(context)
    for answer in response.get("clusters", []):
        answer.update(cluster_counts(backend, backend.clusters[answer["clusterName"]]))
        if "SETTINGS" not in include:
            answer["settings"] = []
        if "CONFIGURATIONS" not in include:
            answer.pop("configuration", None)
    return response


def cluster_counts(backend: EC2ContainerServiceBackend, cluster: Cluster) -> dict[str, int]:
    """Counts as they are now; moto's drift when services and tasks change."""
    services = [s for s in backend.services.values() if s.cluster_name == cluster.name and s.status == "ACTIVE"]
    return {
        "activeServicesCount": len(services),
        "pendingTasksCount": 0,
        "registeredContainerInstancesCount": len(backend.container_instances.get(cluster.name, {})),
        "runningTasksCount": sum(t.last_status == "RUNNING" for t in cluster_tasks(backend, cluster.name)),
    }


def describe_capacity_providers(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Knows FARGATE and FARGATE_SPOT, and lists all without names; moto fails on both."""
    backend = backend_of(context)
    prefix = f"arn:aws:ecs:{context.region}:{context.account_id}:capacity-provider"
    known = {
        name: {"capacityProviderArn": f"{prefix}/{name}", "name": name, "status": "ACTIVE"}
        for name in FARGATE_PROVIDERS
    }
    for provider in backend.capacity_providers.values():
        known[provider.name] = {
            "capacityProviderArn": provider.capacity_provider_arn,
            "name": provider.name,
            "status": provider.status,
            "autoScalingGroupProvider": provider.auto_scaling_group_provider,
            "tags": (provider.tags or []) if "TAGS" in (request.get("include") or []) else [],
        }
    asked = [short_name(name) for name in request.get("capacityProviders") or known]
    failures = [{"arn": f"{prefix}/{name}", "reason": "MISSING"} for name in asked if name not in known]
    return {"capacityProviders": [known[name] for name in asked if name in known], "failures": failures}


# Task definitions


def list_task_definition_families(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Families sorted, in pages and by status; moto ignores the status."""
    status = request.get("status") or "ALL"
    prefix = request.get("familyPrefix") or ""
    families = [
        family
        for family, revisions in sorted(backend_of(context).task_definitions.items())
        if family.startswith(prefix) and family_has_status(revisions, status)
    ]
    names, token = page(families, request)
    return {"families": names, **token}


def family_has_status(revisions: Mapping[int, Any], status: str) -> bool:
    """A family is ACTIVE when it has an ACTIVE revision, INACTIVE when it has none."""
    active = any(revision.status == "ACTIVE" for revision in revisions.values())
    return status == "ALL" or active == (status == "ACTIVE")


def list_task_definitions(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Revisions by family, status and order, in pages; moto lists all in order of registration."""
    prefix, status = request.get("familyPrefix"), request.get("status") or "ACTIVE"
    found = [
        definition
        for family, revisions in backend_of(context).task_definitions.items()
        if prefix in (None, "", family)
        for definition in revisions.values()
        if definition.status == status
    ]
    found.sort(key=lambda definition: (definition.family, definition.revision), reverse=request.get("sort") == "DESC")
    arns, token = page([definition.arn for definition in found], request)
    return {"taskDefinitionArns": arns, **token}


# Tasks


def cluster_tasks(backend: EC2ContainerServiceBackend, cluster: str) -> list[Task]:
    """All tasks of one cluster, and of no other whose name merely contains it."""
    return list(backend.tasks.get(cluster, {}).values())


def list_tasks(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Tasks by every filter of AWS, RUNNING unless asked otherwise, in pages; moto ignores some of it."""
    backend = backend_of(context)
    cluster = backend._get_cluster(short_name(request.get("cluster")))
    tasks = [task for task in cluster_tasks(backend, cluster.name) if is_wanted(task, request)]
    arns, token = page([task.task_arn for task in tasks], request)
    return {"taskArns": arns, **token}


def is_wanted(task: Task, request: ServiceRequest) -> bool:
    """Whether a task matches the filters of a ListTasks request."""
    family = task.task_definition_arn.split("/")[-1].split(":")[0]
    instance = request.get("containerInstance")
    return (
        task.desired_status == (request.get("desiredStatus") or "RUNNING")
        and request.get("family") in (None, family)
        and request.get("launchType") in (None, task.launch_type)
        and request.get("startedBy") in (None, task.started_by)
        and (not request.get("serviceName") or task.group == f"service:{short_name(request['serviceName'])}")
        and (not instance or short_name(task.container_instance_arn) == short_name(instance))
    )


def describe_tasks(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """At most 100 tasks, and a failure for each unknown one; moto matches parts of ids and drops the unknown."""
    limit(request.get("tasks") or [], 100, "tasks")
    response = call_moto(context)
    found = {short_name(task["taskArn"]) for task in response.get("tasks", [])}
    prefix = f"arn:aws:ecs:{context.region}:{context.account_id}:task"
    response["failures"] = [
        {"arn": f"{prefix}/{short_name(name)}", "reason": "MISSING"}
        for name in request.get("tasks") or []
        if short_name(name) not in found
    ]
    return response


def run_task(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Resolves the capacity provider to a launch type; moto knows launch types only."""
    backend = backend_of(context)
    cluster = backend._get_cluster(short_name(request.get("cluster")))
    strategy = strategy_of(cluster, request)
    changed = with_security_groups({**request, "launchType": request.get("launchType") or launch_type_of(strategy)})
    changed.pop("capacityProviderStrategy", None)
    response = call_moto_with_request(context, changed)
    for answer in response.get("tasks", []):
        task = backend.tasks[cluster.name][answer["taskArn"]]
        note_launch(task, strategy, request)
    return response


def note_launch(task: Task, strategy: list[dict[str, Any]], request: Mapping[str, Any]) -> None:
    """Keeps the parameters of a launch that moto forgets."""
    if strategy:
        task.capacity_provider_name = strategy[0]["capacityProvider"]
    task.enable_execute_command = bool(request.get("enableExecuteCommand"))


def strategy_of(cluster: Cluster, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The capacity provider strategy in force: the request's, or the cluster's default when no launch type is named."""
    if request.get("launchType"):
        return []
    return request.get("capacityProviderStrategy") or cluster.default_capacity_provider_strategy or []


def launch_type_of(strategy: list[dict[str, Any]]) -> str:
    """The launch type that a strategy amounts to."""
    return "FARGATE" if strategy and strategy[0]["capacityProvider"] in FARGATE_PROVIDERS else "EC2"


def with_security_groups(request: dict[str, Any]) -> dict[str, Any]:
    """Names no security groups when the request names none (the default group applies); moto insists on the list."""
    awsvpc = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if awsvpc is None:
        return request
    changed = {"securityGroups": [], "assignPublicIp": "DISABLED", **awsvpc}
    return {**request, "networkConfiguration": {"awsvpcConfiguration": changed}}


def stop_task(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Releases the network interface and lets the service replace its task; moto keeps the one and skips the other."""
    backend = backend_of(context)
    response = call_moto(context)
    cluster = short_name(request.get("cluster"))
    task = backend.tasks[cluster][response["task"]["taskArn"]]
    release_network_interface(task)
    service = backend.services.get(f"{cluster}:{task.group.removeprefix('service:')}")
    if service and task.group.startswith("service:"):
        reconcile(backend, service)
    return response


def release_network_interface(task: Task) -> None:
    """Deletes the interface of a stopped task, as AWS does."""
    task.stopped_at = utcnow()
    interface = task_network_interface(task)
    if interface:
        interface.delete()


# Services


def list_services(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Services of exactly this cluster, in pages of ten; moto matches parts of names and lists deleted services."""
    backend = backend_of(context)
    cluster = backend._get_cluster(short_name(request.get("cluster")))
    arns = [
        service.arn
        for service in backend.services.values()
        if service.cluster_name == cluster.name
        and service.status != "INACTIVE"
        and request.get("launchType") in (None, service.launch_type)
        and request.get("schedulingStrategy") in (None, service.scheduling_strategy)
    ]
    names, token = page(sorted(arns), request, default=10)
    return {"serviceArns": names, **token}


def describe_services(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """At most ten services a call; moto takes any number."""
    limit(request.get("services") or [], 10, "services")
    return call_moto(context)


def create_service(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Keeps the parameters that moto drops, then starts the tasks; moto's services never start any."""
    backend = backend_of(context)
    cluster = backend._get_cluster(short_name(request.get("cluster")))
    strategy = strategy_of(cluster, request)
    changed = with_security_groups({**request, "launchType": request.get("launchType") or launch_type_of(strategy)})
    response = call_moto_with_request(context, changed)
    service = backend.services[f"{cluster.name}:{request['serviceName']}"]
    service.created_at = utcnow()
    service.created_by = f"arn:aws:iam::{context.account_id}:root"
    if strategy:
        service.capacity_provider_strategy = strategy
        service.launch_type = None
    keep_parameters(service, changed)
    reconcile(backend, service)
    return response


def update_service(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Carries a change into the deployment and the tasks; moto changes the service only."""
    backend = backend_of(context)
    changed = with_security_groups(dict(request))
    response = call_moto_with_request(context, changed)
    service = backend.services[f"{short_name(request.get('cluster'))}:{short_name(request['service'])}"]
    service.task_definition = backend.describe_task_definition(service.task_definition).arn
    keep_parameters(service, changed)
    reconcile(backend, service, replace_all=bool(request.get("forceNewDeployment")))
    return response


def delete_service(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Stops the tasks of a deleted service."""
    backend = backend_of(context)
    response = call_moto(context)
    reconcile(backend, backend.services[f"{short_name(request.get('cluster'))}:{short_name(request['service'])}"])
    return response


def keep_parameters(service: Service, request: Mapping[str, Any]) -> None:
    """Copies request fields to the service and its primary deployment, where DescribeServices shows them."""
    for field in SERVICE_FIELDS:
        if field in request:
            setattr(service, xform_name(field), request[field])
    for deployment in service.deployments[:1]:
        deployment.update({field: request[field] for field in DEPLOYMENT_FIELDS if field in request})
        deployment["taskDefinition"] = service.task_definition
        deployment["launchType"] = service.launch_type
        deployment["rolloutState"] = "COMPLETED"
        deployment["updatedAt"] = utcnow()


def service_launch_type(service: Service) -> str:
    """How the service starts tasks, whether it names a launch type or capacity providers."""
    return service.launch_type or launch_type_of(getattr(service, "capacity_provider_strategy", []))


def reconcile(backend: EC2ContainerServiceBackend, service: Service, replace_all: bool = False) -> None:
    """Starts and stops tasks until the service has what it desires, then updates its counts."""
    running = [task for task in cluster_tasks(backend, service.cluster_name) if belongs(task, service)]
    kept = [] if replace_all else [t for t in running if t.task_definition_arn == service.task_definition]
    kept = kept[: desired_count(backend, service)]
    for task in running:
        if task not in kept:
            backend.stop_task(service.cluster_name, task.id, "Scaling activity initiated by the service")
            release_network_interface(task)
    if service.scheduling_strategy == "DAEMON":
        start_daemons(backend, service, kept)
    else:
        start_tasks(backend, service, desired_count(backend, service) - len(kept))
    update_counts(backend, service)


def belongs(task: Task, service: Service) -> bool:
    """Whether a running task is one of the service's."""
    return task.group == f"service:{service.name}" and task.last_status == "RUNNING"


def desired_count(backend: EC2ContainerServiceBackend, service: Service) -> int:
    """How many tasks should run: none when deleted, one per host for a daemon."""
    if service.status == "INACTIVE" or not service.task_definition:
        return 0
    if service.scheduling_strategy == "DAEMON":
        return len(backend.container_instances.get(service.cluster_name, {}))
    return service.desired_count


def start_tasks(backend: EC2ContainerServiceBackend, service: Service, count: int) -> None:
    """Starts tasks for a service; on EC2 only where the cluster has hosts."""
    launch_type = service_launch_type(service)
    if count < 1 or (launch_type == "EC2" and not backend.container_instances.get(service.cluster_name)):
        return
    tasks = backend.run_task(
        service.cluster_name,
        service.task_definition,
        count,
        overrides=None,
        started_by=service.deployments[0]["id"] if service.deployments else "ecs-svc/0",
        tags=task_tags(backend, service),
        launch_type=launch_type,
        networking_configuration=service.network_configuration or None,
        group=f"service:{service.name}",
        platform_version=service.platform_version,
    )
    for task in tasks:
        facts = {"enableExecuteCommand": getattr(service, "enable_execute_command", False)}
        note_launch(task, getattr(service, "capacity_provider_strategy", []), facts)


def start_daemons(backend: EC2ContainerServiceBackend, service: Service, kept: list[Task]) -> None:
    """Starts one task on each host that has none of the service."""
    if service.status != "INACTIVE" and service.task_definition:
        taken = {task.container_instance_arn for task in kept}
        hosts = backend.container_instances.get(service.cluster_name, {}).values()
        free = [host.container_instance_arn for host in hosts if host.container_instance_arn not in taken]
        if free:
            backend.start_task(
                service.cluster_name,
                service.task_definition,
                free,
                overrides={},
                started_by=service.deployments[0]["id"],
                tags=task_tags(backend, service),
                group=f"service:{service.name}",
            )


def task_tags(backend: EC2ContainerServiceBackend, service: Service) -> list[dict[str, str]]:
    """Tags that a service hands to its tasks."""
    tags: list[dict[str, str]] = []
    if service.propagate_tags == "SERVICE":
        tags += service.tags
    if service.propagate_tags == "TASK_DEFINITION":
        tags += backend.describe_task_definition(service.task_definition).tags
    if getattr(service, "enable_ecs_managed_tags", False):
        tags.append({"key": "aws:ecs:clusterName", "value": service.cluster_name})
        tags.append({"key": "aws:ecs:serviceName", "value": service.name})
    return tags


def update_counts(backend: EC2ContainerServiceBackend, service: Service) -> None:
    """Writes counts, platform and storage key where DescribeServices shows them."""
    running = [task for task in cluster_tasks(backend, service.cluster_name) if belongs(task, service)]
    service.running_count, service.pending_count = len(running), 0
    service.desired_count = desired_count(backend, service)
    fargate = service_launch_type(service) == "FARGATE"
    service.platform_family = "Linux" if fargate else None
    if fargate and not service.platform_version:
        service.platform_version = "LATEST"
    for deployment in service.deployments[:1]:
        deployment.update(desiredCount=service.desired_count, runningCount=len(running), pendingCount=0)
        deployment["platformFamily"] = service.platform_family
        deployment["platformVersion"] = running[0].platform_version if fargate and running else None
        key = cluster_storage_key(running[0]) if fargate and running else None
        deployment["fargateEphemeralStorage"] = {"kmsKeyId": key} if key else None


# Container instances


def list_container_instances(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Hosts by status, in pages; moto ignores the status and takes an unknown cluster for an empty one."""
    backend = backend_of(context)
    cluster = backend._get_cluster(short_name(request.get("cluster")))
    arns = [
        instance.container_instance_arn
        for instance in backend.container_instances.get(cluster.name, {}).values()
        if request.get("status") in (None, instance.status)
    ]
    names, token = page(sorted(arns), request)
    return {"containerInstanceArns": names, **token}


def register_container_instance(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Keeps attributes, tags and agent version of the registration; moto makes up its own."""
    response = call_moto(context)
    arn = response["containerInstance"]["containerInstanceArn"]
    instance = backend_of(context).container_instances[short_name(request.get("cluster"))][short_name(arn)]
    for attribute in request.get("attributes") or []:
        instance.attributes[attribute["name"]] = attribute.get("value")
    if "versionInfo" in request:
        instance.version_info = request["versionInfo"]
    instance.tags = request.get("tags") or []
    instance.capacity_provider_name = capacity_provider_of(context, request.get("cluster"), instance.ec2_instance_id)
    return response


def capacity_provider_of(context: RequestContext, cluster: str | None, instance: str) -> str | None:
    """The capacity provider of the cluster whose Auto Scaling group holds the instance."""
    backend = backend_of(context)
    groups = autoscaling_backends[context.account_id][context.region].autoscaling_groups.values()
    holders = {group.arn for group in groups if instance in [state.instance.id for state in group.instance_states]}
    for name in backend.clusters[short_name(cluster)].capacity_providers or []:
        provider = backend.capacity_providers.get(name)
        if provider and (provider.auto_scaling_group_provider or {}).get("autoScalingGroupArn") in holders:
            return name
    return None


def describe_container_instances(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Counts tasks by host, shows tags only when asked, and takes a cluster without hosts, on which moto fails."""
    limit(request.get("containerInstances") or [], 100, "containerInstances")
    backend = backend_of(context)
    backend.container_instances.setdefault(short_name(request.get("cluster")), {})
    response = call_moto(context)
    tasks = cluster_tasks(backend, short_name(request.get("cluster")))
    for answer in response.get("containerInstances", []):
        here = [t for t in tasks if t.container_instance_arn == answer["containerInstanceArn"]]
        answer["runningTasksCount"] = sum(task.last_status == "RUNNING" for task in here)
        if "TAGS" not in (request.get("include") or []):
            answer["tags"] = []
    return response
