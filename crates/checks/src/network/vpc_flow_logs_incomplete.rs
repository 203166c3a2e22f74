//! Reads the active flow logs that watch VPCs with container workload, whole or in part. Yields one verdict per flow log; a
//! failure tells what traffic is left out, or why records do not arrive.

use plimsoll_graph::{Node, TaskGroup, Workload};
use plimsoll_model::Severity;
use plimsoll_model::aws::ec2::FlowLog;
use plimsoll_model::aws::ecs::Task;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::reading::{FLOW_LOG_NEEDS, listed, undecided};

pub(crate) const CHECK: Check = Check {
    id: "vpc-flow-logs-incomplete",
    title: "Flow log of a container VPC misses traffic or fails to deliver",
    severity: Severity::Low,
    resource: "AWS::EC2::FlowLog",
    area: Area::Network,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: FLOW_LOG_NEEDS,
    shades: &[],
    compliance: &[fsbp("EC2.6?"), nist("AU-12"), nist("AU-5")],
    fails_when: "The only ACTIVE flow logs that cover a workload VPC have TrafficType ACCEPT or REJECT (not ALL, and not \
                 one of each), or DeliverLogsStatus is FAILED or DeliverLogsErrorMessage is set (medium), or \
                 MaxAggregationInterval is 600 while tasks are short-lived.",
    why: "A log of rejected traffic alone shows no successful intrusion, one of accepted traffic alone no attempt; and a log \
          that is not delivered is none.",
    remediation: Remediation {
        text: "Recreate the flow log with traffic type ALL and a working destination.",
        cli: "aws ec2 create-flow-logs --resource-type VPC --resource-ids VPC --traffic-type ALL \
             --max-aggregation-interval 60 --log-destination-type s3 --log-destination BUCKET_ARN",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.all::<FlowLog>(), judge),
};

/// The interval, in seconds, in which a short-lived task comes and goes between two records.
const LONG_INTERVAL: i32 = 600;

fn judge(log: Node<'_, FlowLog>) -> Judgement {
    let Some(workload) = log.workload().filter(|_| log.is_active()) else {
        return Ok(Verdict::NotApplicable);
    };
    let mut problems = Vec::new();
    let message = log.data().deliver_logs_error_message.as_deref().filter(|message| !message.is_empty());
    let undelivered = log.deliver_logs_status.as_deref() == Some("FAILED") || message.is_some();
    if undelivered {
        problems.push(message.map_or_else(|| "fails to deliver".to_owned(), |message| format!("fails to deliver ({message})")));
    }
    let traffic = traffic(log);
    if let Traffic::Only(kind) = traffic {
        problems.push(format!("records {kind} traffic only"));
    }
    let certain = !problems.is_empty();
    if log.max_aggregation_interval == Some(LONG_INTERVAL) && has_short_lived_tasks(log, workload) {
        problems.push(format!("sums up {LONG_INTERVAL} seconds, in which tasks outside services may come and go"));
    }
    if problems.is_empty() {
        return match traffic {
            Traffic::Unknown => Err(undecided(log, "ec2:DescribeFlowLogs", "NotAnswered", "the flow log tells no TrafficType")),
            _ => Ok(Verdict::Pass),
        };
    }
    let evidence = json!({
        "FlowLogId": log.flow_log_id,
        "ResourceId": log.resource_id,
        "TrafficType": log.traffic_type,
        "DeliverLogsStatus": log.deliver_logs_status,
        "DeliverLogsErrorMessage": log.deliver_logs_error_message,
        "MaxAggregationInterval": log.max_aggregation_interval,
    });
    let of = log.data().resource_id.as_deref().unwrap_or_default();
    let failure = fail(format!("flow log {} of {of} {}", log.data().flow_log_id, listed(&problems)), evidence);
    let failure = if undelivered { failure.severity(Severity::Medium) } else { failure };
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

/// What the flow logs on a resource and on what contains it record together.
#[derive(Clone, Copy)]
enum Traffic {
    All,
    Only(&'static str),
    Unknown,
}

fn traffic(log: Node<'_, FlowLog>) -> Traffic {
    let (mut accepted, mut rejected, mut untold) = (false, false, false);
    for id in [log.data().resource_id.as_deref(), log.subnet_id(), log.vpc_id()].into_iter().flatten() {
        for other in log.estate().flow_logs_on(id).filter(|other| other.is_active()) {
            match other.data().traffic_type.as_deref() {
                Some("ALL") => return Traffic::All,
                Some("ACCEPT") => accepted = true,
                Some("REJECT") => rejected = true,
                _ => untold = true,
            }
        }
    }
    match (accepted, rejected) {
        (true, true) => Traffic::All,
        _ if untold => Traffic::Unknown,
        (true, false) => Traffic::Only("accepted"),
        (false, true) => Traffic::Only("rejected"),
        (false, false) => Traffic::Unknown,
    }
}

/// Tasks that have ended are not in a snapshot: one that a caller started not long ago stands for them.
fn has_short_lived_tasks(log: Node<'_, FlowLog>, workload: Workload<'_>) -> bool {
    let now = log.estate().inventory().header.finished_at.as_second();
    let short_lived = i64::from(log.estate().thresholds().flow_log_task_minutes) * 60;
    let recent = |task: &Node<'_, Task>| task.started_at.is_some_and(|started| now - started.as_second() < short_lived);
    workload.tasks().any(|task| task.group() == TaskGroup::Standalone && recent(&task))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::aws::ec2::FlowLog;
    use plimsoll_model::{Confidence, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn changed(change: impl Fn(&mut FlowLog)) -> Fixture {
        fixture().shop().each(change)
    }

    fn only(kind: &'static str) -> impl Fn(&mut FlowLog) {
        move |log| log.traffic_type = Some(kind.to_owned())
    }

    #[test]
    fn fails_when_only_part_of_the_traffic_is_recorded() {
        assert_eq!(outcome(&CHECK, changed(only("REJECT"))), Fail(Severity::Low));
        assert_eq!(findings(&CHECK, changed(only("ACCEPT")))[0].message, "flow log fl-vpc-main of vpc-main records accepted traffic only");
    }

    #[test]
    fn weighs_more_when_records_do_not_arrive() {
        assert_eq!(outcome(&CHECK, changed(|log| log.deliver_logs_status = Some("FAILED".to_owned()))), Fail(Severity::Medium));
        assert_eq!(
            outcome(&CHECK, changed(|log| log.deliver_logs_error_message = Some("Access error".to_owned()))),
            Fail(Severity::Medium)
        );
    }

    #[test]
    fn fails_as_possible_when_short_tasks_fall_between_two_records() {
        let account = |started: &str| {
            let started = at(started);
            changed(|log| log.max_aggregation_interval = Some(600))
                .standalone_task("shop", "web", "t2", |task| task.started_at = Some(started))
                .interface("t2", |_| {})
        };
        let found = findings(&CHECK, account("2026-06-15T11:55:00Z"));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Low, Confidence::Possible));
        assert_eq!(outcome(&CHECK, account("2026-06-14T11:55:00Z")), Pass);
        assert_eq!(outcome(&CHECK, changed(|log| log.max_aggregation_interval = Some(600))), Pass);
    }

    #[test]
    fn passes_when_two_logs_share_the_traffic_or_the_vpc_records_all() {
        let both = changed(only("REJECT")).flow_log("vpc-main", |log| {
            log.flow_log_id = "fl-second".to_owned();
            log.traffic_type = Some("ACCEPT".to_owned());
        });
        assert_eq!(outcome(&CHECK, both), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop().flow_log("subnet-a", only("REJECT"))), Pass);
    }

    #[test]
    fn a_log_that_covers_a_subnet_does_not_complete_that_of_the_vpc() {
        assert_eq!(outcome(&CHECK, changed(only("REJECT")).flow_log("subnet-a", |_| {})), Fail(Severity::Low));
    }

    #[test]
    fn does_not_apply_to_stopped_logs_and_other_vpcs() {
        assert_eq!(outcome(&CHECK, changed(|log| log.flow_log_status = Some("INACTIVE".to_owned()))), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().network().each(only("REJECT"))), NotApplicable);
    }

    #[test]
    fn is_unknown_when_flow_logs_were_not_listed_or_do_not_tell() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ec2:DescribeFlowLogs")), Unknown);
        assert_eq!(outcome(&CHECK, changed(|log| log.traffic_type = None)), Unknown);
    }

    #[test]
    fn the_configuration_says_how_short_is_short() {
        let account = changed(|log| log.max_aggregation_interval = Some(600))
            .standalone_task("shop", "web", "t2", |task| task.started_at = Some(at("2026-06-15T11:30:00Z")))
            .interface("t2", |_| {});
        assert_eq!(outcome(&CHECK, account.clone()), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.flow_log_task_minutes = 15)), Pass);
    }
}
