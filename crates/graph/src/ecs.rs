//! Relations of ECS: cluster, service, task set, task, task definition, container instance.

use plimsoll_model::aws::ec2::{Image, Instance, NetworkInterface, SecurityGroup, Subnet};
use plimsoll_model::aws::ecs::{
    AccountSetting, AwsVpcConfiguration, CapacityProviderStrategyItem, Cluster, ContainerInstance, NetworkConfiguration, Service, Task,
    TaskDefinition, TaskSet,
};
use plimsoll_model::aws::events::{EcsParameters, Rule};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::aws::scheduler::Schedule;
use plimsoll_model::{AccountId, Arn, Gap, Inventory, LaunchKind, Region};
use rustc_hash::FxHashMap;

use crate::estate::Relations;
use crate::relation::Relation;
use crate::{Estate, Link, Node, Unknown};

/// What a task belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskGroup<'e> {
    /// `service:NAME`.
    Service(&'e str),
    /// Started by `RunTask` or `StartTask`; the group is `family:NAME` or one that the caller chose.
    Standalone,
}

/// The launch types that a definition may run on, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of launch types")]
pub struct Launch {
    /// On AWS Fargate.
    pub fargate: bool,
    /// On EC2 instances of the customer.
    pub ec2: bool,
    /// On ECS Managed Instances.
    pub managed_instances: bool,
    /// On ECS Anywhere instances.
    pub external: bool,
}

impl Launch {
    /// Only Fargate, where AWS refuses what would touch the host.
    pub fn only_fargate(self) -> bool {
        self.fargate && !self.on_host()
    }

    /// Anything on which several tasks share a host.
    pub fn on_host(self) -> bool {
        self.ec2 || self.managed_instances || self.external
    }

    fn add(&mut self, kind: LaunchKind) -> bool {
        match kind {
            LaunchKind::Fargate => self.fargate = true,
            LaunchKind::Ec2 => self.ec2 = true,
            LaunchKind::ManagedInstances => self.managed_instances = true,
            LaunchKind::External => self.external = true,
            LaunchKind::Unknown => return false,
        }
        true
    }
}

/// What starts tasks besides services and people.
#[derive(Clone, Copy, Debug)]
pub enum Trigger<'e> {
    /// A rule of EventBridge.
    Rule(Node<'e, Rule>),
    /// A schedule of EventBridge Scheduler.
    Schedule(Node<'e, Schedule>),
}

impl<'e> Trigger<'e> {
    /// Its ARN.
    pub fn arn(self) -> &'e str {
        match self {
            Self::Rule(rule) => &rule.data().arn,
            Self::Schedule(schedule) => &schedule.data().arn,
        }
    }

    /// What it starts tasks of a definition on, as far as it says: what the cluster's own strategy decides is not known.
    fn launch(self, definition: Node<'e, TaskDefinition>) -> LaunchKind {
        let named = |parameters: &EcsParameters| {
            let reference = parameters.task_definition_arn.as_str();
            reference == definition.data().task_definition_arn || family_of(reference) == Some(definition.data().family.as_str())
        };
        let kind = |parameters: &EcsParameters| {
            definition.estate.launch_kind(definition.account(), definition.region(), parameters.launch_type.as_deref(), &[])
        };
        let parameters = match self {
            Self::Rule(rule) => rule
                .data()
                .targets
                .known()
                .ok()
                .into_iter()
                .flatten()
                .filter_map(|target| target.ecs_parameters.as_ref())
                .find(|p| named(p)),
            Self::Schedule(schedule) => schedule.data().target.known().ok().and_then(|target| target.ecs_parameters.as_ref()),
        };
        parameters.map_or(LaunchKind::Unknown, kind)
    }
}

/// The machine under a container instance.
#[derive(Clone, Debug)]
pub struct Host<'e> {
    /// The registration with ECS.
    pub container_instance: Node<'e, ContainerInstance>,
    /// The EC2 instance.
    pub instance: Link<'e, Instance>,
}

/// Statuses of tasks that run or are about to.
const LIVE: [&str; 5] = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING"];

pub(crate) fn relations(estate: &Estate<'_>) -> Relations {
    let inventory = estate.inventory();
    let ids = &estate.ids;
    let mut relations = Relations::default();

    let by_name: FxHashMap<(&str, &str), u32> = inventory
        .services
        .iter()
        .zip(0..)
        .map(|(service, position)| ((service.data.cluster_arn.as_str(), service.data.service_name.as_str()), position))
        .collect();

    let pairs = |list: &mut dyn Iterator<Item = (Option<u32>, u32)>| -> Vec<(u32, u32)> {
        list.filter_map(|(left, right)| Some((left?, right))).collect()
    };

    relations.cluster_services = Relation::new(
        inventory.clusters.len(),
        pairs(&mut inventory.services.iter().zip(0..).map(|(s, i)| (ids.clusters.get(s.data.cluster_arn.as_str()).copied(), i))),
    );
    relations.cluster_tasks = Relation::new(
        inventory.clusters.len(),
        pairs(&mut inventory.tasks.iter().zip(0..).map(|(t, i)| (ids.clusters.get(t.data.cluster_arn.as_str()).copied(), i))),
    );
    relations.cluster_container_instances = Relation::new(
        inventory.clusters.len(),
        pairs(&mut inventory.container_instances.iter().zip(0..).map(|(c, i)| (ids.clusters.get(c.data.cluster_arn.as_str()).copied(), i))),
    );
    relations.task_service = inventory
        .tasks
        .iter()
        .map(|task| match group_of(&task.data) {
            TaskGroup::Service(name) => by_name.get(&(task.data.cluster_arn.as_str(), name)).copied(),
            TaskGroup::Standalone => None,
        })
        .collect();
    relations.service_tasks = Relation::new(
        inventory.services.len(),
        relations.task_service.iter().zip(0..).filter_map(|(service, task)| Some(((*service)?, task))).collect(),
    );
    relations.service_task_sets = Relation::new(
        inventory.services.len(),
        pairs(&mut inventory.task_sets.iter().zip(0..).map(|(t, i)| (ids.services.get(t.data.service_arn.as_str()).copied(), i))),
    );
    relations.definition_tasks = Relation::new(
        inventory.task_definitions.len(),
        pairs(
            &mut inventory
                .tasks
                .iter()
                .zip(0..)
                .filter(|(t, _)| LIVE.contains(&t.data.last_status.as_str()))
                .map(|(t, i)| (ids.task_definitions.get(t.data.task_definition_arn.as_str()).copied(), i)),
        ),
    );
    let mut definition_services = Vec::new();
    for (service, position) in inventory.services.iter().zip(0_u32..) {
        for definition in service_definitions(&service.data) {
            if let Some(&row) = ids.task_definitions.get(definition) {
                definition_services.push((row, position));
            }
        }
    }
    for set in &inventory.task_sets {
        let row = set.data.task_definition.as_deref().and_then(|definition| ids.task_definitions.get(definition));
        if let (Some(&row), Some(&service)) = (row, ids.services.get(set.data.service_arn.as_str())) {
            definition_services.push((row, service));
        }
    }
    relations.definition_services = Relation::new(inventory.task_definitions.len(), definition_services);
    relations.definition_triggers = triggers(estate);
    relations.container_instance_tasks = Relation::new(
        inventory.container_instances.len(),
        pairs(
            &mut inventory
                .tasks
                .iter()
                .zip(0..)
                .map(|(t, i)| (t.data.container_instance_arn.as_deref().and_then(|arn| ids.container_instances.get(arn).copied()), i)),
        ),
    );
    relations
}

/// Which revisions are started by which ENABLED rules and, behind them, schedules.
fn triggers(estate: &Estate<'_>) -> Relation {
    let inventory = estate.inventory();
    let definitions = &inventory.task_definitions;
    let newest = estate.latest_revisions.get_or_init(|| estate.find_latest_revisions());
    let newest = definitions.iter().zip(0_u32..).zip(newest).filter(|(_, newest)| **newest);
    let newest: FxHashMap<(&AccountId, &Region, &str), u32> =
        newest.map(|((at, position), _)| ((&at.account, &at.region, at.data.family.as_str()), position)).collect();
    let mut pairs = Vec::new();
    let mut add = |account, region, trigger: u32, reference: &str| {
        let exact = estate.ids.task_definitions.get(reference).copied();
        // A family without a revision means its newest.
        let family = || newest.get(&(account, region, family_of(reference)?)).copied();
        pairs.extend(exact.or_else(family).map(|definition| (definition, trigger)));
    };
    for (rule, position) in inventory.rules.iter().zip(0_u32..) {
        for target in rule.data.targets.known().ok().into_iter().flatten().filter(|_| rule.data.is_enabled()) {
            if let Some(parameters) = &target.ecs_parameters {
                add(&rule.account, &rule.region, position, &parameters.task_definition_arn);
            }
        }
    }
    let rules = u32::try_from(inventory.rules.len()).unwrap_or(u32::MAX);
    for (schedule, position) in inventory.schedules.iter().zip(rules..) {
        let target = schedule.data.target.known().ok().filter(|_| schedule.data.state.as_deref() == Some("ENABLED"));
        if let Some(parameters) = target.and_then(|target| target.ecs_parameters.as_ref()) {
            add(&schedule.account, &schedule.region, position, &parameters.task_definition_arn);
        }
    }
    Relation::new(definitions.len(), pairs)
}

/// What follows `task-definition/` in an ARN: a family, when it has no revision.
fn family_of(reference: &str) -> Option<&str> {
    Arn::parse(reference)?.resource.strip_prefix("task-definition/")
}

fn service_definitions(service: &Service) -> impl Iterator<Item = &str> {
    let alive = service.status != "INACTIVE";
    let deployed = service.deployments.iter().filter(|d| d.status != "INACTIVE").filter_map(|d| d.task_definition.as_deref());
    service.task_definition.as_deref().into_iter().chain(deployed).filter(move |_| alive)
}

fn group_of(task: &Task) -> TaskGroup<'_> {
    task.group.as_deref().and_then(|group| group.strip_prefix("service:")).map_or(TaskGroup::Standalone, TaskGroup::Service)
}

/// Effective account settings by place and name.
pub(crate) fn settings(inventory: &Inventory) -> FxHashMap<(&AccountId, &Region, &str), &str> {
    let settings = inventory.account_settings.iter();
    settings.map(|setting| ((&setting.account, &setting.region, setting.data.name.as_str()), setting.data.value.as_str())).collect()
}

impl<'e> Estate<'e> {
    /// Clusters with status ACTIVE.
    pub fn active_clusters(&self) -> impl Iterator<Item = Node<'_, Cluster>> {
        self.all::<Cluster>().filter(|cluster| cluster.status == "ACTIVE")
    }

    /// Services with status ACTIVE in clusters with status ACTIVE.
    pub fn active_services(&self) -> impl Iterator<Item = Node<'_, Service>> {
        self.all::<Service>().filter(|service| service.status == "ACTIVE" && service.cluster().found().is_none_or(|c| c.status == "ACTIVE"))
    }

    /// Tasks whose last status is RUNNING, in clusters with status ACTIVE.
    pub fn running_tasks(&self) -> impl Iterator<Item = Node<'_, Task>> {
        self.all::<Task>().filter(|task| task.last_status == "RUNNING" && task.cluster().found().is_none_or(|c| c.status == "ACTIVE"))
    }

    /// Task definitions that a service or a task uses or may use, and the latest ACTIVE revision of each family
    /// (TD-SCOPE of the catalogue). A snapshot of all revisions holds more.
    pub fn definitions_in_scope(&self) -> impl Iterator<Item = Node<'_, TaskDefinition>> {
        let latest = self.latest_revisions.get_or_init(|| self.find_latest_revisions());
        self.all::<TaskDefinition>().filter(move |definition| {
            latest.get(definition.index as usize).copied().unwrap_or(false)
                || definition.services().next().is_some()
                || definition.tasks().next().is_some()
                || definition.triggers().next().is_some()
        })
    }

    fn find_latest_revisions(&self) -> Vec<bool> {
        let mut latest: FxHashMap<(&AccountId, &Region, &str), (i32, usize)> = FxHashMap::default();
        let definitions = &self.inventory().task_definitions;
        for (position, definition) in definitions.iter().enumerate() {
            let family = (&definition.account, &definition.region, definition.data.family.as_str());
            let entry = latest.entry(family).or_insert((i32::MIN, position));
            if definition.data.status != "INACTIVE" && definition.data.revision > entry.0 {
                *entry = (definition.data.revision, position);
            }
        }
        let mut flags = vec![false; definitions.len()];
        for (position, definition) in definitions.iter().enumerate() {
            let newest = latest.get(&(&definition.account, &definition.region, definition.data.family.as_str()));
            if let (Some(flag), Some((_, at))) = (flags.get_mut(position), newest) {
                *flag = *at == position && definition.data.status != "INACTIVE";
            }
        }
        flags
    }

    /// Container instances of the customer's own EC2 instances, status ACTIVE or DRAINING: not ECS Anywhere
    /// (`mi-` ids) and not ECS Managed Instances, which AWS patches and locks.
    pub fn hosts(&self) -> impl Iterator<Item = Node<'_, ContainerInstance>> {
        self.all::<ContainerInstance>().filter(|instance| {
            matches!(instance.status.as_str(), "ACTIVE" | "DRAINING")
                && instance.ec2_instance_id.as_deref().is_some_and(|id| id.starts_with("i-"))
                && instance.kind() != LaunchKind::ManagedInstances
        })
    }

    /// The EC2 instances under [`Estate::hosts`], each once.
    pub fn host_instances(&self) -> Vec<Host<'_>> {
        let mut hosts: Vec<Host<'_>> =
            self.hosts().map(|container_instance| Host { container_instance, instance: container_instance.instance() }).collect();
        let id = |host: &Host<'_>| host.container_instance.data().ec2_instance_id.clone();
        hosts.sort_by_key(id);
        hosts.dedup_by_key(|host| id(host));
        hosts
    }

    /// The effective value of an account setting; `None` when AWS does not list it.
    pub fn account_setting(&self, account: &AccountId, region: &Region, name: &str) -> Result<Option<&'e str>, Unknown> {
        match self.settings.get(&(account, region, name)) {
            Some(&value) => Ok(Some(value)),
            None => self.coverage().check(account, region, "ecs:ListAccountSettings").map(|()| None).map_err(Unknown::from),
        }
    }

    /// The effective account settings of an account and Region.
    pub fn account_settings_of<'s>(
        &'s self,
        account: &'s AccountId,
        region: &'s Region,
    ) -> impl Iterator<Item = Node<'s, AccountSetting>> + 's {
        self.all::<AccountSetting>().filter(move |setting| setting.account() == account && setting.region() == region)
    }

    fn provider_kind(&self, account: &AccountId, region: &Region, name: &str) -> LaunchKind {
        if matches!(name, "FARGATE" | "FARGATE_SPOT") {
            return LaunchKind::Fargate;
        }
        let provider = self
            .inventory()
            .capacity_providers
            .iter()
            .find(|p| p.account == *account && p.region == *region && (p.data.name == name || p.data.capacity_provider_arn == name));
        match provider {
            Some(p) if p.data.auto_scaling_group_provider.is_some() => LaunchKind::Ec2,
            Some(p) if p.data.managed_instances_provider.is_some() => LaunchKind::ManagedInstances,
            _ => LaunchKind::Unknown,
        }
    }

    fn launch_kind(
        &self,
        account: &AccountId,
        region: &Region,
        launch_type: Option<&str>,
        providers: &[CapacityProviderStrategyItem],
    ) -> LaunchKind {
        if let Some(item) = providers.first() {
            return self.provider_kind(account, region, &item.capacity_provider);
        }
        match launch_type {
            Some("FARGATE") => LaunchKind::Fargate,
            Some("EC2") => LaunchKind::Ec2,
            Some("EXTERNAL") => LaunchKind::External,
            Some("MANAGED_INSTANCES") => LaunchKind::ManagedInstances,
            _ => LaunchKind::Unknown,
        }
    }
}

impl<'e> Node<'e, Cluster> {
    /// Its services, of any status.
    pub fn services(self) -> impl Iterator<Item = Node<'e, Service>> {
        self.estate.many(self.estate.relations.cluster_services.of(self.index))
    }

    /// Its tasks, of any status that was collected.
    pub fn tasks(self) -> impl Iterator<Item = Node<'e, Task>> {
        self.estate.many(self.estate.relations.cluster_tasks.of(self.index))
    }

    /// Its container instances.
    pub fn container_instances(self) -> impl Iterator<Item = Node<'e, ContainerInstance>> {
        self.estate.many(self.estate.relations.cluster_container_instances.of(self.index))
    }
}

impl<'e> Node<'e, Service> {
    /// Its cluster.
    pub fn cluster(self) -> Link<'e, Cluster> {
        self.estate.link(self.account(), self.region(), &self.data().cluster_arn)
    }

    /// Its tasks.
    pub fn tasks(self) -> impl Iterator<Item = Node<'e, Task>> {
        self.estate.many(self.estate.relations.service_tasks.of(self.index))
    }

    /// Its task sets (deployment controllers EXTERNAL and CODE_DEPLOY).
    pub fn task_sets(self) -> impl Iterator<Item = Node<'e, TaskSet>> {
        self.estate.many(self.estate.relations.service_task_sets.of(self.index))
    }

    /// The definition that its primary deployment runs.
    pub fn task_definition(self) -> Option<Link<'e, TaskDefinition>> {
        let reference = self.data().task_definition.as_deref()?;
        Some(self.estate.link(self.account(), self.region(), reference))
    }

    /// Every definition that one of its live deployments or task sets runs.
    pub fn task_definitions(self) -> Vec<Link<'e, TaskDefinition>> {
        let mut references: Vec<&str> = service_definitions(self.data()).collect();
        references.extend(self.task_sets().filter_map(|set| set.data().task_definition.as_deref()));
        references.sort_unstable();
        references.dedup();
        references.into_iter().map(|reference| self.estate.link(self.account(), self.region(), reference)).collect()
    }

    /// What its tasks run on. A service without launch type and strategy has only task sets; the first of them tells.
    pub fn launch(self) -> LaunchKind {
        let own = self.estate.launch_kind(
            self.account(),
            self.region(),
            self.data().launch_type.as_deref(),
            &self.data().capacity_provider_strategy,
        );
        if own != LaunchKind::Unknown {
            return own;
        }
        let of_set = self.task_sets().map(Node::<'e, TaskSet>::launch).find(|kind| *kind != LaunchKind::Unknown);
        of_set
            .or_else(|| self.tasks().map(Node::<'e, Task>::launch).find(|kind| *kind != LaunchKind::Unknown))
            .unwrap_or(LaunchKind::Unknown)
    }

    /// The awsvpc configurations in force: the service's own, those of live deployments and of live task sets.
    pub fn awsvpc_configurations(self) -> Vec<&'e AwsVpcConfiguration> {
        let service = self.data();
        let deployments =
            service.deployments.iter().filter(|d| matches!(d.status.as_str(), "PRIMARY" | "ACTIVE")).map(|d| &d.network_configuration);
        let sets: Vec<_> = self.task_sets().filter(|set| set.is_live()).map(|set| &set.data().network_configuration).collect();
        let mut found: Vec<&AwsVpcConfiguration> = Vec::new();
        for network in [&service.network_configuration].into_iter().chain(deployments).chain(sets) {
            if let Some(configuration) = awsvpc(network.as_ref())
                && !found.contains(&configuration)
            {
                found.push(configuration);
            }
        }
        found
    }

    /// The security groups that its awsvpc configurations name, each once.
    pub fn security_groups(self) -> Vec<Link<'e, SecurityGroup>> {
        let mut ids: Vec<&str> = self.awsvpc_configurations().into_iter().flat_map(|c| &c.security_groups).map(String::as_str).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|id| self.estate.link(self.account(), self.region(), id)).collect()
    }

    /// The security groups that its tasks get, each once: those that its awsvpc configurations name, and the VPC's
    /// default group for a configuration that names none.
    pub fn effective_security_groups(self) -> Vec<Link<'e, SecurityGroup>> {
        let mut links = self.security_groups();
        for configuration in self.awsvpc_configurations() {
            if configuration.security_groups.is_empty()
                && let Some(subnet) = configuration.subnets.first()
            {
                links.push(self.estate.default_security_group(self.account(), self.region(), subnet));
            }
        }
        links
    }

    /// The subnets that its awsvpc configurations name, each once.
    pub fn subnets(self) -> Vec<Link<'e, Subnet>> {
        let mut ids: Vec<&str> = self.awsvpc_configurations().into_iter().flat_map(|c| &c.subnets).map(String::as_str).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().map(|id| self.estate.link(self.account(), self.region(), id)).collect()
    }
}

fn awsvpc(network: Option<&NetworkConfiguration>) -> Option<&AwsVpcConfiguration> {
    network?.awsvpc_configuration.as_ref()
}

impl<'e> Node<'e, TaskSet> {
    /// Whether its status is PRIMARY or ACTIVE.
    pub fn is_live(self) -> bool {
        matches!(self.data().status.as_str(), "PRIMARY" | "ACTIVE")
    }

    /// Its service.
    pub fn service(self) -> Link<'e, Service> {
        self.estate.link(self.account(), self.region(), &self.data().service_arn)
    }

    /// What its tasks run on.
    pub fn launch(self) -> LaunchKind {
        self.estate.launch_kind(self.account(), self.region(), self.data().launch_type.as_deref(), &self.data().capacity_provider_strategy)
    }

    /// The subnets that its awsvpc configuration names.
    pub fn subnets(self) -> Vec<Link<'e, Subnet>> {
        let ids = self.awsvpc_configuration().into_iter().flat_map(|configuration| &configuration.subnets);
        ids.map(|id| self.estate.link(self.account(), self.region(), id)).collect()
    }

    /// Its awsvpc configuration.
    pub fn awsvpc_configuration(self) -> Option<&'e AwsVpcConfiguration> {
        awsvpc(self.data().network_configuration.as_ref())
    }
}

impl<'e> Node<'e, Task> {
    /// Its cluster.
    pub fn cluster(self) -> Link<'e, Cluster> {
        self.estate.link(self.account(), self.region(), &self.data().cluster_arn)
    }

    /// What started it.
    pub fn group(self) -> TaskGroup<'e> {
        group_of(self.data())
    }

    /// Its service, when it belongs to one that was read.
    pub fn service(self) -> Option<Node<'e, Service>> {
        let position = self.estate.relations.task_service.get(self.index as usize).copied().flatten()?;
        self.estate.at(position)
    }

    /// Its task definition.
    pub fn task_definition(self) -> Link<'e, TaskDefinition> {
        self.estate.link(self.account(), self.region(), &self.data().task_definition_arn)
    }

    /// The container instance that it runs on; `None` on Fargate.
    pub fn container_instance(self) -> Option<Link<'e, ContainerInstance>> {
        let arn = self.data().container_instance_arn.as_deref()?;
        Some(self.estate.link(self.account(), self.region(), arn))
    }

    /// What it runs on.
    pub fn launch(self) -> LaunchKind {
        let task = self.data();
        if let Some(name) = &task.capacity_provider_name {
            let kind = self.estate.provider_kind(self.account(), self.region(), name);
            if kind != LaunchKind::Unknown {
                return kind;
            }
        }
        self.estate.launch_kind(self.account(), self.region(), task.launch_type.as_deref(), &[])
    }

    /// Its own network interfaces (network mode awsvpc).
    pub fn network_interfaces(self) -> Vec<Link<'e, NetworkInterface>> {
        let attached = self
            .data()
            .attachments
            .iter()
            .filter(|a| a.kind == "ElasticNetworkInterface" && a.status != "DELETED" && a.status != "DETACHED");
        attached
            .filter_map(|a| a.details.iter().find(|detail| detail.name == "networkInterfaceId"))
            .map(|detail| self.estate.link(self.account(), self.region(), &detail.value))
            .collect()
    }

    /// The subnet of its own network interface, as its attachment says.
    pub fn subnet(self) -> Option<Link<'e, Subnet>> {
        let details = self.data().attachments.iter().filter(|a| a.kind == "ElasticNetworkInterface").flat_map(|a| &a.details);
        let id = details.into_iter().find(|detail| detail.name == "subnetId")?;
        Some(self.estate.link(self.account(), self.region(), &id.value))
    }

    /// The task role in force: the override's, else the definition's.
    pub fn task_role_override(self) -> Option<Link<'e, Role>> {
        let reference = self.data().overrides.as_ref()?.task_role_arn.as_deref()?;
        Some(self.estate.role(self.account(), reference))
    }

    /// The execution role that it was started with instead of its definition's.
    pub fn execution_role_override(self) -> Option<Link<'e, Role>> {
        let reference = self.data().overrides.as_ref()?.execution_role_arn.as_deref()?;
        Some(self.estate.role(self.account(), reference))
    }
}

impl<'e> Node<'e, TaskDefinition> {
    /// Live tasks that run this revision.
    pub fn tasks(self) -> impl Iterator<Item = Node<'e, Task>> {
        self.estate.many(self.estate.relations.definition_tasks.of(self.index))
    }

    /// Services with a live deployment or task set of this revision.
    pub fn services(self) -> impl Iterator<Item = Node<'e, Service>> {
        self.estate.many(self.estate.relations.definition_services.of(self.index))
    }

    /// ENABLED rules of EventBridge and schedules of EventBridge Scheduler that start this revision.
    pub fn triggers(self) -> impl Iterator<Item = Trigger<'e>> {
        let estate = self.estate;
        let rules = u32::try_from(estate.inventory().rules.len()).unwrap_or(u32::MAX);
        let positions = estate.relations.definition_triggers.of(self.index);
        positions.iter().filter_map(move |&position| match position.checked_sub(rules) {
            None => estate.at(position).map(Trigger::Rule),
            Some(schedule) => estate.at(schedule).map(Trigger::Schedule),
        })
    }

    /// Whether a service or a live task uses this revision, or a rule or schedule starts it; unknown when nothing is seen
    /// to use it and some listing of those failed.
    pub fn in_use(self) -> Result<bool, Unknown> {
        const OPERATIONS: [&str; 11] = [
            "ecs:ListClusters",
            "ecs:DescribeClusters",
            "ecs:ListServices",
            "ecs:DescribeServices",
            "ecs:ListTasks",
            "ecs:DescribeTasks",
            "events:ListEventBuses",
            "events:ListRules",
            "events:ListRuleNamesByTarget",
            "events:ListTargetsByRule",
            "scheduler:ListSchedules",
        ];
        if self.services().next().is_some() || self.tasks().next().is_some() || self.triggers().next().is_some() {
            return Ok(true);
        }
        let coverage = self.estate.coverage();
        // A snapshot of a collector that reads no rules says nothing of them.
        for operation in OPERATIONS.into_iter().filter(|operation| operation.starts_with("ecs:") || coverage.collects(operation)) {
            coverage.check(self.account(), self.region(), operation)?;
        }
        let here = |gap: &&Gap| gap.account == *self.account() && gap.region == *self.region();
        match coverage.undescribed("scheduler:GetSchedule").find(here) {
            Some(gap) => Err(gap.into()),
            None => Ok(false),
        }
    }

    /// The launch types that matter: those of the services and tasks that use it, and where that is not known
    /// whole, all that the definition is compatible with.
    pub fn launch(self) -> Launch {
        // Nearly every check of definitions asks, and the answer walks all tasks.
        let launches = self.estate.definition_launches.get_or_init(|| self.estate.all::<TaskDefinition>().map(Self::find_launch).collect());
        launches.get(self.index as usize).copied().unwrap_or_else(|| self.compatible())
    }

    fn find_launch(self) -> Launch {
        let mut used = Launch::default();
        let mut any = false;
        let mut decided = self.in_use().is_ok_and(|in_use| in_use)
            && ["ecs:ListServices", "ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks"]
                .iter()
                .all(|operation| self.estate.coverage().check(self.account(), self.region(), operation).is_ok());
        let started = self.triggers().map(|trigger| trigger.launch(self));
        for kind in self.services().map(Node::<'e, Service>::launch).chain(self.tasks().map(Node::<'e, Task>::launch)).chain(started) {
            any = true;
            decided &= used.add(kind);
        }
        if any && decided { used } else { self.compatible() }
    }

    /// The launch types that it could run on.
    pub fn compatible(self) -> Launch {
        let definition = self.data();
        let stated = if definition.compatibilities.is_empty() { &definition.requires_compatibilities } else { &definition.compatibilities };
        let has = |name: &str| stated.iter().any(|c| c == name);
        let launch =
            Launch { fargate: has("FARGATE"), ec2: has("EC2"), managed_instances: has("MANAGED_INSTANCES"), external: has("EXTERNAL") };
        // AWS validates against EC2 when nothing is asked for.
        if launch == Launch::default() { Launch { ec2: true, ..launch } } else { launch }
    }

    /// Whether its containers are Linux containers.
    pub fn is_linux(self) -> bool {
        let family = self.data().runtime_platform.as_ref().and_then(|platform| platform.operating_system_family.as_deref());
        !family.is_some_and(|family| family.to_ascii_uppercase().starts_with("WINDOWS"))
    }

    /// Its task role.
    pub fn task_role(self) -> Option<Link<'e, Role>> {
        Some(self.estate.role(self.account(), self.data().task_role_arn.as_deref()?))
    }

    /// Its execution role.
    pub fn execution_role(self) -> Option<Link<'e, Role>> {
        Some(self.estate.role(self.account(), self.data().execution_role_arn.as_deref()?))
    }
}

impl<'e> Node<'e, ContainerInstance> {
    /// Its cluster.
    pub fn cluster(self) -> Link<'e, Cluster> {
        self.estate.link(self.account(), self.region(), &self.data().cluster_arn)
    }

    /// Tasks that it runs.
    pub fn tasks(self) -> impl Iterator<Item = Node<'e, Task>> {
        self.estate.many(self.estate.relations.container_instance_tasks.of(self.index))
    }

    /// The EC2 instance; ECS Anywhere instances have none.
    pub fn instance(self) -> Link<'e, Instance> {
        self.estate.link(self.account(), self.region(), self.data().ec2_instance_id.as_deref().unwrap_or_default())
    }

    /// What kind of host it is.
    pub fn kind(self) -> LaunchKind {
        match self.data().ec2_instance_id.as_deref() {
            Some(id) if id.starts_with("mi-") => LaunchKind::External,
            _ => match self.data().capacity_provider_name.as_deref() {
                Some(name) => match self.estate.provider_kind(self.account(), self.region(), name) {
                    LaunchKind::ManagedInstances => LaunchKind::ManagedInstances,
                    _ => LaunchKind::Ec2,
                },
                None => LaunchKind::Ec2,
            },
        }
    }

    /// Whether the customer runs it, and not AWS as one of the ECS Managed Instances; unknown when its capacity
    /// provider was not read.
    pub fn is_run_by_customer(self) -> Result<bool, Unknown> {
        let Some(provider) = self.data().capacity_provider_name.as_deref() else {
            return Ok(true);
        };
        match self.estate.provider_kind(self.account(), self.region(), provider) {
            LaunchKind::Unknown => self.estate.coverage().check(self.account(), self.region(), "ecs:DescribeCapacityProviders")?,
            kind => return Ok(kind != LaunchKind::ManagedInstances),
        }
        Ok(true)
    }

    /// Whether its agent registered a capability; agents write some with the prefix of the service and some without.
    pub fn is_capable_of(self, capability: &str) -> bool {
        let named = |name: &str| name.strip_prefix("com.amazonaws.").unwrap_or(name).strip_prefix("ecs.capability.") == Some(capability);
        self.data().attributes.iter().any(|attribute| named(&attribute.name))
    }

    /// Whether it advertises an attribute.
    pub fn has_attribute(self, name: &str) -> bool {
        self.data().attributes.iter().any(|attribute| attribute.name == name)
    }
}

impl<'e> Node<'e, Instance> {
    /// Its machine image; `None` when the instance names none.
    pub fn image(self) -> Option<Link<'e, Image>> {
        let id = self.data().image_id.as_deref()?;
        Some(self.estate.link(self.account(), self.region(), id))
    }
}
