//! Who carries a security group: interfaces of tasks, services, container hosts, EKS nodes and clusters flow in; the
//! groups of container workload flow out, each with what carries it.

use std::collections::BTreeMap;

use plimsoll_model::aws::ec2::{Instance, NetworkInterface, SecurityGroup};
use plimsoll_model::aws::ecs::Service;
use plimsoll_model::aws::eks;

use crate::{Estate, Link, Node};

/// A security group of container workload, and what carries it.
#[derive(Debug)]
pub struct CarriedGroup<'e> {
    /// The group.
    pub group: Node<'e, SecurityGroup>,
    /// Interfaces of running tasks.
    pub interfaces: Vec<Node<'e, NetworkInterface>>,
    /// ACTIVE services that give it to their tasks.
    pub services: Vec<Node<'e, Service>>,
    /// Container hosts and nodes of EKS clusters.
    pub instances: Vec<Node<'e, Instance>>,
    /// EKS clusters whose control plane and nodes carry it.
    pub clusters: Vec<Node<'e, eks::Cluster>>,
}

/// The groups that were met, by position.
struct Met<'e>(BTreeMap<u32, CarriedGroup<'e>>);

impl<'e> Met<'e> {
    fn group(&mut self, link: Link<'e, SecurityGroup>) -> Option<&mut CarriedGroup<'e>> {
        let group = link.found()?;
        let met = || CarriedGroup { group, interfaces: Vec::new(), services: Vec::new(), instances: Vec::new(), clusters: Vec::new() };
        Some(self.0.entry(group.index).or_insert_with(met))
    }
}

impl Estate<'_> {
    /// The security groups on tasks, container hosts, EKS nodes and clusters, in the order of the inventory. A group that
    /// was not read is not among them.
    pub fn carried_groups(&self) -> Vec<CarriedGroup<'_>> {
        let mut met = Met(BTreeMap::new());
        for task in self.running_tasks() {
            for interface in task.network_interfaces().into_iter().filter_map(Link::found) {
                for link in interface.security_groups() {
                    add(met.group(link).map(|carried| &mut carried.interfaces), interface);
                }
            }
        }
        for service in self.active_services() {
            for link in service.effective_security_groups() {
                add(met.group(link).map(|carried| &mut carried.services), service);
            }
        }
        let hosts = self.host_instances().into_iter().filter_map(|host| host.instance.found());
        for instance in hosts.chain(self.all::<eks::Cluster>().flat_map(Node::<'_, eks::Cluster>::nodes)) {
            for link in instance.all_security_groups() {
                add(met.group(link).map(|carried| &mut carried.instances), instance);
            }
        }
        for cluster in self.all::<eks::Cluster>().filter(|cluster| !matches!(cluster.status.as_str(), "DELETING" | "FAILED")) {
            for link in cluster.security_groups() {
                add(met.group(link).map(|carried| &mut carried.clusters), cluster);
            }
        }
        met.0.into_values().collect()
    }
}

/// Adds what is not there yet: what one carries in several places comes in a row.
fn add<'e, T>(carriers: Option<&mut Vec<Node<'e, T>>>, one: Node<'e, T>) {
    if let Some(carriers) = carriers.filter(|carriers| carriers.last() != Some(&one)) {
        carriers.push(one);
    }
}

impl<'e> Node<'e, Instance> {
    /// The security groups of all its interfaces, but of those that belong to tasks.
    pub fn all_security_groups(self) -> impl Iterator<Item = Link<'e, SecurityGroup>> {
        let estate = self.estate;
        let of_task = move |id: &Option<String>| id.as_deref().is_some_and(|id| estate.is_task_interface(id));
        let interfaces = self.data().network_interfaces.iter().filter(move |interface| !of_task(&interface.network_interface_id));
        let groups = self.data().security_groups.iter().chain(interfaces.flat_map(|interface| &interface.groups));
        groups.map(move |group| estate.link(self.account(), self.region(), &group.group_id))
    }
}

impl<'e> Node<'e, eks::Cluster> {
    /// The security groups of its control plane: the one that EKS made, which its nodes carry too, and those that it was
    /// given.
    pub fn security_groups(self) -> impl Iterator<Item = Link<'e, SecurityGroup>> {
        let config = self.data().resources_vpc_config.iter();
        let ids = config.flat_map(|config| config.cluster_security_group_id.iter().chain(&config.security_group_ids));
        ids.map(move |id| self.estate.link(self.account(), self.region(), id))
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::fixture;
    use plimsoll_model::aws::ec2::{GroupIdentifier, Instance, InstanceNetworkInterface};
    use plimsoll_model::aws::eks::Cluster;

    use crate::Estate;

    #[test]
    fn groups_on_tasks_hosts_nodes_and_clusters_are_carried_and_those_of_load_balancers_are_not() {
        let config = |cluster: &mut Cluster| {
            let config = cluster.resources_vpc_config.as_mut().unwrap();
            config.cluster_security_group_id = Some("sg-cluster".to_owned());
            config.security_group_ids = vec!["sg-plane".to_owned()];
        };
        let second = |instance: &mut Instance| {
            let groups = vec![GroupIdentifier { group_id: "sg-second".to_owned(), group_name: None }];
            instance.network_interfaces = vec![InstanceNetworkInterface { groups, ..Default::default() }];
        };
        let mut account = fixture().shop().behind_load_balancer().eks_cluster("k", config).node("k", None, "n1", second);
        for name in ["cluster", "plane", "second", "hosts", "idle"] {
            account = account.security_group(name, |_| {});
        }
        let inventory = account.container_instance("shop", "h1", |_| {}).instance("h1", |_| {}).build();
        let estate = Estate::new(&inventory);
        let told = estate.carried_groups().into_iter().map(|carried| {
            let counts = [carried.interfaces.len(), carried.services.len(), carried.instances.len(), carried.clusters.len()];
            (carried.group.data().group_id.as_str(), counts)
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("sg-cluster", [0, 0, 0, 1]),
                ("sg-hosts", [0, 0, 2, 0]),
                ("sg-plane", [0, 0, 0, 1]),
                ("sg-second", [0, 0, 1, 0]),
                ("sg-web", [1, 1, 0, 0]),
            ]
        );
    }
}
