"""EKS operations that moto lacks: add-ons, access entries, pod identities, versions; and what it drops of a cluster."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext, ServiceRequest, ServiceResponse
from localstack.aws.skeleton import DispatchTable
from localstack.services.moto import call_moto
from moto.ec2 import ec2_backends
from moto.eks.models import Cluster, eks_backends

from plimsoll_bridge.paging import page

Answer = dict[str, Any]
Place = tuple[str, str]

ADDONS = {
    "aws-ebs-csi-driver": "v1.54.0-eksbuild.1",
    "coredns": "v1.12.4-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.1",
    "kube-proxy": "v1.34.0-eksbuild.2",
    "vpc-cni": "v1.20.4-eksbuild.2",
}
SUPPORTED = ("1.35", "1.34", "1.33")
EXTENDED = ("1.32", "1.31", "1.30")
POLICIES = (
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
)
_ADDONS: defaultdict[Place, dict[str, Answer]] = defaultdict(dict)
_ENTRIES: defaultdict[Place, dict[str, Answer]] = defaultdict(dict)
_POLICIES: defaultdict[Place, dict[str, Answer]] = defaultdict(dict)
_IDENTITIES: defaultdict[Place, dict[str, Answer]] = defaultdict(dict)


def overrides() -> DispatchTable:
    """The operations that need more than moto's answer."""
    return {"CreateCluster": create_cluster, "CreateNodegroup": create_nodegroup}


def create_cluster(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Fills in the defaults that AWS has and moto leaves out, and keeps the fields that it drops."""
    call_moto(context)
    cluster = eks_backends[context.account_id][context.region].clusters[request["name"]]
    complete_network(context, cluster)
    cluster.logging = {"clusterLogging": logging(request)}
    cluster.version = request.get("version") or SUPPORTED[0]
    cluster.platform_version = "eks.3"
    cluster.access_config = {
        "bootstrapClusterCreatorAdminPermissions": True,
        "authenticationMode": "CONFIG_MAP",
        **(request.get("accessConfig") or {}),
    }
    cluster.upgrade_policy = request.get("upgradePolicy") or {"supportType": "EXTENDED"}
    cluster.deletion_protection = bool(request.get("deletionProtection"))
    cluster.health = {"issues": []}
    issuer = f"https://oidc.eks.{context.region}.amazonaws.com/id/{uuid.uuid4().hex.upper()}"
    cluster.identity = {"oidc": {"issuer": issuer}}
    if knows_entries(cluster) and cluster.access_config["bootstrapClusterCreatorAdminPermissions"]:
        creator = f"arn:aws:iam::{context.account_id}:root"
        entry = add_access_entry(context, cluster, {"principalArn": creator})
        add_access_policy(cluster, entry["principalArn"], "AmazonEKSClusterAdminPolicy", {"type": "cluster"})
    return {"cluster": {**context_free(cluster), "status": "CREATING"}}


def complete_network(context: RequestContext, cluster: Cluster) -> None:
    """Which endpoint is open to whom, the VPC, and the group that control plane and nodes share."""
    network = {"endpointPublicAccess": True, "endpointPrivateAccess": False, **cluster.resources_vpc_config}
    if network["endpointPublicAccess"]:
        network.setdefault("publicAccessCidrs", ["0.0.0.0/0"])
    backend = ec2_backends[context.account_id][context.region]
    network["vpcId"] = backend.get_subnet(network["subnetIds"][0]).vpc_id
    name = f"eks-cluster-sg-{cluster.name}-{uuid.uuid4().int % 10**9}"
    description = "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes"
    group = backend.create_security_group(name=name, description=description, vpc_id=network["vpcId"])
    backend.authorize_security_group_ingress(
        group.id, "-1", None, None, [], None, [{"GroupId": group.id}], vpc_id=network["vpcId"]
    )
    network["clusterSecurityGroupId"] = group.id
    cluster.resources_vpc_config = network
    families = {"ipFamily": "ipv4", "serviceIpv4Cidr": "172.20.0.0/16"}
    cluster.kubernetes_network_config = {**families, **(cluster.kubernetes_network_config or {})}


def create_nodegroup(context: RequestContext, request: ServiceRequest) -> ServiceResponse:
    """Opens no SSH that nobody asked for; moto gives each group a key."""
    answer = call_moto(context)
    cluster = eks_backends[context.account_id][context.region].clusters[request["clusterName"]]
    group = cluster.nodegroups[request["nodegroupName"]]
    group.remote_access = request.get("remoteAccess")
    group.update_config = request.get("updateConfig") or {"maxUnavailable": 1}
    if not group.remote_access or group.remote_access.get("sourceSecurityGroups"):
        group.resources = {"autoScalingGroups": group.resources["autoScalingGroups"]}
    if request.get("launchTemplate"):
        group.disk_size = None
    return answer


def knows_entries(cluster: Cluster) -> bool:
    """Whether the cluster has access entries; with CONFIG_MAP alone it has none."""
    return bool(cluster.access_config["authenticationMode"] != "CONFIG_MAP")


def entries_of(context: RequestContext) -> Cluster:
    """The cluster of the request, which must know access entries."""
    cluster = cluster_of(context)
    if not knows_entries(cluster):
        modes = "[API, API_AND_CONFIG_MAP]"
        message = f"The cluster's authentication mode must be set to one of {modes} to perform this operation."
        raise CommonServiceException("InvalidRequestException", message, 400, True)
    return cluster


def logging(request: ServiceRequest) -> list[Answer]:
    """Every log type, on or off: AWS names those too that nobody asked for."""
    types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    asked = (request.get("logging") or {}).get("clusterLogging") or []
    on = {each for setup in asked if setup.get("enabled") for each in setup.get("types") or []}
    groups = [([each for each in types if each in on], True), ([each for each in types if each not in on], False)]
    return [{"types": names, "enabled": enabled} for names, enabled in groups if names]


def context_free(cluster: Cluster) -> Answer:
    """The few fields that a caller of CreateCluster waits for."""
    return {"name": cluster.name, "arn": cluster.arn, "roleArn": cluster.role_arn, "version": cluster.version}


def cluster_of(context: RequestContext) -> Cluster:
    """The cluster of the request."""
    request = context.service_request or {}
    name = request.get("clusterName") or ""
    cluster = eks_backends[context.account_id][context.region].clusters.get(name)
    if cluster is None:
        raise missing(f"No cluster found for name: {name}.")
    return cluster


def missing(message: str) -> CommonServiceException:
    """The error for anything that is not there."""
    return CommonServiceException("ResourceNotFoundException", message, 404, True)


def place_of(cluster: Cluster) -> Place:
    """Where a cluster's things are kept."""
    return cluster.arn, cluster.name


def stored(things: Mapping[str, Answer], name: str, what: str) -> Answer:
    """One stored thing by name."""
    if name not in things:
        raise missing(f"The specified {what} resource could not be found: {name}.")
    return things[name]


def listing(context: RequestContext, key: str, items: Iterable[Any]) -> Answer:
    """A page of a listing."""
    found, token = page(list(items), context.service_request or {})
    return {key: found, **token}


def times() -> Answer:
    """When a thing was made."""
    now = datetime.now(UTC)
    return {"createdAt": now, "modifiedAt": now}


# Add-ons


def create_addon(context: RequestContext) -> Answer:
    """An add-on, by default in the default version."""
    request, cluster = context.service_request or {}, cluster_of(context)
    name = request["addonName"]
    identities = [add_pod_identity(context, cluster, each) for each in request.get("podIdentityAssociations") or []]
    addon = {
        "addonName": name,
        "clusterName": cluster.name,
        "status": "ACTIVE",
        "addonVersion": request.get("addonVersion") or ADDONS.get(name, "v1.0.0-eksbuild.1"),
        "health": {"issues": []},
        "addonArn": f"{cluster.arn.replace(':cluster/', ':addon/')}/{name}/{uuid.uuid4()}",
        "tags": request.get("tags") or {},
        "podIdentityAssociations": [each["associationArn"] for each in identities],
        **{field: request[field] for field in ("serviceAccountRoleArn", "configurationValues") if field in request},
        **times(),
    }
    _ADDONS[place_of(cluster)][name] = addon
    return {"addon": addon}


def list_addons(context: RequestContext) -> Answer:
    """Names of the add-ons."""
    return listing(context, "addons", sorted(_ADDONS[place_of(cluster_of(context))]))


def describe_addon(context: RequestContext) -> Answer:
    """One add-on."""
    name = (context.service_request or {})["addonName"]
    return {"addon": stored(_ADDONS[place_of(cluster_of(context))], name, "addon")}


def describe_addon_versions(context: RequestContext) -> Answer:
    """The default version of each known add-on, for every supported cluster version."""
    request = context.service_request or {}
    versions = [request["kubernetesVersion"]] if request.get("kubernetesVersion") else [*SUPPORTED, *EXTENDED]
    compatible = [{"clusterVersion": each, "platformVersions": ["*"], "defaultVersion": True} for each in versions]
    addons = [
        {
            "addonName": name,
            "type": "networking",
            "addonVersions": [{"addonVersion": version, "architecture": ["amd64"], "compatibilities": compatible}],
            "publisher": "eks",
            "owner": "aws",
        }
        for name, version in ADDONS.items()
        if request.get("addonName") in (None, name)
    ]
    return listing(context, "addons", addons)


def describe_cluster_versions(context: RequestContext) -> Answer:
    """Three versions in standard support, three in extended; dates follow from today: the emulator has no past."""
    request = context.service_request or {}
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    versions = []
    for age, version in enumerate([*SUPPORTED, *EXTENDED]):
        standard = version in SUPPORTED
        released = today - timedelta(days=60 + 150 * age)
        versions.append(
            {
                "clusterVersion": version,
                "clusterType": "eks",
                "defaultVersion": version == SUPPORTED[0],
                "releaseDate": released,
                "endOfStandardSupportDate": released + timedelta(days=425),
                "endOfExtendedSupportDate": released + timedelta(days=790),
                "status": "standard-support" if standard else "extended-support",
                "versionStatus": "STANDARD_SUPPORT" if standard else "EXTENDED_SUPPORT",
            }
        )
    asked = request.get("clusterVersions")
    return listing(context, "clusterVersions", [v for v in versions if not asked or v["clusterVersion"] in asked])


# Access entries


def create_access_entry(context: RequestContext) -> Answer:
    """Lets a principal into the cluster."""
    return {"accessEntry": add_access_entry(context, entries_of(context), context.service_request or {})}


def add_access_entry(context: RequestContext, cluster: Cluster, request: Mapping[str, Any]) -> Answer:
    """Stores an access entry."""
    principal = request["principalArn"]
    path = principal.split(":")[5]
    entry = {
        "clusterName": cluster.name,
        "principalArn": principal,
        "kubernetesGroups": request.get("kubernetesGroups") or [],
        "accessEntryArn": f"{cluster.arn.replace(':cluster/', ':access-entry/')}/{path}/{uuid.uuid4()}",
        "tags": request.get("tags") or {},
        "username": request.get("username") or principal,
        "type": request.get("type") or "STANDARD",
        **times(),
    }
    _ENTRIES[place_of(cluster)][principal] = entry
    return entry


def list_access_entries(context: RequestContext) -> Answer:
    """The principals that have an entry, or those with one policy."""
    cluster, policy = entries_of(context), (context.service_request or {}).get("associatedPolicyArn")
    entries = sorted(_ENTRIES[place_of(cluster)])
    return listing(context, "accessEntries", [e for e in entries if not policy or policy in _POLICIES[cluster.arn, e]])


def describe_access_entry(context: RequestContext) -> Answer:
    """One access entry."""
    principal = (context.service_request or {})["principalArn"]
    return {"accessEntry": stored(_ENTRIES[place_of(entries_of(context))], principal, "principalArn")}


def associate_access_policy(context: RequestContext) -> Answer:
    """Gives an entry one of the policies that AWS has."""
    request, cluster = context.service_request or {}, entries_of(context)
    principal = request["principalArn"]
    stored(_ENTRIES[place_of(cluster)], principal, "principalArn")
    policy = add_access_policy(cluster, principal, request["policyArn"].split("/")[-1], request["accessScope"])
    return {"clusterName": cluster.name, "principalArn": principal, "associatedAccessPolicy": policy}


def add_access_policy(cluster: Cluster, principal: str, name: str, scope: Mapping[str, Any]) -> Answer:
    """Stores a policy of an entry."""
    now = datetime.now(UTC)
    arn = f"arn:aws:eks::aws:cluster-access-policy/{name}"
    policy = {"policyArn": arn, "accessScope": {"namespaces": [], **scope}, "associatedAt": now, "modifiedAt": now}
    _POLICIES[cluster.arn, principal][arn] = policy
    return policy


def list_associated_access_policies(context: RequestContext) -> Answer:
    """The policies of an entry."""
    request, cluster = context.service_request or {}, entries_of(context)
    principal = request["principalArn"]
    stored(_ENTRIES[place_of(cluster)], principal, "principalArn")
    policies = _POLICIES[cluster.arn, principal].values()
    answer = listing(context, "associatedAccessPolicies", policies)
    return {"clusterName": cluster.name, "principalArn": principal, **answer}


def list_access_policies(context: RequestContext) -> Answer:
    """The policies that AWS has."""
    arns = [{"name": name, "arn": f"arn:aws:eks::aws:cluster-access-policy/{name}"} for name in POLICIES]
    return listing(context, "accessPolicies", arns)


# Pod identities


def create_pod_identity_association(context: RequestContext) -> Answer:
    """Ties a service account to a role."""
    return {"association": add_pod_identity(context, cluster_of(context), context.service_request or {})}


def add_pod_identity(context: RequestContext, cluster: Cluster, request: Mapping[str, Any]) -> Answer:
    """Stores an association."""
    identifier = f"a-{uuid.uuid4().hex[:17]}"
    association = {
        "clusterName": cluster.name,
        "namespace": request.get("namespace") or "kube-system",
        "serviceAccount": request["serviceAccount"],
        "roleArn": request["roleArn"],
        "associationArn": f"{cluster.arn.replace(':cluster/', ':podidentityassociation/')}/{identifier}",
        "associationId": identifier,
        "tags": request.get("tags") or {},
        "disableSessionTags": bool(request.get("disableSessionTags")),
        **times(),
    }
    _IDENTITIES[place_of(cluster)][identifier] = association
    return association


def list_pod_identity_associations(context: RequestContext) -> Answer:
    """Associations by namespace and service account, without their roles."""
    request = context.service_request or {}
    fields = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId")
    found = [
        {field: each[field] for field in fields}
        for each in _IDENTITIES[place_of(cluster_of(context))].values()
        if request.get("namespace") in (None, each["namespace"])
        and request.get("serviceAccount") in (None, each["serviceAccount"])
    ]
    return listing(context, "associations", found)


def describe_pod_identity_association(context: RequestContext) -> Answer:
    """One association."""
    identifier = (context.service_request or {})["associationId"]
    return {"association": stored(_IDENTITIES[place_of(cluster_of(context))], identifier, "association")}


OPERATIONS: dict[str, Callable[[RequestContext], Answer]] = {
    "eks:AssociateAccessPolicy": associate_access_policy,
    "eks:CreateAccessEntry": create_access_entry,
    "eks:CreateAddon": create_addon,
    "eks:CreatePodIdentityAssociation": create_pod_identity_association,
    "eks:DescribeAccessEntry": describe_access_entry,
    "eks:DescribeAddon": describe_addon,
    "eks:DescribeAddonVersions": describe_addon_versions,
    "eks:DescribeClusterVersions": describe_cluster_versions,
    "eks:DescribePodIdentityAssociation": describe_pod_identity_association,
    "eks:ListAccessEntries": list_access_entries,
    "eks:ListAccessPolicies": list_access_policies,
    "eks:ListAddons": list_addons,
    "eks:ListAssociatedAccessPolicies": list_associated_access_policies,
    "eks:ListPodIdentityAssociations": list_pod_identity_associations,
}
