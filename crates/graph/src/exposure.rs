//! What reaches workloads from the internet: tasks with the ports where they take connections, and what the engine says of
//! their interfaces, flow in; the ways in flow out, or what is missing to know.

use std::sync::Arc;

use plimsoll_model::Resource;
use plimsoll_model::aws::ec2::{Instance, NetworkInterface};
use plimsoll_model::aws::ecs::{ContainerInstance, Service, Task, TaskDefinition};
use plimsoll_model::aws::eks::{Cluster, Nodegroup};
use plimsoll_model::aws::elasticloadbalancing::{Listener, LoadBalancer};
use plimsoll_net::{Balanced, Exposure, Flow, PathExposure, PortSet, Protocol};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::{Estate, Node, Opening};

/// Exposure of interfaces of workloads, by their position in the inventory.
pub(crate) type Exposed = FxHashMap<u32, Arc<Exposure>>;

/// One way from the internet to a workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WayIn {
    /// The interface that it ends at.
    pub interface: String,
    /// The load balancer that it leads through; none for a direct one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced: Option<Balanced>,
    /// Protocols, ports (the listener's behind a load balancer) and sources.
    pub flows: Vec<Flow>,
    /// Whether it is certainly open.
    pub certain: bool,
    /// Whether it leads through a front door: the interface of another service of AWS, which was not read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_door: bool,
    /// Whether it is open at this moment: a load balancer sends nothing to an unhealthy target.
    pub now: bool,
    /// What a client must do beside sending packets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
}

impl WayIn {
    /// Whether nothing but ICMP takes it: nobody talks to a workload that way.
    pub fn is_ping(&self) -> bool {
        self.flows.iter().all(|flow| flow.protocol.is_icmp())
    }
}

/// What reaches a workload from the internet, as it is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaysIn {
    /// Whether anything but ICMP does; `None` is not known.
    pub reachable: Option<bool>,
    /// The ways, certain ones first.
    pub ways: Vec<WayIn>,
    /// What is missing to know more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl WaysIn {
    fn unknown(missing: String) -> Self {
        Self { reachable: None, ways: Vec::new(), missing: vec![missing] }
    }

    fn none() -> Self {
        Self { reachable: Some(false), ..Self::default() }
    }

    fn add(&mut self, exposure: &Exposure, ports: Option<&Ports>) {
        if exposure.detached {
            return;
        }
        for path in std::iter::once(&*exposure.direct).chain(&exposure.balanced) {
            for (flows, certain, by_door) in [(&path.flows, true, false), (&path.doubtful, false, false), (&path.by_doors, false, true)] {
                let flows = kept(path, flows, ports);
                if !flows.is_empty() {
                    self.missing.extend(path.missing.iter().filter(|_| !certain).cloned());
                    self.ways.push(WayIn {
                        interface: exposure.interface.clone(),
                        balanced: path.balanced.clone(),
                        flows,
                        certain,
                        by_door,
                        now: path.now,
                        conditions: path.conditions.clone(),
                    });
                }
            }
        }
        self.missing.extend(exposure.unseen.clone());
    }

    /// Weighs what was found: something certain, else something that may be, else nothing.
    fn weighed(mut self) -> Self {
        self.ways.sort_by_key(|way| !way.certain);
        self.missing.sort_unstable();
        self.missing.dedup();
        self.reachable = match self.ways.iter().find(|way| !way.is_ping()) {
            Some(way) if way.certain => Some(true),
            None if self.missing.is_empty() => Some(false),
            _ => None,
        };
        self
    }

    /// Both together: what reaches one of them reaches them.
    fn and(mut self, other: Self) -> Self {
        self.ways.extend(other.ways);
        self.missing.extend(other.missing);
        self
    }
}

/// Ports of a task on an interface of its host, by protocol.
struct Ports {
    tcp: PortSet,
    udp: PortSet,
}

impl Ports {
    fn of<'o>(openings: impl Iterator<Item = &'o Opening<'o>>) -> Self {
        let mut ports = Self { tcp: PortSet::none(), udp: PortSet::none() };
        for opening in openings {
            let set = if opening.protocol == "udp" { &mut ports.udp } else { &mut ports.tcp };
            *set = set.union(&PortSet::range(*opening.ports.start(), *opening.ports.end()));
        }
        ports
    }

    fn of_protocol(&self, protocol: Protocol) -> Option<&PortSet> {
        match protocol {
            Protocol::TCP => Some(&self.tcp),
            Protocol::UDP => Some(&self.udp),
            _ => None,
        }
    }
}

/// What of a path leads to these ports; to all when the interface is the task's own.
fn kept(path: &PathExposure, flows: &[Flow], ports: Option<&Ports>) -> Vec<Flow> {
    let Some(ports) = ports else { return flows.to_vec() };
    let narrowed = flows.iter().filter_map(|flow| {
        let open = ports.of_protocol(flow.protocol)?;
        if let Some(balanced) = &path.balanced {
            // Its ports are the listener's: the target's decides.
            return open.contains(balanced.target_port).then(|| flow.clone());
        }
        let left = flow.ports.intersect(open);
        (!left.is_empty()).then(|| Flow { ports: left, ..flow.clone() })
    });
    narrowed.collect()
}

impl Estate<'_> {
    /// The exposure of every interface of tasks, container hosts and nodes, computed on first use.
    fn exposed(&self) -> &Exposed {
        self.exposed.get_or_init(|| {
            let exposures = self.network().exposures();
            let all = self.all::<NetworkInterface>().filter(|interface| self.carries_workload(*interface));
            all.filter_map(|interface| Some((interface.index, Arc::new(exposures.of(&interface.network_interface_id)?)))).collect()
        })
    }

    fn carries_workload(&self, interface: Node<'_, NetworkInterface>) -> bool {
        let attached = interface.data().attachment.as_ref().and_then(|attachment| attachment.instance_id.as_deref());
        self.relations.interface_task.contains_key(&interface.index)
            || attached.is_some_and(|id| self.ids.instances.contains_key(id))
            || interface.pod_cluster().is_some()
    }

    /// What reaches an interface of a workload from the internet; `None` for interfaces of other things.
    pub fn exposure_of(&self, interface: Node<'_, NetworkInterface>) -> Option<&Exposure> {
        self.exposed().get(&interface.index).map(|exposure| &**exposure)
    }

    /// Whether the internet reaches a workload, by kind and position of the resource: a task, a service or task definition
    /// by its running tasks, a container host by itself and the tasks on it, a node group by its nodes and the pods on them,
    /// an internet-facing load balancer or its listener by its nodes. `None` for what is no workload, or does not run;
    /// `Some(None)` where it is not known.
    pub fn internet_reaches(&self, kind: &str, index: u32) -> Option<Option<bool>> {
        let any = |tasks: &mut dyn Iterator<Item = Node<'_, Task>>| {
            let mut answers = tasks.filter(|task| task.is_running()).map(Node::<'_, Task>::is_internet_reachable).peekable();
            answers.peek()?;
            let mut known = Some(false);
            for answer in answers {
                match answer {
                    Some(true) => return Some(Some(true)),
                    None => known = None,
                    Some(false) => {}
                }
            }
            Some(known)
        };
        match kind {
            "ecs:Task" => self.at::<Task>(index).filter(|task| task.is_running()).map(Node::<'_, Task>::is_internet_reachable),
            "ecs:Service" => any(&mut self.at::<Service>(index)?.tasks()),
            "ecs:TaskDefinition" => any(&mut self.at::<TaskDefinition>(index)?.tasks()),
            "elasticloadbalancing:LoadBalancer" => self.at::<LoadBalancer>(index)?.internet_reaches_nodes(),
            "elasticloadbalancing:Listener" => self.at::<Listener>(index)?.load_balancer().found()?.internet_reaches_nodes(),
            "eks:Nodegroup" => {
                let group = self.at::<Nodegroup>(index)?;
                group.nodes().next()?;
                Some(group.ways_in().reachable)
            }
            "ecs:ContainerInstance" => {
                let host = self.at::<ContainerInstance>(index)?;
                let itself = host.ways_in().reachable;
                // A task with an interface of its own is a way to the host that it runs on.
                Some(any(&mut host.tasks()).map_or(itself, |tasks| either(itself, tasks)))
            }
            _ => None,
        }
    }
}

impl Node<'_, Task> {
    /// Whether it runs.
    pub fn is_running(self) -> bool {
        self.data().last_status == "RUNNING"
    }

    /// What reaches it from the internet: any port of an interface of its own, the ports that it takes of its host's.
    pub fn ways_in(self) -> WaysIn {
        let interfaces = match self.interfaces() {
            Ok(interfaces) => interfaces,
            Err(unknown) => return WaysIn::unknown(unknown.gap.to_string()),
        };
        if interfaces.is_empty() {
            return WaysIn::none();
        }
        let own = self.has_own_interface();
        let openings = if own { Ok(Vec::new()) } else { self.openings() };
        let openings = match openings {
            Ok(openings) => openings,
            Err(unknown) => return WaysIn::unknown(unknown.gap.to_string()),
        };
        let mut found = WaysIn::none();
        for interface in interfaces {
            let Some(exposure) = self.estate.exposure_of(interface) else { continue };
            let of_interface = openings.iter().filter(|opening| opening.interface == interface);
            let ports = (!own).then(|| Ports::of(of_interface));
            found.add(exposure, ports.as_ref());
        }
        // VPC Lattice calls its targets itself, and who may call it was not read.
        found.missing.extend(self.lattice_target_groups().map(|group| format!("front-door:vpc-lattice:{group}")));
        found.weighed()
    }

    /// The target groups of VPC Lattice that its service registers it with.
    fn lattice_target_groups(self) -> impl Iterator<Item = String> {
        let deployments = self.service().into_iter().flat_map(|service| &service.data().deployments);
        let configurations = deployments.flat_map(|deployment| &deployment.vpc_lattice_configurations);
        configurations.map(|configuration| configuration.target_group_arn.clone())
    }

    /// Whether the internet reaches it; `None` is not known.
    pub fn is_internet_reachable(self) -> Option<bool> {
        let known = self.estate.task_exposure.get_or_init(|| {
            self.estate.all::<Task>().map(|task| if task.is_running() { task.ways_in().reachable } else { Some(false) }).collect()
        });
        known.get(self.index as usize).copied().flatten()
    }
}

impl Node<'_, LoadBalancer> {
    /// Whether the internet reaches some node of an internet-facing load balancer: its groups may let in few, or nobody.
    /// `None` for an internal one, and where its nodes were not read.
    #[expect(clippy::option_option, reason = "as internet_reaches answers")]
    fn internet_reaches_nodes(self) -> Option<Option<bool>> {
        if !self.data().is_internet_facing() {
            return None;
        }
        let mut nodes = self.nodes().peekable();
        nodes.peek()?;
        let network = self.estate.network();
        let mut known = Some(false);
        for node in nodes {
            match network.exposure(&node.network_interface_id).and_then(|exposure| exposure.direct.takes_connections()) {
                Some(true) => return Some(Some(true)),
                None => known = None,
                Some(false) => {}
            }
        }
        Some(known)
    }
}

impl<'e> Node<'e, Service> {
    /// What reaches its running tasks from the internet.
    pub fn ways_in(self) -> WaysIn {
        self.tasks().filter(|task| task.is_running()).map(Node::<'e, Task>::ways_in).fold(WaysIn::none(), WaysIn::and).weighed()
    }
}

impl<'e> Node<'e, ContainerInstance> {
    /// What reaches its host from the internet, on whatever port.
    pub fn ways_in(self) -> WaysIn {
        match self.instance().known() {
            Ok(instance) => Node::<'e, Instance>::ways_in(instance),
            Err(unknown) => WaysIn::unknown(unknown.gap.to_string()),
        }
    }
}

impl Node<'_, Instance> {
    /// What reaches its own interfaces from the internet, on whatever port.
    pub fn ways_in(self) -> WaysIn {
        match self.interfaces() {
            // What belongs to a task with an interface of its own is that task's.
            Ok(interfaces) => WaysIn::of(interfaces.into_iter().filter(|interface| interface.task().is_none())),
            Err(unknown) => WaysIn::unknown(unknown.gap.to_string()),
        }
    }
}

impl<'e> Node<'e, Nodegroup> {
    /// What reaches its nodes from the internet, and pods on them that have security groups of their own.
    pub fn ways_in(self) -> WaysIn {
        let pods = self.cluster().found().into_iter().flat_map(Node::<'e, Cluster>::pod_interfaces);
        let nodes: FxHashSet<u32> = self.nodes().map(|node| node.index).collect();
        let here = pods.filter(|pod| pod.pod_node().is_some_and(|node| nodes.contains(&node.index)));
        let mut found = self.nodes().map(Node::<'e, Instance>::ways_in).fold(WaysIn::of(here), WaysIn::and);
        // Nodes that were not listed may be reached.
        let listed = self.estate.coverage().check(self.account(), self.region(), Instance::OPERATION);
        found.missing.extend(listed.err().map(|gap| gap.to_string()));
        found.weighed()
    }
}

impl WaysIn {
    /// What reaches interfaces from the internet, on whatever port.
    pub fn of<'e>(interfaces: impl IntoIterator<Item = Node<'e, NetworkInterface>>) -> Self {
        let mut found = Self::none();
        for interface in interfaces {
            if let Some(exposure) = interface.estate.exposure_of(interface) {
                found.add(exposure, None);
            }
        }
        found.weighed()
    }
}

/// Whether one of two is so.
fn either(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture};
    use plimsoll_model::aws::ec2::{Instance, InstanceNetworkInterface, SecurityGroup};
    use plimsoll_model::aws::ecs::{Deployment, NetworkBinding, Service, Task, TaskDefinition, VpcLatticeConfiguration};
    use plimsoll_model::aws::eks::Cluster;

    use crate::{Estate, WaysIn};

    #[expect(clippy::option_option, reason = "as the function that is tested answers")]
    fn reaches(account: Fixture, kind: &str) -> Option<Option<bool>> {
        let inventory = account.build();
        Estate::new(&inventory).internet_reaches(kind, 0)
    }

    #[test]
    fn a_service_is_reached_where_one_of_its_tasks_is() {
        for kind in ["ecs:Task", "ecs:Service", "ecs:TaskDefinition"] {
            assert_eq!(reaches(fixture().shop(), kind), Some(Some(false)), "{kind}");
            assert_eq!(reaches(fixture().shop().facing_internet(8080), kind), Some(Some(true)), "{kind}");
            let unread = fixture().shop().facing_internet(8080).without::<plimsoll_model::aws::ec2::RouteTable>();
            assert_eq!(reaches(unread.denied("ec2:DescribeRouteTables"), kind), Some(None), "{kind}");
        }
        assert_eq!(reaches(fixture().shop(), "ecs:Cluster"), None);
        let idle = fixture().shop().each::<Task>(|task| task.last_status = "STOPPED".to_owned());
        assert_eq!(reaches(idle, "ecs:Service"), None, "nothing of it runs");
    }

    /// A task on its host's network behind port 32768, on a host that everybody reaches on `port`.
    fn bridged(port: i32) -> Fixture {
        fixture()
            .shop()
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |instance| {
                let attached = InstanceNetworkInterface { network_interface_id: Some("eni-h1".to_owned()), ..Default::default() };
                instance.network_interfaces = vec![attached];
            })
            .security_group("app", |_| {})
            .interface("h1", |interface| {
                let id = Some("i-h1".to_owned());
                interface.attachment = Some(plimsoll_model::aws::ec2::NetworkInterfaceAttachment { instance_id: id, ..Default::default() });
            })
            .each::<TaskDefinition>(|definition| definition.network_mode = Some("bridge".to_owned()))
            .each::<Task>(|task| {
                task.attachments.clear();
                task.container_instance_arn = Some(arn("ecs", "container-instance/shop/h1"));
                let binding = NetworkBinding { container_port: Some(8080), host_port: Some(32_768), ..NetworkBinding::default() };
                task.containers[0].network_bindings = vec![binding];
            })
            .facing_internet(port)
    }

    #[test]
    fn on_a_host_only_the_ports_of_the_task_count() {
        let instance = |account: Fixture| account.build().instances[0].data.instance_id.clone();
        assert_eq!(instance(bridged(22)), "i-h1");
        assert_eq!(reaches(bridged(32_768), "ecs:Task"), Some(Some(true)));
        assert_eq!(reaches(bridged(22), "ecs:Task"), Some(Some(false)), "the port of somebody else");
        assert_eq!(reaches(bridged(22), "ecs:ContainerInstance"), Some(Some(true)));
    }

    #[test]
    fn a_load_balancer_is_reached_where_somebody_gets_in_to_a_node() {
        let front = |open: bool| {
            let node = |interface: &mut plimsoll_model::aws::ec2::NetworkInterface| {
                interface.interface_type = Some("interface".to_owned());
                interface.groups = vec![plimsoll_model::aws::ec2::GroupIdentifier { group_id: "sg-front".to_owned(), group_name: None }];
            };
            let account = fixture().shop().behind_load_balancer().interface("node", node);
            let arn = account.clone().build().load_balancers[0].data.load_balancer_arn.clone();
            let described = arn.split_once(":loadbalancer/").map(|(_, end)| format!("ELB {end}"));
            let account = account.each::<plimsoll_model::aws::ec2::NetworkInterface>(move |interface| {
                if interface.network_interface_id == "eni-node" {
                    interface.description.clone_from(&described);
                }
            });
            if open { account.facing_internet(443) } else { account }
        };
        for kind in ["elasticloadbalancing:LoadBalancer", "elasticloadbalancing:Listener"] {
            assert_eq!(reaches(front(true), kind), Some(Some(true)), "{kind}");
            assert_eq!(reaches(front(false), kind), Some(Some(false)), "{kind}");
            assert_eq!(reaches(fixture().shop().behind_load_balancer(), kind), None, "no node was read");
        }
    }

    #[test]
    fn targets_of_vpc_lattice_may_be_reached_by_it() {
        let lattice = VpcLatticeConfiguration { target_group_arn: "arn:tg".to_owned(), ..Default::default() };
        let deployment = Deployment { vpc_lattice_configurations: vec![lattice], ..Default::default() };
        let inventory = fixture().shop().each::<Service>(move |service| service.deployments = vec![deployment.clone()]).build();
        let ways = Estate::new(&inventory).all::<Service>().next().unwrap().ways_in();
        assert_eq!((ways.reachable, ways.missing), (None, vec!["front-door:vpc-lattice:arn:tg".to_owned()]));
    }

    #[test]
    fn a_ping_alone_is_no_way_in() {
        let ping = |group: &mut SecurityGroup| group.ip_permissions = vec![plimsoll_fixture::rule("icmp", 8, "0.0.0.0/0")];
        let inventory = fixture().shop().facing_internet(8080).each::<SecurityGroup>(ping).build();
        let estate = Estate::new(&inventory);
        let ways = estate.all::<Service>().next().unwrap().ways_in();
        assert_eq!((ways.reachable, ways.ways.len(), ways.ways[0].is_ping()), (Some(false), 1, true));
        assert_eq!(estate.internet_reaches("ecs:Task", 0), Some(Some(false)));
    }

    #[test]
    fn a_host_is_reached_where_a_task_on_it_is() {
        let on_host = |task: &mut Task| task.container_instance_arn = Some(arn("ecs", "container-instance/shop/h1"));
        let account = fixture().shop().container_instance("shop", "h1", |_| {}).instance("h1", |_| {}).each::<Task>(on_host);
        assert_eq!(reaches(account.clone(), "ecs:ContainerInstance"), Some(Some(false)));
        assert_eq!(reaches(account.facing_internet(8080), "ecs:ContainerInstance"), Some(Some(true)));
    }

    /// A node group with a node whose interface is a trunk, and a pod on it with groups of its own.
    fn kubernetes() -> Fixture {
        let attached = |instance: &mut Instance| {
            let interface = InstanceNetworkInterface { network_interface_id: Some("eni-n1".to_owned()), ..Default::default() };
            instance.network_interfaces = vec![interface];
        };
        let tag = |key: &str, value: &str| plimsoll_model::aws::ec2::Tag { key: key.to_owned(), value: value.to_owned() };
        fixture()
            .network()
            .eks_cluster("shop", |_| {})
            .nodegroup("shop", "web", |_| {})
            .security_group("app", |_| {})
            .node("shop", Some("web"), "n1", attached)
            .interface("n1", |interface| {
                let id = Some("i-n1".to_owned());
                interface.attachment = Some(plimsoll_model::aws::ec2::NetworkInterfaceAttachment { instance_id: id, ..Default::default() });
            })
            .interface("pod", |interface| {
                interface.interface_type = Some("branch".to_owned());
                interface.private_ip_address = Some("10.0.0.21".to_owned());
                interface.tag_set = vec![tag("vpcresources.k8s.aws/trunk-eni-id", "eni-n1")];
            })
    }

    #[test]
    fn nodes_and_pods_with_groups_of_their_own_are_workloads() {
        assert_eq!(reaches(kubernetes(), "eks:Nodegroup"), Some(Some(false)));
        assert_eq!(reaches(kubernetes().facing_internet(443), "eks:Nodegroup"), Some(Some(true)));
        assert_eq!(reaches(fixture().eks_cluster("shop", |_| {}).nodegroup("shop", "web", |_| {}), "eks:Nodegroup"), None);
        assert_eq!(reaches(kubernetes().denied("ec2:DescribeInstances"), "eks:Nodegroup"), Some(None), "there may be more nodes");
        let open_pod = kubernetes().facing_internet(443).each::<plimsoll_model::aws::ec2::NetworkInterface>(|interface| {
            if interface.network_interface_id == "eni-n1" {
                interface.association = None;
            }
        });
        assert_eq!(reaches(open_pod, "eks:Nodegroup"), Some(Some(true)), "by a pod on a node");
        let inventory = kubernetes().facing_internet(443).build();
        let estate = Estate::new(&inventory);
        let pods: Vec<_> = estate.eks_clusters().flat_map(crate::Node::<'_, Cluster>::pod_interfaces).collect();
        assert_eq!(pods.iter().map(|pod| pod.network_interface_id.as_str()).collect::<Vec<_>>(), ["eni-pod"]);
        assert_eq!(WaysIn::of(pods).ways[0].interface, "eni-pod");
        assert_eq!(estate.interface_bearer("eni-pod").as_deref(), Some("pod of shop"));
        assert_eq!(estate.interface_bearer("eni-n1").as_deref(), Some("i-n1"));
        let arns = [inventory.nodegroups[0].data.nodegroup_arn.clone(), inventory.eks_clusters[0].data.arn.clone()];
        assert_eq!(arns.map(|arn| estate.endpoints(&arn).map(|ends| ends.len())), [Ok(1), Ok(2)]);
    }

    #[test]
    fn ways_in_name_ports_and_sources() {
        let inventory = fixture().shop().facing_internet(8080).build();
        let estate = Estate::new(&inventory);
        let ways = estate.all::<Service>().next().unwrap().ways_in();
        assert_eq!((ways.reachable, ways.ways.len(), ways.missing.len()), (Some(true), 1, 0));
        let way = &ways.ways[0];
        assert!(way.balanced.is_none() && way.certain && way.now);
        assert_eq!((way.flows[0].ports.words(), way.interface.as_str()), (vec!["8080".to_owned()], "eni-t1"));
    }
}
