//! Which services of AWS the containers, hosts and nodes of each subnet call. Task definitions, running tasks, active
//! services, container hosts and EKS nodes flow in; needs by subnet and security groups flow out, each with who has it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_model::aws::ec2::{Instance, NetworkInterface, Subnet};
use plimsoll_model::aws::ecs::{AwsVpcConfiguration, Cluster, ContainerInstance, Service, Task, TaskDefinition};
use plimsoll_model::aws::eks;
use plimsoll_model::aws::iam::Role;
use plimsoll_model::{Arn, Gap, ImageReference, LaunchKind, Region, Resource};
use rustc_hash::FxHashMap;

use crate::{Estate, IssuerTrust, Link, Node, NodeKind, Unknown};

/// Why somebody calls AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// To pull images from private registries of Amazon ECR.
    Images,
    /// To write to CloudWatch Logs with the log driver `awslogs`.
    Logs,
    /// To get secrets of Secrets Manager for containers.
    Secrets,
    /// To get parameters of Systems Manager for containers.
    Parameters,
    /// To encrypt sessions of ECS Exec with a KMS key.
    Keys,
    /// To open sessions of ECS Exec.
    Exec,
    /// To find file systems of Amazon EFS.
    Files,
    /// To exchange tokens of service accounts of Kubernetes for credentials.
    Tokens,
    /// To take orders from the control plane of ECS.
    Agent,
}

impl Need {
    const ALL: [Self; 9] =
        [Self::Images, Self::Logs, Self::Secrets, Self::Parameters, Self::Keys, Self::Exec, Self::Files, Self::Tokens, Self::Agent];

    /// The services whose endpoints it takes, all of them.
    pub fn services(self) -> &'static [&'static str] {
        match self {
            Self::Images => &["ecr.api", "ecr.dkr", "s3"],
            Self::Logs => &["logs"],
            Self::Secrets => &["secretsmanager"],
            Self::Parameters => &["ssm"],
            Self::Keys => &["kms"],
            Self::Exec => &["ssmmessages"],
            Self::Files => &["elasticfilesystem"],
            Self::Tokens => &["sts"],
            Self::Agent => &["ecs", "ecs-agent", "ecs-telemetry"],
        }
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of needs.
type Needs = u16;

/// The needs of each subnet in use, by its position.
pub(crate) type Demands = BTreeMap<u32, Demand>;

/// What is in one subnet, and what it needs.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    pub(crate) placed: Vec<Placed>,
    services: BTreeSet<u32>,
    hosts: BTreeSet<u32>,
    /// A service of which it is not known what it runs on.
    unsure: Option<u32>,
    /// Why it is not known whether service accounts of its nodes take roles.
    tokens_unread: Option<Gap>,
}

/// What carries the same groups in one subnet.
#[derive(Debug)]
pub(crate) struct Placed {
    /// In order, without repetition.
    pub(crate) groups: Vec<String>,
    /// One interface of it that is there now.
    pub(crate) interface: Option<u32>,
    pub(crate) needs: BTreeMap<Need, Asked>,
}

/// Who has a need, by position: the first that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Definition(u32),
    Host(u32),
    Node(u32),
}

/// Who has a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker<'e> {
    /// A task definition.
    Definition(Node<'e, TaskDefinition>),
    /// A container host.
    Host(Node<'e, ContainerInstance>),
    /// A node of an EKS cluster.
    Node(Node<'e, Instance>),
}

impl Asker<'_> {
    /// `web:3`, or the id of the EC2 instance.
    pub fn label(self) -> String {
        match self {
            Self::Definition(definition) => format!("{}:{}", definition.data().family, definition.data().revision),
            Self::Host(host) => host.data().ec2_instance_id.clone().unwrap_or_default(),
            Self::Node(node) => node.data().instance_id.clone(),
        }
    }
}

/// A subnet in use with the needs of what is in it.
#[derive(Clone, Copy)]
pub struct SubnetDemand<'e> {
    pub(crate) subnet: Node<'e, Subnet>,
    pub(crate) demand: &'e Demand,
}

impl Estate<'_> {
    /// The subnets of running tasks, active services, container hosts and EKS nodes, in the order of the inventory.
    pub fn subnet_demands(&self) -> impl Iterator<Item = SubnetDemand<'_>> {
        let demands = self.demands.get_or_init(|| Builder::new(self).build());
        demands.iter().filter_map(|(position, demand)| Some(SubnetDemand { subnet: self.at(*position)?, demand }))
    }
}

impl<'e> SubnetDemand<'e> {
    /// The subnet.
    pub fn subnet(self) -> Node<'e, Subnet> {
        self.subnet
    }

    /// Active services that place tasks in it, and services of tasks that run in it.
    pub fn services(self) -> impl Iterator<Item = Node<'e, Service>> {
        let estate = self.subnet.estate;
        self.demand.services.iter().filter_map(|position| estate.at(*position))
    }

    /// Container hosts of the customer in it.
    pub fn hosts(self) -> impl Iterator<Item = Node<'e, ContainerInstance>> {
        let estate = self.subnet.estate;
        self.demand.hosts.iter().filter_map(|position| estate.at(*position))
    }

    /// The first that was found with a need; `None` when nothing in the subnet has it.
    pub fn asker(self, need: Need) -> Option<Asker<'e>> {
        let asked = self.demand.placed.iter().find_map(|placed| placed.needs.get(&need))?;
        let estate = self.subnet.estate;
        match *asked {
            Asked::Definition(position) => estate.at(position).map(Asker::Definition),
            Asked::Host(position) => estate.at(position).map(Asker::Host),
            Asked::Node(position) => estate.at(position).map(Asker::Node),
        }
    }

    /// Whether all that has a need was found.
    pub fn is_whole(self, need: Need) -> Result<(), Unknown> {
        match need {
            Need::Tokens => self.demand.tokens_unread.as_ref().map_or(Ok(()), |gap| Err(gap.into())),
            Need::Keys | Need::Exec | Need::Agent => Ok(()),
            Need::Images | Need::Logs | Need::Secrets | Need::Parameters | Need::Files => {
                let estate = self.subnet.estate;
                let service: Option<Node<'e, Service>> = self.demand.unsure.and_then(|position| estate.at(position));
                service.map_or(Ok(()), |service| {
                    Err(Unknown {
                        gap: Gap {
                            account: service.account().clone(),
                            region: service.region().clone(),
                            operation: "ecs:DescribeCapacityProviders".to_owned(),
                            code: Gap::INCONCLUSIVE.to_owned(),
                            message: format!("what service {} runs on is not known", service.name()),
                            resource: Some(service.data().service_arn.clone()),
                        },
                    })
                })
            }
        }
    }
}

/// Gathers who is where.
struct Builder<'e> {
    estate: &'e Estate<'e>,
    demands: Demands,
    /// Positions in the list of a subnet.
    placed: FxHashMap<(u32, Vec<&'e str>), usize>,
    definitions: Vec<Option<Needs>>,
    /// What services need that run on hosts of a cluster, and of which no task shows on which.
    anywhere: FxHashMap<u32, BTreeMap<Need, Asked>>,
}

impl<'e> Builder<'e> {
    fn new(estate: &'e Estate<'e>) -> Self {
        let definitions = vec![None; estate.inventory().task_definitions.len()];
        Self { estate, demands: Demands::new(), placed: FxHashMap::default(), definitions, anywhere: FxHashMap::default() }
    }

    fn build(mut self) -> Demands {
        let estate = self.estate;
        for task in estate.running_tasks() {
            self.task(task);
        }
        for service in estate.active_services() {
            self.service(service);
        }
        for host in estate.hosts() {
            self.host(host);
        }
        let takes_roles = clusters_with_roles(estate);
        for cluster in estate.all::<eks::Cluster>().filter(|cluster| !matches!(cluster.status.as_str(), "DELETING" | "FAILED")) {
            self.nodes(cluster, takes_roles.contains(&cluster.index));
        }
        self.demands
    }

    fn task(&mut self, task: Node<'e, Task>) {
        let definition = task.task_definition().found();
        let needs = definition.map_or(0, |definition| self.needs(definition));
        let sessions = if task.enable_execute_command { sessions(task.cluster()) } else { 0 };
        let own = task.network_interfaces().into_iter().find_map(Link::found);
        let instance = task.container_instance().and_then(|host| host.found()?.instance().found());
        // The agent of a host pulls, logs and gets secrets for its tasks; sessions begin inside the task.
        let (platform, inside) = match (task.data().container_instance_arn.is_some(), own.is_some()) {
            (false, _) => (0, needs | sessions),
            (true, true) => (needs, sessions),
            (true, false) => (needs | sessions, 0),
        };
        if let Some(own) = own {
            self.at_interface(own, definition, inside);
            self.note_service(own.data().subnet_id.as_deref(), own, task.service());
        }
        if let Some(instance) = instance.filter(|instance| runs(*instance)) {
            let key = self.at_instance(instance);
            self.ask(key, platform, definition);
            self.note_service(instance.data().subnet_id.as_deref(), instance, task.service());
        }
    }

    fn note_service<T: Resource>(&mut self, subnet: Option<&str>, near: Node<'e, T>, service: Option<Node<'e, Service>>) {
        let Some((subnet, service)) = subnet.and_then(|id| self.subnet(near, id)).zip(service) else { return };
        self.demands.entry(subnet.index).or_default().services.insert(service.index);
    }

    fn service(&mut self, service: Node<'e, Service>) {
        let launch = service.launch();
        if launch == LaunchKind::External {
            return;
        }
        let definitions: Vec<Node<'e, TaskDefinition>> = service.task_definitions().into_iter().filter_map(Link::found).collect();
        let sessions = if service.enable_execute_command { sessions(service.cluster()) } else { 0 };
        let on_host = matches!(launch, LaunchKind::Ec2 | LaunchKind::ManagedInstances);
        let configurations = service.awsvpc_configurations();
        for configuration in &configurations {
            for id in &configuration.subnets {
                let Some(subnet) = self.subnet(service, id) else { continue };
                let key = self.place(subnet, self.groups(service, configuration, id), None);
                let demand = self.demands.entry(subnet.index).or_default();
                demand.services.insert(service.index);
                if launch == LaunchKind::Unknown {
                    demand.unsure = demand.unsure.or(Some(service.index));
                }
                for definition in &definitions {
                    let needs = if launch == LaunchKind::Fargate { self.needs(*definition) } else { 0 };
                    self.ask(Some(key), needs | sessions, Some(*definition));
                }
            }
        }
        let is_seen = || service.tasks().any(|task| task.data().last_status == "RUNNING");
        if let (true, Some(cluster)) = (on_host && !is_seen(), service.cluster().found()) {
            for definition in definitions {
                let needs = self.needs(definition) | if configurations.is_empty() { sessions } else { 0 };
                let anywhere = self.anywhere.entry(cluster.index).or_default();
                for need in Need::ALL.into_iter().filter(|need| needs & need.bit() != 0) {
                    anywhere.entry(need).or_insert(Asked::Definition(definition.index));
                }
            }
        }
    }

    fn host(&mut self, host: Node<'e, ContainerInstance>) {
        let Some(instance) = host.instance().found().filter(|instance| runs(*instance)) else { return };
        let Some((subnet, at)) = self.at_instance(instance) else { return };
        let demand = self.demands.entry(subnet).or_default();
        demand.hosts.insert(host.index);
        let Some(placed) = demand.placed.get_mut(at) else { return };
        placed.needs.entry(Need::Agent).or_insert(Asked::Host(host.index));
        let anywhere = host.cluster().found().and_then(|cluster| self.anywhere.get(&cluster.index));
        for (need, asked) in anywhere.into_iter().flatten() {
            placed.needs.entry(*need).or_insert(*asked);
        }
    }

    /// Every node pulls the images of add-ons from registries of AWS; on those of EKS Auto Mode they are built in.
    fn nodes(&mut self, cluster: Node<'e, eks::Cluster>, takes_roles: bool) {
        let unread = self.estate.coverage().check(cluster.account(), &Region::global(), Role::OPERATION).err();
        for node in cluster.nodes().filter(|node| runs(*node)) {
            let Some((subnet, at)) = self.at_instance(node) else { continue };
            let demand = self.demands.entry(subnet).or_default();
            if !takes_roles && demand.tokens_unread.is_none() {
                demand.tokens_unread.clone_from(&unread);
            }
            let Some(placed) = demand.placed.get_mut(at) else { continue };
            if node.node_kind() != NodeKind::AutoMode {
                placed.needs.entry(Need::Images).or_insert(Asked::Node(node.index));
            }
            if takes_roles {
                placed.needs.entry(Need::Tokens).or_insert(Asked::Node(node.index));
            }
        }
    }

    fn subnet<T: Resource>(&self, near: Node<'e, T>, id: &str) -> Option<Node<'e, Subnet>> {
        self.estate.subnet(near.account(), near.region(), id).found()
    }

    fn groups(&self, service: Node<'e, Service>, configuration: &'e AwsVpcConfiguration, subnet: &str) -> Vec<&'e str> {
        if configuration.security_groups.is_empty() {
            let default = self.estate.default_security_group(service.account(), service.region(), subnet).found();
            return default.into_iter().map(|group| group.data().group_id.as_str()).collect();
        }
        configuration.security_groups.iter().map(String::as_str).collect()
    }

    fn at_interface(&mut self, interface: Node<'e, NetworkInterface>, definition: Option<Node<'e, TaskDefinition>>, needs: Needs) {
        let Some(subnet) = interface.subnet().and_then(Link::found) else { return };
        let groups = interface.data().groups.iter().map(|group| group.group_id.as_str()).collect();
        let key = self.place(subnet, groups, Some(interface.index));
        self.ask(Some(key), needs, definition);
    }

    /// The primary interface of an instance, which its agents use.
    fn at_instance(&mut self, instance: Node<'e, Instance>) -> Option<(u32, usize)> {
        let subnet = instance.subnet()?.found()?;
        let groups: Vec<&str> = instance.data().security_groups.iter().map(|group| group.group_id.as_str()).collect();
        let of_primary = |interface: &Node<'e, NetworkInterface>| {
            let carried = || interface.data().groups.iter().map(|group| group.group_id.as_str());
            interface.data().subnet_id.as_deref() == Some(subnet.data().subnet_id.as_str())
                && carried().count() == groups.len()
                && carried().all(|group| groups.contains(&group))
        };
        let interface = instance.network_interfaces().filter_map(Link::found).find(of_primary);
        Some(self.place(subnet, groups, interface.map(|interface| interface.index)))
    }

    fn place(&mut self, subnet: Node<'e, Subnet>, mut groups: Vec<&'e str>, interface: Option<u32>) -> (u32, usize) {
        groups.sort_unstable();
        groups.dedup();
        let list = &mut self.demands.entry(subnet.index).or_default().placed;
        let at = *self.placed.entry((subnet.index, groups)).or_insert_with_key(|(_, groups)| {
            let groups = groups.iter().map(|&group| group.to_owned()).collect();
            list.push(Placed { groups, interface: None, needs: BTreeMap::new() });
            list.len() - 1
        });
        if let Some(placed) = list.get_mut(at) {
            placed.interface = placed.interface.or(interface);
        }
        (subnet.index, at)
    }

    fn ask(&mut self, key: Option<(u32, usize)>, needs: Needs, definition: Option<Node<'e, TaskDefinition>>) {
        let Some((((subnet, at), definition), true)) = key.zip(definition).zip(Some(needs != 0)) else { return };
        let Some(placed) = self.demands.get_mut(&subnet).and_then(|demand| demand.placed.get_mut(at)) else { return };
        for need in Need::ALL.into_iter().filter(|need| needs & need.bit() != 0) {
            placed.needs.entry(need).or_insert(Asked::Definition(definition.index));
        }
    }

    fn needs(&mut self, definition: Node<'e, TaskDefinition>) -> Needs {
        let Some(known) = self.definitions.get_mut(definition.index as usize) else { return 0 };
        *known.get_or_insert_with(|| needs_of(definition))
    }
}

/// What a definition needs, whatever runs it. What it has in other Regions no endpoint of its own Region serves.
fn needs_of(definition: Node<'_, TaskDefinition>) -> Needs {
    let region = definition.region().as_str();
    let data = definition.data();
    let here = |reference: &str| Arn::parse(reference).is_none_or(|arn| arn.region.is_empty() || arn.region == region);
    let mut needs = 0;
    for container in &data.container_definitions {
        let registry = ImageReference::parse(&container.image).and_then(|reference| reference.private_registry());
        if registry.is_some_and(|registry| registry.region == region) {
            needs |= Need::Images.bit();
        }
        let logs = container.log_configuration.as_ref().filter(|logs| logs.log_driver.as_deref() == Some("awslogs"));
        if logs.is_some_and(|logs| logs.options.get("awslogs-region").is_none_or(|at| at == region)) {
            needs |= Need::Logs.bit();
        }
    }
    for one in data.secret_uses() {
        if one.secret().is_some_and(here) {
            needs |= Need::Secrets.bit();
        }
        if one.parameter().is_some_and(here) {
            needs |= Need::Parameters.bit();
        }
    }
    if data.volumes.iter().any(|volume| volume.efs_volume_configuration.is_some()) {
        needs |= Need::Files.bit();
    }
    needs
}

/// What sessions of ECS Exec need in a cluster.
fn sessions(cluster: Link<'_, Cluster>) -> Needs {
    let cluster = cluster.found().map(|cluster| cluster.data());
    let exec = cluster.and_then(|cluster| cluster.configuration.as_ref()?.execute_command_configuration.as_ref());
    let has_key = exec.and_then(|exec| exec.kms_key_id.as_deref()).is_some_and(|key| !key.is_empty());
    Need::Exec.bit() | if has_key { Need::Keys.bit() } else { 0 }
}

/// Positions of the EKS clusters whose service accounts some role lets in with their tokens.
fn clusters_with_roles(estate: &Estate<'_>) -> BTreeSet<u32> {
    let issuers = &estate.kubernetes.issuers;
    let mut found = BTreeSet::new();
    if issuers.is_empty() {
        return found;
    }
    for role in estate.all::<Role>() {
        let Ok(statements) = role.assume_statements() else { continue };
        found.extend(IssuerTrust::of(&statements).filter_map(|trust| issuers.get(trust.issuer)));
    }
    found
}

fn runs(instance: Node<'_, Instance>) -> bool {
    let state = instance.data().state.as_ref().and_then(|state| state.name.as_deref());
    !matches!(state, Some("shutting-down" | "terminated"))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, injects, policy};
    use plimsoll_model::aws::ecs::{
        ClusterConfiguration, EfsVolumeConfiguration, ExecuteCommandConfiguration, Service, Task, TaskDefinition, Volume,
    };
    use plimsoll_model::aws::eks::{Identity, Oidc};
    use plimsoll_model::{Gap, Region};
    use serde_json::json;

    use super::{Asker, Need};
    use crate::Estate;

    /// `subnet-a Images:web:1 Logs:web:1`, a line for each subnet.
    fn told(account: Fixture) -> Vec<String> {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let lines = estate.subnet_demands().map(|demand| {
            let needs = Need::ALL.into_iter().filter_map(|need| Some(format!(" {need:?}:{}", demand.asker(need)?.label())));
            format!("{}{}", demand.subnet().subnet_id, needs.collect::<String>())
        });
        lines.collect()
    }

    #[test]
    fn a_fargate_task_needs_what_its_definition_names_where_it_runs() {
        assert_eq!(told(fixture().shop()), ["subnet-a Images:web:1 Logs:web:1"]);
        let full = fixture().shop().each(|definition: &mut TaskDefinition| {
            injects("arn:aws:secretsmanager:us-east-1:111111111111:secret:db-AbCdEf")(definition);
            injects("/shop/url")(definition);
            let efs = EfsVolumeConfiguration::default();
            definition.volumes = vec![Volume { efs_volume_configuration: Some(efs), ..Volume::default() }];
        });
        assert_eq!(told(full), ["subnet-a Images:web:1 Logs:web:1 Secrets:web:1 Parameters:web:1 Files:web:1"]);
    }

    #[test]
    fn what_is_in_another_region_or_registry_takes_no_endpoint_here() {
        let elsewhere = fixture().shop().each(|definition: &mut TaskDefinition| {
            let container = &mut definition.container_definitions[0];
            container.image = "111111111111.dkr.ecr.eu-west-3.amazonaws.com/app:1".to_owned();
            container.log_configuration.as_mut().unwrap().options.insert("awslogs-region".to_owned(), "eu-west-3".to_owned());
            injects("arn:aws:ssm:eu-west-3:111111111111:parameter/url")(definition);
        });
        assert_eq!(told(elsewhere), ["subnet-a"]);
        let hub = fixture().shop().each(|definition: &mut TaskDefinition| definition.container_definitions[0].image = "nginx:1".to_owned());
        assert_eq!(told(hub), ["subnet-a Logs:web:1"]);
    }

    #[test]
    fn sessions_need_a_channel_and_the_key_of_the_cluster() {
        let exec = fixture().shop().each(|service: &mut Service| service.enable_execute_command = true);
        assert_eq!(told(exec.clone()), ["subnet-a Images:web:1 Logs:web:1 Exec:web:1"]);
        let keyed = exec.each(|cluster: &mut plimsoll_model::aws::ecs::Cluster| {
            let exec = ExecuteCommandConfiguration { kms_key_id: Some("k1".to_owned()), ..Default::default() };
            cluster.configuration = Some(ClusterConfiguration { execute_command_configuration: Some(exec), ..Default::default() });
        });
        assert_eq!(told(keyed), ["subnet-a Images:web:1 Logs:web:1 Keys:web:1 Exec:web:1"]);
    }

    /// Service `agent` on EC2 with its task interface in subnet `a`, and a host in subnet `b`.
    fn on_host() -> Fixture {
        fixture()
            .network()
            .subnet("main", "b", |_| {})
            .on_ec2(|definition| definition.network_mode = Some("awsvpc".to_owned()))
            .each(|service: &mut Service| {
                service.launch_type = Some("EC2".to_owned());
                service.enable_execute_command = true;
            })
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |instance| instance.subnet_id = Some("subnet-b".to_owned()))
    }

    #[test]
    fn hosts_pull_and_log_for_their_tasks_and_sessions_begin_in_the_task() {
        let needed = ["subnet-a Exec:agent:1", "subnet-b Images:agent:1 Logs:agent:1 Agent:i-h1"];
        assert_eq!(told(on_host()), needed);
        let host = "arn:aws:ecs:us-east-1:111111111111:container-instance/shop/h1";
        let running = on_host()
            .task("shop", "agent", "t1", |task: &mut Task| {
                task.launch_type = Some("EC2".to_owned());
                task.container_instance_arn = Some(host.to_owned());
            })
            .interface("t1", |_| {});
        assert_eq!(told(running.clone()), needed);
        // A host without tasks of it needs nothing of a service whose tasks run on others.
        let idle = running
            .subnet("main", "c", |_| {})
            .container_instance("shop", "h2", |_| {})
            .instance("h2", |instance| instance.subnet_id = Some("subnet-c".to_owned()));
        assert_eq!(told(idle)[2], "subnet-c Agent:i-h2");
    }

    fn nodes(issuer: &str) -> Fixture {
        let identity = Identity { oidc: Some(Oidc { issuer: Some("https://oidc.eks.us-east-1.amazonaws.com/id/A1".to_owned()) }) };
        let trust = policy(json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": format!("arn:aws:iam::111111111111:oidc-provider/{issuer}")}}}));
        fixture()
            .network()
            .eks_cluster("k", |cluster| cluster.identity = Some(identity))
            .nodegroup("k", "web", |_| {})
            .node("k", Some("web"), "n1", |_| {})
            .role("pod", |role| role.assume_role_policy_document = Some(trust))
    }

    #[test]
    fn nodes_pull_images_and_exchange_tokens_where_a_role_trusts_their_cluster() {
        let line = |account| told(account).into_iter().find(|line| line.starts_with("subnet-a")).unwrap();
        assert_eq!(line(nodes("oidc.eks.us-east-1.amazonaws.com/id/A1")), "subnet-a Images:i-n1 Tokens:i-n1");
        assert_eq!(line(nodes("oidc.eks.us-east-1.amazonaws.com/id/B2")), "subnet-a Images:i-n1");
        let unread = nodes("oidc.eks.us-east-1.amazonaws.com/id/B2").with(|inventory| {
            inventory.gaps.push(Gap { region: Region::global(), ..gap("iam:GetAccountAuthorizationDetails") });
        });
        let inventory = unread.build();
        let estate = Estate::new(&inventory);
        let demand = estate.subnet_demands().next().unwrap();
        assert!(demand.is_whole(Need::Tokens).is_err() && demand.is_whole(Need::Images).is_ok());
        assert!(matches!(demand.asker(Need::Images), Some(Asker::Node(_))));
    }

    #[test]
    fn a_service_on_something_unknown_leaves_its_needs_open() {
        let inventory = fixture().shop().without::<Task>().each(|service: &mut Service| service.launch_type = None).build();
        let estate = Estate::new(&inventory);
        let demand = estate.subnet_demands().next().unwrap();
        assert!(demand.asker(Need::Logs).is_none() && demand.is_whole(Need::Logs).is_err());
    }
}
