//! Amazon ECS in one account and Region: clusters, services with their task sets, running tasks, container instances,
//! the task definitions that matter, capacity providers and effective account settings.
//!
//! Calls: `ListClusters`, `DescribeClusters` (100 at a time); for each active cluster `ListServices`, `DescribeServices`
//! (10), `ListTasks`, `DescribeTasks` (100) and, where hosts are registered, `ListContainerInstances` and
//! `DescribeContainerInstances` (100); `ListTaskDefinitionFamilies` and one `DescribeTaskDefinition` for each revision in
//! scope (`ListTaskDefinitions` when all are asked for, or when earlier scans are remembered: see `revisions`);
//! `DescribeCapacityProviders` (100) for those that something names, `ListAccountSettings`.

mod convert;
mod definition;
mod revisions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, ready};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    CapacityProviderField, ClusterField, ContainerInstanceField, DesiredStatus, Failure, ServiceField, TaskDefinitionFamilyStatus,
    TaskDefinitionField, TaskField,
};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::{Stream, StreamExt, join, stream};
use plimsoll_model::aws::ecs;
use plimsoll_model::{Arn, Gap, Holds, Inventory, Located, partition_of};

use self::revisions::Listing;
use crate::api::{Api, Operation, Outcome};

pub(crate) const LIST_CLUSTERS: Operation =
    Operation { service: "ecs", name: "ListClusters", permission: "ecs:ListClusters", why: "finds the clusters" };
const DESCRIBE_CLUSTERS: Operation = Operation {
    service: "ecs",
    name: "DescribeClusters",
    permission: "ecs:DescribeClusters",
    why: "reads their configuration, settings and tags",
};
const LIST_SERVICES: Operation =
    Operation { service: "ecs", name: "ListServices", permission: "ecs:ListServices", why: "finds the services of a cluster" };
const DESCRIBE_SERVICES: Operation = Operation {
    service: "ecs",
    name: "DescribeServices",
    permission: "ecs:DescribeServices",
    why: "reads services, their deployments and task sets",
};
const LIST_TASKS: Operation =
    Operation { service: "ecs", name: "ListTasks", permission: "ecs:ListTasks", why: "finds the running tasks of a cluster" };
const DESCRIBE_TASKS: Operation = Operation {
    service: "ecs",
    name: "DescribeTasks",
    permission: "ecs:DescribeTasks",
    why: "reads what runs: network interfaces, platform, storage key, overrides",
};
const LIST_CONTAINER_INSTANCES: Operation = Operation {
    service: "ecs",
    name: "ListContainerInstances",
    permission: "ecs:ListContainerInstances",
    why: "finds the container hosts of a cluster",
};
const DESCRIBE_CONTAINER_INSTANCES: Operation = Operation {
    service: "ecs",
    name: "DescribeContainerInstances",
    permission: "ecs:DescribeContainerInstances",
    why: "reads the agent's version, connection and attributes",
};
const LIST_TASK_DEFINITION_FAMILIES: Operation = Operation {
    service: "ecs",
    name: "ListTaskDefinitionFamilies",
    permission: "ecs:ListTaskDefinitionFamilies",
    why: "finds the families, whose latest revision is read",
};
const LIST_TASK_DEFINITIONS: Operation = Operation {
    service: "ecs",
    name: "ListTaskDefinitions",
    permission: "ecs:ListTaskDefinitions",
    why: "finds the active revisions, to tell which are already known",
};
const DESCRIBE_TASK_DEFINITION: Operation = Operation {
    service: "ecs",
    name: "DescribeTaskDefinition",
    permission: "ecs:DescribeTaskDefinition",
    why: "reads containers, roles and volumes; secrets are dropped at once",
};
const DESCRIBE_CAPACITY_PROVIDERS: Operation = Operation {
    service: "ecs",
    name: "DescribeCapacityProviders",
    permission: "ecs:DescribeCapacityProviders",
    why: "tells what a capacity provider runs tasks on",
};
const LIST_ACCOUNT_SETTINGS: Operation = Operation {
    service: "ecs",
    name: "ListAccountSettings",
    permission: "ecs:ListAccountSettings",
    why: "reads the effective defaults of the account",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[
    LIST_CLUSTERS,
    DESCRIBE_CLUSTERS,
    LIST_SERVICES,
    DESCRIBE_SERVICES,
    LIST_TASKS,
    DESCRIBE_TASKS,
    LIST_CONTAINER_INSTANCES,
    DESCRIBE_CONTAINER_INSTANCES,
    LIST_TASK_DEFINITION_FAMILIES,
    LIST_TASK_DEFINITIONS,
    DESCRIBE_TASK_DEFINITION,
    DESCRIBE_CAPACITY_PROVIDERS,
    LIST_ACCOUNT_SETTINGS,
];

/// The largest page of the listings.
const PAGE: i32 = 100;
/// The largest page of `ListAccountSettings`.
const SMALL_PAGE: i32 = 10;
/// The largest batch of `DescribeClusters`, `DescribeTasks`, `DescribeContainerInstances` and `DescribeCapacityProviders`.
const BATCH: usize = 100;
/// The largest batch of `DescribeServices`.
const SERVICE_BATCH: usize = 10;
/// Requests of one kind that are prepared at a time; `Api` bounds those in flight.
const AT_ONCE: usize = 32;
/// States of a task before it begins to stop.
const ALIVE: &[&str] = &["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"];

/// What was read of ECS.
pub(crate) struct Containers {
    pub(crate) inventory: Inventory,
    /// Whether there is an active cluster, or may be one.
    pub(crate) any: bool,
    /// Which revisions of task definitions there are.
    listing: Listing,
}

/// Reads ECS.
pub(crate) async fn collect(api: &Api, client: &Client, all_revisions: bool) -> Containers {
    // Kilobytes of state, too much for every caller's stack.
    Box::pin(read(Ecs { api, client }, all_revisions)).await
}

async fn read(ecs: Ecs<'_>, all_revisions: bool) -> Containers {
    let ((mut inventory, live), (definitions, listing)) = join!(ecs.clusters(), ecs.definitions(all_revisions));
    inventory.absorb(definitions);
    let (used, providers) = (referred_definitions(&inventory), referred_providers(&inventory));
    let settings = async {
        // A Region where nothing of ECS is costs no call for its settings.
        if live || !inventory.task_definitions.is_empty() { ecs.account_settings().await } else { Inventory::default() }
    };
    let providers = ecs.capacity_providers(providers, &inventory.clusters);
    let (definitions, settings, providers) = join!(ecs.used_definitions(used, &listing), settings, providers);
    inventory.absorb(definitions);
    inventory.absorb(settings);
    inventory.absorb(providers);
    Containers { inventory, any: live, listing }
}

/// Reads the effective account settings where nothing of ECS is, and something that they matter to besides.
pub(crate) async fn settings(api: &Api, client: &Client, inventory: &Inventory) -> Inventory {
    if inventory.account_settings.is_empty() { Ecs { api, client }.account_settings().await } else { Inventory::default() }
}

/// Reads the revisions that rules and schedules start and that nothing else led to.
pub(crate) async fn started(api: &Api, client: &Client, containers: &mut Containers) {
    let Containers { inventory, listing, .. } = containers;
    let known: BTreeSet<&str> = inventory.task_definitions.iter().map(|definition| definition.data.task_definition_arn.as_str()).collect();
    let rules = inventory.rules.iter().filter_map(|rule| rule.data.targets.known().ok()).flatten();
    let schedules = inventory.schedules.iter().filter_map(|schedule| schedule.data.target.known().ok());
    let parameters = rules.map(|target| &target.ecs_parameters).chain(schedules.map(|target| &target.ecs_parameters)).flatten();
    let arns: BTreeSet<&str> = parameters.map(|parameters| parameters.task_definition_arn.as_str()).collect();
    // A family without a revision means its latest one, which the listing of families led to.
    let here = |arn: &&str| Arn::parse(arn).is_some_and(|arn| arn.region == api.region().as_str() && arn.account == api.account().as_str());
    let revisions = arns.into_iter().filter(|arn| !known.contains(arn)).filter(here);
    let revisions = revisions.filter(|arn| arn.rsplit('/').next().is_some_and(|name| name.contains(':'))).map(ToOwned::to_owned);
    let revisions = revisions.collect();
    let started = Ecs { api, client }.used_definitions(revisions, listing).await;
    inventory.absorb(started);
}

struct Ecs<'a> {
    api: &'a Api,
    client: &'a Client,
}

/// A cluster to look into.
struct Live {
    arn: String,
    /// Whether hosts are registered, or may be.
    hosts: bool,
}

impl Live {
    /// One that the listing named and that could not be described.
    fn unread(arn: String) -> Self {
        Self { arn, hosts: true }
    }
}

impl Ecs<'_> {
    async fn clusters(&self) -> (Inventory, bool) {
        let (arns, listed) = unbounded();
        let pages = self.client.list_clusters().into_paginator().page_size(PAGE).send();
        let listing = self.api.pages(&LIST_CLUSTERS, pages, move |page| hand_on(&arns, page.cluster_arns));
        let described = in_batches(listed, BATCH, |batch| self.describe_clusters(batch));
        let described = described.fold((Inventory::default(), Vec::new()), |(mut all, mut live), (one, more)| {
            all.absorb(one);
            live.extend(more);
            ready((all, live))
        });
        let (listed, (mut inventory, live)) = join!(listing, described);
        let complete = self.api.or_gap(listed).is_some();
        let any = !live.is_empty() || !complete;
        if any {
            inventory.absorb(gather(stream::iter(live).map(|cluster| self.contents(cluster)).buffer_unordered(AT_ONCE)).await);
        }
        (inventory, any)
    }

    async fn describe_clusters(&self, arns: Vec<String>) -> (Inventory, Vec<Live>) {
        let request = self
            .client
            .describe_clusters()
            .set_clusters(Some(arns.clone()))
            .include(ClusterField::Configurations)
            .include(ClusterField::Settings)
            .include(ClusterField::Tags)
            .send();
        let mut inventory = Inventory::default();
        let Some(answer) = self.api.or_gap(self.api.call(&DESCRIBE_CLUSTERS, request).await) else {
            // Which of them are active is not known: their contents may be readable all the same.
            return (inventory, arns.into_iter().map(Live::unread).collect());
        };
        let mut live: Vec<Live> = self.failures(&DESCRIBE_CLUSTERS, answer.failures).into_iter().map(Live::unread).collect();
        for cluster in answer.clusters.into_iter().flatten() {
            let cluster = convert::cluster(self.api.detector(), cluster);
            if cluster.status == "ACTIVE" {
                live.push(Live { arn: cluster.cluster_arn.clone(), hosts: cluster.registered_container_instances_count > 0 });
            }
            self.push(&mut inventory, cluster);
        }
        (inventory, live)
    }

    async fn contents(&self, cluster: Live) -> Inventory {
        let (mut inventory, tasks, hosts) = join!(self.services(&cluster.arn), self.tasks(&cluster.arn), async {
            if cluster.hosts { self.container_instances(&cluster.arn).await } else { Inventory::default() }
        });
        inventory.absorb(tasks);
        inventory.absorb(hosts);
        inventory
    }

    async fn services(&self, cluster: &str) -> Inventory {
        let (arns, listed) = unbounded();
        let pages = self.client.list_services().cluster(cluster).into_paginator().page_size(PAGE).send();
        let listing = self.api.pages(&LIST_SERVICES, pages, move |page| hand_on(&arns, page.service_arns));
        self.list_and_describe(listing, in_batches(listed, SERVICE_BATCH, |batch| self.describe_services(cluster, batch))).await
    }

    async fn describe_services(&self, cluster: &str, arns: Vec<String>) -> Inventory {
        let request = self.client.describe_services().cluster(cluster).set_services(Some(arns)).include(ServiceField::Tags).send();
        let mut inventory = Inventory::default();
        if let Some(answer) = self.api.or_gap(self.api.call(&DESCRIBE_SERVICES, request).await) {
            self.failures(&DESCRIBE_SERVICES, answer.failures);
            for service in answer.services.into_iter().flatten() {
                let (service, task_sets) = convert::service(self.api.detector(), service);
                self.push(&mut inventory, service);
                for task_set in task_sets {
                    self.push(&mut inventory, task_set);
                }
            }
        }
        inventory
    }

    async fn tasks(&self, cluster: &str) -> Inventory {
        let (arns, listed) = unbounded();
        let request = self.client.list_tasks().cluster(cluster).desired_status(DesiredStatus::Running);
        let pages = request.into_paginator().page_size(PAGE).send();
        let listing = self.api.pages(&LIST_TASKS, pages, move |page| hand_on(&arns, page.task_arns));
        self.list_and_describe(listing, in_batches(listed, BATCH, |batch| self.describe_tasks(cluster, batch))).await
    }

    async fn describe_tasks(&self, cluster: &str, arns: Vec<String>) -> Inventory {
        let request = self.client.describe_tasks().cluster(cluster).set_tasks(Some(arns)).include(TaskField::Tags).send();
        let mut inventory = Inventory::default();
        if let Some(answer) = self.api.or_gap(self.api.call(&DESCRIBE_TASKS, request).await) {
            self.failures(&DESCRIBE_TASKS, answer.failures);
            for task in answer.tasks.into_iter().flatten() {
                self.push(&mut inventory, convert::task(self.api.detector(), task));
            }
        }
        inventory
    }

    async fn container_instances(&self, cluster: &str) -> Inventory {
        let (arns, listed) = unbounded();
        let pages = self.client.list_container_instances().cluster(cluster).into_paginator().page_size(PAGE).send();
        let listing = self.api.pages(&LIST_CONTAINER_INSTANCES, pages, move |page| hand_on(&arns, page.container_instance_arns));
        self.list_and_describe(listing, in_batches(listed, BATCH, |batch| self.describe_container_instances(cluster, batch))).await
    }

    async fn describe_container_instances(&self, cluster: &str, arns: Vec<String>) -> Inventory {
        let request = self
            .client
            .describe_container_instances()
            .cluster(cluster)
            .set_container_instances(Some(arns))
            .include(ContainerInstanceField::Tags)
            .send();
        let mut inventory = Inventory::default();
        if let Some(answer) = self.api.or_gap(self.api.call(&DESCRIBE_CONTAINER_INSTANCES, request).await) {
            self.failures(&DESCRIBE_CONTAINER_INSTANCES, answer.failures);
            for instance in answer.container_instances.into_iter().flatten() {
                self.push(&mut inventory, convert::container_instance(self.api.detector(), cluster, instance));
            }
        }
        inventory
    }

    /// Reads the latest active revision of each family, or every active revision.
    async fn definitions(&self, all_revisions: bool) -> (Inventory, Listing) {
        if all_revisions {
            self.all_definitions().await
        } else if self.api.cache().is_on() {
            self.listed_definitions().await
        } else {
            (self.latest_definitions().await, Listing::default())
        }
    }

    /// Reads the latest active revision of each family.
    async fn latest_definitions(&self) -> Inventory {
        let (names, listed) = unbounded();
        let request = self.client.list_task_definition_families().status(TaskDefinitionFamilyStatus::Active);
        let pages = request.into_paginator().page_size(PAGE).send();
        let listing = self.api.pages(&LIST_TASK_DEFINITION_FAMILIES, pages, move |page| hand_on(&names, page.families));
        self.list_and_describe(listing, listed.map(|name| self.definition(name, true)).buffer_unordered(AT_ONCE)).await
    }

    /// Reads a revision, or the latest active one of a family.
    async fn definition(&self, name: String, listed: bool) -> Inventory {
        let request = self.client.describe_task_definition().task_definition(&name).include(TaskDefinitionField::Tags).send();
        let answer = self.api.call_on(&DESCRIBE_TASK_DEFINITION, &self.definition_arn(&name), request).await;
        let mut inventory = Inventory::default();
        match answer {
            // What was listed may be deregistered before it is read.
            Err(gap) if listed && gap.code == "ClientException" && gap.message.contains("Unable to describe task definition") => {}
            answer => {
                if let Some(answer) = self.api.or_gap(answer)
                    && let Some(definition) = answer.task_definition
                {
                    let definition = definition::task_definition(self.api.detector(), definition, answer.tags);
                    self.keep(&definition).await;
                    self.push(&mut inventory, definition);
                }
            }
        }
        inventory
    }

    /// The ARN of a revision, or of a family, which AWS names without one.
    fn definition_arn(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let (account, region) = (self.api.account(), self.api.region());
        format!("arn:{}:ecs:{region}:{account}:task-definition/{name}", partition_of(region.as_str()))
    }

    /// Reads the capacity providers that something names. One that belongs to a cluster may need its cluster's name.
    async fn capacity_providers(&self, names: BTreeSet<String>, clusters: &[Located<ecs::Cluster>]) -> Inventory {
        let names: Vec<String> = names.into_iter().collect();
        let batches = stream::iter(names.chunks(BATCH).map(<[String]>::to_vec));
        let mut inventory = gather(batches.map(|batch| self.capacity_providers_in(None, batch)).buffer_unordered(AT_ONCE)).await;
        let known: BTreeSet<String> = inventory.capacity_providers.iter().map(|provider| provider.data.name.clone()).collect();
        for cluster in clusters.iter().map(|cluster| &cluster.data) {
            let own = cluster.capacity_providers.iter().filter(|name| names.contains(name) && !known.contains(*name));
            let own: Vec<String> = own.cloned().collect();
            if !own.is_empty() {
                inventory.absorb(self.capacity_providers_in(Some(&cluster.cluster_arn), own).await);
            }
        }
        inventory
    }

    async fn capacity_providers_in(&self, cluster: Option<&str>, names: Vec<String>) -> Inventory {
        let mut inventory = Inventory::default();
        let mut token: Option<String> = None;
        loop {
            let request = self
                .client
                .describe_capacity_providers()
                .set_capacity_providers(Some(names.clone()))
                .set_cluster(cluster.map(str::to_owned))
                .include(CapacityProviderField::Tags)
                .set_next_token(token.clone())
                .send();
            let Some(answer) = self.api.or_gap(self.api.call(&DESCRIBE_CAPACITY_PROVIDERS, request).await) else {
                return inventory;
            };
            self.failures(&DESCRIBE_CAPACITY_PROVIDERS, answer.failures);
            for provider in answer.capacity_providers.into_iter().flatten() {
                self.push(&mut inventory, convert::capacity_provider(self.api.detector(), provider));
            }
            // A token that comes back would lead round and round.
            let next = answer.next_token.filter(|next| !next.is_empty() && Some(next) != token.as_ref());
            if next.is_none() {
                return inventory;
            }
            token = next;
        }
    }

    async fn account_settings(&self) -> Inventory {
        let mut inventory = Inventory::default();
        let pages = self.client.list_account_settings().effective_settings(true).into_paginator().page_size(SMALL_PAGE).send();
        let listing = self.api.pages(&LIST_ACCOUNT_SETTINGS, pages, |page| {
            for setting in page.settings.into_iter().flatten() {
                self.push(&mut inventory, convert::account_setting(setting));
            }
        });
        self.api.or_gap(listing.await);
        inventory
    }

    /// Runs a listing and, beside it, the descriptions of what it finds.
    async fn list_and_describe(
        &self,
        listing: impl Future<Output = Result<(), Gap>>,
        described: impl Stream<Item = Inventory>,
    ) -> Inventory {
        let (listed, inventory) = join!(listing, gather(described));
        // A cluster that was deleted meanwhile has nothing in it.
        self.api.or_gap(listed.absent_on("ClusterNotFoundException"));
        inventory
    }

    /// Records what a batch left out, but for what has gone since it was listed. Answers the ARNs that are still there.
    fn failures(&self, operation: &'static Operation, failures: Option<Vec<Failure>>) -> Vec<String> {
        let mut unread = Vec::new();
        for failure in failures.into_iter().flatten().filter(|failure| failure.reason() != Some("MISSING")) {
            unread.extend(failure.arn.clone());
            self.api.gap(Gap {
                account: self.api.account().clone(),
                region: self.api.region().clone(),
                operation: operation.id(),
                code: failure.reason.unwrap_or_else(|| "Failure".to_owned()),
                message: failure.detail.unwrap_or_default(),
                resource: failure.arn,
            });
        }
        unread
    }

    fn push<T>(&self, inventory: &mut Inventory, resource: T)
    where
        Inventory: Holds<T>,
    {
        inventory.push(self.api.account(), self.api.region(), resource);
    }
}

/// Sends names on to be described. Nobody listens any more only when all has ended.
fn hand_on(names: &UnboundedSender<String>, page: Option<Vec<String>>) {
    for name in page.into_iter().flatten() {
        names.unbounded_send(name).ok();
    }
}

/// Describes names in batches that are full whatever the pages were.
fn in_batches<F: Future>(
    names: UnboundedReceiver<String>,
    size: usize,
    describe: impl FnMut(Vec<String>) -> F,
) -> impl Stream<Item = F::Output> {
    names.chunks(size).map(describe).buffer_unordered(AT_ONCE)
}

async fn gather(parts: impl Stream<Item = Inventory>) -> Inventory {
    parts.collect().await
}

/// The revisions in use that were not read yet.
fn referred_definitions(inventory: &Inventory) -> Vec<String> {
    let mut used: BTreeMap<&str, &str> = BTreeMap::new();
    let in_use = |status: &str| matches!(status, "PRIMARY" | "ACTIVE");
    let services = inventory.services.iter().map(|service| &service.data).filter(|service| service.status == "ACTIVE");
    for service in services {
        let deployments = service.deployments.iter().filter(|deployment| in_use(&deployment.status));
        let named = deployments.filter_map(|deployment| deployment.task_definition.as_ref());
        used.extend(named.chain(&service.task_definition).map(|arn| (revision(arn), arn.as_str())));
    }
    let task_sets = inventory.task_sets.iter().map(|set| &set.data).filter(|set| in_use(&set.status));
    used.extend(task_sets.filter_map(|set| set.task_definition.as_ref()).map(|arn| (revision(arn), arn.as_str())));
    let tasks = inventory.tasks.iter().map(|task| &task.data).filter(|task| ALIVE.contains(&task.last_status.as_str()));
    used.extend(tasks.map(|task| (revision(&task.task_definition_arn), task.task_definition_arn.as_str())));
    used.remove("");
    for definition in &inventory.task_definitions {
        used.remove(revision(&definition.data.task_definition_arn));
    }
    used.into_values().map(str::to_owned).collect()
}

/// The capacity providers that something names, without AWS's own, whose name says everything.
fn referred_providers(inventory: &Inventory) -> BTreeSet<String> {
    let clusters = inventory.clusters.iter().map(|cluster| &cluster.data);
    let services = inventory.services.iter().map(|service| &service.data);
    let strategies = clusters.clone().map(|cluster| &cluster.default_capacity_provider_strategy);
    let strategies = strategies.chain(services.clone().map(|service| &service.capacity_provider_strategy));
    let deployments = services.flat_map(|service| &service.deployments);
    let strategies = strategies.chain(deployments.map(|deployment| &deployment.capacity_provider_strategy));
    let strategies = strategies.chain(inventory.task_sets.iter().map(|set| &set.data.capacity_provider_strategy));
    let named = clusters.flat_map(|cluster| &cluster.capacity_providers);
    let named = named.chain(strategies.flatten().map(|item| &item.capacity_provider));
    let named = named.chain(inventory.tasks.iter().filter_map(|task| task.data.capacity_provider_name.as_ref()));
    let named = named.chain(inventory.container_instances.iter().filter_map(|host| host.data.capacity_provider_name.as_ref()));
    named.filter(|name| !matches!(name.as_str(), "" | "FARGATE" | "FARGATE_SPOT")).cloned().collect()
}

/// `family:revision` of an ARN: what identifies a task definition in its account and Region.
fn revision(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
