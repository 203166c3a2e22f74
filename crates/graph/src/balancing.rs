//! Relations of Elastic Load Balancing: service, target group, listener, load balancer, and which of them lead to containers.

use plimsoll_model::aws::acm_pca::CertificateAuthority;
use plimsoll_model::aws::ec2::{ManagedPrefixList, SecurityGroup};
use plimsoll_model::aws::ecs::{self, Service, ServiceConnectService};
use plimsoll_model::aws::elasticloadbalancing::{Action, Listener, LoadBalancer, SslPolicy, TargetGroup};
use plimsoll_model::aws::shield::Subscription;
use plimsoll_model::{AccountId, Gap, Region, Resource};
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

/// A port of a service's tasks to which a load balancer sends.
#[derive(Clone, Debug)]
pub struct Front<'e> {
    /// The target group that the tasks are in.
    pub target_group: Node<'e, TargetGroup>,
    /// ARN of the load balancer.
    pub load_balancer_arn: &'e str,
    /// The load balancer.
    pub load_balancer: Link<'e, LoadBalancer>,
    /// The port of the container.
    pub port: u16,
}

impl<'e> Node<'e, Service> {
    fn registrations(self) -> impl Iterator<Item = &'e ecs::LoadBalancer> {
        let sets = self.task_sets().filter(|set| set.is_live()).flat_map(|set| &set.data().load_balancers);
        self.data().load_balancers.iter().chain(sets)
    }

    fn target_group_arns(self) -> impl Iterator<Item = &'e str> {
        self.registrations().flat_map(ecs::LoadBalancer::target_groups)
    }

    /// The ports to which load balancers send, each with the way there, as the service and its live task sets say; and
    /// what stands in the way of knowing them all. Target groups that are gone or behind no load balancer lead nowhere.
    pub fn fronts(self) -> (Vec<Front<'e>>, Option<Unknown>) {
        let (mut fronts, mut unread) = (Vec::<Front<'e>>::new(), None);
        for registration in self.registrations() {
            let port = registration.container_port.and_then(|port| u16::try_from(port).ok());
            for arn in registration.target_groups() {
                let target_group = match self.estate.link::<TargetGroup>(self.account(), self.region(), arn).exists() {
                    Ok(Some(target_group)) => target_group,
                    Ok(None) => continue,
                    Err(unknown) => {
                        unread.get_or_insert(unknown);
                        continue;
                    }
                };
                for load_balancer_arn in &target_group.data().load_balancer_arns {
                    let Some(port) = port else {
                        unread.get_or_insert_with(|| self.tells_no_port(arn));
                        continue;
                    };
                    let known = |front: &Front<'_>| {
                        front.target_group == target_group && front.load_balancer_arn == load_balancer_arn && front.port == port
                    };
                    if !fronts.iter().any(known) {
                        let load_balancer = self.estate.link(self.account(), self.region(), load_balancer_arn);
                        fronts.push(Front { target_group, load_balancer_arn, load_balancer, port });
                    }
                }
            }
        }
        (fronts, unread)
    }

    fn tells_no_port(self, target_group: &str) -> Unknown {
        let gap = Gap {
            account: self.account().clone(),
            region: self.region().clone(),
            operation: Service::OPERATION.to_owned(),
            code: Gap::INCONCLUSIVE.to_owned(),
            message: format!("the service tells no container port for {target_group}"),
            resource: Some(self.data().service_arn.clone()),
        };
        gap.into()
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

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, forward, gap, key_arn, target_group_arn};
    use plimsoll_model::aws::ecs::{
        AdvancedConfiguration, Container, ContainerNetworkInterface, LoadBalancer as Registration, Service, ServiceConnectConfiguration,
        ServiceConnectService, ServiceConnectTlsConfiguration, Task, TaskSet,
    };
    use plimsoll_model::aws::elasticloadbalancing::{
        Action, ForwardConfig, Listener, LoadBalancer, Rule, Tag, TargetDescription, TargetGroup, TargetGroupTuple, TargetHealthDescription,
    };
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{Inventory, Seen};

    use crate::{Estate, Link, Missing};

    /// Load balancer `front` and target group `web` behind it, which no service names.
    fn unused() -> Fixture {
        fixture().shop().load_balancer("front", |_| {}).target_group("web", "front", |_| {}).listener("front", 443, "web", |_| {})
    }

    fn registered(group: &str) -> Registration {
        Registration { target_group_arn: Some(target_group_arn(group)), ..Registration::default() }
    }

    fn fronts(inventory: &Inventory) -> usize {
        Estate::new(inventory).container_load_balancers().count()
    }

    fn target(id: &str) -> impl Fn(&mut TargetGroup) {
        let target =
            TargetHealthDescription { target: TargetDescription { id: id.to_owned(), ..Default::default() }, ..Default::default() };
        move |group| group.target_health_descriptions = Seen::Known(vec![target.clone()])
    }

    #[test]
    fn a_service_tells_the_ports_that_load_balancers_send_to() {
        let ports = |account: Fixture| {
            let inventory = account.build();
            let estate = Estate::new(&inventory);
            let (fronts, unread) = estate.all::<Service>().next().unwrap().fronts();
            (fronts.iter().map(|front| front.port).collect::<Vec<_>>(), unread.map(|unknown| unknown.gap.code))
        };
        let shop = || fixture().shop().behind_load_balancer();
        assert_eq!(ports(shop()), (vec![8080], None));
        // A set of tasks repeats what its service says.
        let registration = || Registration { container_port: Some(8080), ..registered("web") };
        let set = |status: &str| TaskSet {
            service_arn: plimsoll_fixture::arn("ecs", "service/shop/web"),
            status: status.to_owned(),
            load_balancers: vec![registration(), Registration { container_port: Some(9090), ..registered("web") }],
            ..TaskSet::default()
        };
        assert_eq!(ports(shop().resource(set("ACTIVE"))), (vec![8080, 9090], None));
        assert_eq!(ports(shop().resource(set("DRAINING"))), (vec![8080], None));
        assert_eq!(ports(shop().each(|group: &mut TargetGroup| group.load_balancer_arns.clear())), (vec![], None));
        assert_eq!(ports(shop().without::<TargetGroup>()), (vec![], None));
        let unread = ports(shop().without::<TargetGroup>().denied("elasticloadbalancing:DescribeTargetGroups"));
        assert_eq!(unread, (vec![], Some("AccessDeniedException".to_owned())));
        let silent = |service: &mut Service| service.load_balancers = vec![registered("web")];
        assert_eq!(ports(shop().each(silent)), (vec![], Some("Inconclusive".to_owned())));
    }

    #[test]
    fn a_service_leads_to_its_load_balancer_and_back() {
        let inventory = fixture().shop().behind_load_balancer().build();
        let estate = Estate::new(&inventory);
        let service = estate.all::<Service>().next().unwrap();
        let group = service.target_groups().into_iter().next().and_then(Link::found).unwrap();
        assert_eq!(group.services().map(|one| one.name()).collect::<Vec<_>>(), ["web"]);
        assert_eq!(group.listeners().map(|listener| listener.data().place()).collect::<Vec<_>>(), ["HTTPS:443"]);
        let balancer = group.load_balancers().next().and_then(Link::found).unwrap();
        assert_eq!(balancer.target_groups().collect::<Vec<_>>(), [group]);
        assert_eq!(balancer.services(), [service]);
        let forwarding = balancer.listeners().unwrap().filter(|listener| listener.forwards_to_containers() == Ok(true));
        assert_eq!(forwarding.map(|listener| listener.data().port).collect::<Vec<_>>(), [Some(443)]);
    }

    #[test]
    fn a_target_group_that_is_gone_was_not_read_or_is_elsewhere_is_told_apart() {
        let of = |account: Fixture| {
            let inventory = account.build();
            let estate = Estate::new(&inventory);
            let links = estate.all::<Service>().next().unwrap().target_groups();
            match links.into_iter().next() {
                Some(Link::Missing(missing)) => missing,
                other => panic!("{other:?}"),
            }
        };
        let named = |service: &mut Service| service.load_balancers = vec![registered("web")];
        let account = fixture().shop().each(named);
        assert!(matches!(of(account.clone()), Missing::NotFound { .. }));
        assert!(matches!(of(account.clone().denied("elasticloadbalancing:DescribeTargetGroups")), Missing::Unseen { .. }));
        let foreign = |service: &mut Service| {
            let arn = target_group_arn("web").replace("111111111111", "222222222222");
            service.load_balancers = vec![Registration { target_group_arn: Some(arn), ..Registration::default() }];
        };
        assert!(matches!(of(account.each(foreign)), Missing::OutOfScope { .. }));
    }

    #[test]
    fn task_sets_and_the_alternate_target_group_count_as_the_service_does() {
        assert_eq!(fronts(&unused().build()), 0);
        let set = TaskSet {
            task_set_arn: "set".to_owned(),
            service_arn: plimsoll_fixture::arn("ecs", "service/shop/web"),
            status: "ACTIVE".to_owned(),
            load_balancers: vec![registered("web")],
            ..TaskSet::default()
        };
        assert_eq!(fronts(&unused().resource(set).build()), 1);
        let alternate = |service: &mut Service| {
            let advanced = AdvancedConfiguration { alternate_target_group_arn: Some(target_group_arn("web")), ..Default::default() };
            service.load_balancers = vec![Registration { advanced_configuration: Some(advanced), ..registered("blue") }];
        };
        assert_eq!(fronts(&unused().each(alternate).build()), 1);
        assert_eq!(fronts(&unused().each(alternate).each(|service: &mut Service| service.status = "DRAINING".to_owned()).build()), 0);
    }

    #[test]
    fn tasks_and_hosts_that_somebody_registered_by_hand_count() {
        let addressed = |task: &mut Task| {
            let interface = ContainerNetworkInterface { private_ipv4_address: Some("10.0.0.7".to_owned()), ..Default::default() };
            task.containers = vec![Container { network_interfaces: vec![interface], ..Default::default() }];
        };
        let inventory = unused().each(addressed).each(target("10.0.0.7")).build();
        let estate = Estate::new(&inventory);
        let group = estate.all::<TargetGroup>().next().unwrap();
        assert_eq!(group.services().map(|service| service.name()).collect::<Vec<_>>(), ["web"]);
        let other_vpc = |group: &mut TargetGroup| group.vpc_id = Some("vpc-other".to_owned());
        assert_eq!(fronts(&unused().each(addressed).each(target("10.0.0.7")).each(other_vpc).build()), 0);
        assert_eq!(fronts(&unused().each(addressed).each(target("10.0.0.8")).build()), 0);
        let hosted = unused().container_instance("shop", "h1", |_| {}).instance("h1", |_| {});
        assert_eq!(fronts(&hosted.each(target("i-h1")).build()), 1);
    }

    #[test]
    fn kubernetes_tells_its_load_balancers_by_tag() {
        for (key, count) in [("elbv2.k8s.aws/cluster", 1), ("kubernetes.io/cluster/pods", 1), ("kubernetes.io/service-name", 0)] {
            let tag = Tag { key: key.to_owned(), value: "pods".to_owned() };
            let tagged = unused().each(|balancer: &mut LoadBalancer| balancer.tags = Seen::Known(vec![tag.clone()]));
            assert_eq!(fronts(&tagged.build()), count, "{key}");
        }
    }

    #[test]
    fn a_weight_of_zero_leads_on_and_unread_rules_leave_open_whether_they_do() {
        let account = fixture().shop().behind_load_balancer();
        let weighted = Action {
            kind: "forward".to_owned(),
            forward_config: Some(ForwardConfig {
                target_groups: vec![TargetGroupTuple { target_group_arn: Some(target_group_arn("web")), weight: Some(0) }],
            }),
            ..Action::default()
        };
        let forwards = |change: &dyn Fn(&mut Listener)| {
            let inventory = account.clone().each(change).build();
            let estate = Estate::new(&inventory);
            estate.all::<Listener>().find(|listener| listener.data().port == Some(80)).unwrap().forwards_to_containers()
        };
        assert_eq!(forwards(&|_| {}), Ok(false));
        assert_eq!(forwards(&|listener| listener.default_actions = vec![weighted.clone()]), Ok(true));
        let ruled = |listener: &mut Listener| {
            listener.rules = Seen::Known(vec![Rule { actions: vec![forward("web")], ..Rule::default() }]);
        };
        assert_eq!(forwards(&ruled), Ok(true));
        assert!(forwards(&|listener| listener.rules = gap("elasticloadbalancing:DescribeRules").into()).is_err());
    }

    #[test]
    fn service_connect_uses_the_key_of_its_certificates() {
        let tls = ServiceConnectTlsConfiguration { kms_key: Some(key_arn("k1")), ..Default::default() };
        let offered = ServiceConnectService { port_name: "http".to_owned(), tls: Some(tls), ..Default::default() };
        let connect = ServiceConnectConfiguration { enabled: true, services: vec![offered], ..Default::default() };
        let account = fixture().shop().key("k1", |_| {}).each(|service: &mut Service| {
            service.deployments[0].service_connect_configuration = Some(connect.clone());
        });
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let key = estate.all::<Key>().next().unwrap();
        assert_eq!(key.users().iter().map(|user| user.purpose).collect::<Vec<_>>(), ["serviceConnect"]);
    }
}
