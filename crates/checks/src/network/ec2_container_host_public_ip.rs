//! Reads the addresses of container hosts, the IPv6 routes of their subnets and what their groups admit. Yields one
//! verdict per EC2 instance; a failure names the public address.

use plimsoll_graph::{Node, Route, Unknown, is_public_range};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::{GroupIdentifier, Instance, Subnet};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_eks, fail, fsbp, nist, pci};
use crate::reading::each_host_instance;

pub(crate) const CHECK: Check = Check {
    id: "ec2-container-host-public-ip",
    title: "Container host has a public IP address",
    severity: Severity::High,
    resource: "AWS::EC2::Instance",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
    ],
    // Subnets and routes are asked for hosts with a public IPv6 address, providers for hosts that have one: their
    // verdicts alone are unknown without them. Groups tell severity.
    shades: &["ecs:DescribeCapacityProviders", "ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups"],
    compliance: &[fsbp("EC2.9"), cis_eks("5.4.3"), nist("SC-7"), pci("1.4.4?")],
    fails_when: "Instances[].PublicIpAddress is set, or an IPv6 address lies in a subnet with ::/0 to an internet \
                 gateway. Medium when no security group allows ingress from the internet.",
    why: "Every container on the host, its agent and its SSH daemon are then one group rule away from the internet.",
    remediation: Remediation {
        text: "Run hosts in private subnets behind a load balancer.",
        cli: "aws ec2 modify-subnet-attribute --subnet-id SUBNET --no-map-public-ip-on-launch",
    },
    evaluate: |estate, verdicts| each_host_instance(estate, verdicts, judge),
};

fn judge(instance: Node<'_, Instance>) -> Judgement {
    let host = instance.data();
    if let Some(address) = &host.public_ip_address {
        return failure(instance, address, &host.security_groups);
    }
    let mut gap: Option<Unknown> = None;
    for link in instance.network_interfaces() {
        match link.exists() {
            // Interfaces of awsvpc tasks hang on the host too, and belong to the tasks.
            Ok(Some(interface)) if interface.task().is_none() => {
                if let Some(address) = interface.public_ip() {
                    return failure(instance, address, &interface.data().groups);
                }
            }
            Ok(_) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    let is_task = |id: &String| instance.estate().is_task_interface(id);
    for (subnet, interface) in
        instance.ipv6_subnets().filter(|(_, interface)| !interface.network_interface_id.as_ref().is_some_and(is_task))
    {
        let addresses = interface.ipv6_addresses.iter().filter_map(|address| address.ipv6_address.as_deref());
        let Some(address) = addresses.into_iter().find(|address| is_public_range(address)) else { continue };
        match subnet.known().and_then(Node::<'_, Subnet>::default_route_ipv6) {
            Ok(Route::InternetGateway) => return failure(instance, address, &interface.groups),
            Ok(_) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    gap.map_or(Ok(Verdict::Pass), Err)
}

fn failure(instance: Node<'_, Instance>, address: &str, groups: &[GroupIdentifier]) -> Judgement {
    let mut open = Vec::new();
    let mut unread = false;
    for link in instance.estate().security_groups(instance.account(), instance.region(), groups) {
        match link.exists().and_then(|group| group.map_or(Ok(None), |group| Ok(group.admits_internet()?.then_some(group)))) {
            Ok(Some(group)) => open.push(group.data().group_id.as_str()),
            Ok(None) => {}
            Err(_) => unread = true,
        }
    }
    let is_shut = open.is_empty() && !unread;
    let (how, severity) = if is_shut { (", though no security group admits the internet", Severity::Medium) } else { ("", Severity::High) };
    let evidence = json!({
        "PublicIpAddress": address,
        "SubnetId": instance.subnet_id,
        "SecurityGroups": groups,
        "admitInternet": open,
        "groupsRead": !unread,
    });
    fail(format!("container host {} has public address {address}{how}", instance.instance_id), evidence).severity(severity).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, rule};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn host(change: impl FnOnce(&mut ec2::Instance)) -> Fixture {
        fixture()
            .network()
            .cluster("shop", |_| {})
            .security_group("hosts", |_| {})
            .container_instance("shop", "h1", |_| {})
            .instance("h1", change)
            .interface("h1", |_| {})
    }

    fn public(instance: &mut ec2::Instance) {
        instance.public_ip_address = Some("203.0.113.7".to_owned());
    }

    fn with_interface(addresses: &'static [&'static str]) -> impl FnOnce(&mut ec2::Instance) {
        move |instance| {
            instance.network_interfaces.push(ec2::InstanceNetworkInterface {
                network_interface_id: Some("eni-h1".to_owned()),
                subnet_id: Some("subnet-a".to_owned()),
                groups: vec![ec2::GroupIdentifier { group_id: "sg-hosts".to_owned(), group_name: None }],
                ipv6_addresses: addresses
                    .iter()
                    .map(|&address| ec2::NetworkInterfaceIpv6Address { ipv6_address: Some(address.to_owned()) })
                    .collect(),
                ..Default::default()
            });
        }
    }

    fn ipv6_gateway(table: &mut ec2::RouteTable) {
        table.routes.push(ec2::Route {
            destination_ipv6_cidr_block: Some("::/0".to_owned()),
            gateway_id: Some("igw-1".to_owned()),
            ..Default::default()
        });
    }

    fn admit(range: &'static str) -> impl Fn(&mut ec2::SecurityGroup) {
        move |group| group.ip_permissions.push(rule("tcp", 22, range))
    }

    #[test]
    fn fails_when_the_host_has_a_public_address_that_a_group_opens() {
        assert_eq!(outcome(&CHECK, host(public).each(admit("0.0.0.0/0"))), Fail(Severity::High));
    }

    #[test]
    fn weighs_less_when_no_group_admits_the_internet() {
        assert_eq!(outcome(&CHECK, host(public).each(admit("192.168.0.0/16"))), Fail(Severity::Medium));
    }

    #[test]
    fn keeps_its_severity_when_groups_were_not_readable() {
        let unread = host(public).without::<ec2::SecurityGroup>().denied("ec2:DescribeSecurityGroups");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::High));
    }

    #[test]
    fn fails_when_a_second_interface_has_a_public_address() {
        let account = host(with_interface(&[])).each(|interface: &mut ec2::NetworkInterface| {
            interface.association = Some(ec2::NetworkInterfaceAssociation { public_ip: Some("203.0.113.8".into()), ..Default::default() });
            interface.groups = vec![ec2::GroupIdentifier { group_id: "sg-hosts".to_owned(), group_name: None }];
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }

    #[test]
    fn an_ipv6_address_counts_when_the_internet_is_routed_to_it() {
        let account = || host(with_interface(&["2600:1f18::7"]));
        assert_eq!(outcome(&CHECK, account().each(ipv6_gateway)), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, account()), Pass);
        assert_eq!(outcome(&CHECK, account().without::<ec2::RouteTable>().denied("ec2:DescribeRouteTables")), Unknown);
        assert_eq!(outcome(&CHECK, host(with_interface(&["fd00::7"])).each(ipv6_gateway)), Pass);
    }

    #[test]
    fn interfaces_of_tasks_on_the_host_are_the_tasks_affair() {
        let account = host(with_interface(&["2600:1f18::7"])).standalone_task("shop", "batch", "h1", |_| {}).each(ipv6_gateway);
        assert_eq!(outcome(&CHECK, account), Pass);
    }

    #[test]
    fn passes_when_the_host_is_private() {
        assert_eq!(outcome(&CHECK, host(|_| {})), Pass);
    }

    #[test]
    fn is_unknown_when_instances_were_not_readable() {
        assert_eq!(outcome(&CHECK, host(|_| {}).without::<ec2::Instance>().denied("ec2:DescribeInstances")), Unknown);
    }

    #[test]
    fn does_not_apply_to_managed_instances() {
        let managed = || {
            let provider = ecs::CapacityProvider {
                capacity_provider_arn: plimsoll_fixture::arn("ecs", "capacity-provider/mi"),
                name: "mi".to_owned(),
                managed_instances_provider: Some(ecs::ManagedInstancesProvider::default()),
                ..Default::default()
            };
            host(public).resource(provider).each(|host: &mut ecs::ContainerInstance| host.capacity_provider_name = Some("mi".to_owned()))
        };
        assert_eq!(outcome(&CHECK, managed()), NotApplicable);
        let unread = managed().without::<ecs::CapacityProvider>().denied("ecs:DescribeCapacityProviders");
        assert_eq!(outcome(&CHECK, unread), Unknown);
    }
}
