//! The methods: the catalogue of ways to come by more permissions (`data/privesc.json`) says in words what each asks on
//! which resource; these are the types that say it for the search. The table is in `rows`.

use std::sync::LazyLock;

use serde::Deserialize;

/// A way to come by more permissions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Method {
    /// Its id: that of pathfinding.cloud, or one that starts with `x-`.
    pub id: String,
    /// What it is.
    pub name: String,
    /// The permissions that it takes, all of them.
    pub permissions: Vec<String>,
    /// On which resources, in words.
    pub resource_conditions: Vec<String>,
    /// What else must hold, in words.
    pub prerequisites: Vec<String>,
    /// What it gains, in words.
    pub gained: String,
    /// Whether role credentials taken from a container suffice.
    pub reachable_from_container: bool,
    /// Whether it works on ECS, EKS, ECR or the container host itself.
    pub container_specific: bool,
}

#[derive(Deserialize)]
struct Catalogue {
    methods: Vec<Method>,
}

static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| {
    let catalogue: Result<Catalogue, _> = serde_json::from_str(include_str!("../../data/privesc.json"));
    catalogue.map(|catalogue| catalogue.methods).unwrap_or_default()
});

/// Every method of the catalogue, those that the search does not assess included.
pub fn methods() -> &'static [Method] {
    &METHODS
}

/// The method with this id.
pub(crate) fn method(id: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.id == id)
}

/// What a permission is asked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// The caller itself.
    Caller,
    /// A customer-managed policy attached to the caller.
    CallerPolicy,
    /// A group that the caller is in.
    CallerGroup,
    /// Another group.
    OtherGroup,
    /// The principal that is taken over, or the role that is passed.
    Target,
    /// A customer-managed policy attached to the target.
    TargetPolicy,
    /// A SAML provider that the target trusts.
    TargetProvider,
    /// `*`: the action takes no resource.
    Everything,
    /// Any resource of the action's kind; those named in the caller's own grants are tried.
    Some,
    /// The cluster of the other resources.
    Cluster,
    Service,
    /// A task set of the service that does not exist yet.
    TaskSet,
    /// One task definition for all permissions.
    TaskDefinition,
    Task,
    /// The EC2 instance.
    Instance,
    ContainerInstance,
    Repository,
    EksCluster,
    /// The caller's access entry in the EKS cluster.
    AccessEntry,
    PodIdentityAssociation,
}

/// Something that no inventory shows: the edge depends on it.
pub(crate) type Unverified = Option<&'static str>;

/// How a method works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The caller gets any permission, within its boundary.
    Any,
    /// The caller gets a managed policy.
    Attach,
    /// The caller gets another version of a policy that it has.
    OlderVersion,
    /// The caller, a user, gets what a group has.
    JoinGroup,
    /// The caller loses its boundary, or gets a wide one.
    LoseBoundary,
    /// The caller loses an attached policy that denies.
    LoseAttached,
    /// The caller loses an inline policy that denies.
    LoseInline,
    /// The caller acts as the target role.
    TakeRole { trusted: bool, gain: Gain },
    /// The caller acts as the target user.
    TakeUser { needs: UserState, gain: Gain },
    /// The caller acts as roles that trust a SAML provider.
    TakeFederated,
    /// The caller passes the target to a service.
    Pass { service: &'static str, place: Place, unverified: Unverified },
    /// The caller acts as the roles of what runs on a resource.
    Existing { through: Through, unverified: Unverified },
    /// The search does not assess it, for this reason.
    Left(&'static str),
}

/// As what the caller acts after taking a principal over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gain {
    /// As it is.
    AsIs,
    /// With any permission.
    Any,
    /// With any managed policy.
    Attach,
}

/// What must hold of a user that is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UserState {
    FewerThanTwoKeys,
    TwoKeys,
    NoPassword,
    Password,
    PasswordWithMfa,
}

/// Where a passed role is put to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a resource that the caller makes.
    New,
    /// In an instance profile that holds it.
    InstanceProfile,
    /// On an ECS cluster that the caller makes.
    NewCluster,
    Cluster,
    /// On an ECS cluster, from a task definition that exists.
    ClusterAndTaskDefinition,
    /// On an ECS cluster with an instance.
    ClusterWithInstance,
    /// On an ECS cluster with an instance, from a task definition that exists.
    InstanceAndTaskDefinition,
    /// In an ECS service that exists.
    Service,
    EksCluster,
    PodIdentityAssociation,
    /// The role itself must be able to run a task.
    RunsTask,
}

/// The resource through which a role is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Through {
    /// An ECS task with execute-command.
    ExecTask,
    /// An ECS task that a service starts anew with execute-command.
    ServiceTask,
    /// Tasks that are placed on an instance of the caller's.
    RogueInstance,
    /// Tasks beside the caller, whose instance's role it has.
    AgentImpersonation,
    /// A deployment that follows a tag.
    Image,
    /// The role of the machine that the caller runs on.
    Imds,
    /// All that runs in an EKS cluster, for whoever makes an access entry.
    EksEntry,
    /// The same for whoever has one.
    EksOwnEntry,
    /// The same, after the cluster was told to take access entries.
    EksMode,
    /// A machine that runs containers.
    Machine { agent: bool },
    /// A role that a pod of the caller's may assume once its trust policy says so.
    IrsaTrust,
}
