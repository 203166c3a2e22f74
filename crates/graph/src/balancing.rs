//! Relations of Elastic Load Balancing: service, target group, listener, load balancer, and which of them lead to containers.

use plimsoll_model::aws::acm_pca::CertificateAuthority;
use plimsoll_model::aws::ec2::{ManagedPrefixList, SecurityGroup};
use plimsoll_model::aws::ecs::{self, Service, ServiceConnectService};
use plimsoll_model::aws::elasticloadbalancing::{Action, Listener, LoadBalancer, SslPolicy, TargetGroup};
use plimsoll_model::aws::shield::Subscription;
use plimsoll_model::{AccountId, Region, Resource};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::relation::Relation;
use crate::{Estate, Link, Node, Unknown};

/// The prefix lists that hold the addresses from which CloudFront asks origins.
const CLOUDFRONT_LISTS: [&str; 2] = ["com.amazonaws.global.cloudfront.origin-facing", "com.amazonaws.global.ipv6.cloudfront.origin-facing"];

/// Who leads to whom, as ascending positions in the inventory's lists.
#[derive(Debug, Default)]
pub(crate) struct Balancing {
    /// Active services with tasks in a target group.
    group_services: Relation,
    /// Listeners that forward to a target group, as far as their rules were read.
    group_listeners: Relation,
    balancer_groups: Relation,
    balancer_listeners: Relation,
    /// Target groups with tasks, hosts or pods in them.
    leads: Vec<bool>,
}

impl Estate<'_> {
    fn balancing(&self) -> &Balancing {
        self.balancing.get_or_init(|| self.find_balancing())
    }

    fn find_balancing(&self) -> Balancing {
        let inventory = self.inventory();
        let ids = &self.ids;
        let groups = inventory.target_groups.len();
        let mut leads = vec![false; groups];
        let mut lead = |group: u32| {
            if let Some(flag) = leads.get_mut(group as usize) {
                *flag = true;
            }
        };

        let mut group_services = Vec::new();
        for service in self.active_services() {
            for arn in Node::<'_, Service>::target_group_arns(service) {
                if let Some(&group) = ids.target_groups.get(arn) {
                    group_services.push((group, service.index));
                    lead(group);
                }
            }
        }
        let (by_hand, services) = self.registered_by_hand();
        group_services.extend(services);
        by_hand.into_iter().for_each(&mut lead);

        let mut balancer_groups = Vec::new();
        for (group, position) in inventory.target_groups.iter().zip(0_u32..) {
            for arn in &group.data.load_balancer_arns {
                let Some(&balancer) = ids.load_balancers.get(arn.as_str()) else { continue };
                balancer_groups.push((balancer, position));
                let of_kubernetes = inventory.load_balancers.get(balancer as usize).map(|balancer| balancer.data.is_of_kubernetes());
                if of_kubernetes == Some(Ok(true)) {
                    lead(position);
                }
            }
        }
        let mut balancer_listeners = Vec::new();
        let mut group_listeners = Vec::new();
        for (listener, position) in inventory.listeners.iter().zip(0_u32..) {
            if let Some(&balancer) = ids.load_balancers.get(listener.data.load_balancer_arn.as_str()) {
                balancer_listeners.push((balancer, position));
            }
            let forwards = seen_actions(&listener.data).flat_map(Action::target_groups);
            group_listeners.extend(forwards.filter_map(|arn| Some((*ids.target_groups.get(arn)?, position))));
        }
        Balancing {
            group_services: Relation::new(groups, group_services),
            group_listeners: Relation::new(groups, group_listeners),
            balancer_groups: Relation::new(inventory.load_balancers.len(), balancer_groups),
            balancer_listeners: Relation::new(inventory.load_balancers.len(), balancer_listeners),
            leads,
        }
    }

    /// Target groups in which tasks or container hosts are registered, and the services of these tasks: whoever registers
    /// them by hand tells ECS nothing.
    fn registered_by_hand(&self) -> (FxHashSet<u32>, Vec<(u32, u32)>) {
        let mut groups: FxHashMap<&str, Vec<u32>> = FxHashMap::default();
        for (group, position) in self.inventory().target_groups.iter().zip(0_u32..) {
            for target in group.data.target_health_descriptions.known().into_iter().flatten() {
                groups.entry(target.target.id.as_str()).or_default().push(position);
            }
        }
        let (mut leads, mut services) = (FxHashSet::default(), Vec::new());
        if groups.is_empty() {
            return (leads, services);
        }
        for task in self.running_tasks() {
            let interfaces = task.data().containers.iter().flat_map(|container| &container.network_interfaces);
            let addresses = interfaces.flat_map(|interface| [&interface.private_ipv4_address, &interface.ipv6_address]).flatten();
            for &position in addresses.filter_map(|address| groups.get(address.as_str())).flatten() {
                // Private addresses mean something within one VPC only.
                let group: Option<Node<'_, TargetGroup>> = self.at(position);
                let vpc_id = task.attached_to().and_then(|at| at.vpc_id);
                if group.is_some_and(|group| vpc_id.is_none() || group.data().vpc_id.as_deref() == vpc_id) {
                    leads.insert(position);
                    services.extend(task.service().map(|service| (position, service.index)));
                }
            }
        }
        for host in self.hosts() {
            leads.extend(host.data().ec2_instance_id.as_deref().and_then(|id| groups.get(id)).into_iter().flatten());
        }
        (leads, services)
    }

    /// Load balancers in front of containers: of ECS services and task sets, of tasks and hosts registered by hand, and of
    /// Kubernetes by their tags.
    pub fn container_load_balancers(&self) -> impl Iterator<Item = Node<'_, LoadBalancer>> {
        self.all::<LoadBalancer>().filter(|balancer| balancer.is_in_front_of_containers())
    }

    /// The subscription of an account to Shield Advanced; `None` when there is none. AWS is asked only where a public
    /// application load balancer is in front of containers.
    pub fn shield_subscription(&self, account: &AccountId) -> Result<Option<Node<'_, Subscription>>, Unknown> {
        let found = self.all::<Subscription>().find(|subscription| subscription.account() == account);
        if found.is_none() {
            self.coverage().check(account, &Region::global(), Subscription::OPERATION)?;
        }
        Ok(found)
    }
}

/// Actions of a listener, with those of its rules when they were read.
fn seen_actions(listener: &Listener) -> impl Iterator<Item = &Action> {
    let rules = listener.rules.known().into_iter().flatten();
    listener.default_actions.iter().chain(rules.flat_map(|rule| &rule.actions))
}

impl<'e> Node<'e, Service> {
    fn target_group_arns(self) -> impl Iterator<Item = &'e str> {
        let sets = self.task_sets().filter(|set| set.is_live()).flat_map(|set| &set.data().load_balancers);
        self.data().load_balancers.iter().chain(sets).flat_map(ecs::LoadBalancer::target_groups)
    }

    /// The target groups that its tasks are registered with, as the service and its live task sets say.
    pub fn target_groups(self) -> Vec<Link<'e, TargetGroup>> {
        let mut arns: Vec<&str> = self.target_group_arns().collect();
        arns.sort_unstable();
        arns.dedup();
        arns.into_iter().map(|arn| self.estate.link(self.account(), self.region(), arn)).collect()
    }

    /// The authority that issues the certificates of what the service offers through Service Connect.
    pub fn certificate_authority(self, offered: &ServiceConnectService) -> Option<Link<'e, CertificateAuthority>> {
        Some(self.estate.link(self.account(), self.region(), offered.certificate_authority()?))
    }
}

impl<'e> Node<'e, TargetGroup> {
    /// Active services with tasks in it.
    pub fn services(self) -> impl Iterator<Item = Node<'e, Service>> {
        self.estate.many(self.estate.balancing().group_services.of(self.index))
    }

    /// The load balancers that it is attached to.
    pub fn load_balancers(self) -> impl Iterator<Item = Link<'e, LoadBalancer>> {
        self.data().load_balancer_arns.iter().map(move |arn| self.estate.link(self.account(), self.region(), arn))
    }

    /// Listeners that forward to it, as far as their rules were read.
    pub fn listeners(self) -> impl Iterator<Item = Node<'e, Listener>> {
        self.estate.many(self.estate.balancing().group_listeners.of(self.index))
    }

    /// Whether tasks, container hosts or what Kubernetes runs are in it.
    pub fn leads_to_containers(self) -> bool {
        self.estate.balancing().leads.get(self.index as usize).copied().unwrap_or_default()
    }
}

impl<'e> Node<'e, LoadBalancer> {
    /// Its target groups.
    pub fn target_groups(self) -> impl Iterator<Item = Node<'e, TargetGroup>> {
        self.estate.many(self.estate.balancing().balancer_groups.of(self.index))
    }

    /// Its listeners.
    pub fn listeners(self) -> Result<impl Iterator<Item = Node<'e, Listener>>, Unknown> {
        self.data().listeners.known()?;
        Ok(self.estate.many(self.estate.balancing().balancer_listeners.of(self.index)))
    }

    /// Whether one of its target groups leads to containers, or Kubernetes made it.
    pub fn is_in_front_of_containers(self) -> bool {
        self.target_groups().any(Node::<'e, TargetGroup>::leads_to_containers) || self.data().is_of_kubernetes() == Ok(true)
    }

    /// Active services behind it, each once.
    pub fn services(self) -> Vec<Node<'e, Service>> {
        distinct(self.target_groups())
    }

    /// Whether CloudFront can reach it and the rest of the internet cannot, by its security groups.
    pub fn admits_only_cloudfront(self) -> Result<bool, Unknown> {
        let (mut admits_cloudfront, mut unread) = (false, None);
        for id in &self.data().security_groups {
            let group: Link<'e, SecurityGroup> = self.estate.link(self.account(), self.region(), id);
            match group.known().and_then(|group| Ok((group.admits_internet()?, group.admits_cloudfront()?))) {
                Ok((true, _)) => return Ok(false),
                Ok((false, cloudfront)) => admits_cloudfront |= cloudfront,
                Err(unknown) => unread = Some(unknown),
            }
        }
        unread.map_or(Ok(admits_cloudfront), Err)
    }
}

impl<'e> Node<'e, SecurityGroup> {
    fn admits_cloudfront(self) -> Result<bool, Unknown> {
        for reference in self.data().ip_permissions.iter().flat_map(|rule| &rule.prefix_list_ids) {
            let list: Link<'e, ManagedPrefixList> = self.estate.link(self.account(), self.region(), &reference.prefix_list_id);
            let name = list.exists()?.and_then(|list| list.data().prefix_list_name.as_deref());
            if name.is_some_and(|name| CLOUDFRONT_LISTS.contains(&name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'e> Node<'e, Listener> {
    /// Its load balancer.
    pub fn load_balancer(self) -> Link<'e, LoadBalancer> {
        self.estate.link(self.account(), self.region(), &self.data().load_balancer_arn)
    }

    /// The target groups with containers in them that it forwards to, as far as its rules were read.
    pub fn container_target_groups(self) -> Vec<Node<'e, TargetGroup>> {
        let mut positions: Vec<u32> = seen_actions(self.data())
            .flat_map(Action::target_groups)
            .filter_map(|arn| self.estate.ids.target_groups.get(arn).copied())
            .collect();
        positions.sort_unstable();
        positions.dedup();
        let groups = positions.into_iter().filter_map(|position| self.estate.at(position));
        groups.filter(|group: &Node<'e, TargetGroup>| group.leads_to_containers()).collect()
    }

    /// Whether it forwards to containers: yes wins over rules that were not read.
    pub fn forwards_to_containers(self) -> Result<bool, Unknown> {
        if !self.container_target_groups().is_empty() {
            return Ok(true);
        }
        self.data().rules.known()?;
        Ok(false)
    }

    /// Active services that it forwards to, each once.
    pub fn services(self) -> Vec<Node<'e, Service>> {
        distinct(self.container_target_groups().into_iter())
    }

    /// Its TLS policy.
    pub fn ssl_policy(self) -> Option<Link<'e, SslPolicy>> {
        Some(self.estate.link(self.account(), self.region(), self.data().ssl_policy.as_deref()?))
    }
}

fn distinct<'e>(groups: impl Iterator<Item = Node<'e, TargetGroup>>) -> Vec<Node<'e, Service>> {
    let mut services: Vec<Node<'e, Service>> = groups.flat_map(Node::<'e, TargetGroup>::services).collect();
    services.sort_by_key(Node::<'e, Service>::index);
    services.dedup();
    services
}
