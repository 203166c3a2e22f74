//! Reads the network interfaces of standalone tasks and the IPv6 routes of their subnets. Yields one verdict per
//! RUNNING task; a failure names the interface and its public address.

use plimsoll_graph::{Node, Route, TaskGroup, Unknown, is_public_range};
use plimsoll_model::aws::ec2::NetworkInterface;
use plimsoll_model::aws::ecs::Task;
use plimsoll_model::{PathStep, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-public-ip",
    title: "Standalone running task holds a public IP address",
    severity: Severity::High,
    resource: "AWS::ECS::Task",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
    ],
    // Asked for a task with a public IPv6 address only: its verdict alone is unknown without them.
    shades: &["ec2:DescribeSubnets", "ec2:DescribeRouteTables"],
    compliance: &[nist("AC-4"), nist("SC-7"), pci("1.4.4?")],
    fails_when: "A RUNNING task whose group does not start with \"service:\" has an attachment ElasticNetworkInterface \
                 whose networkInterfaceId has Association.PublicIp, or an Ipv6Addresses entry in a subnet with a ::/0 \
                 route to an internet gateway.",
    why: "Tasks that a schedule or a person starts escape the review that services get: with a public address they \
          answer the internet until somebody stops them.",
    remediation: Remediation {
        text: "Run the task with assignPublicIp DISABLED; fix the schedule or rule that starts it.",
        cli: "aws ecs run-task --cluster CLUSTER --task-definition TD --network-configuration \
             awsvpcConfiguration={subnets=[SUBNET],assignPublicIp=DISABLED}",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.running_tasks(), judge),
};

fn judge(task: Node<'_, Task>) -> Judgement {
    // Tasks of services are judged with their service; those without an interface of their own with their host.
    if task.group() != TaskGroup::Standalone {
        return Ok(Verdict::NotApplicable);
    }
    let interfaces = task.network_interfaces();
    if interfaces.is_empty() {
        return Ok(Verdict::NotApplicable);
    }
    let mut gap: Option<Unknown> = None;
    for link in interfaces {
        let found = link.exists().and_then(|interface| match interface {
            Some(interface) => Ok(public_address(interface)?.map(|address| (interface, address))),
            // Gone with its task since the task was listed.
            None => Ok(None),
        });
        match found {
            Ok(Some((interface, address))) => return failure(task, interface, address),
            Ok(None) => {}
            Err(unknown) => gap = Some(unknown),
        }
    }
    gap.map_or(Ok(Verdict::Pass), Err)
}

fn public_address(interface: Node<'_, NetworkInterface>) -> Result<Option<&str>, Unknown> {
    if let Some(address) = interface.public_ip() {
        return Ok(Some(address));
    }
    let addresses = interface.data().ipv6_addresses.iter().filter_map(|address| address.ipv6_address.as_deref());
    let Some(address) = addresses.into_iter().find(|address| is_public_range(address)) else {
        return Ok(None);
    };
    let Some(subnet) = interface.subnet() else { return Ok(None) };
    Ok((subnet.known()?.default_route_ipv6()? == Route::InternetGateway).then_some(address))
}

fn failure(task: Node<'_, Task>, interface: Node<'_, NetworkInterface>, address: &str) -> Judgement {
    let id = &interface.data().network_interface_id;
    let evidence = json!({
        "taskArn": task.task_arn,
        "startedBy": task.started_by,
        "group": task.group,
        "networkInterfaceId": id,
        "Association": {"PublicIp": interface.public_ip()},
        "publicAddress": address,
    });
    let path = vec![
        PathStep { arn: task.arn().into_owned(), via: "networkInterfaceId".to_owned() },
        PathStep { arn: interface.arn().into_owned(), via: format!("public address {address}") },
    ];
    let family = task.data().task_definition_arn.rsplit('/').next().unwrap_or_default();
    fail(format!("standalone task {} of {family} holds public address {address} on {id}", task.name()), evidence).path(path).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::{ec2, ecs};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn task(change: impl FnOnce(&mut ec2::NetworkInterface)) -> Fixture {
        fixture().network().cluster("shop", |_| {}).standalone_task("shop", "batch", "t9", |_| {}).interface("t9", change)
    }

    fn public(interface: &mut ec2::NetworkInterface) {
        interface.association = Some(ec2::NetworkInterfaceAssociation { public_ip: Some("203.0.113.7".to_owned()), ..Default::default() });
    }

    fn ipv6(interface: &mut ec2::NetworkInterface) {
        interface.ipv6_addresses.push(ec2::NetworkInterfaceIpv6Address { ipv6_address: Some("2600:1f18::7".to_owned()) });
    }

    fn ipv6_gateway(id: &'static str) -> impl Fn(&mut ec2::RouteTable) {
        move |table| {
            table.routes.push(ec2::Route {
                destination_ipv6_cidr_block: Some("::/0".to_owned()),
                gateway_id: Some(id.to_owned()),
                ..Default::default()
            });
        }
    }

    #[test]
    fn fails_when_a_standalone_task_has_a_public_address() {
        assert_eq!(outcome(&CHECK, task(public)), Fail(Severity::High));
        let finding = &findings(&CHECK, task(public))[0];
        assert_eq!(finding.path.len(), 2);
        assert!(finding.message.contains("203.0.113.7"));
        assert_eq!(finding.evidence["Association"]["PublicIp"], "203.0.113.7");
    }

    #[test]
    fn fails_when_an_ipv6_address_is_routed_to_an_internet_gateway() {
        assert_eq!(outcome(&CHECK, task(ipv6).each(ipv6_gateway("igw-1"))), Fail(Severity::High));
    }

    #[test]
    fn passes_when_nothing_routes_the_ipv6_address() {
        assert_eq!(outcome(&CHECK, task(ipv6)), Pass);
        assert_eq!(outcome(&CHECK, task(ipv6).each(ipv6_gateway("vgw-1"))), Pass);
    }

    #[test]
    fn passes_when_the_task_is_private() {
        assert_eq!(outcome(&CHECK, task(|_| {})), Pass);
    }

    #[test]
    fn does_not_apply_to_tasks_of_services() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(public)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_interfaces_were_not_readable() {
        let account = task(|_| {}).without::<ec2::NetworkInterface>().denied("ec2:DescribeNetworkInterfaces");
        assert_eq!(outcome(&CHECK, account), Unknown);
    }

    #[test]
    fn routes_matter_for_ipv6_alone() {
        let unread = |fixture: Fixture| fixture.without::<ec2::RouteTable>().denied("ec2:DescribeRouteTables");
        assert_eq!(outcome(&CHECK, unread(task(ipv6))), Unknown);
        assert_eq!(outcome(&CHECK, unread(task(|_| {}))), Pass);
    }

    #[test]
    fn an_interface_that_is_gone_holds_no_address() {
        assert_eq!(outcome(&CHECK, task(public).without::<ec2::NetworkInterface>()), Pass);
        let stopped = task(public).each(|task: &mut ecs::Task| task.last_status = "DEPROVISIONING".to_owned());
        assert_eq!(outcome(&CHECK, stopped), NotApplicable);
    }
}
