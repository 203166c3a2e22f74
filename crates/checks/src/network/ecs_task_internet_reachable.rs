//! Asks the reachability engine what reaches each running task from the internet without a load balancer. Yields one verdict
//! per running task; a failure tells the ports, who gets in, and the hops that let them.

use plimsoll_graph::{Node, Opening, WayIn};
use plimsoll_model::aws::ecs::Task;
use plimsoll_model::{Gap, PathStep, Severity};
use plimsoll_net::{CidrSet, Endpoint, Family, Flow, Protocol, Question, StepOutcome};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::reading::{listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-internet-reachable",
    title: "Task can be reached from the internet without a load balancer",
    severity: Severity::High,
    resource: "AWS::ECS::Task",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:DescribeTaskDefinition",
        "ecs:DescribeContainerInstances",
        "ecs:ListContainerInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeVpcBlockPublicAccessOptions",
        "ec2:DescribeInstances",
    ],
    // Where one of these is missing the engine says so for each task whose answer hangs on it.
    shades: &[
        "ecs:DescribeTaskDefinition",
        "ecs:ListContainerInstances",
        "ecs:DescribeContainerInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVpcs",
        "ec2:DescribeSubnets",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeManagedPrefixLists",
        "ec2:GetManagedPrefixListEntries",
        "ec2:DescribeRouteTables",
        "ec2:DescribeNetworkAcls",
        "ec2:DescribeVpcBlockPublicAccessOptions",
        "ec2:DescribeInstances",
    ],
    compliance: &[fsbp("EC2.18"), fsbp("EC2.19"), nist("SC-7"), nist("AC-4"), pci("1.3.1"), pci("1.4.4?")],
    fails_when: "INTERNET-EXPOSED test (a) or (c) of the header holds for a containerPort or hostPort of the task: public \
                 address, internet gateway route, security group and NACL all admit 0.0.0.0/0 or ::/0 (or a public range \
                 wider than /24) on that port, and VPC Block Public Access does not block it. Critical for ports 22, 23, \
                 3389, 2375, 2376, 3306, 5432, 6379, 9200, 27017.",
    why: "Whoever scans the internet finds the port and talks to the container itself: no load balancer, firewall or \
          certificate stands before it.",
    remediation: Remediation {
        text: "Remove the public address or limit the security group to the load balancer.",
        cli: "aws ec2 revoke-security-group-ingress --group-id SG --security-group-rule-ids SGR",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.running_tasks(), judge),
};

/// Ports that give a host, a container engine or a database away.
const GRAVE: [u16; 10] = [22, 23, 2375, 2376, 3306, 3389, 5432, 6379, 9200, 27017];
/// Public addresses that a source may hold and still be somebody in particular: a /24 of IPv4.
const NARROW_IPV4: u128 = 1 << 8;
/// The same of IPv6: a /48, which is what a site is given.
const NARROW_IPV6: u128 = 1 << 80;

fn judge(task: Node<'_, Task>) -> Judgement {
    let ways = task.ways_in();
    let openings = task.openings();
    let declared: &[Opening<'_>] = openings.as_deref().unwrap_or_default();
    let mut exposed: Vec<(&WayIn, Flow)> = Vec::new();
    for way in ways.ways.iter().filter(|way| way.balanced.is_none() && way.certain) {
        exposed.extend(way.flows.iter().filter(|flow| is_wide(&flow.peers)).filter_map(|flow| Some((way, declared_part(flow, declared)?))));
    }
    let Some((way, flow)) = exposed.first() else {
        // A ping may get in for certain where it is not known whether anything else does.
        // What comes by the interface of another service is not straight from the internet.
        let mut direct = ways.ways.iter().filter(|way| way.balanced.is_none() && !way.certain && !way.by_door);
        let doubtful = direct.any(|way| way.flows.iter().any(|flow| is_wide(&flow.peers) && declared_part(flow, declared).is_some()));
        let missing: Vec<&str> = ways.missing.iter().map(String::as_str).filter(|missing| !missing.starts_with("front-door:")).collect();
        if doubtful || !missing.is_empty() && ways.ways.iter().all(|way| way.by_door) {
            let why = format!("it is not known whether the internet reaches the task: {}", listed(&missing));
            return Err(undecided(task, "ec2:DescribeNetworkInterfaces", Gap::INCONCLUSIVE, why));
        }
        return Ok(Verdict::Pass);
    };
    let ports: Vec<String> = exposed.iter().map(|(_, flow)| format!("{} {}", flow.protocol, flow.port_words().join(","))).collect();
    let grave = exposed.iter().any(|(_, flow)| flow.protocol == Protocol::TCP && GRAVE.iter().any(|&port| flow.ports.contains(port)));
    let hops = hops(task, way, flow);
    let evidence = json!({
        "networkInterfaceId": way.interface,
        "flows": exposed.iter().map(|(_, flow)| flow).collect::<Vec<_>>(),
        "hops": hops,
    });
    let path = vec![
        PathStep { arn: "internet".to_owned(), via: format!("{} from {}", listed(&ports), flow.peers) },
        PathStep { arn: way.interface.clone(), via: "its interface".to_owned() },
        PathStep { arn: task.arn().into_owned(), via: String::new() },
    ];
    let message =
        format!("task {} takes {} from {} straight from the internet, at {}", task.name(), listed(&ports), flow.peers, way.interface);
    let failure = fail(message, evidence).path(path);
    let failure = if grave { failure.severity(Severity::Critical) } else { failure };
    // Without declared ports nothing says that a container listens.
    if declared.is_empty() { failure.possible().verdict() } else { failure.verdict() }
}

/// What of a flow leads to ports that the task declares; all of it where it declares none or they were not read.
fn declared_part(flow: &Flow, declared: &[Opening<'_>]) -> Option<Flow> {
    if declared.is_empty() {
        return Some(flow.clone());
    }
    let protocol = if flow.protocol == Protocol::UDP { "udp" } else { "tcp" };
    if !flow.protocol.has_ports() {
        return None;
    }
    let ports =
        declared.iter().filter(|opening| opening.protocol == protocol).map(|opening| (*opening.ports.start(), *opening.ports.end()));
    let ports = flow.ports.intersect(&plimsoll_net::PortSet::from_ranges(ports));
    (!ports.is_empty()).then(|| Flow { ports, ..flow.clone() })
}

/// Whether sources are more than somebody in particular.
fn is_wide(peers: &CidrSet) -> bool {
    let holds = |family: Family| {
        let ranges = peers.of_family(family);
        ranges.ranges().iter().fold(0_u128, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    };
    holds(Family::V4) > NARROW_IPV4 || holds(Family::V6) > NARROW_IPV6
}

/// The hops that let the first flow in, with the rule that decides at each.
fn hops(task: Node<'_, Task>, way: &WayIn, flow: &Flow) -> Value {
    let end = Endpoint::Interface(way.interface.clone());
    let question = Question::new(Endpoint::Internet, end);
    let question = match flow.ports.first() {
        Some(port) if flow.protocol.has_ports() => question.on(flow.protocol, port),
        _ => question,
    };
    let explained = task.estate().network().explain(&Question { via: Some(plimsoll_net::Via::Direct), ..question });
    let Some(path) = explained.paths.into_iter().find(|path| path.reachable == Some(true)) else { return Value::Null };
    let steps = path.steps.into_iter().filter(|step| !step.reply && step.outcome == StepOutcome::Passes);
    steps.map(|step| json!({"hop": step.hop, "object": step.object, "rule": step.rule})).collect()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{fixture, rule};
    use plimsoll_model::aws::ec2::SecurityGroup;
    use plimsoll_model::aws::ecs::{PortMapping, TaskDefinition};
    use plimsoll_model::{Confidence, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn listening(port: i32) -> impl Fn(&mut TaskDefinition) {
        move |definition| {
            let container = definition.container_definitions.first_mut().unwrap();
            container.port_mappings = vec![PortMapping { container_port: Some(port), ..PortMapping::default() }];
        }
    }

    #[test]
    fn what_another_service_may_reach_is_not_straight() {
        use plimsoll_model::aws::ec2::{NetworkInterface, Tag};

        let origin = Tag { key: "aws.cloudfront.vpcorigin".to_owned(), value: "enabled".to_owned() };
        let behind = || fixture().shop().interface("cf", |interface: &mut NetworkInterface| interface.tag_set = vec![origin]);
        assert_eq!(outcome(&CHECK, behind()), Pass);
    }

    #[test]
    fn fails_when_everybody_reaches_a_port_of_the_task() {
        let found = findings(&CHECK, fixture().shop().each(listening(8080)).facing_internet(8080));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert!(found[0].message.contains("tcp 8080 from 0.0.0.0/0"), "{}", found[0].message);
        let hops = found[0].evidence["hops"].as_array().unwrap();
        assert!(hops.iter().any(|hop| hop["object"] == "igw-main") && hops.iter().any(|hop| hop["object"] == "acl-main"), "{hops:?}");
        assert_eq!((found[0].path[0].arn.as_str(), found[0].path[1].arn.as_str()), ("internet", "eni-t1"));
    }

    #[test]
    fn is_critical_for_ports_of_databases_and_of_administration() {
        for port in [22, 2375, 5432, 27017] {
            assert_eq!(outcome(&CHECK, fixture().shop().each(listening(port)).facing_internet(port)), Fail(Severity::Critical), "{port}");
        }
    }

    #[test]
    fn passes_when_one_hop_blocks() {
        let open = || fixture().shop().each(listening(8080));
        assert_eq!(outcome(&CHECK, open()), Pass);
        assert_eq!(outcome(&CHECK, open().facing_internet(9090)), Pass, "the group opens another port");
        let narrow =
            open().facing_internet(1).each::<SecurityGroup>(|group| group.ip_permissions = vec![rule("tcp", 8080, "203.0.113.0/24")]);
        assert_eq!(outcome(&CHECK, narrow), Pass);
        assert_eq!(outcome(&CHECK, fixture()), NotApplicable);
    }

    #[test]
    fn halves_of_the_internet_are_the_whole() {
        let halves = fixture().shop().each(listening(8080)).facing_internet(1).each::<SecurityGroup>(|group| {
            group.ip_permissions = vec![rule("tcp", 8080, "0.0.0.0/1"), rule("tcp", 8080, "128.0.0.0/1")];
        });
        assert_eq!(outcome(&CHECK, halves), Fail(Severity::High));
    }

    #[test]
    fn a_task_that_declares_no_port_may_listen_all_the_same() {
        let silent = fixture().shop().each::<TaskDefinition>(|definition| definition.container_definitions[0].port_mappings.clear());
        let found = findings(&CHECK, silent.facing_internet(8080));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Possible));
    }

    #[test]
    fn is_unknown_when_a_hop_was_not_read_and_passes_when_another_blocks_for_certain() {
        let open = || fixture().shop().each(listening(8080));
        assert_eq!(
            outcome(
                &CHECK,
                open().facing_internet(8080).without::<plimsoll_model::aws::ec2::NetworkAcl>().denied("ec2:DescribeNetworkAcls")
            ),
            Unknown
        );
        let unrouted = open().facing_internet(8080).each::<SecurityGroup>(|group| group.ip_permissions = vec![rule("-1", 0, "0.0.0.0/0")]);
        let unrouted = unrouted.without::<plimsoll_model::aws::ec2::RouteTable>().denied("ec2:DescribeRouteTables");
        assert_eq!(outcome(&CHECK, unrouted), Unknown, "a ping that needs no reply gets in all the same");
        assert_eq!(outcome(&CHECK, open().denied("ec2:DescribeNetworkAcls")), Pass, "no public address");
        assert_eq!(outcome(&CHECK, open().denied("ecs:ListTasks")), Unknown);
    }
}
