//! From a running task to the interfaces and ports where its containers take connections. Tasks, their definitions and
//! hosts flow in; interface, protocol and ports flow out (section "From task to ENI and port" of the reachability rules).

use std::ops::RangeInclusive;

use plimsoll_model::aws::ec2::NetworkInterface;
use plimsoll_model::aws::ecs::{NetworkBinding, PortMapping, Task};

use crate::{Link, Node, Unknown};

/// Ports of a container, as the network sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening<'e> {
    /// The interface: the task's own, or one of its host's.
    pub interface: Node<'e, NetworkInterface>,
    /// The container.
    pub container: &'e str,
    /// `tcp` or `udp`.
    pub protocol: &'e str,
    /// The ports on the interface.
    pub ports: RangeInclusive<u16>,
    /// The ports in the container.
    pub container_ports: RangeInclusive<u16>,
    /// Whether the interface is the host's, and its security groups those of everything there.
    pub on_host: bool,
}

impl<'e> Node<'e, Task> {
    /// Whether it has an interface of its own (network mode `awsvpc`).
    pub fn has_own_interface(self) -> bool {
        self.own_interface_ids().next().is_some()
    }

    fn own_interface_ids(self) -> impl Iterator<Item = &'e str> {
        let attached = self.data().attachments.iter();
        let attached = attached.filter(|a| a.kind == "ElasticNetworkInterface" && !matches!(a.status.as_str(), "DELETED" | "DETACHED"));
        attached.filter_map(|a| a.details.iter().find(|detail| detail.name == "networkInterfaceId")).map(|detail| detail.value.as_str())
    }

    /// The interfaces that its containers take connections on: its own, else all of its host.
    pub fn interfaces(self) -> Result<Vec<Node<'e, NetworkInterface>>, Unknown> {
        if self.has_own_interface() {
            return self
                .own_interface_ids()
                .map(|id| self.estate.link::<NetworkInterface>(self.account(), self.region(), id).known())
                .collect();
        }
        match self.container_instance() {
            Some(host) => host.known()?.instance().known()?.network_interfaces().map(Link::known).collect(),
            // On Fargate an interface is attached before anything runs.
            None => Ok(Vec::new()),
        }
    }

    /// Where its containers take connections. A container may listen on more than it declares where the interface is the
    /// task's own: there what security groups admit is another question.
    pub fn openings(self) -> Result<Vec<Opening<'e>>, Unknown> {
        let interfaces = self.interfaces()?;
        let mut found = Vec::new();
        let own = self.has_own_interface();
        let mut open =
            |container: &'e str, protocol: Option<&'e str>, ports: &RangeInclusive<u16>, container_ports: &RangeInclusive<u16>| {
                found.extend(interfaces.iter().map(|&interface| Opening {
                    interface,
                    container,
                    protocol: protocol.unwrap_or("tcp"),
                    ports: ports.clone(),
                    container_ports: container_ports.clone(),
                    on_host: !own,
                }));
            };
        if interfaces.is_empty() {
            return Ok(found);
        }
        let definition = self.task_definition().known()?.data();
        if own || definition.network_mode.as_deref() == Some("host") {
            for container in &definition.container_definitions {
                for mapping in &container.port_mappings {
                    if let Some(ports) = container_ports(mapping) {
                        open(&container.name, mapping.protocol.as_deref(), &ports, &ports);
                    }
                }
            }
        } else if definition.network_mode.as_deref() != Some("none") {
            for container in &self.data().containers {
                for binding in &container.network_bindings {
                    if let Some((ports, inside)) = bound_ports(binding) {
                        open(&container.name, binding.protocol.as_deref(), &ports, &inside);
                    }
                }
            }
        }
        Ok(found)
    }
}

fn container_ports(mapping: &PortMapping) -> Option<RangeInclusive<u16>> {
    mapping.container_port_range.as_deref().and_then(range).or_else(|| single(mapping.container_port))
}

fn bound_ports(binding: &NetworkBinding) -> Option<(RangeInclusive<u16>, RangeInclusive<u16>)> {
    let outside = binding.host_port_range.as_deref().and_then(range).or_else(|| single(binding.host_port))?;
    let inside = binding.container_port_range.as_deref().and_then(range).or_else(|| single(binding.container_port));
    let inside = inside.unwrap_or_else(|| outside.clone());
    Some((outside, inside))
}

fn single(port: Option<i32>) -> Option<RangeInclusive<u16>> {
    // 0 asks for a port that is not given yet.
    let port = u16::try_from(port?).ok().filter(|&port| port != 0)?;
    Some(port..=port)
}

/// `8000-8010`.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::aws::ec2::InstanceNetworkInterface;
    use plimsoll_model::aws::ecs::{NetworkBinding, PortMapping, Task, TaskDefinition};

    use crate::Estate;

    /// Interface, protocol, first and last port, first port inside, whether it is the host's.
    type Told = (String, String, u16, u16, u16, bool);

    fn openings(account: Fixture) -> Result<Vec<Told>, crate::Unknown> {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let task = estate.all::<Task>().next().unwrap();
        let told = |one: crate::Opening<'_>| {
            let id = one.interface.network_interface_id.clone();
            (id, one.protocol.to_owned(), *one.ports.start(), *one.ports.end(), *one.container_ports.start(), one.on_host)
        };
        Ok(task.openings()?.into_iter().map(told).collect())
    }

    fn mapping(definition: &mut TaskDefinition, port: Option<i32>, range: Option<&str>, protocol: &str) {
        let container = definition.container_definitions.first_mut().unwrap();
        container.port_mappings = vec![PortMapping {
            container_port: port,
            container_port_range: range.map(str::to_owned),
            protocol: Some(protocol.to_owned()),
            ..PortMapping::default()
        }];
    }

    /// A task of the host, without an interface of its own.
    fn on_host(mode: &'static str) -> Fixture {
        fixture()
            .shop()
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |instance| {
                let attached = InstanceNetworkInterface { network_interface_id: Some("eni-h1".to_owned()), ..Default::default() };
                instance.network_interfaces = vec![attached];
            })
            .interface("h1", |_| {})
            .each::<TaskDefinition>(move |definition| {
                definition.network_mode = Some(mode.to_owned());
                mapping(definition, Some(8080), None, "tcp");
            })
            .each::<Task>(|task| {
                task.attachments.clear();
                task.container_instance_arn = Some(plimsoll_fixture::arn("ecs", "container-instance/shop/h1"));
                let binding = NetworkBinding {
                    container_port: Some(8080),
                    host_port: Some(32_768),
                    protocol: Some("tcp".to_owned()),
                    ..NetworkBinding::default()
                };
                task.containers[0].network_bindings = vec![binding];
            })
    }

    #[test]
    fn a_task_with_an_interface_of_its_own_listens_on_its_container_ports() {
        let shop = |port, range| fixture().shop().each::<TaskDefinition>(move |definition| mapping(definition, port, range, "udp"));
        assert_eq!(openings(shop(Some(8080), None)).unwrap(), [("eni-t1".to_owned(), "udp".to_owned(), 8080, 8080, 8080, false)]);
        assert_eq!(openings(shop(None, Some("9000-9010"))).unwrap(), [("eni-t1".to_owned(), "udp".to_owned(), 9000, 9010, 9000, false)]);
        for nonsense in ["9010-9000", "x-y", "70000-70001", ""] {
            assert_eq!(openings(shop(None, Some(nonsense))).unwrap(), [], "{nonsense}");
        }
    }

    #[test]
    fn a_task_on_its_hosts_network_listens_on_the_hosts_interfaces() {
        let listens = |port| vec![("eni-h1".to_owned(), "tcp".to_owned(), port, port, 8080, true)];
        assert_eq!(openings(on_host("bridge")).unwrap(), listens(32_768));
        assert_eq!(openings(on_host("host")).unwrap(), listens(8080));
        assert_eq!(openings(on_host("none")).unwrap(), []);
    }

    #[test]
    fn what_was_not_read_leaves_it_open_where_a_task_listens() {
        assert!(openings(fixture().shop().without::<TaskDefinition>()).is_err());
        assert!(openings(fixture().shop().without::<plimsoll_model::aws::ec2::NetworkInterface>()).is_err());
        assert!(openings(on_host("host").without::<plimsoll_model::aws::ec2::Instance>()).is_err());
    }
}
