//! Reads the flow logs of each VPC that holds container workload. Yields one verdict per such VPC; a failure tells whether
//! its subnets or interfaces are covered one by one.

use std::collections::BTreeSet;

use plimsoll_graph::{Node, Workload};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::{FlowLog, Vpc};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_aws, fail, fsbp, nist, pci};
use crate::reading::FLOW_LOG_NEEDS;

pub(crate) const CHECK: Check = Check {
    id: "vpc-flow-logs-disabled",
    title: "VPC with containers has no flow log",
    severity: Severity::Medium,
    resource: "AWS::EC2::VPC",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: FLOW_LOG_NEEDS,
    shades: &[],
    compliance: &[
        fsbp("EC2.6"),
        cis_aws("3.0.0/3.7"),
        cis_aws("5.0.0/3.7"),
        nist("AU-12"),
        nist("SI-4(4)?"),
        pci("10.2.1?"),
        pci("10.3.3"),
    ],
    fails_when: "No FlowLog with FlowLogStatus ACTIVE has ResourceId equal to the VPC. When every workload subnet or ENI \
                 has its own flow log, report low instead.",
    why: "Without flow logs nobody can tell afterwards what a captured container talked to, and nothing notices while it \
          does.",
    remediation: Remediation {
        text: "Create a flow log for the VPC with traffic type ALL.",
        cli: "aws ec2 create-flow-logs --resource-type VPC --resource-ids VPC --traffic-type ALL \
             --log-destination-type s3 --log-destination BUCKET_ARN --log-format FORMAT",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<Vpc>(), judge),
};

fn judge(vpc: Node<'_, Vpc>) -> Judgement {
    let Some(workload) = vpc.workload() else {
        return Ok(Verdict::NotApplicable);
    };
    let (id, estate) = (vpc.data().vpc_id.as_str(), vpc.estate());
    if estate.flow_logs_on(id).any(Node::<'_, FlowLog>::is_active) {
        return Ok(Verdict::Pass);
    }
    estate.flow_logs_read(vpc.account(), vpc.region(), vpc.owner_id.as_deref(), id)?;
    let logs: Vec<Value> =
        estate.flow_logs_on(id).map(|log| json!({"FlowLogId": log.flow_log_id, "FlowLogStatus": log.flow_log_status})).collect();
    let interfaces = workload.interfaces().count();
    let evidence = json!({"VpcId": id, "FlowLogs": logs, "workloadInterfaceCount": interfaces});
    let holds = match interfaces {
        0 => "subnets of services or clusters".to_owned(),
        1 => "1 interface of tasks or hosts".to_owned(),
        count => format!("{count} interfaces of tasks or hosts"),
    };
    if covered_one_by_one(vpc, workload) {
        let message = format!("{id} with {holds} has no active flow log of its own, only its subnets or interfaces have");
        return fail(message, evidence).severity(Severity::Low).verdict();
    }
    fail(format!("{id} with {holds} has no active flow log"), evidence).verdict()
}

/// Whether each subnet of the workload, or else each of its interfaces there, has an active flow log.
fn covered_one_by_one(vpc: Node<'_, Vpc>, workload: Workload<'_>) -> bool {
    let logged = |id: &str| vpc.estate().flow_logs_on(id).any(Node::<'_, FlowLog>::is_active);
    let (mut with, mut without) = (BTreeSet::new(), BTreeSet::new());
    for interface in workload.interfaces() {
        let side = if logged(&interface.network_interface_id) { &mut with } else { &mut without };
        side.insert(interface.data().subnet_id.as_deref());
    }
    let mut subnets = workload.subnets().map(|subnet| subnet.data().subnet_id.as_str()).peekable();
    subnets.peek().is_some() && subnets.all(|id| logged(id) || (with.contains(&Some(id)) && !without.contains(&Some(id))))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::{FlowLog, Vpc};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn without_logs() -> Fixture {
        fixture().shop().without::<FlowLog>()
    }

    #[test]
    fn fails_when_the_vpc_of_a_task_has_no_flow_log_or_one_that_stopped() {
        assert_eq!(outcome(&CHECK, without_logs()), Fail(Severity::Medium));
        assert_eq!(findings(&CHECK, without_logs())[0].message, "vpc-main with 1 interface of tasks or hosts has no active flow log");
        let stopped = fixture().shop().each::<FlowLog>(|log| log.flow_log_status = Some("INACTIVE".to_owned()));
        assert_eq!(outcome(&CHECK, stopped), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_every_subnet_or_interface_has_its_own() {
        assert_eq!(outcome(&CHECK, without_logs().flow_log("subnet-a", |_| {})), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, without_logs().flow_log("eni-t1", |_| {})), Fail(Severity::Low));
        let one_of_two = without_logs().task("shop", "web", "t2", |_| {}).interface("t2", |_| {}).flow_log("eni-t1", |_| {});
        assert_eq!(outcome(&CHECK, one_of_two), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_vpc_has_an_active_flow_log() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn does_not_apply_to_a_vpc_without_container_workload() {
        assert_eq!(outcome(&CHECK, fixture().vpc("other", |_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_flow_logs_were_not_readable_or_belong_to_another_account() {
        let denied = findings(&CHECK, without_logs().denied("ec2:DescribeFlowLogs"));
        assert!(denied.iter().all(|finding| finding.status == plimsoll_model::Status::Unknown), "{denied:?}");
        let shared = without_logs().each::<Vpc>(|vpc| vpc.owner_id = Some("222222222222".to_owned()));
        assert_eq!(outcome(&CHECK, shared), Unknown);
    }
}
