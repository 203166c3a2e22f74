//! What an escalation search looks at: principals with their policies, and the resources through which one principal
//! comes to act as another. Everything here is data for the search; whoever has it from somewhere fills it in.

use compact_str::CompactString;

use crate::policies::{Attached, Layer, Policies};
use crate::situation::PrincipalFacts;
use crate::tri::Tri;

/// An account, or several, as far as escalation needs it.
#[derive(Clone, Debug, Default)]
pub struct Landscape {
    /// Roles and users.
    pub principals: Vec<Principal>,
    /// Groups of users.
    pub groups: Vec<Group>,
    /// Customer-managed policies beside those that are attached to a principal: what could be attached.
    pub policies: Vec<ManagedPolicy>,
    /// Instance profiles; `None` if they were not read.
    pub instance_profiles: Option<Vec<InstanceProfile>>,
    /// ECS clusters.
    pub clusters: Vec<Cluster>,
    /// ECS services.
    pub services: Vec<Service>,
    /// ECS task definitions.
    pub task_definitions: Vec<TaskDefinition>,
    /// ECS tasks.
    pub tasks: Vec<Task>,
    /// Container instances of ECS and nodes of EKS.
    pub instances: Vec<Instance>,
    /// ECR repositories whose images run somewhere.
    pub repositories: Vec<Repository>,
    /// EKS clusters.
    pub eks_clusters: Vec<EksCluster>,
}

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// An IAM role.
    Role,
    /// An IAM user.
    User,
}

/// A role or a user.
#[derive(Clone, Debug)]
pub struct Principal {
    /// What it is.
    pub kind: PrincipalKind,
    /// Facts for the context of its requests, its ARN among them.
    pub facts: PrincipalFacts,
    /// Managed policies attached to it.
    pub attached: Vec<ManagedPolicy>,
    /// Inline policies.
    pub inline: Vec<Attached>,
    /// Positions of its groups in [`Landscape::groups`].
    pub groups: Vec<usize>,
    /// The permission boundary, under its ARN.
    pub boundary: Option<Attached>,
    /// The trust policy of a role; `None` if it was not read.
    pub trust: Option<Attached>,
    /// SCPs over its account, level by level.
    pub scps: Vec<Vec<Attached>>,
    /// RCPs over its account, level by level.
    pub rcps: Vec<Vec<Attached>>,
    /// Layers that could not be read.
    pub unread: Vec<Layer>,
    /// Its account is the management account of the organisation.
    pub manages: bool,
    /// Access keys of a user, if known.
    pub access_keys: Option<u8>,
    /// Whether a user has a console password, if known.
    pub login_profile: Option<bool>,
    /// Whether a user has an MFA device, if known.
    pub mfa: Option<bool>,
}

impl Principal {
    /// A principal without any policy, whose layers were all read.
    pub fn new(kind: PrincipalKind, arn: &str) -> Self {
        Self {
            kind,
            facts: PrincipalFacts { arn: arn.into(), ..PrincipalFacts::default() },
            attached: Vec::new(),
            inline: Vec::new(),
            groups: Vec::new(),
            boundary: None,
            trust: None,
            scps: Vec::new(),
            rcps: Vec::new(),
            unread: Vec::new(),
            manages: false,
            access_keys: None,
            login_profile: None,
            mfa: None,
        }
    }

    /// The ARN.
    pub fn arn(&self) -> &str {
        &self.facts.arn
    }

    /// Its policies, those of its groups included.
    pub fn policies(&self, groups: &[Group]) -> Policies {
        let own = self.inline.iter().chain(self.attached.iter().map(|policy| &policy.policy));
        let shared = self.groups.iter().filter_map(|group| groups.get(*group)).flat_map(Group::policies);
        Policies {
            identity: own.chain(shared).cloned().collect(),
            boundary: self.boundary.clone(),
            scps: self.scps.clone(),
            unread: self.unread.clone(),
            caller_manages: self.manages,
            ..Policies::default()
        }
    }
}

/// A managed policy.
#[derive(Clone, Debug)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: CompactString,
    /// Its default version, under its name.
    pub policy: Attached,
    /// Its other versions, as far as they were read.
    pub older: Vec<Attached>,
}

impl ManagedPolicy {
    /// Whether the account may change it: AWS's own policies have no account.
    pub fn is_customer_managed(&self) -> bool {
        crate::arn::split(&self.arn).is_some_and(|[_, _, _, _, account, _]| account != "aws")
    }
}

/// A group of users.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its ARN.
    pub arn: CompactString,
    /// Managed policies attached to it.
    pub attached: Vec<ManagedPolicy>,
    /// Inline policies.
    pub inline: Vec<Attached>,
}

impl Group {
    fn policies(&self) -> impl Iterator<Item = &Attached> {
        self.inline.iter().chain(self.attached.iter().map(|policy| &policy.policy))
    }
}

/// An instance profile.
#[derive(Clone, Debug)]
pub struct InstanceProfile {
    /// Its ARN.
    pub arn: CompactString,
    /// The ARN of the role in it.
    pub role: Option<CompactString>,
}

/// An ECS cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its ARN.
    pub arn: CompactString,
    /// Whether it places tasks on registered instances (EC2 or EXTERNAL).
    pub places_on_instances: Tri,
    /// Its tags, if they were read.
    pub tags: Option<Vec<(CompactString, CompactString)>>,
}

/// An ECS service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its ARN.
    pub arn: CompactString,
    /// The ARN of its cluster.
    pub cluster: CompactString,
    /// The ARN of the task role of its tasks.
    pub task_role: Option<CompactString>,
    /// Its tags, if they were read.
    pub tags: Option<Vec<(CompactString, CompactString)>>,
}

/// An ECS task definition.
#[derive(Clone, Debug)]
pub struct TaskDefinition {
    /// Its ARN, revision included.
    pub arn: CompactString,
}

/// An ECS task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its ARN.
    pub arn: CompactString,
    /// The ARN of its cluster.
    pub cluster: CompactString,
    /// The ARN of its task role, overrides applied.
    pub task_role: Option<CompactString>,
    /// The ARN of its execution role.
    pub execution_role: Option<CompactString>,
    /// Whether it was started with execute-command.
    pub exec_enabled: Tri,
    /// The position of the instance that it runs on in [`Landscape::instances`]; none on Fargate.
    pub instance: Option<usize>,
    /// Its tags, if they were read.
    pub tags: Option<Vec<(CompactString, CompactString)>>,
}

/// A machine that runs containers.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The ARN of the EC2 instance.
    pub arn: CompactString,
    /// The ARN of the ECS container instance on it.
    pub container_instance: Option<CompactString>,
    /// The ARN of the ECS cluster that it is registered with.
    pub cluster: Option<CompactString>,
    /// The ARN of the role of its instance profile.
    pub role: Option<CompactString>,
    /// Whether containers on it reach its metadata service, and with it the role.
    pub imds_from_containers: Tri,
    /// Whether the SSM agent on it is registered.
    pub ssm_agent: Tri,
    /// ARNs of the roles of Kubernetes pods that run on it.
    pub pod_roles: Vec<CompactString>,
}

/// An ECR repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// Its ARN.
    pub arn: CompactString,
    /// The repository's policy.
    pub policy: Option<Attached>,
    /// Who runs an image of it.
    pub deployments: Vec<Deployment>,
}

/// An image of a repository in use.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The ARN of the role of the workload that runs it.
    pub role: CompactString,
    /// Whether a push changes what runs: the tag is mutable, and the workload refers to it and not to a digest.
    pub follows_tag: Tri,
}

/// How an EKS cluster tells who may enter it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AuthenticationMode {
    /// `CONFIG_MAP`
    ConfigMap,
    /// `API`
    Api,
    /// `API_AND_CONFIG_MAP`
    Both,
}

/// An EKS cluster.
#[derive(Clone, Debug)]
pub struct EksCluster {
    /// Its ARN.
    pub arn: CompactString,
    /// How it tells who may enter; `None` if it was not read.
    pub authentication_mode: Option<AuthenticationMode>,
    /// ARNs of principals that have an access entry; `None` if they were not read.
    pub access_entries: Option<Vec<CompactString>>,
    /// Its pod identity associations.
    pub associations: Vec<PodIdentityAssociation>,
    /// ARNs of roles that its pods assume through its OIDC provider.
    pub irsa_roles: Vec<CompactString>,
    /// ARNs of the roles of its nodes.
    pub node_roles: Vec<CompactString>,
    /// Whether the pod identity agent runs on it.
    pub pod_identity_agent: Tri,
}

impl EksCluster {
    /// ARNs of all roles that whoever rules the cluster comes by.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &CompactString> {
        self.associations.iter().map(|association| &association.role).chain(&self.irsa_roles).chain(&self.node_roles)
    }
}

/// Which role the pods of a service account get.
#[derive(Clone, Debug)]
pub struct PodIdentityAssociation {
    /// Its ARN.
    pub arn: CompactString,
    /// The ARN of the role.
    pub role: CompactString,
}
