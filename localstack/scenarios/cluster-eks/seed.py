"""Two Kubernetes clusters: one as the wizard left it years ago, one set up with care."""

import estate
from sessions import Session, SessionFactory

ACCOUNT = "111111110014"
SECRETS_KEY = "11111111-0014-4000-8000-000000000001"
LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
WORKER_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly")


def seed(session_factory: SessionFactory) -> None:
    """Seeds the account."""
    session = session_factory(ACCOUNT)
    estate.authorize_tagging(session)
    public = estate.network(session, 140, public=True)
    private = estate.private_subnets(session, public.vpc, 140)
    estate.close_default_group(session, public.vpc)
    estate.flow_log(session, public.vpc)
    old_cluster(session, public)
    careful_cluster(session, private)
    session_factory.control("answer", insights())


def cluster_role(session: Session, name: str) -> str:
    """The role of a control plane."""
    arn = estate.role(session, name, service="eks.amazonaws.com")
    policy = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
    session.client("iam").attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


def node_role(session: Session, name: str, *more: str) -> str:
    """The role of nodes, with what they need and more."""
    arn = estate.role(session, name, service="ec2.amazonaws.com")
    for policy in (*WORKER_POLICIES, *more):
        session.client("iam").attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return arn


def old_cluster(session: Session, public: estate.Network) -> None:
    """Open to the world, without logs or a key for secrets, on nodes of Amazon Linux 2 with SSH and an admin's role."""
    eks = session.client("eks")
    group = estate.security_group(session, public.vpc, "old-control-plane", egress=[estate.everything()])
    eks.create_cluster(
        name="old",
        version="1.30",
        roleArn=cluster_role(session, "old-control-plane"),
        resourcesVpcConfig={"subnetIds": list(public.subnets), "securityGroupIds": [group]},
    )
    eks.create_nodegroup(
        clusterName="old",
        nodegroupName="workers",
        subnets=list(public.subnets),
        nodeRole=node_role(session, "old-node", "AdministratorAccess"),
        amiType="AL2_x86_64",
        releaseVersion="1.30.0-20240625",
        version="1.30",
        instanceTypes=["t3.large"],
        scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 2},
        remoteAccess={"ec2SshKey": "ops"},
    )
    eks.create_addon(clusterName="old", addonName="vpc-cni", addonVersion="v1.18.1-eksbuild.3")
    eks.create_addon(clusterName="old", addonName="kube-proxy", addonVersion="v1.30.0-eksbuild.3")


def careful_cluster(session: Session, private: estate.Network) -> None:
    """Private, logged and encrypted, with access entries, pod identities and no way to the nodes' credentials."""
    eks = session.client("eks")
    key = estate.key(session, SECRETS_KEY, alias="eks-secrets")
    group = estate.security_group(session, private.vpc, "careful-control-plane")
    eks.create_cluster(
        name="careful",
        version="1.35",
        roleArn=cluster_role(session, "careful-control-plane"),
        resourcesVpcConfig={
            "subnetIds": list(private.subnets),
            "securityGroupIds": [group],
            "endpointPublicAccess": False,
            "endpointPrivateAccess": True,
        },
        logging={"clusterLogging": [{"types": LOG_TYPES, "enabled": True}]},
        encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": key}}],
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        upgradePolicy={"supportType": "STANDARD"},
        deletionProtection=True,
        tags=estate.TAGS,
    )
    eks.create_nodegroup(
        clusterName="careful",
        nodegroupName="workers",
        subnets=list(private.subnets),
        nodeRole=node_role(session, "careful-node"),
        amiType="BOTTLEROCKET_x86_64",
        version="1.35",
        releaseVersion="1.50.0-3a5b1c2d",
        launchTemplate={"name": launch_template(session), "version": "1"},
        scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 2},
    )
    eks.create_fargate_profile(
        clusterName="careful",
        fargateProfileName="system",
        podExecutionRoleArn=estate.role(session, "careful-pods", service="eks-fargate-pods.amazonaws.com"),
        subnets=list(private.subnets),
        selectors=[{"namespace": "kube-system"}],
    )
    for name in ("vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"):
        eks.create_addon(clusterName="careful", addonName=name)
    access(session)


def launch_template(session: Session) -> str:
    """Nodes whose credentials pods cannot reach, on encrypted volumes."""
    volume = {"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 50, "VolumeType": "gp3", "Encrypted": True}}
    metadata = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"}
    data = {"MetadataOptions": metadata, "BlockDeviceMappings": [volume]}
    session.client("ec2").create_launch_template(LaunchTemplateName="careful-workers", LaunchTemplateData=data)
    return "careful-workers"


def access(session: Session) -> None:
    """Who may do what in the careful cluster: an admin, a team that sees its namespace, a pod with a role."""
    eks = session.client("eks")
    policies = "arn:aws:eks::aws:cluster-access-policy"
    admin = estate.role(session, "platform-admin", service="ec2.amazonaws.com")
    team = estate.role(session, "shop-team", service="ec2.amazonaws.com")
    for principal, policy, scope in (
        (admin, "AmazonEKSClusterAdminPolicy", {"type": "cluster"}),
        (team, "AmazonEKSViewPolicy", {"type": "namespace", "namespaces": ["shop"]}),
    ):
        eks.create_access_entry(clusterName="careful", principalArn=principal, type="STANDARD")
        eks.associate_access_policy(
            clusterName="careful", principalArn=principal, policyArn=f"{policies}/{policy}", accessScope=scope
        )
    read = [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop-assets/*"}]
    role = estate.role(
        session,
        "shop-web-pod",
        read,
        service="pods.eks.amazonaws.com",
        condition={"StringEquals": {"aws:SourceAccount": session.account}},
    )
    eks.create_pod_identity_association(clusterName="careful", namespace="shop", serviceAccount="web", roleArn=role)


def insights() -> dict[str, object]:
    """What EKS found about the old cluster's next upgrade."""
    insight = {
        "id": "11111111-2222-4333-8444-555555555555",
        "name": "Deprecated APIs removed in Kubernetes v1.32",
        "category": "UPGRADE_READINESS",
        "kubernetesVersion": "1.32",
        "insightStatus": {"status": "ERROR", "reason": "Deprecated API usage detected within last 30 days."},
    }
    return {
        "account": ACCOUNT,
        "region": "us-east-1",
        "operation": "eks:ListInsights",
        "when": {"clusterName": "old"},
        "result": {"insights": [insight]},
    }
