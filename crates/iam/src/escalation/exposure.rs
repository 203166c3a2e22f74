//! Where roles are put to work: from the resources of a landscape, the ways to each role, and who may go them.

use std::rc::Rc;

use compact_str::{CompactString, format_compact};
use rustc_hash::FxHashMap;

use super::landscape::{AuthenticationMode, EksCluster, Instance, Landscape};
use super::method::{How, Through};
use super::reach::Names;
use super::rows::ROWS;
use crate::context::KeyState;
use crate::tri::Tri;

/// The resources that the permissions of one step are asked on, tied together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ties {
    pub(crate) cluster: Option<CompactString>,
    pub(crate) service: Option<CompactString>,
    pub(crate) task_definition: Option<CompactString>,
    pub(crate) task: Option<CompactString>,
    pub(crate) instance: Option<CompactString>,
    pub(crate) container_instance: Option<CompactString>,
    pub(crate) repository: Option<usize>,
    pub(crate) eks: Option<CompactString>,
    pub(crate) association: Option<CompactString>,
    /// What is known of the tags of the resource that decides: a family of keys.
    pub(crate) tags: Option<Vec<(CompactString, CompactString)>>,
}

impl Ties {
    /// The keys that the tied resources set.
    pub(crate) fn keys(&self) -> Vec<(&str, KeyState)> {
        let mut keys = Vec::new();
        if let Some(cluster) = &self.cluster {
            keys.push(("ecs:cluster", KeyState::known(cluster)));
        }
        if let Some(service) = &self.service {
            keys.push(("ecs:service", KeyState::known(service)));
        }
        if let Some(task) = &self.task {
            keys.push(("ecs:task", KeyState::known(task)));
        }
        keys
    }
}

/// Who may go a way.
#[derive(Clone, Debug)]
pub(crate) enum Callers {
    /// Whoever has the permissions.
    Any,
    /// These principals.
    Only(Rc<[usize]>),
    /// All but these principals.
    Except(Rc<[usize]>),
}

/// A way to a role.
#[derive(Clone, Debug)]
pub(crate) struct Exposure {
    /// The position of the row in [`ROWS`].
    pub(crate) row: usize,
    pub(crate) ties: Ties,
    pub(crate) callers: Callers,
    pub(crate) unverified: Vec<CompactString>,
}

/// The ways to each role, by its position.
pub(crate) struct Exposures(FxHashMap<usize, Vec<Exposure>>);

impl Exposures {
    pub(crate) fn of(&self, target: usize) -> &[Exposure] {
        self.0.get(&target).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn new(landscape: &Landscape, names: &Names<'_>) -> Self {
        let mut exposures = Self(FxHashMap::default());
        for (row, how) in ROWS.iter().enumerate().map(|(at, row)| (at, row.how)) {
            let How::Existing { through, unverified } = how else { continue };
            let mut ways = Ways { landscape, names, row, unverified, found: &mut exposures.0 };
            match through {
                Through::ExecTask => ways.exec_tasks(),
                Through::ServiceTask => ways.service_tasks(),
                Through::RogueInstance => ways.rogue_instances(),
                Through::AgentImpersonation => ways.agents(),
                Through::Image => ways.images(),
                Through::Imds => ways.imds(),
                Through::EksEntry => {
                    ways.eks(|mode| matches!(mode, Some(AuthenticationMode::Api | AuthenticationMode::Both) | None), false);
                }
                Through::EksOwnEntry => ways.eks(|mode| mode != Some(AuthenticationMode::ConfigMap), true),
                Through::EksMode => ways.eks(|mode| matches!(mode, Some(AuthenticationMode::ConfigMap) | None), false),
                Through::Machine { agent } => ways.machines(agent),
                Through::IrsaTrust => ways.irsa_trust(),
            }
        }
        exposures
    }
}

/// Collects the ways of one row.
struct Ways<'w, 'l> {
    landscape: &'l Landscape,
    names: &'w Names<'l>,
    row: usize,
    unverified: Option<&'static str>,
    found: &'w mut FxHashMap<usize, Vec<Exposure>>,
}

impl Ways<'_, '_> {
    /// Adds a way to a role if the landscape has the role and `open` is not false; an unknown is a thing to verify.
    fn add(&mut self, role: Option<&CompactString>, open: (Tri, &'static str), ties: &Ties, callers: &Callers) {
        let Some(target) = role.and_then(|role| self.names.find(role)) else { return };
        let (open, what) = open;
        if open == Tri::False {
            return;
        }
        let mut unverified: Vec<CompactString> = self.unverified.into_iter().map(CompactString::from).collect();
        if open == Tri::Unknown {
            unverified.push(what.into());
        }
        self.found.entry(target).or_default().push(Exposure { row: self.row, ties: ties.clone(), callers: callers.clone(), unverified });
    }

    fn exec_tasks(&mut self) {
        for task in &self.landscape.tasks {
            let ties =
                Ties { cluster: Some(task.cluster.clone()), task: Some(task.arn.clone()), tags: task.tags.clone(), ..Ties::default() };
            self.add(task.task_role.as_ref(), (task.exec_enabled, "the task was started with execute-command"), &ties, &Callers::Any);
        }
    }

    fn service_tasks(&mut self) {
        for service in &self.landscape.services {
            // The task does not exist yet: its ARN is one of the cluster's.
            let name = service.cluster.rsplit('/').next().unwrap_or_default();
            let task = crate::arn::split(&service.arn).map(|[_, partition, _, region, account, _]| {
                format_compact!("arn:{partition}:ecs:{region}:{account}:task/{name}/plimsoll-unnamed")
            });
            let ties = Ties {
                cluster: Some(service.cluster.clone()),
                service: Some(service.arn.clone()),
                task,
                tags: service.tags.clone(),
                ..Ties::default()
            };
            self.add(service.task_role.as_ref(), (Tri::True, ""), &ties, &Callers::Any);
        }
    }

    fn rogue_instances(&mut self) {
        for cluster in &self.landscape.clusters {
            let instance = crate::arn::split(&cluster.arn).map(|[_, partition, _, region, account, id]| {
                let name = id.rsplit('/').next().unwrap_or_default();
                format_compact!("arn:{partition}:ecs:{region}:{account}:container-instance/{name}/plimsoll-unnamed")
            });
            let ties =
                Ties { cluster: Some(cluster.arn.clone()), container_instance: instance, tags: cluster.tags.clone(), ..Ties::default() };
            let open = (cluster.places_on_instances, "the cluster places tasks on instances");
            for task in self.landscape.tasks.iter().filter(|task| task.cluster == cluster.arn) {
                self.add(task.task_role.as_ref(), open, &ties, &Callers::Any);
                self.add(task.execution_role.as_ref(), open, &ties, &Callers::Any);
            }
        }
    }

    /// The role of an instance speaks for its agent, which is given the credentials of the tasks beside it.
    fn agents(&mut self) {
        for task in &self.landscape.tasks {
            let Some(instance) = task.instance.and_then(|at| self.landscape.instances.get(at)) else { continue };
            let Some(caller) = instance.role.as_ref().and_then(|role| self.names.find(role)) else { continue };
            let ties =
                Ties { cluster: Some(task.cluster.clone()), container_instance: instance.container_instance.clone(), ..Ties::default() };
            let open = (instance.imds_from_containers, "containers reach the metadata service of their host");
            for role in [&task.task_role, &task.execution_role] {
                self.add(role.as_ref(), open, &ties, &Callers::Only([caller].into()));
            }
        }
    }

    fn images(&mut self) {
        for (at, repository) in self.landscape.repositories.iter().enumerate() {
            let ties = Ties { repository: Some(at), ..Ties::default() };
            for deployment in &repository.deployments {
                self.add(Some(&deployment.role), (deployment.follows_tag, "what runs follows a mutable tag"), &ties, &Callers::Any);
            }
        }
    }

    /// Principals whose credentials are in a container on the instance.
    fn on_instance(&self, at: usize, instance: &Instance) -> Vec<usize> {
        let tasks = self.landscape.tasks.iter().filter(|task| task.instance == Some(at)).filter_map(|task| task.task_role.as_ref());
        let mut callers: Vec<usize> = tasks.chain(&instance.pod_roles).filter_map(|role| self.names.find(role)).collect();
        callers.sort_unstable();
        callers.dedup();
        callers
    }

    fn imds(&mut self) {
        for (at, instance) in self.landscape.instances.iter().enumerate() {
            let callers = Callers::Only(self.on_instance(at, instance).into());
            let open = (instance.imds_from_containers, "containers reach the metadata service of their host");
            self.add(instance.role.as_ref(), open, &Ties::default(), &callers);
        }
    }

    /// Whoever rules the cluster comes by the roles of its pods and nodes.
    fn eks(&mut self, applies: impl Fn(Option<AuthenticationMode>) -> bool, own: bool) {
        for cluster in self.landscape.eks_clusters.iter().filter(|cluster| applies(cluster.authentication_mode)) {
            let ties = Ties { eks: Some(cluster.arn.clone()), ..Ties::default() };
            let known = if cluster.authentication_mode.is_some() { Tri::True } else { Tri::Unknown };
            let (callers, entries) = self.entries(cluster, own);
            for role in cluster.roles() {
                self.add(Some(role), (known.and(entries), "how the cluster tells who may enter it"), &ties, &callers);
            }
        }
    }

    /// Who has an access entry, or who does not.
    fn entries(&self, cluster: &EksCluster, own: bool) -> (Callers, Tri) {
        let entries =
            cluster.access_entries.as_ref().map(|entries| entries.iter().filter_map(|entry| self.names.find(entry)).collect::<Vec<_>>());
        match (own, entries) {
            (true, Some(entries)) => (Callers::Only(entries.into()), Tri::True),
            (true, None) => (Callers::Any, Tri::Unknown),
            // A principal that has an entry needs no second one, and gets none.
            (false, Some(entries)) => (Callers::Except(entries.into()), Tri::True),
            (false, None) => (Callers::Any, Tri::True),
        }
    }

    fn machines(&mut self, agent: bool) {
        for instance in &self.landscape.instances {
            let ties = Ties { instance: Some(instance.arn.clone()), ..Ties::default() };
            let open = if agent { instance.ssm_agent } else { Tri::True };
            self.add(instance.role.as_ref(), (open, "the SSM agent is registered"), &ties, &Callers::Any);
        }
    }

    /// Any role of the account can be made to trust the cluster's provider: the caller must run a pod there.
    fn irsa_trust(&mut self) {
        let pods = self
            .landscape
            .eks_clusters
            .iter()
            .flat_map(|cluster| cluster.associations.iter().map(|association| &association.role).chain(&cluster.irsa_roles));
        let mut callers: Vec<usize> = pods.filter_map(|role| self.names.find(role)).collect();
        callers.sort_unstable();
        callers.dedup();
        if callers.is_empty() {
            return;
        }
        let callers = Callers::Only(callers.into());
        for role in self.landscape.principals.iter().filter(|principal| principal.trust.is_some()) {
            self.add(Some(&role.facts.arn), (Tri::True, ""), &Ties::default(), &callers);
        }
    }
}
