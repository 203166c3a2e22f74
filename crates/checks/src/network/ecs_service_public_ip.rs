//! Reads the awsvpc configurations of services, deployments and task sets, and where their subnets lead. Yields one
//! verdict per ACTIVE service and one per live task set; a failure says whether the addresses can be reached.

use plimsoll_graph::{Estate, Link, Node};
use plimsoll_model::aws::ec2::Subnet;
use plimsoll_model::aws::ecs::{AwsVpcConfiguration, Service, TaskSet};
use plimsoll_model::{LaunchKind, Resource, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "ecs-service-public-ip",
    title: "Service or task set gives its tasks public IP addresses",
    severity: Severity::High,
    resource: "AWS::ECS::Service",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ec2:DescribeSubnets",
        "ec2:DescribeRouteTables",
        "ec2:DescribeVpcBlockPublicAccessOptions",
    ],
    shades: &["ec2:DescribeSubnets", "ec2:DescribeRouteTables", "ec2:DescribeVpcBlockPublicAccessOptions"],
    compliance: &[fsbp("ECS.2"), fsbp("ECS.16"), nist("AC-4"), nist("SC-7"), pci("1.3.1?"), pci("1.4.4")],
    fails_when: "networkConfiguration.awsvpcConfiguration.assignPublicIp == ENABLED on the service or on a PRIMARY or \
                 ACTIVE deployment, or on a task set with status PRIMARY or ACTIVE (deploymentController.type EXTERNAL or \
                 CODE_DEPLOY; attach that finding to AWS::ECS::TaskSet). Medium when every subnet lacks a route to an \
                 internet gateway or VPC Block Public Access blocks ingress: the address is then unreachable.",
    why: "A task with a public address stands on the internet by itself: one loose rule in its security group, and \
          scanners reach the container without passing a load balancer.",
    remediation: Remediation {
        text: "Set assignPublicIp to DISABLED and give tasks egress through endpoints or NAT.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --network-configuration \
             awsvpcConfiguration={subnets=[SUBNET],securityGroups=[SG],assignPublicIp=DISABLED}",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for service in estate.active_services() {
        verdicts.judge(service, judge(service));
        verdicts.each(service.task_sets().filter(|set| set.is_live()), judge_task_set);
    }
}

fn judge(service: Node<'_, Service>) -> Judgement {
    let deployed = service.live_deployments().map(|deployment| &deployment.network_configuration);
    let mut configurations = [&service.data().network_configuration]
        .into_iter()
        .chain(deployed)
        .filter_map(|network| network.as_ref()?.awsvpc_configuration.as_ref())
        .peekable();
    // Without awsvpc there is no address to assign; of a service that has only task sets, those are judged.
    if configurations.peek().is_none() || is_on_own_hosts(service.launch()) {
        return Ok(Verdict::NotApplicable);
    }
    let assigning: Vec<&AwsVpcConfiguration> = configurations.filter(|configuration| assigns(configuration)).collect();
    let Some(configuration) = assigning.first() else {
        return Ok(Verdict::Pass);
    };
    // Where another deployment puts its tasks says nothing of these addresses.
    let concerned = |link: &Link<'_, Subnet>| {
        let id = match link {
            Link::Found(subnet) => subnet.subnet_id.as_str(),
            Link::Missing(missing) => missing.reference(),
        };
        assigning.iter().any(|configuration| configuration.subnets.iter().any(|subnet| subnet == id))
    };
    failure(service, service.subnets().into_iter().filter(concerned).collect(), configuration)
}

fn judge_task_set(set: Node<'_, TaskSet>) -> Judgement {
    let Some(configuration) = set.awsvpc_configuration().filter(|_| !is_on_own_hosts(set.launch())) else {
        return Ok(Verdict::NotApplicable);
    };
    if assigns(configuration) { failure(set, set.subnets(), configuration) } else { Ok(Verdict::Pass) }
}

/// ECS gives awsvpc tasks no public addresses on EC2 and ECS Anywhere.
fn is_on_own_hosts(launch: LaunchKind) -> bool {
    matches!(launch, LaunchKind::Ec2 | LaunchKind::External)
}

fn assigns(configuration: &AwsVpcConfiguration) -> bool {
    configuration.assign_public_ip.as_deref() == Some("ENABLED")
}

fn failure<T: Resource>(node: Node<'_, T>, subnets: Vec<Link<'_, Subnet>>, configuration: &AwsVpcConfiguration) -> Judgement {
    let mut reachable = Vec::new();
    let mut unread = false;
    let mut evidence: Vec<Value> = Vec::new();
    for subnet in subnets {
        // A subnet that does not exist leads nowhere; where none is shown, nothing tells that no route leads in.
        let leads = subnet.exists().and_then(|subnet| {
            let Some(subnet) = subnet else { return Ok(None) };
            let id = subnet.data().subnet_id.as_str();
            let target = subnet.route_table().ok().and_then(|table| table.default_target(false));
            evidence.push(json!({"subnetId": id, "defaultRoute": target, "reachable": subnet.is_reachable_from_internet().ok()}));
            Ok(subnet.is_reachable_from_internet()?.then_some(id))
        });
        unread |= leads.is_err();
        reachable.extend(leads.ok().flatten());
    }
    let (how, severity) = if !reachable.is_empty() {
        (format!(", reachable through {}", listed(&reachable)), Severity::High)
    } else if unread || evidence.is_empty() {
        (String::new(), Severity::High)
    } else {
        (", which no route from the internet reaches".to_owned(), Severity::Medium)
    };
    let evidence = json!({
        "assignPublicIp": configuration.assign_public_ip,
        "securityGroups": configuration.security_groups,
        "subnets": evidence,
        "routesRead": !unread,
    });
    fail(format!("{} gives its tasks public addresses{how}", node.name()), evidence).severity(severity).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, awsvpc, fixture};
    use plimsoll_model::aws::{ec2, ecs};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn public() -> ecs::NetworkConfiguration {
        let mut network = awsvpc("a", "web");
        network.awsvpc_configuration.as_mut().unwrap().assign_public_ip = Some("ENABLED".to_owned());
        network
    }

    fn shop() -> Fixture {
        fixture().shop().each(|service: &mut ecs::Service| service.network_configuration = Some(public()))
    }

    fn on_the_internet(table: &mut ec2::RouteTable) {
        table.routes.push(ec2::Route {
            destination_cidr_block: Some("0.0.0.0/0".to_owned()),
            gateway_id: Some("igw-1".to_owned()),
            ..Default::default()
        });
    }

    fn block_public_access(exclusions: Vec<ec2::VpcBlockPublicAccessExclusion>) -> ec2::VpcBlockPublicAccessOptions {
        ec2::VpcBlockPublicAccessOptions {
            internet_gateway_block_mode: Some("block-ingress".to_owned()),
            exclusions: Seen::Known(exclusions),
            ..Default::default()
        }
    }

    #[test]
    fn fails_when_the_subnet_leads_to_an_internet_gateway() {
        assert_eq!(outcome(&CHECK, shop().each(on_the_internet)), Fail(Severity::High));
    }

    #[test]
    fn weighs_less_when_no_route_reaches_the_address() {
        assert_eq!(outcome(&CHECK, shop()), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_block_public_access_keeps_the_internet_out() {
        let blocked = shop().each(on_the_internet);
        assert_eq!(outcome(&CHECK, blocked.clone().resource(block_public_access(Vec::new()))), Fail(Severity::Medium));
        let exempt = ec2::VpcBlockPublicAccessExclusion {
            internet_gateway_exclusion_mode: Some("allow-bidirectional".to_owned()),
            resource_arn: Some("arn:aws:ec2:us-east-1:111111111111:vpc/vpc-main".to_owned()),
            state: Some("create-complete".to_owned()),
            ..Default::default()
        };
        assert_eq!(outcome(&CHECK, blocked.resource(block_public_access(vec![exempt]))), Fail(Severity::High));
    }

    #[test]
    fn keeps_its_severity_when_routes_were_not_readable() {
        let unread = shop().without::<ec2::RouteTable>().denied("ec2:DescribeRouteTables");
        assert_eq!(outcome(&CHECK, unread.clone()), Fail(Severity::High));
        assert_eq!(findings(&CHECK, unread)[0].evidence["routesRead"], false);
    }

    #[test]
    fn fails_when_only_a_live_deployment_assigns_addresses() {
        let deploying = fixture().shop().each(|service: &mut ecs::Service| service.deployments[0].network_configuration = Some(public()));
        assert_eq!(outcome(&CHECK, deploying), Fail(Severity::Medium));
    }

    #[test]
    fn only_subnets_in_which_addresses_are_assigned_tell_severity() {
        let deploying = fixture()
            .shop()
            .subnet("main", "edge", |_| {})
            .resource(ec2::RouteTable {
                route_table_id: "rtb-edge".to_owned(),
                vpc_id: "vpc-main".to_owned(),
                associations: vec![ec2::RouteTableAssociation { subnet_id: Some("subnet-edge".to_owned()), ..Default::default() }],
                ..Default::default()
            })
            .each(|table: &mut ec2::RouteTable| {
                if table.route_table_id == "rtb-edge" {
                    on_the_internet(table);
                }
            });
        let deployed = |own: &'static str, deployment: &'static str| {
            deploying.clone().each(move |service: &mut ecs::Service| {
                service.network_configuration = Some(awsvpc(own, "web"));
                let mut network = awsvpc(deployment, "web");
                network.awsvpc_configuration.as_mut().unwrap().assign_public_ip = Some("ENABLED".to_owned());
                service.deployments[0].network_configuration = Some(network);
            })
        };
        assert_eq!(outcome(&CHECK, deployed("edge", "a")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, deployed("a", "edge")), Fail(Severity::High));
        assert_eq!(outcome(&CHECK, deployed("a", "gone")), Fail(Severity::High));
    }

    #[test]
    fn a_task_set_fails_by_itself() {
        let set = ecs::TaskSet {
            id: "ecs-svc/2".to_owned(),
            task_set_arn: plimsoll_fixture::arn("ecs", "task-set/shop/web/ecs-svc/2"),
            service_arn: plimsoll_fixture::arn("ecs", "service/shop/web"),
            status: "ACTIVE".to_owned(),
            launch_type: Some("FARGATE".to_owned()),
            network_configuration: Some(public()),
            ..Default::default()
        };
        let found = findings(&CHECK, fixture().shop().resource(set.clone()));
        assert_eq!((found.len(), &*found[0].resource.kind), (1, "AWS::ECS::TaskSet"));
        let drained = ecs::TaskSet { status: "DRAINING".to_owned(), ..set };
        assert_eq!(outcome(&CHECK, fixture().shop().resource(drained)), Pass);
    }

    #[test]
    fn passes_when_no_address_is_assigned() {
        assert_eq!(outcome(&CHECK, fixture().shop().each(on_the_internet)), Pass);
    }

    #[test]
    fn does_not_apply_to_tasks_on_ec2() {
        let on_ec2 = shop().each(|service: &mut ecs::Service| service.launch_type = Some("EC2".to_owned()));
        assert_eq!(outcome(&CHECK, on_ec2), NotApplicable);
    }

    #[test]
    fn is_unknown_when_services_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeServices")), Unknown);
    }
}
