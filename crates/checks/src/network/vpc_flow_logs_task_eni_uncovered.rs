//! Reads where running tasks are attached to the network and the flow logs on interface, subnet and VPC. Yields one verdict
//! per subnet with long-running tasks; a failure counts and shows those whose interface no flow log covers.

use plimsoll_graph::{Estate, Link, Node};
use plimsoll_model::aws::ec2::{FlowLog, Instance, Subnet};
use plimsoll_model::aws::ecs::Task;
use plimsoll_model::{Resource, ResourceRef, Severity};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::{FLOW_LOG_NEEDS, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "vpc-flow-logs-task-eni-uncovered",
    title: "Network interface of a long-running task is in no flow log",
    severity: Severity::Medium,
    resource: "AWS::EC2::NetworkInterface",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: FLOW_LOG_NEEDS,
    shades: &[],
    compliance: &[nist("AU-12"), nist("SI-4")],
    fails_when: "A task ENI (attachment networkInterfaceId) of a task RUNNING for more than 1 hour has no ACTIVE flow log \
                 on the ENI, on its SubnetId or on its VpcId. Bridge and host tasks: test the ENI of the container \
                 instance. Group findings per subnet.",
    why: "The traffic of the task leaves no trace: neither an intrusion nor what it took with it can be reconstructed.",
    remediation: Remediation {
        text: "Create the flow log on the VPC or subnet.",
        cli: "aws ec2 create-flow-logs --resource-type Subnet --resource-ids SUBNET --traffic-type ALL \
             --log-destination-type cloud-watch-logs --log-group-name GROUP --deliver-logs-permission-arn ROLE",
    },
    evaluate: |estate, verdicts| evaluate(estate, verdicts),
};

/// How many tasks the evidence shows.
const SHOWN: usize = 10;

/// The running tasks of a subnet.
struct Place<'e> {
    first: Node<'e, Task>,
    subnet_id: &'e str,
    vpc_id: Option<&'e str>,
    subnet: Option<Link<'e, Subnet>>,
    /// A flow log covers the whole subnet.
    covered: bool,
    long_running: bool,
    uncovered: Vec<(Node<'e, Task>, Option<&'e str>)>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for place in places(estate) {
        let judgement = judge(estate, &place);
        match place.subnet.clone().and_then(Link::found) {
            Some(subnet) => verdicts.judge(subnet, judgement),
            None => verdicts.judge_reference(reference(&place), judgement),
        }
    }
}

fn places<'e>(estate: &'e Estate<'e>) -> Vec<Place<'e>> {
    let now = estate.inventory().header.finished_at.as_second();
    // Of tasks that live less flow logs tell little.
    let long_running = i64::from(estate.thresholds().flow_log_task_minutes) * 60;
    let mut places: Vec<Place<'e>> = Vec::new();
    let mut positions: FxHashMap<&'e str, usize> = FxHashMap::default();
    for task in estate.running_tasks() {
        let Some(attachment) = task.attached_to() else { continue };
        let Some(subnet_id) = attachment.subnet_id else { continue };
        if attachment.host.is_some() && has_no_network(task) {
            continue;
        }
        let position = *positions.entry(subnet_id).or_insert_with(|| {
            let subnet = attachment.host.map_or_else(|| task.subnet(), Node::<'e, Instance>::subnet);
            let covered = logged(estate, subnet_id) || attachment.vpc_id.is_some_and(|id| logged(estate, id));
            places.push(Place {
                first: task,
                subnet_id,
                vpc_id: attachment.vpc_id,
                subnet,
                covered,
                long_running: false,
                uncovered: Vec::new(),
            });
            places.len() - 1
        });
        let Some(place) = places.get_mut(position) else { continue };
        if let (None, Some(vpc_id)) = (place.vpc_id, attachment.vpc_id) {
            place.vpc_id = Some(vpc_id);
            place.covered |= logged(estate, vpc_id);
        }
        // A task that is just coming up has no startedAt yet.
        if task.started_at.is_none_or(|started| now - started.as_second() <= long_running) {
            continue;
        }
        place.long_running = true;
        if place.covered {
            continue;
        }
        let own = match (attachment.interface_id, attachment.host) {
            (Some(interface), _) => logged(estate, interface),
            (None, Some(host)) => host_logged(estate, host),
            (None, None) => false,
        };
        if !own {
            place.uncovered.push((task, attachment.interface_id));
        }
    }
    places
}

fn judge(estate: &Estate<'_>, place: &Place<'_>) -> Judgement {
    if !place.long_running {
        return Ok(Verdict::NotApplicable);
    }
    if place.covered || place.uncovered.is_empty() {
        return Ok(Verdict::Pass);
    }
    let subnet = place.subnet.clone().map(Link::known).transpose();
    let owner = subnet.as_ref().ok().and_then(Option::as_ref).and_then(|subnet| subnet.data().owner_id.as_deref());
    estate.flow_logs_read(place.first.account(), place.first.region(), owner, place.subnet_id)?;
    let Some(vpc_id) = place.vpc_id else {
        // The flow log may be on the VPC, and nothing tells which that is.
        subnet?;
        return Err(undecided(place.first, "ec2:DescribeSubnets", "NotAnswered", "nothing tells the VPC of the task"));
    };
    let logs = |id: &str| -> Vec<Value> {
        let log = |log: Node<'_, FlowLog>| json!({"FlowLogId": log.flow_log_id, "FlowLogStatus": log.flow_log_status});
        estate.flow_logs_on(id).map(log).collect()
    };
    let tasks: Vec<Value> = place
        .uncovered
        .iter()
        .take(SHOWN)
        .map(|(task, interface)| {
            let own = interface.map(logs);
            json!({"taskArn": task.task_arn, "group": task.group, "networkInterfaceId": interface, "startedAt": task.started_at, "FlowLogs": own})
        })
        .collect();
    let evidence = json!({
        "SubnetId": place.subnet_id,
        "VpcId": vpc_id,
        "tasks": tasks,
        "taskCount": place.uncovered.len(),
        "subnetFlowLogs": logs(place.subnet_id),
        "vpcFlowLogs": logs(vpc_id),
    });
    let names: Vec<&str> = place.uncovered.iter().map(|(task, _)| task.name()).collect();
    let (tasks, use_) = if names.len() == 1 { ("task", "uses an interface") } else { ("tasks", "use interfaces") };
    let message =
        format!("long-running {tasks} {} in {} of {vpc_id} {use_} that no active flow log covers", listed(&names), place.subnet_id);
    fail(message, evidence).verdict()
}

fn logged(estate: &Estate<'_>, id: &str) -> bool {
    estate.flow_logs_on(id).any(Node::<'_, FlowLog>::is_active)
}

/// Whether each interface of a host has a flow log, those of awsvpc tasks apart.
fn host_logged(estate: &Estate<'_>, host: Node<'_, Instance>) -> bool {
    let mut own = host
        .data()
        .network_interfaces
        .iter()
        .filter_map(|interface| interface.network_interface_id.as_deref())
        .filter(|id| !estate.is_task_interface(id))
        .peekable();
    own.peek().is_some() && own.all(|id| logged(estate, id))
}

fn has_no_network(task: Node<'_, Task>) -> bool {
    task.task_definition().found().is_some_and(|definition| definition.network_mode.as_deref() == Some("none"))
}

/// The subnet, when it was not read itself.
fn reference(place: &Place<'_>) -> ResourceRef {
    let (account, region) = (place.first.account(), place.first.region());
    let subnet = Subnet { subnet_id: place.subnet_id.to_owned(), ..Subnet::default() };
    ResourceRef {
        arn: subnet.arn(account, region).into_owned(),
        kind: Subnet::TYPE.into(),
        account: account.clone(),
        region: region.clone(),
        name: place.subnet_id.to_owned(),
        tags: std::collections::BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::aws::ec2::{FlowLog, InstanceNetworkInterface, NetworkInterface, Subnet};
    use plimsoll_model::aws::ecs::Task;
    use plimsoll_model::{Severity, Status};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn without_logs() -> Fixture {
        fixture().shop().without::<FlowLog>()
    }

    /// A task in network mode bridge on host `i-host`.
    fn on_host() -> Fixture {
        without_logs()
            .each::<Task>(|task| {
                task.attachments.clear();
                task.launch_type = Some("EC2".to_owned());
                task.container_instance_arn = Some(plimsoll_fixture::arn("ecs", "container-instance/shop/host"));
            })
            .container_instance("shop", "host", |_| {})
            .instance("host", |instance| {
                instance.network_interfaces =
                    vec![InstanceNetworkInterface { network_interface_id: Some("eni-host".to_owned()), ..Default::default() }];
            })
    }

    #[test]
    fn fails_once_per_subnet_when_nothing_covers_the_interfaces() {
        let account = without_logs().task("shop", "web", "t2", |_| {}).interface("t2", |_| {});
        let found = findings(&CHECK, account);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Medium);
        assert_eq!(found[0].message, "long-running tasks t1 and t2 in subnet-a of vpc-main use interfaces that no active flow log covers");
    }

    #[test]
    fn passes_when_vpc_subnet_or_interface_has_an_active_flow_log() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, without_logs().flow_log("subnet-a", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, without_logs().flow_log("eni-t1", |_| {})), Pass);
        let stopped = without_logs().flow_log("eni-t1", |log| log.flow_log_status = Some("INACTIVE".to_owned()));
        assert_eq!(outcome(&CHECK, stopped), Fail(Severity::Medium));
    }

    #[test]
    fn judges_bridge_and_host_tasks_by_the_interface_of_their_host() {
        assert_eq!(outcome(&CHECK, on_host()), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, on_host().flow_log("eni-host", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, on_host().flow_log("vpc-main", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_to_tasks_that_have_not_run_for_long() {
        let young = without_logs().each::<Task>(|task| task.started_at = Some(at("2026-06-15T11:00:00Z")));
        assert_eq!(outcome(&CHECK, young), NotApplicable);
        assert_eq!(outcome(&CHECK, without_logs().each::<Task>(|task| task.started_at = None)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_flow_logs_were_not_readable() {
        let denied = findings(&CHECK, without_logs().denied("ec2:DescribeFlowLogs"));
        assert!(!denied.is_empty() && denied.iter().all(|finding| finding.status == Status::Unknown), "{denied:?}");
        let shared = without_logs().each::<Subnet>(|subnet| subnet.owner_id = Some("222222222222".to_owned()));
        assert_eq!(outcome(&CHECK, shared), Unknown);
    }

    #[test]
    fn subnets_that_were_not_read_hide_a_failure_only_when_the_vpc_is_not_known_either() {
        let account = || without_logs().without::<Subnet>().denied("ec2:DescribeSubnets");
        assert_eq!(outcome(&CHECK, account()), Fail(Severity::Medium));
        let neither = account().without::<NetworkInterface>().denied("ec2:DescribeNetworkInterfaces");
        assert_eq!(outcome(&CHECK, neither), Unknown);
    }

    #[test]
    fn the_configuration_says_how_long_is_long() {
        let account = without_logs().each::<Task>(|task| task.started_at = Some(at("2026-06-15T11:30:00Z")));
        assert_eq!(outcome(&CHECK, account.clone()), NotApplicable);
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.flow_log_task_minutes = 15)), Fail(Severity::Medium));
    }
}
