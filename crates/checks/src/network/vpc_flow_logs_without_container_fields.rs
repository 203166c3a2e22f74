//! Reads the record format of the active flow logs that watch VPCs with container workload. Yields one verdict per flow log; a
//! failure lists the missing fields.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::FlowLog;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{FLOW_LOG_NEEDS, undecided};

pub(crate) const CHECK: Check = Check {
    id: "vpc-flow-logs-without-container-fields",
    title: "Flow log records cannot be tied to a task",
    severity: Severity::Low,
    resource: "AWS::EC2::FlowLog",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: FLOW_LOG_NEEDS,
    shades: &[],
    compliance: &[nist("AU-3")],
    fails_when: "LogFormat lacks the version 3 fields ${vpc-id}, ${subnet-id}, ${instance-id}, ${pkt-srcaddr}, \
                 ${pkt-dstaddr}, ${tcp-flags} (low), or has them but no version 7 ECS field (${ecs-cluster-name}, \
                 ${ecs-service-name}, ${ecs-task-id}, ${ecs-task-definition-arn}, ${ecs-container-id}) in a VPC with ECS \
                 tasks (informational). The default format is version 2 and fails.",
    why: "Addresses of tasks are reused within minutes: without these fields nobody can say afterwards which task, service or \
          cluster an address in the log belonged to.",
    remediation: Remediation {
        text: "Create a flow log with a custom format that names these fields.",
        cli: "aws ec2 create-flow-logs --resource-type VPC --resource-ids VPC --traffic-type ALL --log-format \
             \"${version} ${vpc-id} ${subnet-id} ${instance-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} \
             ${dstport} ${protocol} ${action} ${pkt-srcaddr} ${pkt-dstaddr} ${tcp-flags} ${ecs-cluster-name} \
             ${ecs-service-name} ${ecs-task-id}\" --log-destination-type s3 --log-destination BUCKET_ARN",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<FlowLog>(), judge),
};

/// Fields of version 3 that place a record in the network and show addresses behind a NAT.
const PLACE_FIELDS: [&str; 6] = ["${vpc-id}", "${subnet-id}", "${instance-id}", "${pkt-srcaddr}", "${pkt-dstaddr}", "${tcp-flags}"];

/// Fields of version 7 that name the task; one of them is enough.
const TASK_FIELDS: [&str; 5] =
    ["${ecs-cluster-name}", "${ecs-service-name}", "${ecs-task-id}", "${ecs-task-definition-arn}", "${ecs-container-id}"];

fn judge(log: Node<'_, FlowLog>) -> Judgement {
    let Some(workload) = log.workload().filter(|_| log.is_active()) else {
        return Ok(Verdict::NotApplicable);
    };
    let Some(format) = log.data().log_format.as_deref() else {
        return Err(undecided(log, "ec2:DescribeFlowLogs", "NotAnswered", "the flow log tells no LogFormat"));
    };
    let lacks_place = PLACE_FIELDS.iter().any(|field| !format.contains(field));
    let lacks_task = !TASK_FIELDS.iter().any(|field| format.contains(field)) && workload.tasks().next().is_some();
    if !lacks_place && !lacks_task {
        return Ok(Verdict::Pass);
    }
    let absent =
        |fields: &[&'static str]| -> Vec<&'static str> { fields.iter().copied().filter(|field| !format.contains(field)).collect() };
    let missing = if lacks_place { absent(&PLACE_FIELDS) } else { absent(&TASK_FIELDS) };
    let of = log.data().resource_id.as_deref().unwrap_or_default();
    let evidence = json!({"FlowLogId": log.flow_log_id, "ResourceId": log.resource_id, "LogFormat": format, "missingFields": missing});
    let what = if lacks_place { missing.join(", ") } else { "any field that names an ECS task".to_owned() };
    let failure = fail(format!("records of flow log {} of {of} lack {what}", log.data().flow_log_id), evidence);
    if lacks_place { failure.verdict() } else { failure.severity(Severity::Informational).verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ec2::FlowLog;
    use plimsoll_model::aws::ecs::Task;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    const DEFAULT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} \
                           ${bytes} ${start} ${end} ${action} ${log-status}";
    const PLACES: &str = "${vpc-id} ${subnet-id} ${instance-id} ${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr} ${tcp-flags}";

    fn format(text: &str) -> Fixture {
        fixture().shop().each::<FlowLog>(|log| log.log_format = Some(text.to_owned()))
    }

    #[test]
    fn fails_on_the_default_format_and_lists_what_is_missing() {
        assert_eq!(outcome(&CHECK, format(DEFAULT)), Fail(Severity::Low));
        let found = findings(&CHECK, format(&PLACES.replace("${tcp-flags}", "")));
        assert_eq!(found[0].message, "records of flow log fl-vpc-main of vpc-main lack ${tcp-flags}");
    }

    #[test]
    fn weighs_least_when_only_the_fields_of_ecs_are_missing() {
        assert_eq!(outcome(&CHECK, format(PLACES)), Fail(Severity::Informational));
    }

    #[test]
    fn passes_with_one_field_of_ecs_or_without_tasks_to_name() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, format(&format!("{PLACES} ${{ecs-task-id}}"))), Pass);
        assert_eq!(outcome(&CHECK, format(PLACES).without::<Task>()), Pass);
    }

    #[test]
    fn does_not_apply_to_stopped_logs_and_other_vpcs() {
        let stopped = format(DEFAULT).each::<FlowLog>(|log| log.flow_log_status = Some("INACTIVE".to_owned()));
        assert_eq!(outcome(&CHECK, stopped), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().network()), NotApplicable);
    }

    #[test]
    fn is_unknown_when_tasks_were_not_listed_or_the_format_is_not_told() {
        assert_eq!(outcome(&CHECK, fixture().shop().without::<Task>().denied("ecs:ListTasks")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().each::<FlowLog>(|log| log.log_format = None)), Unknown);
    }
}
