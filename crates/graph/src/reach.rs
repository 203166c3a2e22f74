//! The network of the estate: the compiled reachability engine, and the interfaces that somebody means by a name.

use plimsoll_model::aws::ec2::{Instance, NetworkInterface};
use plimsoll_model::aws::ecs::{ContainerInstance, Service, Task};
use plimsoll_model::aws::eks::{self, Nodegroup};
use plimsoll_model::aws::elasticloadbalancing::LoadBalancer;
use plimsoll_net::{Endpoint, Network};
use thiserror::Error;

use crate::{Estate, Link, Node, Unknown};

/// Why a text names no end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoEndpoint {
    /// It has none of the forms.
    #[error(
        "{0} is neither internet, a CIDR, eni-…, i-…, service:CLUSTER/NAME, dns:NAME nor an ARN of a task, service, instance, load balancer, node group or EKS cluster"
    )]
    Form(String),
    /// There is nothing by that name.
    #[error("there is no {0} in the snapshot")]
    NotFound(String),
    /// It is there, and nothing of it is in the network now.
    #[error("{0} has no network interface: nothing of it runs")]
    Idle(String),
    /// Its interfaces were not read.
    #[error("the interfaces of {name} were not read: {}", unknown.gap)]
    Unread {
        /// What was asked for.
        name: String,
        /// What is missing.
        unknown: Unknown,
    },
}

impl<'i> Estate<'i> {
    /// Everything that was read of the network, ready for questions.
    pub fn network(&self) -> &Network<'i> {
        &self.network
    }

    /// The ends of a connection that somebody means: `internet`, `internet:ADDRESS`, a CIDR, or network interfaces by
    /// their own id, an instance's id, `service:CLUSTER/NAME`, `dns:NAME` for the services that clients find under a name, or
    /// the ARN of a task, service, container instance, EC2 instance, load balancer, EKS node group or EKS cluster: its nodes,
    /// and its pods with security groups of their own.
    pub fn endpoints(&self, text: &str) -> Result<Vec<Endpoint>, NoEndpoint> {
        let not_found = || NoEndpoint::NotFound(text.to_owned());
        let all = |interfaces: Result<Vec<Node<'_, NetworkInterface>>, Unknown>| match interfaces {
            Ok(interfaces) if interfaces.is_empty() => Err(NoEndpoint::Idle(text.to_owned())),
            Ok(interfaces) => {
                let mut ids: Vec<String> = interfaces.iter().map(|interface| interface.network_interface_id.clone()).collect();
                ids.sort_unstable();
                ids.dedup();
                Ok(ids.into_iter().map(Endpoint::Interface).collect())
            }
            Err(unknown) => Err(NoEndpoint::Unread { name: text.to_owned(), unknown }),
        };
        if let Some(name) = text.strip_prefix("service:") {
            let (cluster, name) = name.split_once('/').ok_or_else(|| NoEndpoint::Form(text.to_owned()))?;
            let end = format!(":service/{cluster}/{name}");
            let service = self.all::<Service>().find(|service| service.data().service_arn.ends_with(&end)).ok_or_else(not_found)?;
            return all(service.interfaces());
        }
        if let Some(name) = text.strip_prefix("dns:") {
            if name.is_empty() {
                return Err(NoEndpoint::Form(text.to_owned()));
            }
            let (services, unread) = self.services_named(name);
            if services.is_empty() {
                return Err(unread.map_or_else(not_found, |unknown| NoEndpoint::Unread { name: text.to_owned(), unknown }));
            }
            let interfaces: Result<Vec<_>, _> = services.into_iter().map(Node::<'_, Service>::interfaces).collect();
            return all(interfaces.map(|lists| lists.concat()));
        }
        if text.starts_with("i-") || text.contains(":instance/i-") {
            let id = text.rsplit('/').next().unwrap_or(text);
            let instance = self.all::<Instance>().find(|instance| instance.data().instance_id == id).ok_or_else(not_found)?;
            return all(instance.interfaces());
        }
        if text.starts_with("arn:") {
            if let Some(service) = self.all::<Service>().find(|service| service.data().service_arn == text) {
                return all(service.interfaces());
            }
            if let Some(task) = self.all::<Task>().find(|task| task.data().task_arn == text) {
                return all(task.interfaces());
            }
            if let Some(host) = self.all::<ContainerInstance>().find(|host| host.data().container_instance_arn == text) {
                return all(host.instance().known().and_then(Node::<'_, Instance>::interfaces));
            }
            if let Some(balancer) = self.all::<LoadBalancer>().find(|balancer| balancer.data().load_balancer_arn == text) {
                return all(Ok(balancer.nodes().collect()));
            }
            if let Some(group) = self.all::<Nodegroup>().find(|group| group.arn() == text) {
                return all(of_machines(group.nodes()));
            }
            if let Some(cluster) = self.all::<eks::Cluster>().find(|cluster| cluster.arn() == text) {
                let pods = cluster.pod_interfaces();
                return all(of_machines(cluster.nodes()).map(|nodes| nodes.into_iter().chain(pods).collect()));
            }
            return Err(not_found());
        }
        let endpoint = text.parse().map_err(|_| NoEndpoint::Form(text.to_owned()))?;
        match &endpoint {
            Endpoint::Interface(id) if !self.ids.network_interfaces.contains_key(id.as_str()) => Err(not_found()),
            _ => Ok(vec![endpoint]),
        }
    }
}

fn of_machines<'e>(machines: impl Iterator<Item = Node<'e, Instance>>) -> Result<Vec<Node<'e, NetworkInterface>>, Unknown> {
    let mut found = Vec::new();
    for machine in machines {
        found.extend(machine.interfaces()?);
    }
    Ok(found)
}

impl Estate<'_> {
    /// What a network interface belongs to, in words: `task of shop/web`, `i-0abc`, `node of edge`, or as it describes
    /// itself. `None` where it is not there, or says nothing.
    pub fn interface_bearer(&self, id: &str) -> Option<String> {
        let interface = self.at::<NetworkInterface>(*self.ids.network_interfaces.get(id)?)?;
        if let Some(task) = interface.task() {
            let arn = &task.data().task_arn;
            let of_service = task.service().and_then(|service| service.data().service_arn.split_once(":service/"));
            let alone = || arn.split_once(":task/").map_or(arn.as_str(), |(_, path)| path);
            return Some(of_service.map_or_else(|| format!("task {}", alone()), |(_, path)| format!("task of {path}")));
        }
        if let Some(cluster) = interface.pod_cluster() {
            return Some(format!("pod of {}", cluster.data().name));
        }
        if let Some(instance) = interface.data().attachment.as_ref().and_then(|attachment| attachment.instance_id.clone()) {
            return Some(instance);
        }
        let described = interface.data().description.as_deref().filter(|text| !text.is_empty())?;
        let balancer = described.strip_prefix("ELB ").and_then(|path| path.split('/').nth(1));
        Some(balancer.map_or_else(|| described.to_owned(), |name| format!("node of {name}")))
    }
}

impl<'e> Node<'e, Service> {
    /// The interfaces of its running tasks.
    pub fn interfaces(self) -> Result<Vec<Node<'e, NetworkInterface>>, Unknown> {
        let mut found = Vec::new();
        for task in self.tasks().filter(|task| task.last_status == "RUNNING") {
            found.extend(task.interfaces()?);
        }
        Ok(found)
    }
}

impl<'e> Node<'e, Instance> {
    /// Its network interfaces, all of them.
    pub fn interfaces(self) -> Result<Vec<Node<'e, NetworkInterface>>, Unknown> {
        self.network_interfaces().map(Link::known).collect()
    }
}

impl<'e> Node<'e, LoadBalancer> {
    /// The network interfaces of its nodes, which name it in their description.
    pub fn nodes(self) -> impl Iterator<Item = Node<'e, NetworkInterface>> {
        let end = self.data().load_balancer_arn.split_once(":loadbalancer/").map(|(_, end)| format!("ELB {end}"));
        let place = (self.account(), self.region());
        self.estate
            .all::<NetworkInterface>()
            .filter(move |interface| (interface.account(), interface.region()) == place && interface.data().description == end)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::fixture;
    use plimsoll_net::{Endpoint, Protocol, Question};

    use super::NoEndpoint;
    use crate::Estate;

    #[test]
    fn names_lead_to_interfaces() {
        let inventory = fixture().shop().build();
        let estate = Estate::new(&inventory);
        let service = &inventory.services[0].data;
        let cluster = service.cluster_arn.rsplit('/').next().unwrap();
        let own = vec![Endpoint::Interface("eni-t1".to_owned())];
        for name in [
            "eni-t1".to_owned(),
            service.service_arn.clone(),
            format!("service:{cluster}/{}", service.service_name),
            inventory.tasks[0].data.task_arn.clone(),
        ] {
            assert_eq!(estate.endpoints(&name), Ok(own.clone()), "{name}");
        }
        assert_eq!(estate.endpoints("internet"), Ok(vec![Endpoint::Internet]));
        assert_eq!(estate.endpoints("10.0.0.0/8").map(|ends| ends.len()), Ok(1));
    }

    #[test]
    fn what_names_nothing_says_so() {
        let inventory = fixture().shop().build();
        let estate = Estate::new(&inventory);
        for name in ["eni-gone", "i-gone", "service:shop/gone", "arn:aws:ecs:us-east-1:111111111111:task/shop/gone"] {
            assert_eq!(estate.endpoints(name), Err(NoEndpoint::NotFound(name.to_owned())), "{name}");
        }
        for name in ["web", "10.0.0.0/99", "service:web", ""] {
            assert_eq!(estate.endpoints(name), Err(NoEndpoint::Form(name.to_owned())), "{name}");
        }
        let unread = fixture().shop().without::<plimsoll_model::aws::ec2::NetworkInterface>().build();
        let estate = Estate::new(&unread);
        assert!(matches!(estate.endpoints(&unread.services[0].data.service_arn), Err(NoEndpoint::Unread { .. })));
    }

    #[test]
    fn a_dns_name_stands_for_the_services_that_are_found_under_it() {
        use plimsoll_model::aws::servicediscovery::Service;

        let account = fixture().shop().discoverable();
        let of = |inventory: &plimsoll_model::Inventory, name: &str| Estate::new(inventory).endpoints(name);
        let inventory = account.clone().build();
        assert_eq!(of(&inventory, "dns:web.shop.local"), Ok(vec![Endpoint::Interface("eni-t1".to_owned())]));
        assert_eq!(of(&inventory, "dns:shop.local"), Err(NoEndpoint::NotFound("dns:shop.local".to_owned())));
        assert_eq!(of(&inventory, "dns:"), Err(NoEndpoint::Form("dns:".to_owned())));
        let stopped = |task: &mut plimsoll_model::aws::ecs::Task| task.last_status = "STOPPED".to_owned();
        assert_eq!(
            of(&account.clone().each(stopped).build(), "dns:web.shop.local"),
            Err(NoEndpoint::Idle("dns:web.shop.local".to_owned()))
        );
        let denied = account.without::<Service>().denied("servicediscovery:GetService").build();
        let unread = of(&denied, "dns:web.shop.local").unwrap_err();
        assert!(
            matches!(&unread, NoEndpoint::Unread { unknown, .. } if unknown.gap.operation == "servicediscovery:GetService"),
            "{unread}"
        );
    }

    #[test]
    fn the_network_answers_of_what_was_read() {
        let inventory = fixture().shop().build();
        let estate = Estate::new(&inventory);
        let question = Question::new(Endpoint::Internet, Endpoint::Interface("eni-t1".to_owned())).on(Protocol::TCP, 8080);
        assert_eq!(estate.network().reach(&question).reachable, Some(false));
    }
}
