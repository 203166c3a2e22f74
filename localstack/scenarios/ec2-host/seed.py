"""A cluster on two EC2 hosts: one careless, one careful. The tasks take what they can get."""

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110003"
VOLUME_KEY = "11111111-0003-4000-8000-000000000001"
REGISTRY_PASSWORD = "hunter2" + "Dock3rHubPa55"
CARELESS_USER_DATA = f"""#!/bin/bash
cat <<'EOF' >> /etc/ecs/ecs.config
ECS_CLUSTER=hosts
ECS_ENGINE_AUTH_TYPE=docker
ECS_ENGINE_AUTH_DATA={{"https://index.docker.io/v1/":{{"username":"shop","password":"{REGISTRY_PASSWORD}"}}}}
HTTP_PROXY=http://proxy.internal:3128
EOF
"""
CAREFUL_USER_DATA = """#!/bin/bash
cat <<'EOF' >> /etc/ecs/ecs.config
ECS_CLUSTER=hosts
ECS_AWSVPC_BLOCK_IMDS=true
ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=true
EOF
"""
TASK_ROLE_CAPABILITY = "com.amazonaws.ecs.capability.task-iam-role"
HOST_TASK_ROLE_CAPABILITY = "com.amazonaws.ecs.capability.task-iam-role-network-host"


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    public = estate.network(session, 30, public=True)
    private = estate.private_subnets(session, public.vpc, 30)
    estate.close_default_group(session, public.vpc)
    estate.flow_log(session, public.vpc, LogFormat=None)
    estate.cluster(session, "hosts")
    hosts(session, public, private)
    definitions = {
        "privileged": privileged_definition(session),
        "node-agent": agent_definition(session),
        "awsvpc-app": estate.workload_definition(
            session, "awsvpc-app", fargate=False, networkMode="awsvpc", requiresCompatibilities=["EC2"]
        ),
    }
    services(session, private, definitions)


def hosts(session: Session, public: estate.Network, private: estate.Network) -> None:
    """The careless host has a public address, IMDSv1, a plain disk and a password in its user data."""
    key = estate.key(session, VOLUME_KEY)
    profile = estate.instance_profile(session, "container-host")
    open_ssh = estate.security_group(
        session, public.vpc, "open-ssh", ingress=[estate.port(22, estate.ANYWHERE)], egress=[estate.everything()]
    )
    closed = estate.security_group(session, public.vpc, "closed", egress=[estate.port(443, "10.30.0.0/16")])
    estate.container_host(
        session,
        "hosts",
        "careless",
        public.subnets[0],
        open_ssh,
        CARELESS_USER_DATA,
        public=True,
        tokens="optional",
        profile=profile,
        attributes=(TASK_ROLE_CAPABILITY,),
    )
    estate.container_host(
        session,
        "hosts",
        "careful",
        private.subnets[0],
        closed,
        CAREFUL_USER_DATA,
        key=key,
        profile=profile,
        attributes=(TASK_ROLE_CAPABILITY, HOST_TASK_ROLE_CAPABILITY),
    )


def privileged_definition(session: Session) -> str:
    """A container that owns its host: privileged, with the engine's socket, /etc and SYS_ADMIN; without a limit."""
    mounts = [
        {"sourceVolume": "socket", "containerPath": "/var/run/docker.sock"},
        {"sourceVolume": "etc", "containerPath": "/host/etc"},
    ]
    builder = estate.container(
        session,
        "builder",
        user=None,
        privileged=True,
        memory=None,
        memoryReservation=128,
        readonlyRootFilesystem=False,
        logConfiguration=None,
        linuxParameters={"capabilities": {"add": ["SYS_ADMIN"]}},
        mountPoints=mounts,
        portMappings=[{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}],
    )
    volumes = [
        {"name": "socket", "host": {"sourcePath": "/var/run/docker.sock"}},
        {"name": "etc", "host": {"sourcePath": "/etc"}},
    ]
    return estate.definition(session, "privileged", [builder], fargate=False, networkMode="bridge", volumes=volumes)


def agent_definition(session: Session) -> str:
    """An agent in the namespaces of its host, as root, with a task role."""
    agent = estate.container(session, "agent", user="root", portMappings=[])
    return estate.definition(
        session,
        "node-agent",
        [agent],
        fargate=False,
        networkMode="host",
        pidMode="host",
        ipcMode="host",
        taskRoleArn=estate.task_role(session, "node-agent-task"),
        executionRoleArn=estate.execution_role(session, "node-agent"),
    )


def services(session: Session, private: estate.Network, definitions: dict[str, str]) -> None:
    """One service per definition; the agent runs on every host."""
    estate.service(session, "hosts", "privileged", definitions["privileged"], launchType="EC2")
    estate.service(
        session,
        "hosts",
        "node-agent",
        definitions["node-agent"],
        launchType="EC2",
        schedulingStrategy="DAEMON",
        desiredCount=None,
    )
    group = estate.security_group(session, private.vpc, "app", egress=[estate.port(443, "10.30.0.0/16")])
    awsvpc = {"subnets": list(private.subnets), "securityGroups": [group]}
    estate.service(
        session,
        "hosts",
        "awsvpc-app",
        definitions["awsvpc-app"],
        launchType="EC2",
        networkConfiguration={"awsvpcConfiguration": awsvpc},
    )
