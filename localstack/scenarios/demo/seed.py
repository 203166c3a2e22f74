"""A believable shop: storefront, checkout, ledger and reports on Fargate, batch and legacy on EC2, a start in Europe.

Nobody meant harm: each fault is the kind that is made under a deadline and never undone.
"""

from datetime import UTC, datetime, timedelta

import estate
from sessions import Session, SessionFactory

ACCOUNT = "222222222222"
STORAGE_KEY = "22222222-0000-4000-8000-000000000001"
LEDGER_KEY = "22222222-0000-4000-8000-000000000002"
EUROPE_KEY = "22222222-0000-4000-8000-000000000003"
PARTNER_KEY = "22222222-0000-4000-8000-000000000004"
PAYMENT_TOKEN = "sk_" + "live_" + "51HqT8wLk3mZr9XcVb7Nf2Yp"
DATABASE_PASSWORD = "Mult1pass" + "-Leeloo-Dallas"
REGISTRY_PASSWORD = "hunter2" + "Dock3rHubPa55"
HOST_USER_DATA = f"""#!/bin/bash
cat <<'EOF' >> /etc/ecs/ecs.config
ECS_CLUSTER=shop-batch
ECS_ENGINE_AUTH_TYPE=docker
ECS_ENGINE_AUTH_DATA={{"https://index.docker.io/v1/":{{"username":"shop","password":"{REGISTRY_PASSWORD}"}}}}
EOF
"""
NEW_HOST_USER_DATA = """#!/bin/bash
cat <<'EOF' >> /etc/ecs/ecs.config
ECS_CLUSTER=shop-batch
ECS_AWSVPC_BLOCK_IMDS=true
EOF
"""


def tags(owner: str, data_class: str) -> dict[str, str]:
    """Tags of a production workload."""
    return {"owner": owner, "environment": "production", "data-class": data_class}


def seed(session_factory: SessionFactory) -> None:
    """Seeds both regions of the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    public = estate.network(session, 0, public=True, name="shop")
    private = estate.private_subnets(session, public.vpc, 0)
    route_through_nat(session, public, private)
    estate.flow_log(session, public.vpc, LogFormat=None, TrafficType="REJECT", MaxAggregationInterval=600)
    storefront_cluster(session)
    storefront(session, public, private)
    ledger_and_reports(session, private)
    set_storage_key(session)
    checkout(session, public)
    backfill(session_factory, session, public)
    age_storefront(session_factory, session)
    hosts(session, public, private)
    europe(session_factory(ACCOUNT, "eu-west-3"))


def route_through_nat(session: Session, public: estate.Network, private: estate.Network) -> None:
    """The private subnets reach the internet through a NAT gateway."""
    ec2 = session.client("ec2")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=public.subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    filters = [{"Name": "association.subnet-id", "Values": [private.subnets[0]]}]
    table = ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock=estate.ANYWHERE, NatGatewayId=gateway)


def storefront_cluster(session: Session) -> None:
    """The main cluster, at first without a storage key."""
    estate.cluster(session, "shop", tags=tags("platform", "internal"), capacityProviders=["FARGATE", "FARGATE_SPOT"])


def set_storage_key(session: Session) -> None:
    """The key came later than most tasks; its policy trusts Fargate for every cluster, and it is never rotated."""
    actions = ("kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant")
    statements = [estate.fargate_statement(action) for action in actions]
    key = estate.key(session, STORAGE_KEY, statements, rotation=False, alias="shop-storage")
    session.client("ecs").update_cluster(cluster="shop", configuration=estate.storage_configuration(key))
    partner = {"Sid": "Partner", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*"}
    estate.key(session, PARTNER_KEY, [partner], alias="partner-exchange")


def storefront(session: Session, public: estate.Network, private: estate.Network) -> None:
    """Behind a load balancer, with the address of its own role; its root filesystem is writable."""
    front = estate.security_group(
        session,
        public.vpc,
        "storefront-lb",
        ingress=[estate.port(80, estate.ANYWHERE)],
        egress=[estate.port(8080, "10.0.0.0/16")],
    )
    target_group = load_balancer(session, public, front)
    from_front = {**estate.port(8080, "10.0.0.0/16"), "IpRanges": [], "UserIdGroupPairs": [{"GroupId": front}]}
    group = estate.security_group(
        session, private.vpc, "storefront", ingress=[from_front], egress=[estate.port(443, estate.ANYWHERE)]
    )
    container = estate.container(session, "storefront", readonlyRootFilesystem=False)
    definition = estate.workload_definition(
        session, "storefront", containers=[container], tags=tags("storefront", "public")
    )
    target = {"targetGroupArn": target_group, "containerName": "storefront", "containerPort": 8080}
    estate.service(
        session,
        "shop",
        "storefront",
        definition,
        tags=tags("storefront", "public"),
        desiredCount=2,
        loadBalancers=[target],
        networkConfiguration=estate.placement(private, [group]),
    )
    estate.register_targets(session, "shop", "storefront", target_group)


def load_balancer(session: Session, public: estate.Network, group: str) -> str:
    """An internet-facing load balancer that speaks plain HTTP; returns its target group."""
    elb = session.client("elbv2")
    balancer = elb.create_load_balancer(
        Name="storefront", Subnets=list(public.subnets), SecurityGroups=[group], Scheme="internet-facing"
    )["LoadBalancers"][0]["LoadBalancerArn"]
    target_group = elb.create_target_group(
        Name="storefront", Protocol="HTTP", Port=8080, VpcId=public.vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": target_group}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    return target_group


def ledger_and_reports(session: Session, private: estate.Network) -> None:
    """The ledger is sound but shares its security group with the reports, whose one role may pass any role."""
    talk = {"IpProtocol": "-1", "IpRanges": []}
    group = estate.security_group(session, private.vpc, "backend", egress=[estate.everything()])
    ec2 = session.client("ec2")
    within = [{**talk, "UserIdGroupPairs": [{"GroupId": group}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=within)
    key = estate.key(session, LEDGER_KEY, alias="ledger")
    read = [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}]
    ledger = estate.workload_definition(
        session,
        "ledger",
        tags=tags("finance", "confidential"),
        taskRoleArn=estate.task_role(session, "ledger-task", read),
        containers=[estate.container(session, "ledger", secrets=[estate.secret(session, "DB_PASSWORD", "ledger")])],
    )
    network = estate.placement(private, [group])
    estate.service(
        session, "shop", "ledger", ledger, tags=tags("finance", "confidential"), networkConfiguration=network
    )
    estate.service(
        session,
        "shop",
        "reports",
        reports_definition(session),
        tags=tags("analytics", "internal"),
        networkConfiguration=network,
    )


def reports_definition(session: Session) -> str:
    """One role for everything, a share mounted in the clear, logs that can stall the program."""
    role = estate.role(
        session,
        "reports",
        [{"Effect": "Allow", "Action": ["s3:*", "iam:PassRole", "ecs:*", "logs:*", "ecr:*"], "Resource": "*"}],
    )
    container = estate.container(
        session,
        "reports",
        logConfiguration=estate.awslogs(session, "reports", mode="blocking"),
        command=["report", "--database", "postgresql://reports:" + DATABASE_PASSWORD + "@db.internal/shop"],
        mountPoints=[{"sourceVolume": "archive", "containerPath": "/archive"}],
    )
    archive = {"name": "archive", "efsVolumeConfiguration": {"fileSystemId": "fs-0f1e2d3c4b5a69788"}}
    return estate.definition(
        session,
        "reports",
        [container],
        tags=tags("analytics", "internal"),
        taskRoleArn=role,
        executionRoleArn=role,
        volumes=[archive],
    )


def checkout(session: Session, public: estate.Network) -> None:
    """Public addresses "for the time of the migration", and the payment token in plain sight."""
    group = estate.security_group(
        session, public.vpc, "checkout", ingress=[estate.port(8080, estate.ANYWHERE)], egress=[estate.everything()]
    )
    environment = [{"name": "PAYMENT_API_KEY", "value": PAYMENT_TOKEN}]
    definition = estate.workload_definition(
        session,
        "checkout",
        tags=tags("checkout", "confidential"),
        containers=[estate.container(session, "checkout", environment=environment, logConfiguration=None)],
    )
    estate.service(
        session,
        "shop",
        "checkout",
        definition,
        tags=tags("checkout", "confidential"),
        platformVersion="1.3.0",
        desiredCount=2,
        networkConfiguration=estate.placement(public, [group], public=True),
    )


def backfill(session_factory: SessionFactory, session: Session, public: estate.Network) -> None:
    """A one-off task that someone started by hand two months ago and forgot."""
    group = estate.security_group(session, public.vpc, "adhoc", egress=[estate.everything()])
    network = estate.placement(public, [group], public=True)
    task = estate.run_task(session, "shop", "reports", networkConfiguration=network, startedBy="anna")
    set_age(session_factory, task, days=61)


def age_storefront(session_factory: SessionFactory, session: Session) -> None:
    """The storefront was last deployed half a year ago."""
    for task in estate.tasks(session, "shop", "storefront"):
        set_age(session_factory, task["taskArn"], days=182)


def set_age(session_factory: SessionFactory, task: str, days: int) -> None:
    """Backdates the start of a task."""
    started = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    session_factory.control("age", {"account": ACCOUNT, "taskArn": task, "startedAt": started})


def hosts(session: Session, public: estate.Network, private: estate.Network) -> None:
    """An old host in the open and a new one done right, for the batch jobs and the legacy shop."""
    estate.cluster(session, "shop-batch", insights="disabled", tags=tags("platform", "internal"))
    profile = estate.instance_profile(session, "shop-batch-host")
    old = estate.security_group(
        session, public.vpc, "batch-host", ingress=[estate.port(22, estate.ANYWHERE)], egress=[estate.everything()]
    )
    new = estate.security_group(session, private.vpc, "batch-host-2", egress=[estate.port(443, estate.ANYWHERE)])
    estate.container_host(
        session,
        "shop-batch",
        "demo-old-host",
        public.subnets[0],
        old,
        HOST_USER_DATA,
        public=True,
        tokens="optional",
        profile=profile,
        attributes=("com.amazonaws.ecs.capability.task-iam-role",),
    )
    estate.container_host(
        session,
        "shop-batch",
        "demo-new-host",
        private.subnets[0],
        new,
        NEW_HOST_USER_DATA,
        key=f"arn:aws:kms:{session.region}:{session.account}:key/{LEDGER_KEY}",
        profile=profile,
        attributes=("com.amazonaws.ecs.capability.task-iam-role",),
    )
    batch(session)
    legacy(session)


def batch(session: Session) -> None:
    """Builds images on its own host, through the engine's socket."""
    socket = {"name": "engine", "host": {"sourcePath": "/var/run/docker.sock"}}
    container = estate.container(
        session,
        "batch",
        user=None,
        privileged=True,
        portMappings=[],
        mountPoints=[{"sourceVolume": "engine", "containerPath": "/var/run/docker.sock"}],
    )
    definition = estate.definition(
        session,
        "batch",
        [container],
        fargate=False,
        networkMode="bridge",
        tags=tags("platform", "internal"),
        taskRoleArn=estate.task_role(session, "batch-task"),
        volumes=[socket],
    )
    estate.service(session, "shop-batch", "batch", definition, tags=tags("platform", "internal"), launchType="EC2")


def legacy(session: Session) -> None:
    """The first version of the shop: host network, root, the host's configuration mounted, no limit, no role."""
    container = estate.container(
        session,
        "legacy",
        user="root",
        memory=None,
        memoryReservation=128,
        readonlyRootFilesystem=None,
        portMappings=[{"containerPort": 8081, "protocol": "tcp"}],
        mountPoints=[{"sourceVolume": "config", "containerPath": "/config", "readOnly": True}],
    )
    config = {"name": "config", "host": {"sourcePath": "/etc/shop"}}
    definition = estate.definition(
        session,
        "legacy",
        [container],
        fargate=False,
        networkMode="host",
        tags={"owner": "nobody"},
        volumes=[config],
    )
    estate.service(session, "shop-batch", "legacy", definition, tags={"owner": "nobody"}, launchType="EC2")


def europe(session: Session) -> None:
    """A first step into a second region: quick, untagged, unlogged, and its storage key was switched off since."""
    place = estate.network(session, 8, public=True, name="shop-eu")
    key = estate.key(session, EUROPE_KEY, estate.fargate_statements(session, "shop-eu"))
    estate.cluster(
        session,
        "shop-eu",
        insights="disabled",
        tags={},
        capacityProviders=["FARGATE"],
        configuration=estate.storage_configuration(key),
    )
    definition = estate.workload_definition(session, "storefront-eu", tags={})
    estate.service(
        session,
        "shop-eu",
        "storefront",
        definition,
        tags={},
        networkConfiguration=estate.placement(place, [], public=True),
    )
    session.client("kms").disable_key(KeyId=EUROPE_KEY)
