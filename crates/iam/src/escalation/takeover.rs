//! One step from a caller to a target: a method's permissions are asked on resources that are tied together, and what
//! else must hold is looked up in the landscape.

use std::cell::RefCell;

use compact_str::{CompactString, format_compact};
use rustc_hash::FxHashMap;

use super::exposure::{Callers, Exposure, Ties};
use super::landscape::{Landscape, Principal, PrincipalKind};
use super::method::{Gain, How, On, Place, UserState};
use super::node::{Grant, Node, bit, open_trust};
use super::path::{Certainty, Edge, Gained};
use super::raise::{boundary_of, edge, worth_attaching};
use super::rows::{ROWS, Row};
use crate::context::{Context, KeyState};
use crate::decision::Verdict;
use crate::evaluate::evaluate_stack;
use crate::policies::{Policies, Request, Stack};
use crate::principal::{Caller, Entry, NamedBy};
use crate::tri::Tri;

/// More clusters than this are variations of one another, but for those that a caller's conditions name.
const CLUSTERS: usize = 32;

/// What was worked out once and is asked again.
#[derive(Default)]
struct Memory {
    /// Whether a service may assume a role.
    trusts: FxHashMap<(usize, &'static str), Tri>,
    /// What a caller can do to put a passed role to work, by its node's address and the row.
    placements: FxHashMap<(usize, &'static str), Option<Placement>>,
    /// Whether a principal with any permission is an administrator.
    unlimited: FxHashMap<usize, Option<Certainty>>,
}

/// The permissions of a row beside `iam:PassRole`.
#[derive(Clone)]
pub(crate) struct Placement {
    pub(crate) grants: Vec<Grant>,
    pub(crate) unverified: Vec<CompactString>,
}

/// Looks for single steps.
pub(crate) struct Steps<'l> {
    landscape: &'l Landscape,
    attachable: FxHashMap<CompactString, Vec<CompactString>>,
    memory: RefCell<Memory>,
}

impl<'l> Steps<'l> {
    pub(crate) fn new(landscape: &'l Landscape) -> Self {
        let mut attachable = FxHashMap::default();
        for principal in &landscape.principals {
            let partition = crate::arn::split(principal.arn()).map_or("aws", |[_, partition, ..]| partition);
            attachable.entry(partition.into()).or_insert_with(|| worth_attaching(landscape, partition));
        }
        Self { landscape, attachable, memory: RefCell::default() }
    }

    /// Managed policies worth attaching in a caller's partition.
    pub(crate) fn attachable(&self, node: &Node) -> &[CompactString] {
        self.attachable.get(node.partition()).map_or(&[], Vec::as_slice)
    }

    /// The step from a caller to a principal by a method that takes over or passes.
    pub(crate) fn step(&self, from: &Node, to: &Node, row: &Row) -> Option<Edge> {
        let target = self.landscape.principals.get(to.principal)?;
        if from.principal == to.principal {
            return None;
        }
        match row.how {
            How::TakeRole { trusted, gain } if target.kind == PrincipalKind::Role => self.take_role(from, to, target, row, trusted, gain),
            How::TakeUser { needs, gain } if target.kind == PrincipalKind::User => self.take_user(from, to, target, row, needs, gain),
            How::TakeFederated if target.kind == PrincipalKind::Role => Self::take_federated(from, target, row),
            How::Pass { service, place, unverified } if target.kind == PrincipalKind::Role => {
                self.pass(from, to, target, row, service, place, unverified)
            }
            _ => None,
        }
    }

    /// Grants of a row's permissions on the target; `sts:AssumeRole` is asked with its trust policy.
    fn on_target(&self, from: &Node, target: &Principal, row: &Row) -> Option<Vec<Grant>> {
        let boundary = ("iam:PermissionsBoundary", boundary_of(target));
        row.needs
            .iter()
            .map(|(action, on)| match (*action, on) {
                ("sts:AssumeRole", _) => assume(from, target),
                ("iam:AttachRolePolicy" | "iam:AttachUserPolicy", _) => self
                    .attachable(from)
                    .iter()
                    .find_map(|policy| from.can(action, target.arn(), &[boundary.clone(), ("iam:PolicyARN", KeyState::known(policy))])),
                (_, On::TargetPolicy) => {
                    let policies = target.attached.iter().filter(|policy| policy.is_customer_managed());
                    policies.into_iter().find_map(|policy| from.can(action, &policy.arn, &[]))
                }
                _ => from.can(action, target.arn(), std::slice::from_ref(&boundary)),
            })
            .collect()
    }

    fn take_role(&self, from: &Node, to: &Node, target: &Principal, row: &Row, trusted: bool, gain: Gain) -> Option<Edge> {
        let same_account = from.caller.account() == to.caller.account();
        let changes_role = !(trusted && gain == Gain::AsIs);
        if changes_role && (!same_account || is_reserved(target.arn())) {
            return None;
        }
        let grants = self.on_target(from, target, row)?;
        if !trusted {
            // Named by the new trust policy, the caller needs no grant; a Deny or an SCP still binds it.
            from.decide("sts:AssumeRole", target.arn(), &[], Some(open_trust()), &target.rcps)?;
        }
        self.taken(from, to, target, row, gain, grants, Vec::new())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one step")]
    fn taken(
        &self,
        from: &Node,
        to: &Node,
        target: &Principal,
        row: &Row,
        gain: Gain,
        grants: Vec<Grant>,
        mut unverified: Vec<CompactString>,
    ) -> Option<Edge> {
        if gain == Gain::AsIs {
            return edge(row, &from.caller.text, target.arn(), Gained::Principal, grants, &unverified);
        }
        // Any permission within the target's own boundary and SCPs.
        if self.unlimited(to)? == Certainty::Conditional {
            unverified.push("what boundary and SCPs leave".into());
        }
        edge(row, &from.caller.text, target.arn(), Gained::Administrator, grants, &unverified)
    }

    /// Whether a node that is given any permission is an administrator.
    fn unlimited(&self, node: &Node) -> Option<Certainty> {
        if let Some(known) = self.memory.borrow().unlimited.get(&node.principal) {
            return *known;
        }
        let found = node.with_everything().administers();
        self.memory.borrow_mut().unlimited.insert(node.principal, found);
        found
    }

    fn take_user(&self, from: &Node, to: &Node, target: &Principal, row: &Row, needs: UserState, gain: Gain) -> Option<Edge> {
        if from.caller.account() != to.caller.account() {
            return None;
        }
        let (state, what) = user_is(needs, target);
        if state == Tri::False {
            return None;
        }
        let unverified = if state == Tri::Unknown { vec![what.into()] } else { Vec::new() };
        let grants = self.on_target(from, target, row)?;
        self.taken(from, to, target, row, gain, grants, unverified)
    }

    fn take_federated(from: &Node, target: &Principal, row: &Row) -> Option<Edge> {
        let document = target.trust.as_ref()?.document.as_ref().ok()?;
        let providers =
            document.statements.iter().filter_map(|statement| statement.principals.as_ref()).flat_map(|principals| &principals.entries);
        let grant = providers
            .filter_map(|entry| if let Entry::Exact(text) = entry { Some(text) } else { None })
            .filter(|text| text.contains(":saml-provider/"))
            .find_map(|provider| from.can("iam:UpdateSAMLProvider", provider, &[]))?;
        edge(row, &from.caller.text, target.arn(), Gained::Principal, vec![grant], &[])
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one step")]
    fn pass(
        &self,
        from: &Node,
        to: &Node,
        target: &Principal,
        row: &Row,
        service: &'static str,
        place: Place,
        unverified: Option<&'static str>,
    ) -> Option<Edge> {
        // A role is passed within its account.
        if from.caller.account() != to.caller.account() {
            return None;
        }
        let trust = self.trusts(to.principal, target, service);
        if trust == Tri::False {
            return None;
        }
        let pass = from.can("iam:PassRole", target.arn(), &[("iam:PassedToService", KeyState::known(service))])?;
        let placement = self.placement(from, row, place)?;
        let mut open: Vec<CompactString> = unverified.into_iter().map(CompactString::from).chain(placement.unverified).collect();
        if trust == Tri::Unknown {
            open.push(format_compact!("whether the role trusts {service}"));
        }
        match place {
            Place::InstanceProfile => match &self.landscape.instance_profiles {
                Some(profiles) if !profiles.iter().any(|profile| profile.role.as_deref() == Some(target.arn())) => return None,
                Some(_) => {}
                None => open.push("an instance profile that holds the role".into()),
            },
            Place::RunsTask if to.examples("ecs:RunTask").iter().all(|resource| to.can("ecs:RunTask", resource, &[]).is_none()) => {
                return None;
            }
            _ => {}
        }
        let grants = std::iter::once(pass).chain(placement.grants).collect();
        edge(row, &from.caller.text, target.arn(), Gained::Principal, grants, &open)
    }

    /// Whether a service of the role's own account may assume it.
    pub(crate) fn trusts(&self, at: usize, target: &Principal, service: &'static str) -> Tri {
        if let Some(known) = self.memory.borrow().trusts.get(&(at, service)) {
            return *known;
        }
        let found = trusts_service(target, service);
        self.memory.borrow_mut().trusts.insert((at, service), found);
        found
    }

    pub(crate) fn placement(&self, from: &Node, row: &Row, place: Place) -> Option<Placement> {
        let key = (std::ptr::from_ref(from).addr(), row.id);
        if let Some(known) = self.memory.borrow().placements.get(&key) {
            return known.clone();
        }
        let found = self.place(from, row, place);
        self.memory.borrow_mut().placements.insert(key, found.clone());
        found
    }

    /// A set of tied resources on which the caller can do all that the row asks beside passing the role.
    fn place(&self, from: &Node, row: &Row, place: Place) -> Option<Placement> {
        self.places(from, place).into_iter().find_map(|(ties, unverified)| self.placed(from, row, place, ties, unverified))
    }

    /// The ECS clusters on which the caller can do all that the row asks beside passing the role, at most so many.
    pub(crate) fn clusters(&self, from: &Node, row: &Row, place: Place, most: usize) -> Vec<CompactString> {
        let mut clusters: Vec<CompactString> = Vec::new();
        for (ties, unverified) in self.places(from, place) {
            let Some(cluster) = ties.cluster.clone().filter(|cluster| !clusters.contains(cluster)) else { continue };
            if clusters.len() < most && self.placed(from, row, place, ties, unverified).is_some() {
                clusters.push(cluster);
            }
        }
        clusters
    }

    fn placed(&self, from: &Node, row: &Row, place: Place, mut ties: Ties, unverified: Vec<CompactString>) -> Option<Placement> {
        let needs: Vec<(&'static str, On)> = row.needs.iter().copied().filter(|(action, _)| *action != "iam:PassRole").collect();
        if !needs.iter().any(|(_, on)| *on == On::TaskDefinition) {
            return Some(Placement { grants: self.tied(from, &needs, &ties)?, unverified });
        }
        self.task_definitions(from, &needs, place, &ties).into_iter().find_map(|definition| {
            ties.task_definition = Some(definition);
            Some(Placement { grants: self.tied(from, &needs, &ties)?, unverified: unverified.clone() })
        })
    }

    /// Where a passed role may be put to work.
    fn places(&self, from: &Node, place: Place) -> Vec<(Ties, Vec<CompactString>)> {
        let own = |arn: &str| crate::arn::split(arn).is_some_and(|[_, _, _, _, account, _]| account == from.account());
        match place {
            Place::New | Place::InstanceProfile | Place::RunsTask => vec![(Ties::default(), Vec::new())],
            Place::NewCluster => {
                let clusters = from.examples("ecs:CreateCluster").into_iter().map(|example| {
                    if example.contains(":cluster/") { example } else { self.arn_of(from, "ecs", "cluster/plimsoll-unnamed") }
                });
                clusters.map(|cluster| (Ties { cluster: Some(cluster), ..Ties::default() }, Vec::new())).collect()
            }
            Place::Cluster | Place::ClusterAndTaskDefinition | Place::ClusterWithInstance | Place::InstanceAndTaskDefinition => {
                let clusters = self.landscape.clusters.iter().filter(|cluster| own(&cluster.arn));
                let with_instance = |arn: &str| {
                    let mut instances = self.landscape.instances.iter().filter(|instance| instance.cluster.as_deref() == Some(arn));
                    let anywhere = !matches!(place, Place::ClusterWithInstance | Place::InstanceAndTaskDefinition);
                    anywhere || instances.any(|instance| instance.container_instance.is_some())
                };
                let mut ties: Vec<(bool, Ties)> = clusters
                    .filter(|cluster| with_instance(&cluster.arn))
                    .map(|cluster| {
                        let name = cluster.arn.rsplit('/').next().unwrap_or_default();
                        let instance = cluster.arn.replace(":cluster/", ":container-instance/");
                        let service = cluster.arn.replace(":cluster/", ":service/");
                        let ties = Ties {
                            cluster: Some(cluster.arn.clone()),
                            container_instance: Some(format_compact!("{instance}/plimsoll-unnamed")),
                            service: Some(format_compact!("{service}/plimsoll-unnamed")),
                            tags: cluster.tags.clone(),
                            ..Ties::default()
                        };
                        (!mentions(from, name), ties)
                    })
                    .collect();
                ties.sort_by_key(|(unmentioned, _)| *unmentioned);
                let named = ties.iter().filter(|(unmentioned, _)| !unmentioned).count();
                ties.truncate(named + CLUSTERS);
                ties.into_iter().map(|(_, ties)| (ties, Vec::new())).collect()
            }
            Place::Service => {
                let services = self.landscape.services.iter().filter(|service| own(&service.arn));
                services
                    .map(|service| {
                        let ties = Ties {
                            cluster: Some(service.cluster.clone()),
                            service: Some(service.arn.clone()),
                            tags: service.tags.clone(),
                            ..Ties::default()
                        };
                        (ties, Vec::new())
                    })
                    .collect()
            }
            Place::EksCluster => {
                let clusters = self.landscape.eks_clusters.iter().filter(|cluster| own(&cluster.arn));
                clusters
                    .map(|cluster| {
                        let agent = cluster.pod_identity_agent != Tri::True;
                        let unverified = if agent { vec!["the pod identity agent runs on the cluster".into()] } else { Vec::new() };
                        (Ties { eks: Some(cluster.arn.clone()), ..Ties::default() }, unverified)
                    })
                    .collect()
            }
            Place::PodIdentityAssociation => {
                let associations = self.landscape.eks_clusters.iter().flat_map(|cluster| &cluster.associations);
                associations
                    .filter(|association| own(&association.arn))
                    .map(|association| (Ties { association: Some(association.arn.clone()), ..Ties::default() }, Vec::new()))
                    .collect()
            }
        }
    }

    fn arn_of(&self, from: &Node, service: &str, id: &str) -> CompactString {
        let region = self
            .landscape
            .clusters
            .iter()
            .find_map(|cluster| crate::arn::split(&cluster.arn))
            .map_or("us-east-1", |[_, _, _, region, ..]| region);
        format_compact!("arn:{}:{service}:{region}:{}:{id}", from.partition(), from.account())
    }

    /// Task definitions to try: those that exist, or those that the caller's grants let it make.
    fn task_definitions(&self, from: &Node, needs: &[(&'static str, On)], place: Place, ties: &Ties) -> Vec<CompactString> {
        let mut definitions: Vec<CompactString> = Vec::new();
        if matches!(place, Place::ClusterAndTaskDefinition | Place::InstanceAndTaskDefinition) {
            let own = |arn: &str| crate::arn::split(arn).is_some_and(|[_, _, _, _, account, _]| account == from.account());
            let region = |arn: &str| crate::arn::split(arn).map(|[_, _, _, region, ..]| region.to_owned());
            let here = ties.cluster.as_deref().and_then(region);
            let all = self.landscape.task_definitions.iter().filter(|definition| own(&definition.arn) && region(&definition.arn) == here);
            definitions.extend(all.map(|definition| definition.arn.clone()));
            return definitions;
        }
        let id = "task-definition/plimsoll-unnamed:1";
        definitions.push(match ties.cluster.as_deref().and_then(crate::arn::split) {
            Some([_, partition, _, region, account, _]) => format_compact!("arn:{partition}:ecs:{region}:{account}:{id}"),
            None => self.arn_of(from, "ecs", id),
        });
        for (action, _) in needs.iter().filter(|(_, on)| *on == On::TaskDefinition) {
            definitions.extend(from.examples(action).into_iter().filter(|example| example.contains(":task-definition/")));
        }
        definitions
    }

    /// The grants of all permissions on these resources.
    fn tied(&self, from: &Node, needs: &[(&'static str, On)], ties: &Ties) -> Option<Vec<Grant>> {
        needs.iter().map(|(action, on)| self.on(from, action, *on, ties)).collect()
    }

    fn on(&self, from: &Node, action: &str, on: On, ties: &Ties) -> Option<Grant> {
        let mut keys = ties.keys();
        let tag_keys: Vec<(String, KeyState)> =
            ties.tags.iter().flatten().map(|(key, value)| (format!("aws:ResourceTag/{key}"), KeyState::known(value))).collect();
        keys.extend(tag_keys.iter().map(|(key, state)| (key.as_str(), state.clone())));
        let resource = match on {
            On::Everything => Some("*".into()),
            On::Some => return from.examples(action).iter().find_map(|resource| from.can(action, resource, &keys)),
            On::Cluster => ties.cluster.clone(),
            On::TaskDefinition => ties.task_definition.clone(),
            On::Task => ties.task.clone(),
            On::Instance => ties.instance.clone(),
            On::EksCluster => ties.eks.clone(),
            On::PodIdentityAssociation => ties.association.clone(),
            On::Service => {
                // A new service may have any name that the caller's grants name.
                let named = ties.service.clone()?;
                let all = std::iter::once(named).chain(from.examples(action).into_iter().filter(|example| example.contains(":service/")));
                return all.into_iter().find_map(|service| from.can(action, &service, &keys));
            }
            On::TaskSet => {
                ties.service.as_ref().map(|service| format_compact!("{}/plimsoll-unnamed", service.replace(":service/", ":task-set/")))
            }
            On::ContainerInstance => {
                let named = ties.container_instance.clone()?;
                let all = std::iter::once(named)
                    .chain(from.examples(action).into_iter().filter(|example| example.contains(":container-instance/")));
                return all.into_iter().find_map(|instance| from.can(action, &instance, &keys));
            }
            On::AccessEntry => {
                let cluster = ties.eks.as_ref()?;
                let kind = if from.caller.text.contains(":user/") { "user" } else { "role" };
                let name = from.caller.text.rsplit('/').next().unwrap_or_default();
                let account = from.account();
                let entries = cluster.replace(":cluster/", ":access-entry/");
                Some(format_compact!("{entries}/{kind}/{account}/{name}/plimsoll-unnamed"))
            }
            On::Repository => {
                let repository = self.landscape.repositories.get(ties.repository?)?;
                return from.decide(action, &repository.arn, &keys, repository.policy.as_ref(), &[]);
            }
            On::Caller | On::CallerPolicy | On::CallerGroup | On::OtherGroup | On::Target | On::TargetPolicy | On::TargetProvider => None,
        };
        from.can(action, &resource?, &keys)
    }

    /// The step to a role through something that runs with it.
    pub(crate) fn through(&self, from: &Node, to: &Node, exposure: &Exposure) -> Option<Edge> {
        let target = self.landscape.principals.get(to.principal)?;
        let row = ROWS.get(exposure.row)?;
        let admitted = match &exposure.callers {
            Callers::Any => true,
            Callers::Only(callers) => callers.contains(&from.principal),
            Callers::Except(callers) => !callers.contains(&from.principal),
        };
        if from.principal == to.principal || !admitted {
            return None;
        }
        let grants = row
            .needs
            .iter()
            .map(|(action, on)| match on {
                On::Target => from.can(action, target.arn(), &[]),
                on => self.on(from, action, *on, &exposure.ties),
            })
            .collect::<Option<Vec<_>>>()?;
        edge(row, &from.caller.text, target.arn(), Gained::Principal, grants, &exposure.unverified)
    }
}

/// Whether a user is in the state that a method needs; unknown comes with what could not be verified.
fn user_is(needs: UserState, user: &Principal) -> (Tri, &'static str) {
    let known = |known: Option<bool>| known.map_or(Tri::Unknown, Tri::from);
    let password = known(user.login_profile);
    let mfa = known(user.mfa);
    // A device of the user's own stands between a new password and the console.
    let undisturbed = if mfa == Tri::True { Tri::Unknown } else { Tri::True };
    match needs {
        UserState::FewerThanTwoKeys => (known(user.access_keys.map(|keys| keys < 2)), "how many access keys the user has"),
        UserState::TwoKeys => (known(user.access_keys.map(|keys| keys >= 2)), "how many access keys the user has"),
        UserState::NoPassword => (password.not().and(undisturbed), "that the user has no password and needs no MFA device"),
        UserState::Password => (password.and(undisturbed), "that the user has a password and needs no MFA device"),
        UserState::PasswordWithMfa => (password.and(mfa), "that the user has a password and an MFA device"),
    }
}

/// Whether a caller's conditions or resources mention a cluster.
fn mentions(from: &Node, cluster: &str) -> bool {
    let documents = from.policies.identity.iter().filter_map(|policy| policy.document.as_ref().ok());
    let statements = documents.flat_map(|document| &document.statements);
    statements.into_iter().any(|statement| {
        let conditions = statement.conditions.iter().flat_map(|condition| &condition.written);
        let resources = statement.resources.iter().flat_map(|resources| &resources.written);
        conditions.chain(resources).any(|text| text.contains(cluster))
    })
}

/// Whether a caller may assume a role, by its trust policy and its own.
pub(crate) fn assume(from: &Node, target: &Principal) -> Option<Grant> {
    if let Some(trust) = &target.trust {
        let document = trust.document.as_ref().ok()?;
        let named = document.statements.iter().filter_map(|statement| statement.principals.as_ref());
        let named = named.filter_map(|principals| principals.reach(&from.caller, false, false)).max()?;
        // Only a role of its own account that names the caller itself asks for no grant of the caller's.
        let own_account = crate::arn::split(target.arn()).is_some_and(|[_, _, _, _, account, _]| account == from.account());
        if (named == NamedBy::Account || !own_account) && !from.may("sts:AssumeRole", target.arn()) {
            return None;
        }
        return from.decide("sts:AssumeRole", target.arn(), &[], Some(trust), &target.rcps);
    }
    // Nobody knows whom the role trusts: its account, at the least.
    if from.mask & bit("sts:AssumeRole") == 0 {
        return None;
    }
    let mut grant = from.decide("sts:AssumeRole", target.arn(), &[], Some(open_trust()), &target.rcps)?;
    grant.depends_on.push("the trust policy that was not read".into());
    Some(grant)
}

/// Roles whose policies nobody of the account may change.
fn is_reserved(arn: &str) -> bool {
    arn.contains(":role/aws-service-role/") || arn.contains(":role/aws-reserved/")
}

/// Whether a service, acting for somebody of the role's own account, may assume it.
fn trusts_service(target: &Principal, service: &str) -> Tri {
    let Some(trust) = &target.trust else { return Tri::Unknown };
    let (Some(caller), Some([_, _, _, _, account, _])) = (Caller::parse(service), crate::arn::split(target.arn())) else {
        return Tri::False;
    };
    // Whoever puts the role to work decides on the resource that the service acts for, within the account.
    let context = Context::open()
        .with("aws:PrincipalIsAWSService", KeyState::known("true"))
        .with("aws:PrincipalServiceName", KeyState::known(service))
        .with("aws:SourceAccount", KeyState::known(account))
        .with("aws:ResourceAccount", KeyState::known(account))
        .with("aws:SourceArn", KeyState::Chosen);
    let policies = Policies { resource: Some(trust.clone()), rcps: target.rcps.clone(), ..Policies::default() };
    // EKS Pod Identity tags the session that it makes.
    let actions: &[&str] = if service == "pods.eks.amazonaws.com" { &["sts:AssumeRole", "sts:TagSession"] } else { &["sts:AssumeRole"] };
    Tri::all(actions.iter().map(|action| {
        let request = Request {
            caller: caller.clone(),
            action: (*action).into(),
            resource: target.arn().into(),
            resource_account: Some(account.into()),
            context: context.clone(),
        };
        match evaluate_stack(&request, &Stack::from(&policies)).map(|decision| decision.verdict) {
            Ok(Verdict::Allowed) => Tri::True,
            Ok(Verdict::Conditional) | Err(_) => Tri::Unknown,
            Ok(Verdict::ImplicitlyDenied | Verdict::ExplicitlyDenied) => Tri::False,
        }
    }))
}
