//! What each principal can become: the landscape of the escalation search from IAM's principals and the resources through
//! which one acts as another, and what the search finds in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use compact_str::CompactString;
use plimsoll_iam::escalation::{
    AuthenticationMode, Certainty, Cluster, Deployment, EksCluster, Escalations, Group, Instance, InstanceProfile, Landscape,
    ManagedPolicy, Path, PodIdentityAssociation, Principal as Place, PrincipalKind, Reached, Repository, Search, Service, Task,
    TaskDefinition, ThroughEcs,
};
use plimsoll_iam::{Attached, DocumentKind, KeyState, Layer, Question, Tri, Verdict};
use plimsoll_model::aws::iam::{AttachedPolicy, PolicyDetail, Role, User};
use plimsoll_model::aws::{ec2, ecr, ecs, eks, iam};
use plimsoll_model::{AccountId, ImageReference, Region, Resource};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::permission::{Principal, parsed};
use crate::service_account::IssuerTrust;
use crate::{Estate, Link, Node, Unknown};

/// What the search finds in an estate, made once.
#[derive(Debug)]
pub struct Escalation {
    /// Everything that the search looks at. Roles come first, then users, each in the order of the inventory.
    pub landscape: Landscape,
    /// Administrators, and the shortest path of everybody who may become one.
    pub found: Escalations,
    /// Whom principals come to act as through ECS.
    pub through_ecs: ThroughEcs,
    /// By position in the landscape.
    administrators: FxHashMap<usize, Certainty>,
    paths: FxHashMap<usize, usize>,
}

impl Escalation {
    /// The shortest path from a principal to an administrator; none for one that is an administrator already.
    pub fn path(&self, position: usize) -> Option<&Path> {
        self.found.paths.get(*self.paths.get(&position)?)
    }
}

/// Roles that the search names of each principal.
const NAMED: usize = 10;
/// An action of IAM that no policy names.
const ANY_OF_IAM: &str = "iam:PlimsollUnnamed";

impl<'e> Principal<'e> {
    /// What somebody who administers IAM may do: to a role and a policy that nobody has named.
    pub fn questions_on_iam(self) -> Vec<Question> {
        let (partition, account) = (self.arn().split(':').nth(1).unwrap_or("aws"), self.account());
        let role = format!("arn:{partition}:iam::{account}:role/plimsoll-unnamed");
        let policy = format!("arn:{partition}:iam::{account}:policy/plimsoll-unnamed");
        [("iam:AttachRolePolicy", &role), ("iam:PassRole", &role), ("iam:CreatePolicyVersion", &policy), (ANY_OF_IAM, &role)]
            .map(|(action, resource)| Question::new(action, resource))
            .into()
    }

    /// Whether it may do everything as it is, or everything to IAM, which comes to the same (ADMIN of the catalogue):
    /// certainly, on conditions, or not.
    ///
    /// # Errors
    ///
    /// A policy that was not read, where what was read does not make it an administrator.
    pub fn administers(self) -> Result<Option<Certainty>, Unknown> {
        let found = self.estate().escalation().administrators.get(&self.position()).copied();
        match (found, self.unread()) {
            (None, Some(unknown)) => Err(unknown),
            (found, _) => Ok(found),
        }
    }

    /// The shortest path by which it can become an administrator (CAN-ESCALATE of the catalogue); none for one that is.
    ///
    /// # Errors
    ///
    /// A policy that was not read, where what was read shows no path.
    pub fn escalates(self) -> Result<Option<&'e Path>, Unknown> {
        let escalation = self.estate().escalation();
        let path = escalation.path(self.position()).filter(|path| !escalation.administrators.contains_key(&path.start));
        match (path, self.unread()) {
            (None, Some(unknown)) => Err(unknown),
            (path, _) => Ok(path),
        }
    }
}

impl<'e> Principal<'e> {
    /// Whether AWS made it for a service of its own, and nobody of the account may take it.
    pub fn is_service_linked(self) -> bool {
        self.arn().contains(":role/aws-service-role/")
    }

    /// Roles that it may pass to a task of ECS which runs code of its own, of those that hold something it lacks: at most
    /// ten, administrators first. None for an administrator.
    ///
    /// # Errors
    ///
    /// A policy that was not read, where what was read shows no such role.
    pub fn runs_on_ecs_as(self) -> Result<&'e [Reached], Unknown> {
        self.through_ecs(|through| &through.runs)
    }

    /// The same of roles of tasks that it may open a shell in, where no condition limits it to some tasks or containers.
    ///
    /// # Errors
    ///
    /// A policy that was not read, where what was read shows no such role.
    pub fn opens_shells_as(self) -> Result<&'e [Reached], Unknown> {
        self.through_ecs(|through| &through.shells)
    }

    fn through_ecs(self, which: impl Fn(&'e ThroughEcs) -> &'e BTreeMap<usize, Arc<[Reached]>>) -> Result<&'e [Reached], Unknown> {
        match which(&self.estate().escalation().through_ecs).get(&self.position()) {
            Some(reached) => Ok(reached),
            None => self.unread().map_or(Ok(&[]), Err),
        }
    }
}

impl Estate<'_> {
    /// The principal at a position in the landscape of the search.
    pub fn principal_at(&self, position: usize) -> Option<Principal<'_>> {
        let roles = self.inventory().roles.len();
        let index = |position: usize| u32::try_from(position).ok();
        match position.checked_sub(roles) {
            None => self.at(index(position)?).map(Principal::Role),
            Some(user) => self.at(index(user)?).map(Principal::User),
        }
    }

    /// Who may become what; searched on first use.
    pub fn escalation(&self) -> &Escalation {
        self.escalation.get_or_init(|| {
            let landscape = self.landscape();
            let search = Search::new(&landscape);
            let found = search.run();
            let through_ecs = search.through_ecs(&found, NAMED);
            drop(search);
            let mut administrators: FxHashMap<usize, Certainty> = self.administrators_of_iam();
            administrators.extend(found.administrators.iter().map(|found| (found.principal, found.certainty)));
            let paths = found.paths.iter().zip(0..).map(|(path, position)| (path.start, position)).collect();
            Escalation { landscape, found, through_ecs, administrators, paths }
        })
    }

    /// Whether a workload runs with a role that certainly is or can become administrator, by kind and position of the
    /// resource: a task, a service or a task definition. `None` for what is no workload or has no role.
    pub fn runs_privileged(&self, kind: &str, index: u32) -> Option<bool> {
        let role = match kind {
            "ecs:Task" => {
                let task = self.at::<ecs::Task>(index)?;
                task.task_role_override().or_else(|| task.task_definition().found()?.task_role())
            }
            "ecs:Service" => self.at::<ecs::Service>(index)?.task_definition()?.found()?.task_role(),
            "ecs:TaskDefinition" => self.at::<ecs::TaskDefinition>(index)?.task_role(),
            _ => None,
        };
        let role = Principal::Role(role?.found()?);
        let administers = role.administers() == Ok(Some(Certainty::Certain));
        Some(administers || matches!(role.escalates(), Ok(Some(path)) if path.certainty() == Certainty::Certain))
    }

    /// Principals that may do anything to IAM: with no key in the request by which a condition narrows what is changed.
    fn administrators_of_iam(&self) -> FxHashMap<usize, Certainty> {
        let narrowing = ["iam:PermissionsBoundary", "iam:PolicyARN", "iam:PassedToService", "iam:AWSServiceName", "aws:RequestTag/"];
        let keys: Vec<(&str, KeyState)> = narrowing.into_iter().map(|key| (key, KeyState::Absent)).collect();
        let mut accounts: BTreeMap<&AccountId, FxHashMap<usize, Vec<Principal<'_>>>> = BTreeMap::new();
        for principal in self.principals().filter(|principal| principal.may_hold(ANY_OF_IAM)) {
            accounts.entry(principal.account()).or_default().entry(principal.class()).or_default().push(principal);
        }
        let mut found = FxHashMap::default();
        for classes in accounts.values() {
            let classes: Vec<&Vec<Principal<'_>>> = classes.values().collect();
            let first: Vec<Principal<'_>> = classes.iter().filter_map(|members| members.first().copied()).collect();
            let questions = first.first().map(|principal| principal.questions_on_iam()).unwrap_or_default();
            for (members, answers) in classes.iter().zip(self.ask(&first, &questions, &keys)) {
                if answers.len() == questions.len() {
                    let certain = answers.iter().all(|(_, verdict)| *verdict == Verdict::Allowed);
                    let certainty = if certain { Certainty::Certain } else { Certainty::Conditional };
                    found.extend(members.iter().map(|member| (member.position(), certainty)));
                }
            }
        }
        found
    }

    fn landscape(&self) -> Landscape {
        let groups: FxHashMap<(&AccountId, &str), usize> = self
            .all::<iam::Group>()
            .zip(0..)
            .map(|(group, position)| ((group.account(), group.data().group_name.as_str()), position))
            .collect();
        let (instances, positions) = self.machines();
        Landscape {
            principals: self.principals().map(|principal| self.place(principal, &groups)).collect(),
            groups: self.all::<iam::Group>().map(|group| self.group(group)).collect(),
            policies: self.all::<iam::Policy>().filter_map(|policy| self.managed(policy.account(), &policy.data().arn)).collect(),
            instance_profiles: self.instance_profiles(),
            clusters: self.active_clusters().map(cluster).collect(),
            services: self.active_services().map(service).collect(),
            task_definitions: self
                .definitions_in_scope()
                .map(|definition| TaskDefinition { arn: definition.data().task_definition_arn.as_str().into() })
                .collect(),
            tasks: self.running_tasks().map(|running| task(running, &positions)).collect(),
            instances,
            repositories: self.all::<ecr::Repository>().map(|repository| self.repository_in_use(repository)).collect(),
            eks_clusters: self.eks_clusters().map(|cluster| self.kubernetes_cluster(cluster)).collect(),
        }
    }

    fn managed(&self, account: &AccountId, arn: &str) -> Option<ManagedPolicy> {
        let policy = self.managed_policy(account, arn).ok()?;
        Some(ManagedPolicy { arn: arn.into(), policy, older: Vec::new() })
    }

    fn attached(&self, account: &AccountId, policies: &[AttachedPolicy]) -> Vec<ManagedPolicy> {
        policies.iter().filter_map(|policy| self.managed(account, &policy.policy_arn)).collect()
    }

    fn group(&self, group: Node<'_, iam::Group>) -> Group {
        let data = group.data();
        Group {
            arn: data.arn.as_str().into(),
            attached: self.attached(group.account(), &data.attached_managed_policies),
            inline: inline(&data.group_policy_list),
        }
    }

    fn place(&self, principal: Principal<'_>, groups: &FxHashMap<(&AccountId, &str), usize>) -> Place {
        let account = principal.account();
        let controls = self.controls(account);
        let holder = principal.holder();
        // Equal documents are shared there.
        let inline = holder.into_iter().flat_map(|holder| holder.policies.identity.iter().take(holder.inline)).cloned().collect();
        let mut place = Place {
            facts: holder.map(|holder| holder.facts.clone()).unwrap_or_default(),
            inline,
            scps: controls.scps.clone(),
            rcps: controls.rcps.clone(),
            manages: controls.manages,
            unread: if controls.unread { vec![Layer::ServiceControl(0)] } else { Vec::new() },
            ..Place::new(PrincipalKind::Role, principal.arn())
        };
        let boundary = match principal {
            Principal::Role(role) => {
                let Role { attached_managed_policies, permissions_boundary, assume_role_policy_document, .. } = role.data();
                place.attached = self.attached(account, attached_managed_policies);
                place.trust = assume_role_policy_document.as_ref().map(|trust| parsed("trust policy", DocumentKind::Trust, Some(trust)));
                permissions_boundary
            }
            Principal::User(user) => {
                let User { attached_managed_policies, permissions_boundary, group_list, access_keys, .. } = user.data();
                place.kind = PrincipalKind::User;
                place.attached = self.attached(account, attached_managed_policies);
                place.groups = group_list.iter().filter_map(|name| groups.get(&(account, name.as_str())).copied()).collect();
                place.access_keys = access_keys.known().ok().map(|keys| u8::try_from(keys.len()).unwrap_or(u8::MAX));
                permissions_boundary
            }
        };
        if let Some(arn) = boundary.as_ref().and_then(|boundary| boundary.permissions_boundary_arn.as_deref()) {
            match self.managed(account, arn) {
                Some(policy) => place.boundary = Some(policy.policy),
                None => place.unread.push(Layer::Boundary),
            }
        }
        place
    }

    fn instance_profiles(&self) -> Option<Vec<InstanceProfile>> {
        let profiles = self.all::<iam::InstanceProfile>().map(|profile| InstanceProfile {
            arn: profile.data().arn.as_str().into(),
            role: profile.data().roles.first().map(|role| role.arn.as_str().into()),
        });
        let accounts = self.inventory().header.scope.accounts.iter();
        let mut read = accounts.map(|account| self.coverage().check(account, &Region::global(), iam::InstanceProfile::OPERATION));
        read.all(|answer| answer.is_ok()).then(|| profiles.collect())
    }

    /// Container hosts and nodes, and where each container instance is among them.
    fn machines(&self) -> (Vec<Instance>, FxHashMap<&str, usize>) {
        let mut positions = FxHashMap::default();
        let mut machines = Vec::new();
        for host in self.hosts() {
            let Some(instance) = host.instance().found() else { continue };
            let reached = host.tasks().map(Node::reaches_instance_metadata);
            let reached = reached.fold(Tri::False, |so_far, one| so_far.or(one.map_or(Tri::Unknown, |way| truth(way.is_some()))));
            positions.insert(host.data().container_instance_arn.as_str(), machines.len());
            machines.push(Instance {
                container_instance: Some(host.data().container_instance_arn.as_str().into()),
                cluster: host.cluster().found().map(|cluster| cluster.data().cluster_arn.as_str().into()),
                ..machine(instance, reached)
            });
        }
        let nodes = self.all::<eks::Cluster>().flat_map(Node::<'_, eks::Cluster>::nodes).chain(self.nodes_alone());
        machines.extend(nodes.map(|node| {
            let options = node.data().metadata_options.as_ref();
            // Pods are one hop further away than the node itself, unless they share its network.
            let reached = options.map_or(Tri::Unknown, |options| {
                truth(
                    options.http_tokens.as_deref() == Some("optional") || options.http_put_response_hop_limit.is_some_and(|hops| hops > 1),
                )
            });
            machine(node, reached)
        }));
        (machines, positions)
    }

    fn repository_in_use(&self, repository: Node<'_, ecr::Repository>) -> Repository {
        let policy = repository.data().policy.known().ok().and_then(Option::as_ref);
        let mut deployments: Vec<Deployment> = Vec::new();
        let mut known: FxHashSet<(&str, Tri)> = FxHashSet::default();
        for image in self.running_images().filter(|image| image.data().repository_name == repository.data().repository_name) {
            if image.repository().found() != Some(repository) {
                continue;
            }
            for running in image.running_tasks() {
                let Some(role) = role_of(running) else { continue };
                let follows_tag = running.task_definition().found().map_or(Tri::Unknown, |definition| follows(repository, definition));
                if known.insert((role.as_str(), follows_tag)) {
                    deployments.push(Deployment { role: role.as_str().into(), follows_tag });
                }
            }
        }
        let arn = repository.arn();
        Repository {
            arn: arn.as_ref().into(),
            policy: policy.map(|policy| parsed(&arn, DocumentKind::Unaddressed, Some(policy))),
            deployments,
        }
    }

    fn kubernetes_cluster(&self, cluster: Node<'_, eks::Cluster>) -> EksCluster {
        let mode = cluster.data().access_config.as_ref().and_then(|config| config.authentication_mode.as_deref());
        let listed = cluster.was_listed("eks:ListAccessEntries").is_ok();
        let roles = self.all::<Role>().filter(|role| {
            let trusts = role.assume_statements().unwrap_or_default();
            let mut issuers = IssuerTrust::of(&trusts).map(|trust| self.cluster_of_issuer(role.account(), trust.issuer));
            issuers.any(|issuer| issuer.found() == Some(cluster))
        });
        let mut node_roles: Vec<_> = cluster.nodegroups().filter_map(|group| group.data().node_role.as_deref()).map(Into::into).collect();
        node_roles.dedup();
        let agent = cluster.addon("eks-pod-identity-agent").map_or(Tri::Unknown, |addon| truth(addon.is_some() || cluster.is_auto_mode()));
        EksCluster {
            arn: cluster.arn().as_ref().into(),
            authentication_mode: match mode {
                Some("CONFIG_MAP") => Some(AuthenticationMode::ConfigMap),
                Some("API") => Some(AuthenticationMode::Api),
                Some("API_AND_CONFIG_MAP") => Some(AuthenticationMode::Both),
                _ => None,
            },
            access_entries: listed.then(|| cluster.access_entries().map(|entry| entry.data().principal_arn.as_str().into()).collect()),
            associations: cluster
                .pod_identity_associations()
                .map(|association| PodIdentityAssociation {
                    arn: association.arn().as_ref().into(),
                    role: association.data().role_arn.as_str().into(),
                })
                .collect(),
            irsa_roles: roles.map(|role| role.data().arn.as_str().into()).collect(),
            node_roles,
            pod_identity_agent: agent,
        }
    }
}

/// Whether pushing a tag to a repository changes what a task definition runs next.
fn follows(repository: Node<'_, ecr::Repository>, definition: Node<'_, ecs::TaskDefinition>) -> Tri {
    if repository.data().image_tag_mutability.as_deref().is_some_and(|mutability| mutability.starts_with("IMMUTABLE")) {
        return Tri::False;
    }
    let name = &repository.data().repository_name;
    let images = definition.data().container_definitions.iter().filter_map(|container| ImageReference::parse(&container.image));
    let mut of_repository = images.filter(|image| image.repository == name);
    truth(of_repository.any(|image| image.digest.is_none()))
}

fn truth(holds: bool) -> Tri {
    if holds { Tri::True } else { Tri::False }
}

fn inline(policies: &[PolicyDetail]) -> Vec<Attached> {
    policies.iter().map(|policy| parsed(&policy.policy_name, DocumentKind::Identity, policy.policy_document.as_ref())).collect()
}

fn tags<T: Resource>(node: Node<'_, T>) -> Vec<(CompactString, CompactString)> {
    node.data().tags().into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

fn cluster(cluster: Node<'_, ecs::Cluster>) -> Cluster {
    Cluster {
        arn: cluster.data().cluster_arn.as_str().into(),
        places_on_instances: truth(cluster.container_instances().next().is_some()),
        tags: Some(tags(cluster)),
    }
}

fn service(service: Node<'_, ecs::Service>) -> Service {
    let role = service.task_definition().and_then(Link::found).and_then(Node::<'_, ecs::TaskDefinition>::task_role).and_then(Link::found);
    Service {
        arn: service.data().service_arn.as_str().into(),
        cluster: service.data().cluster_arn.as_str().into(),
        task_role: role.map(|role| role.data().arn.as_str().into()),
        tags: Some(tags(service)),
    }
}

/// The ARN of the role that a task runs with, overrides counted in.
fn role_of(task: Node<'_, ecs::Task>) -> Option<&String> {
    let role = match task.task_role_override() {
        Some(role) => role,
        None => task.task_definition().found()?.task_role()?,
    };
    Some(&role.found()?.data().arn)
}

fn task(task: Node<'_, ecs::Task>, machines: &FxHashMap<&str, usize>) -> Task {
    let data = task.data();
    let execution = task.task_definition().found().and_then(Node::<'_, ecs::TaskDefinition>::execution_role).and_then(Link::found);
    Task {
        arn: data.task_arn.as_str().into(),
        cluster: data.cluster_arn.as_str().into(),
        task_role: role_of(task).map(|role| role.as_str().into()),
        execution_role: execution.map(|role| role.data().arn.as_str().into()),
        exec_enabled: truth(data.enable_execute_command),
        instance: data.container_instance_arn.as_deref().and_then(|arn| machines.get(arn).copied()),
        tags: Some(tags(task)),
    }
}

fn machine(instance: Node<'_, ec2::Instance>, imds_from_containers: Tri) -> Instance {
    let managed = instance.management().exists().map_or(Tri::Unknown, |found| truth(found.is_some()));
    Instance {
        arn: instance.arn().as_ref().into(),
        container_instance: None,
        cluster: None,
        role: instance.role().and_then(Link::found).map(|role| role.data().arn.as_str().into()),
        imds_from_containers,
        ssm_agent: managed,
        pod_roles: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, policy, role_arn};
    use plimsoll_model::aws::iam::{AttachedPolicy, PolicyDetail, Role};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::{Seen, aws::ecs::Task};
    use serde_json::{Value, json};

    use crate::permission::Principal;
    use crate::{Estate, Unknown};

    fn may(statements: &Value) -> impl FnOnce(&mut Role) + use<> {
        let document = policy(json!({"Version": "2012-10-17", "Statement": statements}));
        let inline = PolicyDetail { policy_name: "access".to_owned(), policy_document: Some(document) };
        move |role| role.role_policy_list = vec![inline]
    }

    fn account() -> Fixture {
        fixture()
            .shop()
            .global_resource(Account { id: "111111111111".to_owned(), organization: Seen::Known(None), ..Account::default() })
            .role("admin", may(&json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}])))
    }

    /// The method of each step from a role to an administrator.
    fn steps(account: Fixture, name: &str) -> Result<Vec<String>, Unknown> {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let role = estate.all::<Role>().find(|role| role.role_name == name).unwrap();
        let path = Principal::Role(role).escalates()?;
        Ok(path.map(|path| path.edges.iter().map(|edge| edge.method.id.clone()).collect()).unwrap_or_default())
    }

    #[test]
    fn an_administrator_is_one_and_has_no_path_to_become_one() {
        let inventory = account().build();
        let estate = Estate::new(&inventory);
        let role = |name: &str| Principal::Role(estate.all::<Role>().find(|role| role.role_name == name).unwrap());
        assert!(role("admin").administers().unwrap().is_some() && role("admin").escalates().unwrap().is_none());
        assert!(role("web-task").administers().unwrap().is_none() && role("web-task").escalates().unwrap().is_none());
    }

    #[test]
    fn passing_the_administrators_role_to_a_task_is_a_path_and_passing_another_is_none() {
        let passing = |target: &str| {
            let statements = json!([
                {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role_arn(target)},
                {"Effect": "Allow", "Action": ["ecs:RunTask", "ecs:RegisterTaskDefinition"], "Resource": "*"},
            ]);
            account().role("deployer", may(&statements))
        };
        assert_eq!(steps(passing("admin"), "deployer").unwrap().len(), 1);
        assert_eq!(steps(passing("web-task"), "deployer").unwrap(), [""; 0]);
    }

    #[test]
    fn a_shell_in_a_task_with_a_stronger_role_is_a_path() {
        let statements = json!([{"Effect": "Allow", "Action": "ecs:ExecuteCommand", "Resource": "*"}]);
        let exec = |enabled: bool| {
            account()
                .role("operator", may(&statements))
                .each::<Task>(move |task| task.enable_execute_command = enabled)
                .each::<plimsoll_model::aws::ecs::TaskDefinition>(|definition| definition.task_role_arn = Some(role_arn("admin")))
        };
        assert_eq!(steps(exec(true), "operator").unwrap(), ["x-ecs-exec"]);
        assert_eq!(steps(exec(false), "operator").unwrap(), [""; 0]);
    }

    #[test]
    fn a_workload_is_privileged_by_its_role() {
        let privileged = |role: &'static str| {
            let inventory = account()
                .each::<plimsoll_model::aws::ecs::TaskDefinition>(|definition| definition.task_role_arn = Some(role_arn(role)))
                .build();
            let estate = Estate::new(&inventory);
            ["ecs:Task", "ecs:Service", "ecs:TaskDefinition"].map(|kind| estate.runs_privileged(kind, 0))
        };
        assert_eq!(privileged("admin"), [Some(true); 3]);
        assert_eq!(privileged("web-task"), [Some(false); 3]);
    }

    #[test]
    fn a_policy_that_was_not_read_leaves_open_what_a_role_can_become() {
        let unread = account().role("deployer", |role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::111111111111:policy/gone".to_owned(), ..Default::default() }];
        });
        assert!(steps(unread, "deployer").is_err());
    }
}
