"""Building blocks from which scenarios seed an account. What is not asked for is built the safe way."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sessions import Session

TAGS = {"owner": "team-shop", "environment": "test", "data-class": "internal"}
ANYWHERE = "0.0.0.0/0"
FLOW_LOG_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} "
    "${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${vpc-id} ${subnet-id} ${instance-id} "
    "${tcp-flags} ${type} ${pkt-srcaddr} ${pkt-dstaddr} ${region} ${az-id} ${flow-direction} "
    "${traffic-path} ${ecs-cluster-arn} ${ecs-cluster-name} ${ecs-container-instance-arn} "
    "${ecs-container-instance-id} ${ecs-container-id} ${ecs-second-container-id} ${ecs-service-name} "
    "${ecs-task-definition-arn} ${ecs-task-arn} ${ecs-task-id}"
)


def ecs_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as ECS writes them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def aws_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 and IAM write them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def in_parallel(work: Callable[[Any], Any], items: Iterable[Any], threads: int = 8) -> list[Any]:
    """Applies the work to every item, several at a time, and returns the results in order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


# Network


@dataclass(frozen=True)
class Network:
    """A VPC with its subnets."""

    vpc: str
    subnets: tuple[str, ...]


def network(session: Session, second_octet: int, *, public: bool = False, name: str = "main") -> Network:
    """A VPC with two subnets in two zones; public ones route to an internet gateway."""
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=f"10.{second_octet}.0.0/16")["Vpc"]["VpcId"]
    subnets = tuple(subnet(session, vpc, f"10.{second_octet}.{i * 16}.0/20", "ab"[i]) for i in range(2))
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    if public:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
    for each in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=each)
    ec2.create_tags(Resources=[vpc, table, *subnets], Tags=aws_tags({"Name": name, **TAGS}))
    return Network(vpc, subnets)


def subnet(session: Session, vpc: str, cidr: str, zone: str) -> str:
    """A subnet in one zone of the region."""
    request = {"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": session.region + zone}
    return session.client("ec2").create_subnet(**request)["Subnet"]["SubnetId"]


def private_subnets(session: Session, vpc: str, second_octet: int) -> Network:
    """Two more subnets of a VPC, without a route to anywhere outside."""
    ec2 = session.client("ec2")
    subnets = tuple(subnet(session, vpc, f"10.{second_octet}.{128 + i * 16}.0/20", "ab"[i]) for i in range(2))
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    for each in subnets:
        ec2.associate_route_table(RouteTableId=table, SubnetId=each)
    return Network(vpc, subnets)


def flow_log(session: Session, vpc: str, **changes: Any) -> str:
    """A flow log of all traffic with every field that ties a record to a task, once a minute."""
    request = {
        "ResourceIds": [vpc],
        "ResourceType": "VPC",
        "TrafficType": "ALL",
        "LogDestinationType": "cloud-watch-logs",
        "LogGroupName": log_group(session, f"/vpc/{vpc}"),
        "DeliverLogsPermissionArn": flow_log_role(session),
        "LogFormat": FLOW_LOG_FORMAT,
        "MaxAggregationInterval": 60,
        "TagSpecifications": [{"ResourceType": "vpc-flow-log", "Tags": aws_tags(TAGS)}],
        **changes,
    }
    known = {key: value for key, value in request.items() if value is not None}
    return session.client("ec2").create_flow_logs(**known)["FlowLogIds"][0]


def log_group(session: Session, name: str) -> str:
    """A log group that keeps its events for a month."""
    logs = session.client("logs")
    logs.create_log_group(logGroupName=name, tags=TAGS)
    logs.put_retention_policy(logGroupName=name, retentionInDays=30)
    return name


def flow_log_role(session: Session) -> str:
    """The role that delivers flow logs."""
    condition = {
        "StringEquals": {"aws:SourceAccount": session.account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ec2:*:{session.account}:vpc-flow-log/*"},
    }
    writes = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"]
    allow = [{"Effect": "Allow", "Action": writes, "Resource": f"arn:aws:logs:*:{session.account}:log-group:/vpc/*"}]
    return role(session, "flow-logs", allow, service="vpc-flow-logs.amazonaws.com", condition=condition)


def security_group(
    session: Session,
    vpc: str,
    name: str,
    ingress: Sequence[Mapping[str, Any]] = (),
    egress: Sequence[Mapping[str, Any]] = (),
) -> str:
    """A security group with exactly these rules; EC2's open egress rule is taken away."""
    ec2 = session.client("ec2")
    group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
    close_egress(session, group)
    if ingress:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=list(ingress))
    if egress:
        ec2.authorize_security_group_egress(GroupId=group, IpPermissions=list(egress))
    ec2.create_tags(Resources=[group], Tags=aws_tags({"Name": name, **TAGS}))
    return group


def close_egress(session: Session, group: str) -> None:
    """Removes the egress rules of a group."""
    ec2 = session.client("ec2")
    permissions = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    if permissions:
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=permissions)


def default_group(session: Session, vpc: str) -> str:
    """The default security group of a VPC."""
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    return session.client("ec2").describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]


def close_default_group(session: Session, vpc: str) -> None:
    """Takes all rules from the default security group of a VPC."""
    ec2 = session.client("ec2")
    group = default_group(session, vpc)
    close_egress(session, group)
    ingress = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    if ingress:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=ingress)


def port(number: int, cidr: str) -> dict[str, Any]:
    """One TCP port, to or from one network."""
    return {"IpProtocol": "tcp", "FromPort": number, "ToPort": number, "IpRanges": [{"CidrIp": cidr}]}


def everything(cidr: str = ANYWHERE) -> dict[str, Any]:
    """All protocols and ports, to or from one network."""
    return {"IpProtocol": "-1", "IpRanges": [{"CidrIp": cidr}]}


def endpoint(
    session: Session, place: Network, service: str, group: str, statement: Mapping[str, Any] | None = None
) -> None:
    """An interface endpoint of an AWS service, with private DNS, and the policy that EC2 gives it unless another is said."""
    policy = {"PolicyDocument": policy_document([statement])} if statement else {}
    ec2 = session.client("ec2")
    created = ec2.create_vpc_endpoint(
        VpcId=place.vpc,
        VpcEndpointType="Interface",
        ServiceName=f"com.amazonaws.{session.region}.{service}",
        SubnetIds=list(place.subnets),
        SecurityGroupIds=[group],
        PrivateDnsEnabled=True,
        **policy,
    )
    # The emulator puts the interfaces of an endpoint into the default group.
    for interface in created["VpcEndpoint"]["NetworkInterfaceIds"]:
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=[group])


def storage_endpoint(session: Session, place: Network, statement: Mapping[str, Any]) -> None:
    """A gateway endpoint of S3 in the route tables of the VPC's subnets."""
    ec2 = session.client("ec2")
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [place.vpc]}])["RouteTables"]
    ec2.create_vpc_endpoint(
        VpcId=place.vpc,
        VpcEndpointType="Gateway",
        ServiceName=f"com.amazonaws.{session.region}.s3",
        RouteTableIds=[table["RouteTableId"] for table in tables],
        PolicyDocument=policy_document([statement]),
    )


def own_account(session: Session) -> dict[str, Any]:
    """Everything, for callers and resources of the account alone."""
    condition = {"StringEquals": {"aws:PrincipalAccount": session.account, "aws:ResourceAccount": session.account}}
    return {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition}


# Identity and keys


def policy_document(statements: Sequence[Mapping[str, Any]]) -> str:
    """A policy in JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def task_trust_condition(session: Session) -> dict[str, Any]:
    """Limits a trust to tasks of this account and region, against the confused deputy."""
    return {
        "StringEquals": {"aws:SourceAccount": session.account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{session.region}:{session.account}:*"},
    }


def role(
    session: Session,
    name: str,
    allow: Sequence[Mapping[str, Any]] = (),
    *,
    service: str = "ecs-tasks.amazonaws.com",
    condition: Mapping[str, Any] | None = None,
) -> str:
    """A role for a service; without a condition its trust holds for every caller of that service."""
    trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if condition:
        trust["Condition"] = condition
    iam = session.client("iam")
    arn = f"arn:aws:iam::{session.account}:role/{name}"
    existing = {each["RoleName"] for page in iam.get_paginator("list_roles").paginate() for each in page["Roles"]}
    if name in existing:
        return arn
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy_document([trust]), Tags=aws_tags(TAGS))
    if allow:
        iam.put_role_policy(RoleName=name, PolicyName="access", PolicyDocument=policy_document(allow))
    return arn


def task_role(session: Session, name: str, allow: Sequence[Mapping[str, Any]] = ()) -> str:
    """A task role trusted for this account's tasks only; by default it may read one bucket."""
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}-{session.account}/*"}
    statements: Sequence[Mapping[str, Any]] = allow or [read]
    return role(session, name, statements, condition=task_trust_condition(session))


def execution_role(session: Session, name: str) -> str:
    """An execution role that may pull images, write logs and read the secrets of its own workload."""
    ecr = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    scope = f"{session.region}:{session.account}"
    logs = ["logs:CreateLogStream", "logs:PutLogEvents"]
    allow: list[Mapping[str, Any]] = [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": ecr, "Resource": f"arn:aws:ecr:{scope}:repository/{name}*"},
        {"Effect": "Allow", "Action": logs, "Resource": f"arn:aws:logs:{scope}:log-group:/ecs/*"},
        {
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": f"arn:aws:secretsmanager:{scope}:secret:{name}-*",
        },
    ]
    return role(session, f"{name}-execution", allow, condition=task_trust_condition(session))


def key(
    session: Session,
    key_id: str,
    statements: Sequence[Mapping[str, Any]] = (),
    *,
    rotation: bool = True,
    alias: str | None = None,
) -> str:
    """A customer managed key with a foretold id, governed by the account's IAM and the extra statements."""
    kms = session.client("kms")
    governed = {
        "Sid": "AccountGoverns",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{session.account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    tags = [{"TagKey": name, "TagValue": value} for name, value in {"_custom_id_": key_id, **TAGS}.items()]
    created = kms.create_key(Policy=policy_document([governed, *statements]), Tags=tags)
    if rotation:
        kms.enable_key_rotation(KeyId=key_id)
    if alias:
        kms.create_alias(AliasName=f"alias/{alias}", TargetKeyId=key_id)
    return created["KeyMetadata"]["Arn"]


def fargate_statement(action: str, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A statement that trusts Fargate with one action."""
    statement: dict[str, Any] = {
        "Sid": "Fargate" + action.removeprefix("kms:"),
        "Effect": "Allow",
        "Principal": {"Service": "fargate.amazonaws.com"},
        "Action": action,
        "Resource": "*",
    }
    return {**statement, "Condition": condition} if condition else statement


def fargate_statements(session: Session, cluster_name: str) -> list[dict[str, Any]]:
    """The two statements that Fargate storage needs, scoped to one cluster."""
    context = "kms:EncryptionContext:aws:ecs:cluster"
    scoped = {f"{context}Account": [session.account], f"{context}Name": [cluster_name]}
    decrypt = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}}
    return [
        fargate_statement("kms:GenerateDataKeyWithoutPlaintext", {"StringEquals": scoped}),
        fargate_statement("kms:CreateGrant", {"StringEquals": scoped, **decrypt}),
    ]


# ECS


def storage_configuration(key_arn: str) -> dict[str, Any]:
    """A cluster configuration with a key for Fargate's ephemeral storage."""
    return {"managedStorageConfiguration": {"fargateEphemeralStorageKmsKeyId": key_arn}}


def cluster(
    session: Session, name: str, *, insights: str = "enhanced", tags: Mapping[str, str] = TAGS, **request: Any
) -> str:
    """A cluster; Container Insights are on and it is tagged unless asked otherwise."""
    settings = [{"name": "containerInsights", "value": insights}]
    answer = session.client("ecs").create_cluster(
        clusterName=name, settings=settings, **({"tags": ecs_tags(tags)} if tags else {}), **request
    )
    return answer["cluster"]["clusterArn"]


def image(session: Session, name: str) -> str:
    """An image of the account's own registry, pinned by digest."""
    return f"{session.account}.dkr.ecr.{session.region}.amazonaws.com/{name}@sha256:{name.encode().hex():0<64.64}"


def container(session: Session, name: str, **changes: Any) -> dict[str, Any]:
    """A container that does everything right; a change of None removes the field."""
    definition = {
        "name": name,
        "image": image(session, name),
        "essential": True,
        "user": "10001:10001",
        "cpu": 128,
        "memory": 256,
        "readonlyRootFilesystem": True,
        "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
        "environment": [{"name": "LOG_LEVEL", "value": "info"}],
        "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
        "logConfiguration": awslogs(session, name),
        **changes,
    }
    return {field: value for field, value in definition.items() if value is not None}


def awslogs(session: Session, name: str, mode: str = "non-blocking") -> dict[str, Any]:
    """Logs to CloudWatch."""
    options = {"awslogs-group": f"/ecs/{name}", "awslogs-region": session.region, "awslogs-stream-prefix": "ecs"}
    buffer = {"max-buffer-size": "25m"} if mode == "non-blocking" else {}
    return {"logDriver": "awslogs", "options": {**options, "mode": mode, **buffer}}


def secret(session: Session, variable: str, name: str) -> dict[str, str]:
    """A variable that takes one field of a secret."""
    arn = f"arn:aws:secretsmanager:{session.region}:{session.account}:secret:{name}-AbCdEf:password::"
    return {"name": variable, "valueFrom": arn}


def definition(
    session: Session,
    family: str,
    containers: Sequence[Mapping[str, Any]],
    *,
    fargate: bool = True,
    tags: Mapping[str, str] = TAGS,
    **request: Any,
) -> str:
    """Registers a revision, by default for Fargate and tagged."""
    base: dict[str, Any] = {"family": family, "containerDefinitions": list(containers)}
    if fargate:
        base |= {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    if tags:
        base["tags"] = ecs_tags(tags)
    answer = session.client("ecs").register_task_definition(**{**base, **request})
    return answer["taskDefinition"]["taskDefinitionArn"]


def workload_definition(session: Session, family: str, **request: Any) -> str:
    """A definition that does everything right, with roles of its own."""
    request.setdefault("taskRoleArn", task_role(session, f"{family}-task"))
    request.setdefault("executionRoleArn", execution_role(session, family))
    containers = request.pop("containers", None) or [container(session, family)]
    return definition(session, family, containers, **request)


def placement(place: Network, groups: Sequence[str], *, public: bool = False) -> dict[str, Any]:
    """The network configuration of a task or service."""
    address = "ENABLED" if public else "DISABLED"
    awsvpc = {"subnets": list(place.subnets), "securityGroups": list(groups), "assignPublicIp": address}
    return {"awsvpcConfiguration": awsvpc}


def service(
    session: Session,
    cluster_name: str,
    name: str,
    definition_arn: str,
    *,
    tags: Mapping[str, str] = TAGS,
    **request: Any,
) -> str:
    """A service, by default on Fargate with one task, tagged and handing its tags to its tasks."""
    base: dict[str, Any] = {
        "cluster": cluster_name,
        "serviceName": name,
        "taskDefinition": definition_arn,
        "desiredCount": 1,
        "launchType": "FARGATE",
    }
    if tags:
        base |= {"tags": ecs_tags(tags), "propagateTags": "SERVICE", "enableECSManagedTags": True}
    wanted = {key: value for key, value in {**base, **request}.items() if value is not None}
    return session.client("ecs").create_service(**wanted)["service"]["serviceArn"]


def run_task(session: Session, cluster_name: str, definition_arn: str, **request: Any) -> str:
    """A standalone task on Fargate."""
    base = {"cluster": cluster_name, "taskDefinition": definition_arn, "launchType": "FARGATE"}
    answer = session.client("ecs").run_task(**{**base, **request})
    return answer["tasks"][0]["taskArn"]


def authorize_tagging(session: Session) -> None:
    """Makes ECS check the permission to tag on creation."""
    session.client("ecs").put_account_setting_default(name="tagResourceAuthorization", value="on")


def tasks(session: Session, cluster_name: str, service_name: str) -> list[dict[str, Any]]:
    """The running tasks of a service."""
    ecs = session.client("ecs")
    arns = ecs.list_tasks(cluster=cluster_name, serviceName=service_name)["taskArns"]
    return ecs.describe_tasks(cluster=cluster_name, tasks=arns)["tasks"]


def register_targets(
    session: Session, cluster_name: str, service_name: str, target_group: str, number: int = 8080
) -> None:
    """Registers the addresses of a service's tasks, which AWS does by itself."""
    details = [
        detail
        for task in tasks(session, cluster_name, service_name)
        for attachment in task["attachments"]
        for detail in attachment["details"]
    ]
    addresses = [detail["value"] for detail in details if detail["name"] == "privateIPv4Address"]
    targets = [{"Id": address, "Port": number} for address in addresses]
    session.client("elbv2").register_targets(TargetGroupArn=target_group, Targets=targets)


# Storage and images


def bucket(session: Session, name: str, statements: Sequence[Mapping[str, Any]] = (), *, blocked: bool = True) -> str:
    """A bucket that lets no one in but by the given statements; a policy for everyone needs it unblocked."""
    s3 = session.client("s3")
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": session.region}}
    s3.create_bucket(Bucket=name, **({} if session.region == "us-east-1" else elsewhere))
    block = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(block, blocked))
    if statements:
        s3.put_bucket_policy(Bucket=name, Policy=policy_document(statements))
    return name


def repository(session: Session, name: str, statements: Sequence[Mapping[str, Any]] = (), **changes: Any) -> str:
    """A repository with immutable tags, scanned on push, that forgets untagged images; returns its URI."""
    ecr = session.client("ecr")
    lifecycle = changes.pop("lifecycle", True)
    request = {
        "repositoryName": name,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "tags": aws_tags(TAGS),
        **changes,
    }
    uri = ecr.create_repository(**request)["repository"]["repositoryUri"]
    if statements:
        ecr.set_repository_policy(repositoryName=name, policyText=policy_document(statements))
    if lifecycle:
        untagged = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}
        rule = {"rulePriority": 1, "selection": untagged, "action": {"type": "expire"}}
        ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps({"rules": [rule]}))
    return uri


def image_configuration(**changes: Any) -> dict[str, Any]:
    """The configuration of an image that runs as a user of its own, with no secrets in it."""
    config = {
        "User": "10001:10001",
        "Env": ["PATH=/usr/local/bin:/usr/bin", "LOG_LEVEL=info"],
        "Entrypoint": ["/app/server"],
        "ExposedPorts": {"8080/tcp": {}},
        "Labels": {"org.opencontainers.image.source": "https://git.example.com/shop"},
        **changes,
    }
    return {"architecture": "amd64", "os": "linux", "config": config, "created": "2026-01-05T10:00:00Z"}


def push_image(session: Session, name: str, tag: str | None, configuration: Mapping[str, Any] | None = None) -> str:
    """Pushes an image with two layers, as an engine does, and returns its digest."""
    layers = [upload(session, name, f"{name} layer {number}".encode()) for number in range(2)]
    history = [{"created_by": f"COPY layer{number} /"} for number in range(2)]
    root = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
    body = {"rootfs": root, "history": history, **(configuration or image_configuration())}
    config = upload(session, name, json.dumps(body, sort_keys=True).encode())
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": {"mediaType": f"{kind}.config.v1+json", **config},
        "layers": [{"mediaType": f"{kind}.layer.v1.tar+gzip", **layer} for layer in layers],
    }
    return put_manifest(session, name, tag, manifest)


def put_manifest(session: Session, name: str, tag: str | None, manifest: Mapping[str, Any]) -> str:
    """Stores a manifest or an index and returns its digest."""
    text = json.dumps(manifest, indent=2)
    request = {"repositoryName": name, "imageManifest": text, "imageManifestMediaType": manifest["mediaType"]}
    session.client("ecr").put_image(**request, **({"imageTag": tag} if tag else {}))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def upload(session: Session, name: str, blob: bytes) -> dict[str, Any]:
    """Uploads a layer or a configuration, and describes it as a manifest does."""
    ecr = session.client("ecr")
    identifier = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    part = {"repositoryName": name, "uploadId": identifier}
    ecr.upload_layer_part(**part, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    ecr.complete_layer_upload(**part, layerDigests=[digest])
    return {"digest": digest, "size": len(blob)}


# Hosts


def ecs_image(session: Session) -> str:
    """The id of an ECS-optimized Amazon Linux image."""
    filters = [{"Name": "name", "Values": ["al2023-ami-ecs-hvm-*-x86_64"]}]
    images = session.client("ec2").describe_images(Owners=["amazon"], Filters=filters)["Images"]
    return min(each["ImageId"] for each in images)


def instance_profile(session: Session, name: str) -> str:
    """An instance profile with the permissions of a container host."""
    iam = session.client("iam")
    actions = ["ecs:Poll", "ecs:StartTelemetrySession", "ecs:SubmitTaskStateChange", "ecs:RegisterContainerInstance"]
    allow = [{"Effect": "Allow", "Action": actions, "Resource": f"arn:aws:ecs:*:{session.account}:*"}]
    role(session, name, allow, service="ec2.amazonaws.com")
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    return name


def container_host(
    session: Session,
    cluster_name: str,
    token: str,
    subnet_id: str,
    group: str,
    user_data: str,
    **choices: Any,
) -> str:
    """An instance that joined a cluster; the bridge makes its id from the token. Safe unless `choices` differ."""
    chosen = {"public": False, "tokens": "required", "key": None, "profile": None, "attributes": (), **choices}
    volume: dict[str, Any] = {"VolumeSize": 30, "VolumeType": "gp3"}
    if chosen["key"]:
        volume |= {"Encrypted": True, "KmsKeyId": chosen["key"]}
    interface = {
        "DeviceIndex": 0,
        "SubnetId": subnet_id,
        "AssociatePublicIpAddress": chosen["public"],
        "Groups": [group],
    }
    request: dict[str, Any] = {
        "ImageId": ecs_image(session),
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": "t3.medium",
        "ClientToken": token,
        "UserData": user_data,
        "NetworkInterfaces": [interface],
        "MetadataOptions": {"HttpTokens": chosen["tokens"], "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": volume}],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": aws_tags({"Name": token, **TAGS})}],
    }
    if chosen["profile"]:
        request["IamInstanceProfile"] = {"Name": chosen["profile"]}
    instance = session.client("ec2").run_instances(**request)["Instances"][0]["InstanceId"]
    session.client("ecs").register_container_instance(
        cluster=cluster_name,
        instanceIdentityDocument=json.dumps({"instanceId": instance, "region": session.region}),
        attributes=[{"name": name} for name in chosen["attributes"]],
        versionInfo={"agentVersion": "1.98.0", "agentHash": "4f5d6e7a", "dockerVersion": "DockerVersion: 25.0.8"},
    )
    return instance
