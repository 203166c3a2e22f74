//! Elastic Load Balancing v2 in one account and Region: the load balancers, and all about those in front of containers.
//!
//! Calls elasticloadbalancing:DescribeLoadBalancers, DescribeTargetGroups and, for twenty load balancers at a time,
//! DescribeTags; DescribeTargetHealth for each target group that a load balancer or a service uses, for only the targets
//! tell of tasks that somebody registered by hand. Then, for load balancers that lead to containers: DescribeListeners,
//! DescribeRules (application load balancers), DescribeLoadBalancerAttributes, DescribeTargetGroupAttributes and the tags
//! of all these; DescribeSSLPolicies once, when a listener names one. Yields load balancers, listeners, target groups and
//! TLS policies.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::{StreamExt, join, stream};
use plimsoll_model::aws::ecs;
use plimsoll_model::aws::elasticloadbalancing::{
    Attribute, ConditionValues, Listener, LoadBalancer, Rule, SslPolicy, Tag, TargetGroup, TargetHealthDescription,
};
use plimsoll_model::{Gap, Inventory, Seen};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::api::{Api, Operation, Outcome};
use crate::screen;
use crate::wire::{Ask, Protocol, Reach, Service, Token, Wire};

pub(crate) const SERVICE: Service = Service {
    prefix: "elasticloadbalancing",
    id: "Elastic Load Balancing v2",
    host: "elasticloadbalancing",
    fips_host: "elasticloadbalancing-fips",
    signing_name: "elasticloadbalancing",
    protocol: Protocol::Query("2015-12-01"),
    reach: Reach::Regional,
};

const DESCRIBE_LOAD_BALANCERS: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeLoadBalancers",
    permission: "elasticloadbalancing:DescribeLoadBalancers",
    why: "load balancers: public or internal, in which subnets",
};

const DESCRIBE_TARGET_GROUPS: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeTargetGroups",
    permission: "elasticloadbalancing:DescribeTargetGroups",
    why: "which load balancer leads to which service",
};

const DESCRIBE_TAGS: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeTags",
    permission: "elasticloadbalancing:DescribeTags",
    why: "load balancers that Kubernetes made, and whose they are",
};

const DESCRIBE_TARGET_HEALTH: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeTargetHealth",
    permission: "elasticloadbalancing:DescribeTargetHealth",
    why: "the tasks and hosts behind a target group",
};

const DESCRIBE_LISTENERS: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeListeners",
    permission: "elasticloadbalancing:DescribeListeners",
    why: "ports, protocols and TLS policies in front of containers",
};

const DESCRIBE_RULES: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeRules",
    permission: "elasticloadbalancing:DescribeRules",
    why: "where the listeners forward to",
};

const DESCRIBE_LOAD_BALANCER_ATTRIBUTES: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeLoadBalancerAttributes",
    permission: "elasticloadbalancing:DescribeLoadBalancerAttributes",
    why: "access logs of load balancers in front of containers",
};

const DESCRIBE_TARGET_GROUP_ATTRIBUTES: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeTargetGroupAttributes",
    permission: "elasticloadbalancing:DescribeTargetGroupAttributes",
    why: "whose address a task sees behind a network load balancer",
};

const DESCRIBE_SSL_POLICIES: Operation = Operation {
    service: "elasticloadbalancing",
    name: "DescribeSSLPolicies",
    permission: "elasticloadbalancing:DescribeSSLPolicies",
    why: "TLS versions and ciphers of the policies in use",
};

/// Every operation that this collector calls.
pub(crate) const OPERATIONS: &[Operation] = &[
    DESCRIBE_LOAD_BALANCERS,
    DESCRIBE_TARGET_GROUPS,
    DESCRIBE_TAGS,
    DESCRIBE_TARGET_HEALTH,
    DESCRIBE_LISTENERS,
    DESCRIBE_RULES,
    DESCRIBE_LOAD_BALANCER_ATTRIBUTES,
    DESCRIBE_TARGET_GROUP_ATTRIBUTES,
    DESCRIBE_SSL_POLICIES,
];

/// The largest page of the Describe operations.
const PAGE: usize = 400;
/// Resources whose tags one call tells.
const TAGS_BATCH: usize = 20;
/// Resources that are worked on at a time; requests are bounded by [`Api`].
const AT_ONCE: usize = 64;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct LoadBalancersPage {
    load_balancers: Vec<LoadBalancer>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct TargetGroupsPage {
    target_groups: Vec<TargetGroup>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct ListenersPage {
    listeners: Vec<Listener>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct RulesPage {
    rules: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct SslPoliciesPage {
    ssl_policies: Vec<SslPolicy>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Attributes {
    attributes: Vec<Attribute>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Health {
    target_health_descriptions: Vec<TargetHealthDescription>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct Tags {
    tag_descriptions: Vec<TagDescription>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
struct TagDescription {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// The tags of resources by ARN, or why they were not read.
type TagsByArn = BTreeMap<String, Seen<Vec<Tag>>>;

struct Reader<'a> {
    api: &'a Api,
    wire: &'a Wire,
}

/// The load balancers of a Region, with all about those that lead to its containers.
pub(crate) async fn collect(api: &Api, wire: &Wire, containers: &Inventory) -> Inventory {
    let reader = Reader { api, wire };
    let (mut load_balancers, mut target_groups) = join!(reader.load_balancers(), reader.target_groups());
    let used = used_target_groups(containers);
    let (tags, health) = join!(reader.tags(load_balancers.keys().cloned().collect()), reader.health_of(target_groups.values(), &used));
    for (arn, tags) in tags {
        if let Some(balancer) = load_balancers.get_mut(&arn) {
            balancer.tags = tags;
        }
    }
    for (arn, health) in health {
        if let Some(group) = target_groups.get_mut(&arn) {
            group.target_health_descriptions = health;
        }
    }

    let fronts = Fronts::find(&load_balancers, &target_groups, &used, &Targets::of(containers));
    let groups = fronts.target_groups.iter().filter(|arn| target_groups.contains_key(*arn)).cloned().collect();
    let (listeners, attributes, group_attributes, group_tags) = join!(
        reader.listeners_of(load_balancers.values().filter(|balancer| fronts.load_balancers.contains(&balancer.load_balancer_arn))),
        reader.attributes_of(&fronts.load_balancers, &DESCRIBE_LOAD_BALANCER_ATTRIBUTES, "LoadBalancerArn"),
        reader.attributes_of(&fronts.target_groups, &DESCRIBE_TARGET_GROUP_ATTRIBUTES, "TargetGroupArn"),
        reader.tags(groups),
    );
    for (arn, attributes) in attributes {
        if let Some(balancer) = load_balancers.get_mut(&arn) {
            balancer.attributes = attributes;
        }
    }
    for (arn, attributes) in group_attributes {
        if let Some(group) = target_groups.get_mut(&arn) {
            group.attributes = attributes;
        }
    }
    for (arn, tags) in group_tags {
        if let Some(group) = target_groups.get_mut(&arn) {
            group.tags = tags;
        }
    }
    let mut all_listeners = BTreeMap::new();
    for (arn, listeners) in listeners {
        if let Some(balancer) = load_balancers.get_mut(&arn) {
            balancer.listeners = match &listeners {
                Ok(listeners) => Seen::Known(listeners.iter().map(|listener| listener.listener_arn.clone()).collect()),
                Err(gap) => gap.clone().into(),
            };
        }
        all_listeners.extend(listeners.into_iter().flatten().map(|listener| (listener.listener_arn.clone(), listener)));
    }
    let (tags, policies) = join!(reader.tags(all_listeners.keys().cloned().collect()), reader.ssl_policies(all_listeners.values()));
    for (arn, tags) in tags {
        if let Some(listener) = all_listeners.get_mut(&arn) {
            listener.tags = tags;
        }
    }

    let mut found = api.found(load_balancers.into_values());
    found.absorb(api.found(target_groups.into_values()));
    found.absorb(api.found(all_listeners.into_values()));
    found.absorb(api.found(policies));
    found
}

impl Reader<'_> {
    async fn load_balancers(&self) -> BTreeMap<String, LoadBalancer> {
        let mut found = BTreeMap::new();
        let ask = Ask::members(json!({"PageSize": PAGE}));
        let listing = self.wire.pages(self.api, &DESCRIBE_LOAD_BALANCERS, Token::MARKER, ask, |page: LoadBalancersPage| {
            found.extend(page.load_balancers.into_iter().map(|balancer| (balancer.load_balancer_arn.clone(), balancer)));
        });
        self.api.or_gap(listing.await);
        for balancer in found.values_mut() {
            let arn = Some(balancer.load_balancer_arn.as_str());
            let not_asked = |operation| self.api.not_asked(operation, arn, "nothing collected is behind the load balancer");
            balancer.attributes = not_asked(&DESCRIBE_LOAD_BALANCER_ATTRIBUTES).into();
            balancer.listeners = not_asked(&DESCRIBE_LISTENERS).into();
        }
        found
    }

    async fn target_groups(&self) -> BTreeMap<String, TargetGroup> {
        let mut found = BTreeMap::new();
        let ask = Ask::members(json!({"PageSize": PAGE}));
        let listing = self.wire.pages(self.api, &DESCRIBE_TARGET_GROUPS, Token::MARKER, ask, |page: TargetGroupsPage| {
            found.extend(page.target_groups.into_iter().map(|group| (group.target_group_arn.clone(), group)));
        });
        self.api.or_gap(listing.await);
        for group in found.values_mut() {
            let arn = Some(group.target_group_arn.as_str());
            let not_asked = |operation| self.api.not_asked(operation, arn, "it leads to no container that was collected");
            group.attributes = not_asked(&DESCRIBE_TARGET_GROUP_ATTRIBUTES).into();
            group.tags = not_asked(&DESCRIBE_TAGS).into();
            group.target_health_descriptions = self.api.not_asked(&DESCRIBE_TARGET_HEALTH, arn, "nothing uses the target group").into();
        }
        found
    }

    /// The targets of those target groups that something uses and whose targets have addresses.
    async fn health_of(
        &self,
        groups: impl Iterator<Item = &TargetGroup>,
        used: &BTreeSet<&str>,
    ) -> Vec<(String, Seen<Vec<TargetHealthDescription>>)> {
        let groups = groups.filter(|group| {
            let is_function = group.target_type.as_deref() == Some("lambda");
            !is_function && (!group.load_balancer_arns.is_empty() || used.contains(group.target_group_arn.as_str()))
        });
        let arns: Vec<String> = groups.map(|group| group.target_group_arn.clone()).collect();
        let reads = stream::iter(arns).map(|arn| async move {
            let ask = Ask::members(json!({"TargetGroupArn": arn}));
            let health = self.wire.ask_on(self.api, &DESCRIBE_TARGET_HEALTH, &arn, ask).await.absent_on("TargetGroupNotFound");
            let health = health.map(|health: Option<Health>| health.unwrap_or_default().target_health_descriptions);
            (arn, self.api.noted(health))
        });
        reads.buffer_unordered(AT_ONCE).collect().await
    }

    /// The listeners of load balancers, with their rules.
    async fn listeners_of(&self, balancers: impl Iterator<Item = &LoadBalancer>) -> Vec<(String, Result<Vec<Listener>, Gap>)> {
        let balancers: Vec<(String, bool)> =
            balancers.map(|balancer| (balancer.load_balancer_arn.clone(), balancer.is_application())).collect();
        let reads = stream::iter(balancers).map(|(arn, has_rules)| async move {
            let listeners = self.listeners(&arn).await;
            if let Err(gap) = &listeners {
                self.api.gap(gap.clone());
            }
            let Ok(mut listeners) = listeners else { return (arn, listeners) };
            for listener in &mut listeners {
                listener.rules =
                    // Only application load balancers have rules.
                    if has_rules { self.api.noted(self.rules(&listener.listener_arn).await) } else { Seen::Known(Vec::new()) };
            }
            (arn, Ok(listeners))
        });
        reads.buffer_unordered(AT_ONCE).collect().await
    }

    async fn listeners(&self, balancer: &str) -> Result<Vec<Listener>, Gap> {
        let mut found = Vec::new();
        let ask = Ask::members(json!({"LoadBalancerArn": balancer, "PageSize": PAGE}));
        let listing = self.wire.pages(self.api, &DESCRIBE_LISTENERS, Token::MARKER, ask, |page: ListenersPage| {
            found.extend(page.listeners);
        });
        // One that was deleted meanwhile has no listeners.
        listing.await.absent_on("LoadBalancerNotFound").about(balancer)?;
        Ok(found)
    }

    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Gap> {
        let mut found = Vec::new();
        let ask = Ask::members(json!({"ListenerArn": listener, "PageSize": PAGE}));
        let listing = self.wire.pages(self.api, &DESCRIBE_RULES, Token::MARKER, ask, |page: RulesPage| found.extend(page.rules));
        listing.await.absent_on("ListenerNotFound").about(listener)?;
        for rule in &mut found {
            self.screen(rule);
        }
        Ok(found)
    }

    /// Hosts and paths are free text, and a path may be its own password.
    fn screen(&self, rule: &mut Rule) {
        for condition in &mut rule.conditions {
            for (name, values) in [("host", &mut condition.host_header_config), ("path", &mut condition.path_pattern_config)] {
                for value in values.iter_mut().flat_map(|ConditionValues { values, regex_values }| values.iter_mut().chain(regex_values)) {
                    *value = screen::tag_value(self.api.detector(), name, std::mem::take(value));
                }
            }
        }
    }

    async fn attributes_of(
        &self,
        arns: &BTreeSet<String>,
        operation: &'static Operation,
        member: &str,
    ) -> Vec<(String, Seen<Vec<Attribute>>)> {
        let reads = stream::iter(arns.clone()).map(|arn| async move {
            let ask = Ask::members(json!({member: arn}));
            let attributes = self.wire.ask_on(self.api, operation, &arn, ask).await.map(|answer: Attributes| {
                let mut attributes = answer.attributes;
                for attribute in &mut attributes {
                    attribute.value = screen::tag_value(self.api.detector(), &attribute.key, std::mem::take(&mut attribute.value));
                }
                attributes
            });
            (arn, self.api.noted(attributes))
        });
        reads.buffer_unordered(AT_ONCE).collect().await
    }

    /// The policies that listeners name, from one listing of all.
    async fn ssl_policies(&self, listeners: impl Iterator<Item = &Listener>) -> Vec<SslPolicy> {
        let named: BTreeSet<&str> = listeners.filter_map(|listener| listener.ssl_policy.as_deref()).collect();
        let mut found = Vec::new();
        if named.is_empty() {
            return found;
        }
        // By name one that AWS does not know would fail the whole call.
        let ask = Ask::members(json!({"PageSize": PAGE}));
        let listing = self.wire.pages(self.api, &DESCRIBE_SSL_POLICIES, Token::MARKER, ask, |page: SslPoliciesPage| {
            found.extend(page.ssl_policies.into_iter().filter(|policy| named.contains(policy.name.as_str())));
        });
        self.api.or_gap(listing.await);
        found
    }

    async fn tags(&self, arns: Vec<String>) -> TagsByArn {
        let batches: Vec<Vec<String>> = arns.chunks(TAGS_BATCH).map(<[String]>::to_vec).collect();
        let reads = stream::iter(batches).map(|batch| self.tags_of(batch)).buffer_unordered(AT_ONCE);
        let read: Vec<TagsByArn> = reads.collect().await;
        read.into_iter().flatten().collect()
    }

    async fn tags_of(&self, batch: Vec<String>) -> TagsByArn {
        let answer = self.tags_in(&batch).await;
        match answer {
            Ok(tags) => tags,
            // One that was deleted meanwhile fails the call for all.
            Err(gap) if gap.code.ends_with("NotFound") && batch.len() > 1 => {
                let mut tags = TagsByArn::new();
                for arn in batch {
                    tags.extend(self.tags_in(std::slice::from_ref(&arn)).await.unwrap_or_default());
                }
                tags
            }
            Err(gap) if gap.code.ends_with("NotFound") => TagsByArn::new(),
            Err(gap) => {
                self.api.gap(gap.clone());
                batch.into_iter().map(|arn| (arn, gap.clone().into())).collect()
            }
        }
    }

    async fn tags_in(&self, batch: &[String]) -> Result<TagsByArn, Gap> {
        let ask = Ask::members(json!({"ResourceArns": batch}));
        let answer: Tags = self.wire.ask(self.api, &DESCRIBE_TAGS, ask).await?;
        let screened = answer.tag_descriptions.into_iter().map(|description| {
            let mut tags = description.tags;
            screen::tags(self.api.detector(), &mut tags);
            (description.resource_arn, Seen::Known(tags))
        });
        Ok(screened.collect())
    }
}

/// Target groups that services and task sets register their tasks with.
fn used_target_groups(containers: &Inventory) -> BTreeSet<&str> {
    let services = containers.services.iter().flat_map(|service| &service.data.load_balancers);
    let task_sets = containers.task_sets.iter().flat_map(|set| &set.data.load_balancers);
    services.chain(task_sets).flat_map(ecs::LoadBalancer::target_groups).collect()
}

/// As what containers are registered with target groups: addresses of tasks and ids of hosts.
#[derive(Debug, Default)]
struct Targets<'a>(HashSet<&'a str>);

impl<'a> Targets<'a> {
    fn of(containers: &'a Inventory) -> Self {
        let tasks = containers.tasks.iter().map(|task| &task.data);
        let interfaces = tasks.flat_map(|task| &task.containers).flat_map(|container| &container.network_interfaces);
        let addresses = interfaces.flat_map(|interface| [&interface.private_ipv4_address, &interface.ipv6_address]);
        let hosts = containers.container_instances.iter().map(|host| &host.data.ec2_instance_id);
        Self(addresses.chain(hosts).filter_map(|target| target.as_deref()).collect())
    }

    fn is_behind(&self, group: &TargetGroup) -> bool {
        let targets = group.target_health_descriptions.known();
        targets.is_ok_and(|targets| targets.iter().any(|target| self.0.contains(target.target.id.as_str())))
    }
}

/// What leads to containers.
#[derive(Debug, Default)]
struct Fronts {
    load_balancers: BTreeSet<String>,
    target_groups: BTreeSet<String>,
}

impl Fronts {
    /// Load balancers of which a target group is a service's, holds a task or host, or belongs to Kubernetes, and those in
    /// front of such load balancers; and the target groups of all these.
    fn find(
        balancers: &BTreeMap<String, LoadBalancer>,
        groups: &BTreeMap<String, TargetGroup>,
        used: &BTreeSet<&str>,
        targets: &Targets<'_>,
    ) -> Self {
        let mut fronts = Self::default();
        let of_kubernetes = balancers.values().filter(|balancer| balancer.is_of_kubernetes() == Ok(true));
        fronts.load_balancers.extend(of_kubernetes.map(|balancer| balancer.load_balancer_arn.clone()));
        for group in groups.values() {
            if used.contains(group.target_group_arn.as_str()) || targets.is_behind(group) {
                fronts.load_balancers.extend(group.load_balancer_arns.iter().cloned());
                fronts.target_groups.insert(group.target_group_arn.clone());
            }
        }
        // A network load balancer may lead to an application load balancer, which leads no further.
        for group in groups.values().filter(|group| group.target_type.as_deref() == Some("alb")) {
            let behind = group.target_health_descriptions.known();
            if behind.is_ok_and(|targets| targets.iter().any(|target| fronts.load_balancers.contains(&target.target.id))) {
                fronts.load_balancers.extend(group.load_balancer_arns.iter().cloned());
            }
        }
        fronts.load_balancers.retain(|arn| balancers.contains_key(arn));
        let attached = |group: &&TargetGroup| group.load_balancer_arns.iter().any(|arn| fronts.load_balancers.contains(arn));
        let attached: Vec<String> = groups.values().filter(attached).map(|group| group.target_group_arn.clone()).collect();
        fronts.target_groups.extend(attached);
        fronts
    }
}
