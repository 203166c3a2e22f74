"""What surrounds containers: logs, trails, secrets, parameters, shares, databases, schedules, detectors, hosts' groups.

Most comes in two: `web` uses the careful one, `legacy` the careless one. In eu-west-3 nobody watches.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110015"
REGIONS = ("us-east-1", "eu-west-3")
DATA_KEY = "11111111-0015-4000-8000-000000000001"
NETWORK = "10.150.0.0/16"
PLAIN_PASSWORD = "Mult1pass" + "-Leeloo-Dallas"
TRAIL_BUCKET = f"trail-{ACCOUNT}"
SETTINGS_BUCKET = f"settings-{ACCOUNT}"
OPEN_BUCKET = f"settings-open-{ACCOUNT}"


def seed(session_factory: SessionFactory) -> None:
    """Seeds both regions of the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    place = estate.network(session, 150)
    estate.close_default_group(session, place.vpc)
    estate.flow_log(session, place.vpc)
    key = data_key(session)
    trails(session, key)
    buckets(session)
    legacy = legacy_service(session, place)
    watch(session, session_factory)  # from here on, tasks start with the agent of GuardDuty
    web = web_service(session, place, key)
    schedules(session, place, web, legacy)
    databases(session, place)
    protection(session, place)
    hosts(session, session_factory, place)
    unwatched(session_factory(ACCOUNT, "eu-west-3"))


def data_key(session: Session) -> str:
    """The key for logs, secrets and shares, which CloudWatch Logs and CloudTrail may use."""
    services = [f"logs.{session.region}.amazonaws.com", "cloudtrail.amazonaws.com"]
    actions = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]
    condition = {"StringEquals": {"aws:SourceAccount": session.account}}
    use = {
        "Sid": "Services",
        "Effect": "Allow",
        "Principal": {"Service": services},
        "Action": actions,
        "Resource": "*",
        "Condition": condition,
    }
    return estate.key(session, DATA_KEY, [use], alias="data")


# Trails and alarms


def trails(session: Session, key: str) -> None:
    """One trail that sees everything and is alarmed on; an old one that stands still and left out the keys."""
    log_bucket(session)
    cloudtrail = session.client("cloudtrail")
    group = estate.log_group(session, "/trail/main")
    allow = [{"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}]
    role = estate.role(session, "trail-logs", allow, service="cloudtrail.amazonaws.com")
    group_arn = f"arn:aws:logs:{session.region}:{session.account}:log-group:{group}:*"
    cloudtrail.create_trail(
        Name="main",
        S3BucketName=TRAIL_BUCKET,
        IsMultiRegionTrail=True,
        IncludeGlobalServiceEvents=True,
        EnableLogFileValidation=True,
        KmsKeyId=key,
        CloudWatchLogsLogGroupArn=group_arn,
        CloudWatchLogsRoleArn=role,
    )
    cloudtrail.put_event_selectors(TrailName="main", EventSelectors=[{"ReadWriteType": "All"}])
    cloudtrail.start_logging(Name="main")
    cloudtrail.create_trail(Name="old", S3BucketName=TRAIL_BUCKET, IsMultiRegionTrail=False)
    without_keys = {"ReadWriteType": "WriteOnly", "ExcludeManagementEventSources": ["kms.amazonaws.com"]}
    cloudtrail.put_event_selectors(TrailName="old", EventSelectors=[without_keys])
    alarm(session, group)


def log_bucket(session: Session) -> None:
    """The bucket that trails write to."""
    trail = {"Service": "cloudtrail.amazonaws.com"}
    statements = [
        {"Effect": "Allow", "Principal": trail, "Action": action, "Resource": f"arn:aws:s3:::{TRAIL_BUCKET}{path}"}
        for action, path in (("s3:GetBucketAcl", ""), ("s3:PutObject", f"/AWSLogs/{session.account}/*"))
    ]
    estate.bucket(session, TRAIL_BUCKET, statements)


def alarm(session: Session, group: str) -> None:
    """Wakes someone up when a cluster or a task definition changes."""
    topic = session.client("sns").create_topic(Name="security")["TopicArn"]
    session.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="security@example.com")
    pattern = "{ ($.eventSource = ecs.amazonaws.com) && ($.eventName = RegisterTaskDefinition) }"
    metric = {"metricName": "ContainerChanges", "metricNamespace": "Security", "metricValue": "1"}
    session.client("logs").put_metric_filter(
        logGroupName=group, filterName="container-changes", filterPattern=pattern, metricTransformations=[metric]
    )
    session.client("cloudwatch").put_metric_alarm(
        AlarmName="container-changes",
        MetricName="ContainerChanges",
        Namespace="Security",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[topic],
    )


# The two services


def buckets(session: Session) -> None:
    """Environment files: one bucket to ourselves, one that everybody reads."""
    estate.bucket(session, SETTINGS_BUCKET)
    resource = f"arn:aws:s3:::{OPEN_BUCKET}/*"
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    estate.bucket(session, OPEN_BUCKET, [everyone], blocked=False)
    for bucket in (SETTINGS_BUCKET, OPEN_BUCKET):
        session.client("s3").put_object(Bucket=bucket, Key="app.env", Body=b"LOG_LEVEL=info\n")


def web_service(session: Session, place: estate.Network, key: str) -> str:
    """Encrypted logs that last a year, a rotated secret, a secure parameter, an encrypted share by an access point.

    Clients find it as web.shop.internal.
    """
    group = estate.security_group(
        session, place.vpc, "web", ingress=[estate.port(8080, NETWORK)], egress=[estate.port(443, NETWORK)]
    )
    logs = session.client("logs")
    logs.create_log_group(logGroupName="/ecs/web", kmsKeyId=key, tags=estate.TAGS)
    logs.put_retention_policy(logGroupName="/ecs/web", retentionInDays=365)
    logs.create_log_group(logGroupName="/ecs/exec", kmsKeyId=key, tags=estate.TAGS)
    logs.put_retention_policy(logGroupName="/ecs/exec", retentionInDays=365)
    audited = {"kmsKeyId": key, "logging": "OVERRIDE"}
    audited["logConfiguration"] = {"cloudWatchLogGroupName": "/ecs/exec", "cloudWatchEncryptionEnabled": True}
    estate.cluster(
        session, "web", capacityProviders=["FARGATE"], configuration={"executeCommandConfiguration": audited}
    )
    password = rotated_secret(session, key)
    parameter = {"Name": "/web/license", "Value": "0000-0000", "Type": "SecureString", "KeyId": key}
    session.client("ssm").put_parameter(**parameter)
    secrets = [
        {"name": "DATABASE_PASSWORD", "valueFrom": f"{password}:password::"},
        {"name": "LICENSE", "valueFrom": f"arn:aws:ssm:{session.region}:{session.account}:parameter/web/license"},
    ]
    share = {"name": "share", "efsVolumeConfiguration": careful_share(session, place, group, key)}
    container = estate.container(
        session,
        "web",
        secrets=secrets,
        environmentFiles=[{"type": "s3", "value": f"arn:aws:s3:::{SETTINGS_BUCKET}/app.env"}],
        mountPoints=[{"sourceVolume": "share", "containerPath": "/share"}],
    )
    definition = estate.workload_definition(session, "web", containers=[container], volumes=[share])
    network = estate.placement(place, [group])
    registries = [{"registryArn": registry(session, place)}]
    estate.service(
        session,
        "web",
        "web",
        definition,
        enableExecuteCommand=True,
        networkConfiguration=network,
        serviceRegistries=registries,
    )
    return definition


def registry(session: Session, place: estate.Network) -> str:
    """The service of Cloud Map that answers web.shop.internal; another one that nothing is registered with."""
    cloud_map = session.client("servicediscovery")
    operation = cloud_map.create_private_dns_namespace(Name="shop.internal", Vpc=place.vpc)["OperationId"]
    namespace = cloud_map.get_operation(OperationId=operation)["Operation"]["Targets"]["NAMESPACE"]
    records = {"DnsRecords": [{"Type": "A", "TTL": 60}]}
    cloud_map.create_service(Name="batch", NamespaceId=namespace, DnsConfig=records)
    return cloud_map.create_service(Name="web", NamespaceId=namespace, DnsConfig=records)["Service"]["Arn"]


def rotated_secret(session: Session, key: str) -> str:
    """A secret under our key, rotated monthly, that only the service's execution role may read."""
    manager = session.client("secretsmanager")
    value = json.dumps({"username": "web", "password": PLAIN_PASSWORD})
    arn = manager.create_secret(
        Name="web/database", SecretString=value, KmsKeyId=key, Tags=estate.aws_tags(estate.TAGS)
    )["ARN"]
    reader = {"StringNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{session.account}:role/web-execution"}}
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": reader,
    }
    manager.put_resource_policy(SecretId=arn, ResourcePolicy=estate.policy_document([statement]))
    rotation = f"arn:aws:lambda:{session.region}:{session.account}:function:rotate-database"
    days = {"AutomaticallyAfterDays": 30}
    manager.rotate_secret(SecretId=arn, RotationLambdaARN=rotation, RotationRules=days, RotateImmediately=False)
    return arn


def careful_share(session: Session, place: estate.Network, group: str, key: str) -> dict[str, Any]:
    """Encrypted, by TLS and IAM only, through an access point with a root and a user of its own."""
    efs = session.client("efs")
    share = efs.create_file_system(CreationToken="web", Encrypted=True, KmsKeyId=key, Tags=estate.aws_tags(estate.TAGS))
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    tls = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "*", "Resource": "*", "Condition": condition}
    identifier = share["FileSystemId"]
    efs.put_file_system_policy(FileSystemId=identifier, Policy=estate.policy_document([tls]))
    point = efs.create_access_point(
        ClientToken="web",
        FileSystemId=identifier,
        PosixUser={"Uid": 10001, "Gid": 10001},
        RootDirectory={
            "Path": "/web",
            "CreationInfo": {"OwnerUid": 10001, "OwnerGid": 10001, "Permissions": "0750"},
        },
    )["AccessPointId"]
    from_web = {**estate.port(2049, ""), "IpRanges": [], "UserIdGroupPairs": [{"GroupId": group}]}
    mount(session, place, identifier, estate.security_group(session, place.vpc, "share", ingress=[from_web]))
    authorization = {"accessPointId": point, "iam": "ENABLED"}
    return {"fileSystemId": identifier, "transitEncryption": "ENABLED", "authorizationConfig": authorization}


def mount(session: Session, place: estate.Network, share: str, group: str) -> None:
    """A mount target in each subnet."""
    for subnet in place.subnets:
        session.client("efs").create_mount_target(FileSystemId=share, SubnetId=subnet, SecurityGroups=[group])


def legacy_service(session: Session, place: estate.Network) -> str:
    """Logs kept forever in the clear, a whole secret, a password as plain parameter, a share open to the subnet."""
    group = estate.security_group(
        session, place.vpc, "legacy", ingress=[estate.port(8080, NETWORK)], egress=[estate.everything()]
    )
    session.client("logs").create_log_group(logGroupName="/ecs/legacy")
    estate.cluster(session, "legacy", insights="disabled", capacityProviders=["FARGATE"])
    parameter = {"Name": "/legacy/database-password", "Value": PLAIN_PASSWORD, "Type": "String"}
    session.client("ssm").put_parameter(**parameter)
    names = f"arn:aws:ssm:{session.region}:{session.account}:parameter"
    secrets = [
        {"name": "DATABASE", "valueFrom": shared_secret(session)},
        {"name": "DATABASE_PASSWORD", "valueFrom": f"{names}/legacy/database-password"},
        {"name": "GONE", "valueFrom": f"{names}/legacy/deleted-long-ago"},
    ]
    share = session.client("efs").create_file_system(CreationToken="legacy", Encrypted=False)["FileSystemId"]
    mount(
        session,
        place,
        share,
        estate.security_group(session, place.vpc, "legacy-share", ingress=[estate.port(2049, NETWORK)]),
    )
    container = estate.container(
        session,
        "legacy",
        secrets=secrets,
        environmentFiles=[{"type": "s3", "value": f"arn:aws:s3:::{OPEN_BUCKET}/app.env"}],
        mountPoints=[{"sourceVolume": "share", "containerPath": "/share"}],
    )
    volume = {"name": "share", "efsVolumeConfiguration": {"fileSystemId": share}}
    everything = [
        {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "ssm:GetParameters"], "Resource": "*"}
    ]
    definition = estate.workload_definition(
        session,
        "legacy",
        containers=[container],
        volumes=[volume],
        taskRoleArn=estate.task_role(session, "legacy-task", everything),
    )
    network = estate.placement(place, [group])
    estate.service(session, "legacy", "legacy", definition, networkConfiguration=network)
    return definition


def shared_secret(session: Session) -> str:
    """A secret under the AWS managed key, never rotated, that any account may read."""
    manager = session.client("secretsmanager")
    arn = manager.create_secret(Name="legacy/database", SecretString=PLAIN_PASSWORD)["ARN"]
    everyone = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
    }
    manager.put_resource_policy(SecretId=arn, ResourcePolicy=estate.policy_document([everyone]))
    return arn


# Schedules and databases


def schedules(session: Session, place: estate.Network, web: str, legacy: str) -> None:
    """A rule that runs the web job at night, and a schedule that still runs the legacy one."""
    run = [{"Effect": "Allow", "Action": ["ecs:RunTask", "iam:PassRole"], "Resource": "*"}]
    subnets = {"Subnets": list(place.subnets), "AssignPublicIp": "DISABLED"}
    network = {"awsvpcConfiguration": subnets}
    clusters = f"arn:aws:ecs:{session.region}:{session.account}:cluster"
    events = session.client("events")
    events.put_rule(Name="nightly", ScheduleExpression="cron(0 3 * * ? *)", State="ENABLED")
    target = {
        "Id": "web",
        "Arn": f"{clusters}/web",
        "RoleArn": estate.role(session, "nightly", run, service="events.amazonaws.com"),
        "EcsParameters": {"TaskDefinitionArn": web, "LaunchType": "FARGATE", "NetworkConfiguration": network},
    }
    events.put_targets(Rule="nightly", Targets=[target])
    changes = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]}
    events.put_rule(Name="task-changes", EventPattern=json.dumps(changes), State="ENABLED")
    parameters = {"TaskDefinitionArn": legacy, "LaunchType": "FARGATE", "NetworkConfiguration": network}
    session.client("scheduler").create_schedule(
        Name="hourly-report",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": f"{clusters}/legacy",
            "RoleArn": estate.role(session, "hourly", run, service="scheduler.amazonaws.com"),
            "EcsParameters": parameters,
        },
    )


def databases(session: Session, place: estate.Network) -> None:
    """One that only the web service reaches; one that the whole network reaches, and the world if it could."""
    ec2 = session.client("ec2")
    named = [{"Name": "vpc-id", "Values": [place.vpc]}, {"Name": "group-name", "Values": ["web"]}]
    web = ec2.describe_security_groups(Filters=named)["SecurityGroups"][0]["GroupId"]
    from_web = {**estate.port(5432, ""), "IpRanges": [], "UserIdGroupPairs": [{"GroupId": web}]}
    rds = session.client("rds")
    description = "main"
    rds.create_db_subnet_group(
        DBSubnetGroupName="main", DBSubnetGroupDescription=description, SubnetIds=list(place.subnets)
    )
    for name, rule, careful in (("orders", from_web, True), ("reports", estate.port(5432, NETWORK), False)):
        group = estate.security_group(session, place.vpc, f"{name}-database", ingress=[rule])
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="admin",
            MasterUserPassword=PLAIN_PASSWORD,
            DBSubnetGroupName="main",
            VpcSecurityGroupIds=[group],
            StorageEncrypted=careful,
            PubliclyAccessible=not careful,
            EnableIAMDatabaseAuthentication=careful,
        )


# Protection


def protection(session: Session, place: estate.Network) -> None:
    """A firewall and a log of DNS queries for the network, and an authority for Service Connect."""
    session.client("network-firewall").create_firewall(
        FirewallName="egress",
        FirewallPolicyArn=f"arn:aws:network-firewall:{session.region}:{session.account}:firewall-policy/egress",
        VpcId=place.vpc,
        SubnetMappings=[{"SubnetId": place.subnets[0]}],
        DeleteProtection=True,
    )
    resolver = session.client("route53resolver")
    queries = f"arn:aws:logs:{session.region}:{session.account}:log-group:{estate.log_group(session, '/dns/queries')}"
    request = {"Name": "queries", "DestinationArn": queries, "CreatorRequestId": "queries"}
    config = resolver.create_resolver_query_log_config(**request)["ResolverQueryLogConfig"]["Id"]
    resolver.associate_resolver_query_log_config(ResolverQueryLogConfigId=config, ResourceId=place.vpc)
    subject = {"Country": "DE", "Organization": "Shop", "CommonName": "services.internal"}
    authority = {"KeyAlgorithm": "EC_prime256v1", "SigningAlgorithm": "SHA256WITHECDSA", "Subject": subject}
    session.client("acm-pca").create_certificate_authority(
        CertificateAuthorityConfiguration=authority,
        CertificateAuthorityType="ROOT",
        UsageMode="SHORT_LIVED_CERTIFICATE",
    )


def watch(session: Session, session_factory: SessionFactory) -> None:
    """GuardDuty with its agent on Fargate, which one cluster lacks; an open finding; Inspector on images and hosts."""
    guardduty = session.client("guardduty")
    agents = [
        {"Name": "ECS_FARGATE_AGENT_MANAGEMENT", "Status": "ENABLED"},
        {"Name": "EC2_AGENT_MANAGEMENT", "Status": "DISABLED"},
    ]
    runtime = {"Name": "RUNTIME_MONITORING", "Status": "ENABLED", "AdditionalConfiguration": agents}
    audit = {"Name": "EKS_AUDIT_LOGS", "Status": "DISABLED"}
    detector = guardduty.create_detector(
        Enable=True, FindingPublishingFrequency="FIFTEEN_MINUTES", Features=[runtime, audit]
    )["DetectorId"]
    session.client("inspector2").enable(accountIds=[session.account], resourceTypes=["ECR", "EC2"])
    now = datetime.now(UTC).isoformat()
    answer(session_factory, "guardduty:ListCoverage", {"Resources": coverage(detector, now)})
    finding = "1ab92989eaf0e742df4a014d5171dbc3"
    answer(session_factory, "guardduty:ListFindings", {"FindingIds": [finding]})
    answer(session_factory, "guardduty:GetFindings", {"Findings": [open_finding(finding, detector, now)]})


def coverage(detector: str, now: str) -> list[dict[str, Any]]:
    """The clusters that GuardDuty sees: the agent runs in one and cannot be pulled in the other."""
    common = {"DetectorId": detector, "AccountId": ACCOUNT, "UpdatedAt": now}
    issues = {"web": [], "legacy": ["Agent image could not be pulled"]}
    resources = []
    for cluster, found in issues.items():
        fargate = {"ManagementType": "AUTO_MANAGED", "Issues": found}
        details = {"ResourceType": "ECS", "EcsClusterDetails": {"ClusterName": cluster, "FargateDetails": fargate}}
        status = {"CoverageStatus": "UNHEALTHY", "Issue": found[0]} if found else {"CoverageStatus": "HEALTHY"}
        resources.append({"ResourceId": f"{cluster}-coverage", "ResourceDetails": details, **status, **common})
    return resources


def open_finding(identifier: str, detector: str, now: str) -> dict[str, Any]:
    """A miner in a container of the legacy cluster."""
    arn = f"arn:aws:guardduty:us-east-1:{ACCOUNT}:detector/{detector}/finding/{identifier}"
    cluster = {"Arn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/legacy", "Name": "legacy", "Status": "ACTIVE"}
    return {
        "AccountId": ACCOUNT,
        "Arn": arn,
        "Id": identifier,
        "Region": "us-east-1",
        "SchemaVersion": "2.0",
        "Type": "CryptoCurrency:Runtime/BitcoinTool.B!DNS",
        "Title": "A container queries a domain of a mining pool.",
        "Severity": 8.0,
        "CreatedAt": now,
        "UpdatedAt": now,
        "Resource": {"ResourceType": "ECSCluster", "EcsClusterDetails": cluster},
        "Service": {"Archived": False, "Count": 3, "DetectorId": detector, "ServiceName": "guardduty"},
    }


def answer(session_factory: SessionFactory, operation: str, result: dict[str, Any]) -> None:
    """Lays down what AWS would have found out by itself."""
    body = {"account": ACCOUNT, "region": "us-east-1", "operation": operation, "result": result}
    session_factory.control("answer", body)


# Hosts


def hosts(session: Session, session_factory: SessionFactory, place: estate.Network) -> None:
    """A group of two hosts behind a capacity provider that ends them with their tasks; one is not patched."""
    ec2, autoscaling, ecs = (session.client(name) for name in ("ec2", "autoscaling", "ecs"))
    group = estate.security_group(session, place.vpc, "hosts", egress=[estate.port(443, NETWORK)])
    profile = estate.instance_profile(session, "container-host")
    data = {
        "ImageId": estate.ecs_image(session),
        "InstanceType": "t3.medium",
        "IamInstanceProfile": {"Name": profile},
        "SecurityGroupIds": [group],
        "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2},
    }
    ec2.create_launch_template(LaunchTemplateName="hosts", LaunchTemplateData=data)
    better = {**data, "MetadataOptions": {**data["MetadataOptions"], "HttpTokens": "required"}}
    ec2.create_launch_template_version(LaunchTemplateName="hosts", LaunchTemplateData=better)
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="hosts",
        MinSize=0,
        MaxSize=4,
        DesiredCapacity=2,
        LaunchTemplate={"LaunchTemplateName": "hosts", "Version": "1"},
        VPCZoneIdentifier=",".join(place.subnets),
        NewInstancesProtectedFromScaleIn=False,
    )
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["hosts"])["AutoScalingGroups"][0]
    provider = {
        "autoScalingGroupArn": found["AutoScalingGroupARN"],
        "managedScaling": {"status": "ENABLED", "targetCapacity": 100},
        "managedTerminationProtection": "DISABLED",
        "managedDraining": "ENABLED",
    }
    ecs.create_capacity_provider(name="hosts", autoScalingGroupProvider=provider)
    estate.cluster(session, "hosts", capacityProviders=["hosts"])
    instances = sorted(each["InstanceId"] for each in found["Instances"])
    for instance, agent in zip(instances, ("1.98.0", "1.61.1"), strict=True):
        document = json.dumps({"instanceId": instance, "region": session.region})
        version = {"agentVersion": agent, "agentHash": "4f5d6e7a", "dockerVersion": "DockerVersion: 25.0.8"}
        ecs.register_container_instance(cluster="hosts", instanceIdentityDocument=document, versionInfo=version)
    host_facts(session_factory, instances)


def host_facts(session_factory: SessionFactory, instances: list[str]) -> None:
    """What Systems Manager and Inspector know: the first host is in order, the second lacks patches for a fault."""
    now = datetime.now(UTC).isoformat()
    past = (datetime.now(UTC) - timedelta(days=45)).isoformat()
    online = [
        {"InstanceId": each, "PingStatus": "Online", "AgentVersion": "3.3.987.0", "PlatformType": "Linux"}
        for each in instances
    ]
    answer(session_factory, "ssm:DescribeInstanceInformation", {"InstanceInformationList": online})
    patched = {"PatchGroup": "hosts", "BaselineId": "pb-0123456789abcdef0", "Operation": "Install"}
    states = [
        {
            **patched,
            "InstanceId": instance,
            "OperationStartTime": when,
            "OperationEndTime": when,
            "MissingCount": missing,
            "CriticalNonCompliantCount": missing,
            "SecurityNonCompliantCount": missing,
            "FailedCount": 0,
            "InstalledPendingRebootCount": 0,
        }
        for instance, when, missing in zip(instances, (now, past), (0, 3), strict=True)
    ]
    answer(session_factory, "ssm:DescribeInstancePatchStates", {"InstancePatchStates": states})
    scanned = {"resourceType": "AWS_EC2_INSTANCE", "accountId": ACCOUNT, "scanType": "PACKAGE"}
    active = {"statusCode": "ACTIVE", "reason": "SUCCESSFUL"}
    covered = [{**scanned, "resourceId": instance, "scanStatus": active} for instance in instances]
    answer(session_factory, "inspector2:ListCoverage", {"coveredResources": covered})
    answer(session_factory, "inspector2:ListFindings", {"findings": [vulnerability(instances[1], past)]})


def vulnerability(instance: str, when: str) -> dict[str, Any]:
    """A critical fault in a package of a host, for which a fix exists."""
    fault = {
        "vulnerabilityId": "CVE-2024-6387",
        "source": "NVD",
        "vulnerablePackages": [{"name": "openssh-server", "version": "8.7p1", "fixedInVersion": "8.7p1-8.amzn2023"}],
    }
    return {
        "findingArn": f"arn:aws:inspector2:us-east-1:{ACCOUNT}:finding/0123456789abcdef0123456789abcdef",
        "awsAccountId": ACCOUNT,
        "type": "PACKAGE_VULNERABILITY",
        "description": "Signal handler race in sshd.",
        "title": "CVE-2024-6387 - openssh-server",
        "severity": "CRITICAL",
        "status": "ACTIVE",
        "fixAvailable": "YES",
        "exploitAvailable": "YES",
        "firstObservedAt": when,
        "lastObservedAt": when,
        "remediation": {"recommendation": {"text": "None Provided"}},
        "resources": [{"type": "AWS_EC2_INSTANCE", "id": instance, "region": "us-east-1"}],
        "packageVulnerabilityDetails": fault,
    }


def unwatched(session: Session) -> None:
    """A service in a region where nobody turned anything on."""
    place = estate.network(session, 151)
    estate.cluster(session, "outpost", insights="disabled", capacityProviders=["FARGATE"])
    group = estate.security_group(session, place.vpc, "outpost", egress=[estate.port(443, "10.151.0.0/16")])
    definition = estate.workload_definition(session, "outpost")
    network = estate.placement(place, [group])
    estate.service(session, "outpost", "outpost", definition, networkConfiguration=network)
