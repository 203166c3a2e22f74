//! The VPCs that hold container workload (WORKLOAD-VPC of the catalogue). Running tasks, active services, container
//! instances, EKS clusters and their nodes flow in; what of them is in each VPC flows out.

use plimsoll_model::aws::ec2::{FlowLog, Instance, NetworkInterface, Subnet, Vpc};
use plimsoll_model::aws::ecs::{Service, Task};
use plimsoll_model::aws::eks;
use plimsoll_model::{AccountId, Region};
use rustc_hash::FxHashMap;

use crate::{Estate, Link, Missing, Node, Unknown};

/// The workload of a VPC, as ascending positions in the inventory's lists.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    interfaces: Vec<u32>,
    subnets: Vec<u32>,
    tasks: Vec<u32>,
}

/// Workloads by id of the VPC.
pub(crate) type Workloads = FxHashMap<String, Holdings>;

/// The container workload of a VPC.
#[derive(Clone, Copy)]
pub struct Workload<'e> {
    estate: &'e Estate<'e>,
    holdings: &'e Holdings,
}

/// Where a running task is attached to the network: by an interface of its own, or by its host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment<'e> {
    /// The interface of the task; `None` when it shares those of its host.
    pub interface_id: Option<&'e str>,
    /// The host whose interfaces it shares.
    pub host: Option<Node<'e, Instance>>,
    /// The subnet, as far as is known.
    pub subnet_id: Option<&'e str>,
    /// The VPC, as far as is known.
    pub vpc_id: Option<&'e str>,
}

impl Estate<'_> {
    /// The workload of a VPC, `None` when nothing that was read is in it.
    fn workload(&self, vpc_id: &str) -> Option<&Holdings> {
        self.workloads.get_or_init(|| self.find_workloads()).get(vpc_id)
    }

    fn find_workloads(&self) -> Workloads {
        let mut workloads = Workloads::default();
        let mut place = |vpc_id: Option<&str>, subnet_id: Option<&str>, interface_id: Option<&str>, task: Option<u32>| {
            let Some(vpc_id) = vpc_id else { return };
            let holdings = workloads.entry(vpc_id.to_owned()).or_default();
            holdings.subnets.extend(subnet_id.and_then(|id| self.ids.subnets.get(id)));
            holdings.interfaces.extend(interface_id.and_then(|id| self.ids.network_interfaces.get(id)));
            holdings.tasks.extend(task);
        };
        for task in self.running_tasks() {
            if let Some(at) = task.attached_to() {
                place(at.vpc_id, at.subnet_id, at.interface_id, Some(task.index));
            }
        }
        for service in self.active_services() {
            for configuration in Node::<'_, Service>::awsvpc_configurations(service) {
                for id in &configuration.subnets {
                    let subnet: Link<'_, Subnet> = self.link(service.account(), service.region(), id);
                    place(subnet.found().map(|subnet| subnet.data().vpc_id.as_str()), Some(id), None, None);
                }
            }
        }
        for cluster in self.all::<eks::Cluster>().filter(|cluster| !matches!(cluster.status.as_str(), "DELETING" | "FAILED")) {
            let config = cluster.data().resources_vpc_config.as_ref();
            place(config.and_then(|config| config.vpc_id.as_deref()), None, None, None);
            for id in cluster.subnet_ids() {
                place(cluster.vpc_of(id), Some(id), None, None);
            }
        }
        let hosts = self.hosts().filter_map(|host| host.instance().found());
        for instance in hosts.chain(self.all::<eks::Cluster>().flat_map(Node::<'_, eks::Cluster>::nodes)) {
            let instance = instance.data();
            place(instance.vpc_id.as_deref(), instance.subnet_id.as_deref(), None, None);
            for interface in &instance.network_interfaces {
                place(interface.vpc_id.as_deref(), interface.subnet_id.as_deref(), interface.network_interface_id.as_deref(), None);
            }
        }
        #[expect(clippy::iter_over_hash_type, reason = "each list is put in order on its own")]
        for holdings in workloads.values_mut() {
            for list in [&mut holdings.interfaces, &mut holdings.subnets, &mut holdings.tasks] {
                list.sort_unstable();
                list.dedup();
            }
        }
        workloads
    }

    /// The workload of a VPC by its id, `None` when nothing that was read is in it.
    pub fn workload_in(&self, vpc_id: &str) -> Option<Workload<'_>> {
        Some(Workload { estate: self, holdings: self.workload(vpc_id)? })
    }

    /// Whether an interface belongs to a task of its own (network mode awsvpc).
    pub fn is_task_interface(&self, interface_id: &str) -> bool {
        self.ids.network_interfaces.get(interface_id).is_some_and(|position| self.relations.interface_task.contains_key(position))
    }

    /// Whether every flow log on a VPC or subnet was read; those on a shared one are shown to its owner only.
    pub fn flow_logs_read(&self, account: &AccountId, region: &Region, owner: Option<&str>, id: &str) -> Result<(), Unknown> {
        self.coverage().check(account, region, "ec2:DescribeFlowLogs")?;
        let Some(owner) = owner.filter(|owner| *owner != account.as_str()).map(AccountId::new) else { return Ok(()) };
        if !self.is_scanned(&owner, region) {
            return Err(Missing::OutOfScope { reference: id.to_owned() }.into_unknown::<FlowLog>());
        }
        Ok(self.coverage().check(&owner, region, "ec2:DescribeFlowLogs")?)
    }
}

impl<'e> Workload<'e> {
    /// Interfaces of running tasks, of container hosts and of nodes.
    pub fn interfaces(self) -> impl Iterator<Item = Node<'e, NetworkInterface>> {
        self.estate.many(&self.holdings.interfaces)
    }

    /// Subnets of running tasks, active services, container hosts, EKS clusters and nodes.
    pub fn subnets(self) -> impl Iterator<Item = Node<'e, Subnet>> {
        self.estate.many(&self.holdings.subnets)
    }

    /// Running tasks.
    pub fn tasks(self) -> impl Iterator<Item = Node<'e, Task>> {
        self.estate.many(&self.holdings.tasks)
    }
}

impl<'e> Node<'e, Vpc> {
    /// Its container workload, `None` when nothing that was read is in it.
    pub fn workload(self) -> Option<Workload<'e>> {
        Some(Workload { estate: self.estate, holdings: self.estate.workload(&self.data().vpc_id)? })
    }
}

impl<'e> Node<'e, FlowLog> {
    /// Whether it records.
    pub fn is_active(self) -> bool {
        self.data().flow_log_status.as_deref() == Some("ACTIVE")
    }

    /// The subnet that it watches, when it watches one or an interface in one.
    pub fn subnet_id(self) -> Option<&'e str> {
        let id = self.data().resource_id.as_deref()?;
        if id.starts_with("eni-") {
            let interface: Node<'e, NetworkInterface> = self.estate.link(self.account(), self.region(), id).found()?;
            return interface.data().subnet_id.as_deref();
        }
        id.starts_with("subnet-").then_some(id)
    }

    /// The VPC that it watches, whole or in part.
    pub fn vpc_id(self) -> Option<&'e str> {
        let id = self.data().resource_id.as_deref()?;
        if id.starts_with("vpc-") {
            return Some(id);
        }
        let subnet: Node<'e, Subnet> = self.estate.link(self.account(), self.region(), self.subnet_id()?).found()?;
        Some(&subnet.data().vpc_id)
    }

    /// The container workload of the VPC that it watches, `None` when what it watches is no part of that.
    pub fn workload(self) -> Option<Workload<'e>> {
        let holdings = self.estate.workload(self.vpc_id()?)?;
        let ids = &self.estate.ids;
        let id = self.data().resource_id.as_deref()?;
        let watches = id.starts_with("vpc-")
            || ids.subnets.get(id).is_some_and(|position| holdings.subnets.binary_search(position).is_ok())
            || ids.network_interfaces.get(id).is_some_and(|position| holdings.interfaces.binary_search(position).is_ok());
        watches.then_some(Workload { estate: self.estate, holdings })
    }
}

impl<'e> Node<'e, Task> {
    /// Where it is attached to the network; `None` when nothing that was read tells.
    pub fn attached_to(self) -> Option<Attachment<'e>> {
        let task = self.data();
        let own = task.attachments.iter().find(|a| a.kind == "ElasticNetworkInterface" && a.status != "DELETED" && a.status != "DETACHED");
        if let Some(own) = own {
            let detail = |name: &str| own.details.iter().find(|detail| detail.name == name).map(|detail| detail.value.as_str());
            let interface_id = detail("networkInterfaceId");
            let interface = interface_id.and_then(|id| self.estate.link::<NetworkInterface>(self.account(), self.region(), id).found());
            let subnet_id = detail("subnetId").or_else(|| interface?.data().subnet_id.as_deref());
            let subnet = || self.estate.link::<Subnet>(self.account(), self.region(), subnet_id?).found();
            let vpc_id = interface
                .and_then(|interface| interface.data().vpc_id.as_deref())
                .or_else(|| subnet().map(|subnet| subnet.data().vpc_id.as_str()));
            return Some(Attachment { interface_id, host: None, subnet_id, vpc_id });
        }
        let host = self.container_instance()?.found()?.instance().found()?;
        let instance = host.data();
        Some(Attachment {
            interface_id: None,
            host: Some(host),
            subnet_id: instance.subnet_id.as_deref(),
            vpc_id: instance.vpc_id.as_deref(),
        })
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::fixture;
    use plimsoll_model::aws::ec2::{FlowLog, Vpc};

    use crate::Estate;

    #[test]
    fn a_vpc_holds_the_tasks_services_and_hosts_in_it_and_an_empty_one_holds_nothing() {
        let inventory = fixture()
            .shop()
            .vpc("empty", |_| {})
            .subnet("main", "b", |_| {})
            .container_instance("shop", "host", |_| {})
            .instance("host", |instance| instance.subnet_id = Some("subnet-b".to_owned()))
            .build();
        let estate = Estate::new(&inventory);
        let vpc = |id: &str| estate.all::<Vpc>().find(|vpc| vpc.vpc_id == id).unwrap();
        assert!(vpc("vpc-empty").workload().is_none());
        let workload = vpc("vpc-main").workload().unwrap();
        assert_eq!(workload.subnets().map(|subnet| subnet.subnet_id.clone()).collect::<Vec<_>>(), ["subnet-a", "subnet-b"]);
        assert_eq!(workload.interfaces().count(), 1);
        assert_eq!(workload.tasks().count(), 1);
    }

    #[test]
    fn a_flow_log_watches_workload_through_vpc_subnet_or_interface() {
        let inventory = fixture()
            .shop()
            .subnet("main", "idle", |_| {})
            .interface("idle", |_| {})
            .flow_log("subnet-a", |_| {})
            .flow_log("eni-t1", |_| {})
            .flow_log("subnet-idle", |_| {})
            .flow_log("eni-idle", |_| {})
            .build();
        let estate = Estate::new(&inventory);
        let watching: Vec<&str> =
            estate.all::<FlowLog>().filter(|log| log.workload().is_some()).map(|log| log.data().flow_log_id.as_str()).collect();
        assert_eq!(watching, ["fl-eni-t1", "fl-subnet-a", "fl-vpc-main"]);
    }

    #[test]
    fn flow_logs_on_a_shared_vpc_of_an_unscanned_owner_are_unknown() {
        let inventory = fixture().shop().build();
        let estate = Estate::new(&inventory);
        let vpc = estate.all::<Vpc>().next().unwrap();
        assert!(estate.flow_logs_read(vpc.account(), vpc.region(), Some("222222222222"), "vpc-main").is_err());
        assert!(estate.flow_logs_read(vpc.account(), vpc.region(), Some("111111111111"), "vpc-main").is_ok());
        assert!(estate.flow_logs_read(vpc.account(), vpc.region(), None, "vpc-main").is_ok());
    }
}
