//! Reads what the security groups of a container host together open to the whole internet, and the host's addresses.
//! Yields one verdict per EC2 instance; a failure names the open ports and what usually answers there.

use plimsoll_graph::{Family, Link, Node, Openings, is_public_range};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::{Instance, NetworkInterface};
use serde_json::json;

use crate::admission::{Admission, Admitting, existing, groups_listed, host_groups, rules_evidence};
use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::reading::{counted, each_host_instance};

pub(crate) const CHECK: Check = Check {
    id: "ec2-container-host-admin-port-open",
    title: "Container host exposes SSH, RDP, Docker or agent ports",
    severity: Severity::High,
    resource: "AWS::EC2::Instance",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::NotApplicable, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ecs:DescribeCapacityProviders",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    // Tasks and interfaces are asked for hosts with several interfaces, some of which may be tasks', providers for hosts
    // that have one, lists for rules that name one: their verdicts alone are unknown without them.
    shades: &[
        "ecs:DescribeCapacityProviders",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
    ],
    compliance: &[
        fsbp("EC2.13"),
        fsbp("EC2.14"),
        fsbp("EC2.19"),
        fsbp("EC2.53"),
        fsbp("EC2.54"),
        cis_aws("3.0.0/5.2"),
        cis_aws("3.0.0/5.3"),
        cis_aws("5.0.0/5.3"),
        cis_aws("5.0.0/5.4"),
        nist("SC-7"),
        nist("AC-17"),
        pci("1.3.1"),
        pci("1.2.6?"),
    ],
    fails_when: "A security group of the host allows 0.0.0.0/0 or ::/0 (or -1) to 22, 3389, 2375, 2376, 51678, 51679, \
                 10250, 10255 or 5985-5986. Critical when the host also has a public address and the port is 2375, 2376 \
                 or 10250.",
    why: "Who gets a shell, the Docker API or the kubelet of a host owns every container on it with its secrets and its \
          role; such ports are found and tried within minutes.",
    remediation: Remediation {
        text: "Remove the rule and use SSM Session Manager.",
        cli: "aws ec2 revoke-security-group-ingress --group-id SG --security-group-rule-ids SGR",
    },
    evaluate: |estate, verdicts| each_host_instance(estate, verdicts, judge),
};

/// TCP ports by which a host is run, with what answers there, and whether that starts containers for whoever asks.
const PORTS: [(u16, &str, bool); 10] = [
    (22, "SSH", false),
    (2375, "Docker", true),
    (2376, "Docker", true),
    (3389, "RDP", false),
    (5985, "WinRM", false),
    (5986, "WinRM", false),
    (10250, "kubelet", true),
    (10255, "kubelet", false),
    (51678, "ECS agent", false),
    (51679, "ECS agent", false),
];

fn judge(instance: Node<'_, Instance>) -> Judgement {
    let (links, gap) = host_groups(instance);
    let (groups, unread) = existing(links.iter().cloned());
    let openings = Openings::of(groups);
    let admitting = |port: u16| openings.open.iter().filter(move |opening| opening.admits_tcp(port));
    let open: Vec<(u16, &str, bool)> = PORTS.into_iter().filter(|&(port, ..)| admitting(port).next().is_some()).collect();
    if open.is_empty() {
        return unread.or(openings.unread).or(gap).map_or(Ok(Verdict::Pass), Err);
    }
    let addresses = public_addresses(instance);
    let is_reached = |port: u16| admitting(port).any(|opening| addresses.iter().any(|&(family, _)| family == opening.family));
    let is_critical = open.iter().any(|&(port, _, commands)| commands && is_reached(port));

    let ports: Vec<_> = open.iter().map(|&(port, ..)| port..=port).collect();
    let admission = Admission::new(links, &["tcp"], &ports);
    let is_public = |rule: &&Admitting<'_>| rule.addresses.iter().any(|source| is_public_range(source.cidr));
    let rules = || admission.rules.iter().filter(is_public);
    let told: Vec<String> = open.iter().map(|(port, service, _)| format!("{port} ({service})")).collect();
    let public = addresses.first().map_or_else(String::new, |(_, address)| format!(", and the host has public address {address}"));
    let message = format!(
        "{} of container host {} {} open to the whole internet by rules of {}{public}",
        counted("port", &told),
        instance.instance_id,
        if told.len() == 1 { "is" } else { "are" },
        groups_listed(rules()),
    );
    let evidence = json!({
        "ports": open.iter().map(|(port, service, _)| json!({"port": port, "service": service})).collect::<Vec<_>>(),
        "IpPermissions": rules_evidence(rules()),
        "PublicIpAddress": addresses.iter().map(|(_, address)| address).collect::<Vec<_>>(),
    });
    fail(message, evidence).severity(if is_critical { Severity::Critical } else { Severity::High }).verdict()
}

/// The public addresses of a host, as far as its interfaces were read.
fn public_addresses(instance: Node<'_, Instance>) -> Vec<(Family, &str)> {
    let estate = instance.estate();
    let mut ipv4: Vec<&str> = instance.data().public_ip_address.as_deref().into_iter().collect();
    // Interfaces of awsvpc tasks hang on the host too, and belong to the tasks.
    let interfaces = instance.network_interfaces().filter_map(Link::found).filter(|interface| interface.task().is_none());
    ipv4.extend(interfaces.filter_map(Node::<'_, NetworkInterface>::public_ip));
    ipv4.sort_unstable();
    ipv4.dedup();
    let of_host = instance.data().network_interfaces.iter();
    let of_host = of_host.filter(|interface| !interface.network_interface_id.as_ref().is_some_and(|id| estate.is_task_interface(id)));
    let ipv6 = of_host.flat_map(|interface| &interface.ipv6_addresses).filter_map(|address| address.ipv6_address.as_deref());
    let ipv6 = ipv6.filter(|address| is_public_range(address)).map(|address| (Family::V6, address));
    ipv4.into_iter().map(|address| (Family::V4, address)).chain(ipv6).collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, rule};
    use plimsoll_model::aws::ec2::{self, IpPermission, ManagedPrefixList, PrefixListEntry, PrefixListId, SecurityGroup};
    use plimsoll_model::aws::ecs;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    /// Host `h1` whose group has these rules.
    fn host(rules: &[IpPermission]) -> Fixture {
        let rules = rules.to_vec();
        fixture()
            .network()
            .cluster("shop", |_| {})
            .security_group("hosts", move |group| group.ip_permissions = rules)
            .container_instance("shop", "h1", |_| {})
            .instance("h1", |_| {})
    }

    fn public(instance: &mut ec2::Instance) {
        instance.public_ip_address = Some("203.0.113.7".to_owned());
    }

    /// A second interface, which may be that of task `t1`, with a group that opens SSH.
    fn second(account: Fixture) -> Fixture {
        let open = |group: &mut SecurityGroup| group.ip_permissions = vec![rule("tcp", 22, "0.0.0.0/0")];
        account.security_group("second", open).interface("t1", |_| {}).each(|instance: &mut ec2::Instance| {
            let interface = |id: &str, group: &str| ec2::InstanceNetworkInterface {
                network_interface_id: Some(id.to_owned()),
                groups: vec![ec2::GroupIdentifier { group_id: group.to_owned(), group_name: None }],
                ..Default::default()
            };
            instance.network_interfaces = vec![interface("eni-h1", "sg-hosts"), interface("eni-t1", "sg-second")];
        })
    }

    #[test]
    fn fails_when_a_group_opens_a_port_of_administration() {
        for port in [22, 3389, 2375, 2376, 51678, 51679, 10250, 10255, 5985, 5986] {
            assert_eq!(outcome(&CHECK, host(&[rule("tcp", port, "0.0.0.0/0")])), Fail(Severity::High), "{port}");
            assert_eq!(outcome(&CHECK, host(&[rule("tcp", port, "::/0")])), Fail(Severity::High), "{port}");
        }
        let found = findings(&CHECK, host(&[rule("tcp", 443, "0.0.0.0/0"), rule("tcp", 22, "0.0.0.0/0")]));
        assert_eq!(found[0].message, "port 22 (SSH) of container host i-h1 is open to the whole internet by rules of sg-hosts");
        assert_eq!(found[0].evidence["IpPermissions"].as_array().unwrap().len(), 1);
        let all = findings(&CHECK, host(&[rule("-1", 0, "0.0.0.0/0")]));
        assert!(
            all[0].message.starts_with("ports 22 (SSH), 2375 (Docker), 2376 (Docker), 3389 (RDP), 5985 (WinRM) and 5 more of"),
            "{}",
            all[0].message
        );
    }

    #[test]
    fn weighs_most_when_the_internet_reaches_what_starts_containers() {
        for port in [2375, 2376, 10250] {
            assert_eq!(outcome(&CHECK, host(&[rule("tcp", port, "0.0.0.0/0")]).each(public)), Fail(Severity::Critical), "{port}");
            assert_eq!(outcome(&CHECK, host(&[rule("tcp", port, "::/0")]).each(public)), Fail(Severity::High), "no IPv6 address");
        }
        assert_eq!(outcome(&CHECK, host(&[rule("tcp", 22, "0.0.0.0/0")]).each(public)), Fail(Severity::High));
        let ipv6 = |instance: &mut ec2::Instance| {
            let address = ec2::NetworkInterfaceIpv6Address { ipv6_address: Some("2600:1f18::7".to_owned()) };
            instance.network_interfaces = vec![ec2::InstanceNetworkInterface { ipv6_addresses: vec![address], ..Default::default() }];
        };
        assert_eq!(outcome(&CHECK, host(&[rule("tcp", 2375, "::/0")]).each(ipv6)), Fail(Severity::Critical));
    }

    #[test]
    fn several_groups_open_together() {
        let two = |instance: &mut ec2::Instance| {
            instance.security_groups.push(ec2::GroupIdentifier { group_id: "sg-more".to_owned(), group_name: None });
        };
        let account = |half| {
            host(&[rule("tcp", 22, "0.0.0.0/1")])
                .security_group("more", move |group| group.ip_permissions = vec![rule("-1", 0, half)])
                .each(two)
        };
        assert_eq!(outcome(&CHECK, account("128.0.0.0/1")), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, account("128.0.0.0/2")), Pass);
    }

    #[test]
    fn passes_when_the_ports_are_closed_or_open_to_some() {
        for rules in [
            &[rule("tcp", 22, "10.0.0.0/8"), rule("tcp", 22, "203.0.113.0/24")][..],
            &[rule("tcp", 443, "0.0.0.0/0")],
            &[rule("udp", 22, "0.0.0.0/0"), rule("icmp", 8, "0.0.0.0/0")],
            &[],
        ] {
            assert_eq!(outcome(&CHECK, host(rules)), Pass, "{rules:?}");
        }
    }

    #[test]
    fn interfaces_of_tasks_on_the_host_are_the_tasks_affair() {
        assert_eq!(outcome(&CHECK, second(host(&[]))), Fail(Severity::High), "the second one is the host's");
        let task = || second(host(&[])).standalone_task("shop", "batch", "t1", |_| {});
        assert_eq!(outcome(&CHECK, task()), Pass);
        assert_eq!(outcome(&CHECK, task().without::<ecs::Task>().denied("ecs:DescribeTasks")), Unknown);
    }

    #[test]
    fn nodes_of_kubernetes_are_hosts_too() {
        let node = |rules: &'static [(i32, &str)]| {
            let rules: Vec<IpPermission> = rules.iter().map(|(port, range)| rule("tcp", *port, range)).collect();
            fixture().network().eks_cluster("k", |_| {}).security_group("hosts", move |group| group.ip_permissions = rules).node(
                "k",
                None,
                "n1",
                |_| {},
            )
        };
        assert_eq!(outcome(&CHECK, node(&[(10250, "0.0.0.0/0")]).each(public)), Fail(Severity::Critical));
        assert_eq!(outcome(&CHECK, node(&[(10250, "10.0.0.0/16")]).each(public)), Pass);
    }

    #[test]
    fn is_unknown_when_groups_or_lists_were_not_readable() {
        assert_eq!(outcome(&CHECK, host(&[]).without::<SecurityGroup>().denied("ec2:DescribeSecurityGroups")), Unknown);
        assert_eq!(outcome(&CHECK, host(&[]).without::<ec2::Instance>().denied("ec2:DescribeInstances")), Unknown);
        let listed = || IpPermission {
            prefix_list_ids: vec![PrefixListId { prefix_list_id: "pl-1".to_owned(), description: None }],
            ..rule("tcp", 22, "0.0.0.0/1")
        };
        let list = |entries| ManagedPrefixList { prefix_list_id: "pl-1".to_owned(), entries, ..Default::default() };
        let unread = || list(gap("ec2:GetManagedPrefixListEntries").into());
        assert_eq!(outcome(&CHECK, host(&[listed()]).resource(unread())), Unknown);
        assert_eq!(outcome(&CHECK, host(&[listed(), rule("tcp", 2375, "0.0.0.0/0")]).resource(unread())), Fail(Severity::High));
        let entry = |cidr: &str| Seen::Known(vec![PrefixListEntry { cidr: Some(cidr.to_owned()), description: None }]);
        assert_eq!(outcome(&CHECK, host(&[listed()]).resource(list(entry("128.0.0.0/1")))), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, host(&[listed()]).resource(list(entry("10.0.0.0/8")))), Pass);
    }

    #[test]
    fn does_not_apply_to_ended_instances() {
        let ended = |instance: &mut ec2::Instance| instance.state.as_mut().unwrap().name = Some("terminated".to_owned());
        assert_eq!(outcome(&CHECK, host(&[rule("tcp", 22, "0.0.0.0/0")]).each(ended)), NotApplicable);
    }
}
