//! What watches the places where containers run: trails, log groups, rules and alarms flow in by account and Region;
//! what records, keeps and tells of each place flows out.

use plimsoll_model::aws::cloudtrail::{EventDataStore, KeyEvents, Trail};
use plimsoll_model::aws::cloudwatch::{MetricAlarm, MetricAlarms};
use plimsoll_model::aws::events::Rule;
use plimsoll_model::aws::logs::{LogGroup, MetricTransformation};
use plimsoll_model::{AccountId, Arn, Inventory, Region, Resource};
use rustc_hash::FxHashMap;

use crate::{Estate, Link, Missing, Node, Unknown};

/// An account and Region that holds an ACTIVE cluster of Amazon ECS or a cluster of Amazon EKS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place<'e> {
    /// The account.
    pub account: &'e AccountId,
    /// The Region.
    pub region: &'e Region,
}

/// A log group that containers or their platform write to, whether it exists or not.
#[derive(Clone, Debug)]
pub struct ContainerLogGroup<'i> {
    /// Where it is.
    pub place: Place<'i>,
    /// Its name.
    pub name: &'i str,
    /// Who writes there.
    pub writers: Vec<LogWriter<'i>>,
}

/// Who writes to a log group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogWriter<'i> {
    /// ARN of the task definition or cluster.
    pub arn: &'i str,
    /// For what.
    pub purpose: LogPurpose,
    /// Whether it is in the Region of the group: else the group was not asked for on its behalf.
    pub is_local: bool,
    /// Whether tasks make the group when it is missing (`awslogs-create-group`).
    pub creates: bool,
}

/// What a log group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogPurpose {
    /// Output of containers.
    Containers,
    /// Sessions of ECS Exec.
    Exec,
    /// Events of Container Insights.
    Insights,
    /// The control plane of a cluster of Amazon EKS.
    ControlPlane,
}

impl LogPurpose {
    /// The setting that names the group.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Containers => "awslogs-group",
            Self::Exec => "executeCommandConfiguration",
            Self::Insights => "containerInsights",
            Self::ControlPlane => "clusterLogging",
        }
    }
}

/// Positions by place.
#[derive(Default)]
pub(crate) struct Watch<'i> {
    places: Vec<Place<'i>>,
    trails: FxHashMap<Place<'i>, Vec<u32>>,
    rules: FxHashMap<Place<'i>, Vec<u32>>,
    log_groups: FxHashMap<(Place<'i>, &'i str), u32>,
    metrics: FxHashMap<(Place<'i>, &'i str, &'i str), u32>,
    keys: FxHashMap<(Place<'i>, &'i str), u32>,
    container_groups: Vec<ContainerLogGroup<'i>>,
}

impl<'i> Watch<'i> {
    pub(crate) fn new(estate: &Estate<'i>) -> Self {
        let inventory = estate.inventory();
        let mut watch = Self::default();
        let active = inventory.clusters.iter().filter(|cluster| cluster.data.status == "ACTIVE");
        let kubernetes = inventory.eks_clusters.iter().filter(|cluster| !matches!(cluster.data.status.as_str(), "DELETING" | "FAILED"));
        let kubernetes = kubernetes.map(|cluster| Place { account: &cluster.account, region: &cluster.region });
        watch.places = active.map(|cluster| Place { account: &cluster.account, region: &cluster.region }).chain(kubernetes).collect();
        watch.places.sort_unstable();
        watch.places.dedup();
        for (trail, position) in inventory.trails.iter().zip(0..) {
            watch.trails.entry(Place { account: &trail.account, region: &trail.region }).or_default().push(position);
        }
        for (rule, position) in inventory.rules.iter().zip(0..) {
            watch.rules.entry(Place { account: &rule.account, region: &rule.region }).or_default().push(position);
        }
        for (group, position) in inventory.log_groups.iter().zip(0..) {
            let place = Place { account: &group.account, region: &group.region };
            watch.log_groups.insert((place, &group.data.log_group_name), position);
        }
        for (metric, position) in inventory.metric_alarms.iter().zip(0..) {
            let place = Place { account: &metric.account, region: &metric.region };
            watch.metrics.insert((place, &metric.data.namespace, &metric.data.metric_name), position);
        }
        for (events, position) in inventory.key_events.iter().zip(0..) {
            let place = Place { account: &events.account, region: &events.region };
            watch.keys.insert((place, &events.data.key_arn), position);
        }
        watch.container_groups = container_groups(estate);
        watch
    }
}

fn container_groups<'i>(estate: &Estate<'i>) -> Vec<ContainerLogGroup<'i>> {
    let inventory = estate.inventory();
    let regions: FxHashMap<&str, &Region> = inventory.header.scope.regions.iter().map(|region| (region.as_str(), region)).collect();
    let mut groups: FxHashMap<(Place<'i>, &'i str), Vec<LogWriter<'i>>> = FxHashMap::default();
    for index in estate.definitions_in_scope().map(|definition| definition.index as usize) {
        let Some(definition) = inventory.task_definitions.get(index) else { continue };
        for container in &definition.data.container_definitions {
            let Some(logs) = container.log_configuration.as_ref().filter(|logs| logs.log_driver.as_deref() == Some("awslogs")) else {
                continue;
            };
            let Some(name) = logs.options.get("awslogs-group").filter(|name| !name.is_empty()) else { continue };
            let there = logs.options.get("awslogs-region").map_or(definition.region.as_str(), String::as_str);
            let is_local = there == definition.region.as_str();
            // A Region that was not scanned has no groups here, and its place would be no place of the scan.
            let Some(region) = (if is_local { Some(&definition.region) } else { regions.get(there).copied() }) else { continue };
            let creates = logs.options.get("awslogs-create-group").is_some_and(|value| value == "true");
            let arn = definition.data.task_definition_arn.as_str();
            let writer = LogWriter { arn, purpose: LogPurpose::Containers, is_local, creates };
            groups.entry((Place { account: &definition.account, region }, name)).or_default().push(writer);
        }
    }
    for cluster in inventory.clusters.iter().filter(|cluster| cluster.data.status == "ACTIVE") {
        let place = Place { account: &cluster.account, region: &cluster.region };
        let writer = |purpose| LogWriter { arn: &cluster.data.cluster_arn, purpose, is_local: true, creates: false };
        let exec = cluster.data.configuration.as_ref().and_then(|configuration| configuration.execute_command_configuration.as_ref());
        let exec = exec.and_then(|exec| exec.log_configuration.as_ref()).and_then(|logs| logs.cloud_watch_log_group_name.as_deref());
        if let Some(name) = exec.filter(|name| !name.is_empty()) {
            groups.entry((place, name)).or_default().push(writer(LogPurpose::Exec));
        }
    }
    platform_groups(inventory, &mut groups);
    let mut groups: Vec<_> = groups
        .into_iter()
        .map(|((place, name), mut writers)| {
            writers.sort_unstable();
            writers.dedup();
            ContainerLogGroup { place, name, writers }
        })
        .collect();
    groups.sort_unstable_by_key(|group| (group.place, group.name));
    groups
}

/// The groups of Container Insights and of control planes come about with their first event: only those that are there count.
fn platform_groups<'i>(inventory: &'i Inventory, groups: &mut FxHashMap<(Place<'i>, &'i str), Vec<LogWriter<'i>>>) {
    let active = inventory.clusters.iter().filter(|cluster| cluster.data.status == "ACTIVE");
    let by_name: FxHashMap<(Place<'_>, &str), &str> = active
        .map(|cluster| {
            let place = Place { account: &cluster.account, region: &cluster.region };
            ((place, cluster.data.cluster_name.as_str()), cluster.data.cluster_arn.as_str())
        })
        .collect();
    let kubernetes: FxHashMap<(Place<'_>, &str), &str> = inventory
        .eks_clusters
        .iter()
        .map(|cluster| {
            ((Place { account: &cluster.account, region: &cluster.region }, cluster.data.name.as_str()), cluster.data.arn.as_str())
        })
        .collect();
    for group in &inventory.log_groups {
        let place = Place { account: &group.account, region: &group.region };
        let name = group.data.log_group_name.as_str();
        let between = |start, end| name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        let insights = || {
            let rest = name.strip_prefix("/aws/containerinsights/")?;
            kubernetes.get(&(place, rest.rsplit_once('/')?.0))
        };
        let writer = if let Some(&arn) = between("/aws/ecs/containerinsights/", "/performance").and_then(|name| by_name.get(&(place, name)))
        {
            (arn, LogPurpose::Insights)
        } else if let Some(&arn) = insights() {
            (arn, LogPurpose::Insights)
        } else if let Some(&arn) = between("/aws/eks/", "/cluster").and_then(|name| kubernetes.get(&(place, name))) {
            (arn, LogPurpose::ControlPlane)
        } else {
            continue;
        };
        let writer = LogWriter { arn: writer.0, purpose: writer.1, is_local: true, creates: true };
        groups.entry((place, name)).or_default().push(writer);
    }
}

impl<'i> Estate<'i> {
    /// Every account and Region with an ACTIVE cluster of Amazon ECS or a cluster of Amazon EKS, in order.
    pub fn container_places(&self) -> &[Place<'i>] {
        &self.watch.places
    }

    /// The position of a place among [`Estate::container_places`].
    pub fn position_of(&self, place: Place<'_>) -> Option<u32> {
        let position = self.watch.places.binary_search_by(|other| (other.account, other.region).cmp(&(place.account, place.region)));
        u32::try_from(position.ok()?).ok()
    }

    /// The log groups that containers, ECS Exec, Container Insights and control planes write to, in order.
    pub fn container_log_groups(&self) -> &[ContainerLogGroup<'i>] {
        &self.watch.container_groups
    }

    /// The trails that record a place, those of other Regions included.
    pub fn trails_at<'s>(&'s self, place: Place<'s>) -> impl Iterator<Item = Node<'s, Trail>> {
        self.many(self.watch.trails.get(&place).map(Vec::as_slice).unwrap_or_default())
    }

    /// The stores of CloudTrail Lake that may record a place: its own, and those of all Regions of the account.
    pub fn event_data_stores_of<'s>(&'s self, place: Place<'s>) -> impl Iterator<Item = Node<'s, EventDataStore>> {
        self.all::<EventDataStore>().filter(move |store| {
            store.account() == place.account && (store.region() == place.region || store.multi_region_enabled != Some(false))
        })
    }

    /// The rules of EventBridge at a place that watch containers or start them.
    pub fn rules_at<'s>(&'s self, place: Place<'s>) -> impl Iterator<Item = Node<'s, Rule>> {
        self.many(self.watch.rules.get(&place).map(Vec::as_slice).unwrap_or_default())
    }

    /// The log group with this name. Only groups that something names were asked for.
    pub fn log_group(&self, account: &AccountId, region: &Region, name: &str) -> Link<'_, LogGroup> {
        match self.watch.log_groups.get(&(Place { account, region }, name)).and_then(|&position| self.at(position)) {
            Some(group) => Link::Found(group),
            None => Link::Missing(self.missing::<LogGroup>(account, region, name)),
        }
    }

    /// What CloudTrail recorded of a key that encrypts Fargate's storage.
    pub fn key_events(&self, account: &AccountId, region: &Region, key_arn: &str) -> Result<Node<'_, KeyEvents>, Unknown> {
        match self.watch.keys.get(&(Place { account, region }, key_arn)).and_then(|&position| self.at(position)) {
            Some(events) => Ok(events),
            None => Err(self.missing::<KeyEvents>(account, region, key_arn).into_unknown::<KeyEvents>()),
        }
    }

    /// The alarms on the metric that a metric filter makes.
    pub fn alarms_on(&self, account: &AccountId, region: &Region, metric: &MetricTransformation) -> Result<&[MetricAlarm], Unknown> {
        let key = (Place { account, region }, metric.metric_namespace.as_str(), metric.metric_name.as_str());
        match self.watch.metrics.get(&key).and_then(|&position| self.at::<MetricAlarms>(position)) {
            Some(alarms) => Ok(alarms.data().alarms.known()?),
            None => Err(self.missing::<MetricAlarms>(account, region, &metric.metric_name).into_unknown::<MetricAlarms>()),
        }
    }
}

impl<'e> Node<'e, Trail> {
    /// Whether it is logging; a trail whose status says nothing is not.
    pub fn is_logging(self) -> Result<bool, Unknown> {
        Ok(self.data().status.known()?.is_logging == Some(true))
    }

    /// The log group that it delivers to; `None` when it delivers to none.
    pub fn log_group(self) -> Option<Link<'e, LogGroup>> {
        let reference = self.data().cloud_watch_logs_log_group_arn.as_deref()?;
        let arn = Arn::parse(reference)?;
        let name = arn.resource.strip_prefix("log-group:")?.trim_end_matches(":*");
        // The group of a trail of another Region or account was read there, if at all.
        let (account, region) = (AccountId::new(arn.account), Region::new(arn.region));
        let found = self.estate.watch.log_groups.get(&(Place { account: &account, region: &region }, name));
        Some(match found.and_then(|&position| self.estate.at(position)) {
            Some(group) => Link::Found(group),
            None if account == *self.account() && region == *self.region() => {
                Link::Missing(self.estate.missing::<LogGroup>(&account, &region, name))
            }
            None => Link::Missing(Missing::OutOfScope { reference: reference.to_owned() }),
        })
    }
}

impl Place<'_> {
    /// Stands for places where resources are told apart by the kind of their snapshot lines.
    pub const KIND: &'static str = "plimsoll:Place";

    /// Whether an operation was carried out there.
    pub fn was_read(self, estate: &Estate<'_>, operation: &str) -> Result<(), Unknown> {
        Ok(estate.coverage().check(self.account, self.region, operation)?)
    }

    /// The name of a resource type of which the place as a whole is judged.
    pub fn arn_of<T: Resource>(self) -> String {
        let service = T::KIND.split(':').next().unwrap_or_default();
        let kind = T::KIND.split(':').nth(1).unwrap_or_default().to_lowercase();
        let partition = plimsoll_model::partition_of(self.region.as_str());
        format!("arn:{partition}:{service}:{}:{}:{kind}", self.region, self.account)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{definition_arn, fixture};
    use plimsoll_model::Seen;
    use plimsoll_model::aws::ecs::TaskDefinition;
    use plimsoll_model::aws::events::{EcsParameters, Rule, Target};

    use crate::{Estate, LogPurpose, Trigger};

    fn starting(reference: &str) -> impl FnOnce(&mut Rule) {
        let parameters = EcsParameters { task_definition_arn: reference.to_owned(), ..Default::default() };
        let target = Target { ecs_parameters: Some(parameters), ..Default::default() };
        move |rule| rule.targets = Seen::Known(vec![target])
    }

    fn started_by(account: plimsoll_fixture::Fixture) -> Vec<String> {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let definition = estate.all::<TaskDefinition>().next().unwrap();
        assert_eq!(definition.in_use().unwrap(), definition.triggers().next().is_some());
        definition.triggers().map(|trigger| Trigger::arn(trigger).rsplit('/').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn rules_and_schedules_use_the_revision_that_they_start_or_the_newest_of_the_family() {
        let nightly = || fixture().cluster("shop", |_| {}).task_definition("nightly", |_| {});
        let family = definition_arn("nightly");
        assert_eq!(started_by(nightly().rule("exact", starting(&definition_arn("nightly")))), ["exact"]);
        assert_eq!(started_by(nightly().rule("newest", starting(family.trim_end_matches(":1")))), ["newest"]);
        assert_eq!(started_by(nightly().schedule("late", "shop", "nightly", |_| {})), ["late"]);
        assert_eq!(started_by(nightly().rule("other", starting(&definition_arn("weekly")))), [""; 0]);
        let off = |rule: &mut Rule| {
            starting(&definition_arn("nightly"))(rule);
            rule.state = Some("DISABLED".to_owned());
        };
        assert_eq!(started_by(nightly().rule("off", off)), [""; 0]);
    }

    #[test]
    fn whether_a_revision_is_in_use_is_unknown_when_rules_or_schedules_were_not_listed() {
        for operation in ["events:ListRules", "scheduler:ListSchedules"] {
            let inventory = fixture().cluster("shop", |_| {}).task_definition("nightly", |_| {}).denied(operation).build();
            let estate = Estate::new(&inventory);
            assert!(estate.all::<TaskDefinition>().next().unwrap().in_use().is_err(), "{operation}");
        }
    }

    #[test]
    fn log_groups_know_who_writes_to_them() {
        let inventory = fixture()
            .shop()
            .eks_cluster("k8s", |_| {})
            .log_group("/aws/ecs/containerinsights/shop/performance", |_| {})
            .log_group("/aws/ecs/containerinsights/gone/performance", |_| {})
            .build();
        let estate = Estate::new(&inventory);
        let groups: Vec<_> = estate.container_log_groups().iter().map(|group| (group.name, group.writers[0].purpose)).collect();
        let expected = [
            ("/aws/ecs/containerinsights/shop/performance", LogPurpose::Insights),
            ("/aws/eks/k8s/cluster", LogPurpose::ControlPlane),
            ("/ecs/app", LogPurpose::Containers),
        ];
        assert_eq!(groups, expected);
    }

    #[test]
    fn every_account_and_region_with_a_cluster_is_a_place_once() {
        let account = fixture().cluster("a", |_| {}).cluster("b", |_| {}).region("eu-west-3").eks_cluster("k8s", |_| {});
        let inventory = account.region("eu-north-1").cluster("c", |cluster| cluster.status = "INACTIVE".to_owned()).build();
        let estate = Estate::new(&inventory);
        let regions: Vec<&str> = estate.container_places().iter().map(|place| place.region.as_str()).collect();
        assert_eq!(regions, ["eu-west-3", "us-east-1"]);
        assert_eq!(estate.position_of(estate.container_places()[1]), Some(1));
    }
}
