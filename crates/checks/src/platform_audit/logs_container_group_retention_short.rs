//! Reads how long each log group of containers, ECS Exec and control planes keeps its events, and what archives them. Yields one verdict per
//! group; a failure names the days, or that nobody made the group.

use plimsoll_graph::{ContainerLogGroup, Estate, Link, LogPurpose, Missing, Node};
use plimsoll_model::Severity;
use plimsoll_model::aws::logs::LogGroup;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::reading::{log_group, log_group_reference, writers, writers_listed};

pub(crate) const CHECK: Check = Check {
    id: "logs-container-group-retention-short",
    title: "Container or control plane logs expire too early or never",
    severity: Severity::Low,
    resource: "AWS::Logs::LogGroup",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "logs:DescribeLogGroups",
        "logs:DescribeSubscriptionFilters",
    ],
    shades: &["logs:DescribeSubscriptionFilters"],
    compliance: &[fsbp("CloudWatch.16?"), nist("AU-11"), pci("10.5.1")],
    fails_when: "retentionInDays is below 365 for control plane and ECS Exec groups, or below 90 for application groups, \
                 unless a subscription filter or export archives them; absent (never expires) is informational. The group \
                 named in a definition that does not exist fails (logs are lost) unless awslogs-create-group is true.",
    why: "Intruders are often noticed months later; by then the logs that would tell what they did are gone.",
    remediation: Remediation {
        text: "Set a retention that fits the audit policy.",
        cli: "aws logs put-retention-policy --log-group-name GROUP --retention-in-days 365",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    for group in estate.container_log_groups() {
        if group.writers.iter().all(|writer| writer.purpose == LogPurpose::Insights) {
            continue;
        }
        match log_group(estate, group) {
            Ok(Link::Found(found)) => verdicts.judge(found, judge(found, group)),
            Ok(Link::Missing(Missing::NotFound { .. })) => verdicts.judge_reference(log_group_reference(group), judge_missing(group)),
            Ok(missing) => verdicts.judge_reference(log_group_reference(group), missing.known().map(|_| Verdict::Pass)),
            Err(unknown) => verdicts.judge_reference(log_group_reference(group), Err(unknown)),
        }
    }
}

fn judge(found: Node<'_, LogGroup>, group: &ContainerLogGroup<'_>) -> Judgement {
    let thresholds = found.estate().thresholds();
    let audits = group.writers.iter().any(|writer| matches!(writer.purpose, LogPurpose::Exec | LogPurpose::ControlPlane));
    let least = i64::from(if audits { thresholds.audit_log_retention_days } else { thresholds.log_retention_days });
    let evidence = |filters: Option<usize>| {
        json!({
            "logGroupName": group.name,
            "retentionInDays": found.retention_in_days,
            "subscriptionFilters": filters,
            "writers": writers(group),
        })
    };
    let Some(days) = found.retention_in_days else {
        let message = format!("log group {} of {} never expires", group.name, writers_listed(group));
        return fail(message, evidence(None)).severity(Severity::Informational).verdict();
    };
    if days >= least {
        return Ok(Verdict::Pass);
    }
    let filters = found.data().subscription_filters.known()?;
    if !filters.is_empty() {
        return Ok(Verdict::Pass);
    }
    let message = format!("log group {} of {} keeps its events {days} days, not {least}", group.name, writers_listed(group));
    fail(message, evidence(Some(0))).verdict()
}

fn judge_missing(group: &ContainerLogGroup<'_>) -> Judgement {
    let lost = group.writers.iter().any(|writer| writer.purpose == LogPurpose::Containers && !writer.creates);
    if !lost || group.writers.iter().any(|writer| writer.creates) {
        return Ok(Verdict::NotApplicable);
    }
    let message = format!("log group {} of {} does not exist", group.name, writers_listed(group));
    fail(message, json!({"logGroupName": group.name, "writers": writers(group)})).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap};
    use plimsoll_model::aws::ecs::{
        Cluster, ClusterConfiguration, ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, TaskDefinition,
    };
    use plimsoll_model::aws::logs::{LogGroup, SubscriptionFilter};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn shop() -> Fixture {
        fixture().shop().without::<LogGroup>()
    }

    fn keeping(days: Option<i64>) -> Fixture {
        shop().log_group("/ecs/app", |group| group.retention_in_days = days)
    }

    fn sessions(cluster: &mut Cluster) {
        let logs = ExecuteCommandLogConfiguration { cloud_watch_log_group_name: Some("/ecs/app".to_owned()), ..Default::default() };
        let exec = ExecuteCommandConfiguration { log_configuration: Some(logs), ..Default::default() };
        cluster.configuration = Some(ClusterConfiguration { execute_command_configuration: Some(exec), ..Default::default() });
    }

    #[test]
    fn fails_when_events_expire_before_their_time() {
        assert_eq!(outcome(&CHECK, keeping(Some(30))), Fail(Severity::Low));
        assert_eq!(outcome(&CHECK, keeping(Some(90)).each(sessions)), Fail(Severity::Low), "sessions of ECS Exec must stay a year");
    }

    #[test]
    fn control_planes_must_keep_theirs_for_a_year() {
        let account = |days| {
            fixture().eks_cluster("k8s", |_| {}).each(move |group: &mut LogGroup| {
                group.retention_in_days = Some(days);
                group.subscription_filters = Seen::Known(Vec::new());
            })
        };
        assert_eq!((outcome(&CHECK, account(364)), outcome(&CHECK, account(365))), (Fail(Severity::Low), Pass));
    }

    #[test]
    fn a_group_that_never_expires_is_told_of_only() {
        assert_eq!(outcome(&CHECK, keeping(None)), Fail(Severity::Informational));
    }

    #[test]
    fn passes_when_kept_long_enough_or_archived() {
        assert_eq!(outcome(&CHECK, keeping(Some(90))), Pass);
        let archived = |group: &mut LogGroup| group.subscription_filters = Seen::Known(vec![SubscriptionFilter::default()]);
        assert_eq!(outcome(&CHECK, keeping(Some(1)).each(archived)), Pass);
    }

    #[test]
    fn the_configuration_sets_the_days() {
        assert_eq!(outcome(&CHECK, keeping(Some(90)).thresholds(|thresholds| thresholds.log_retention_days = 120)), Fail(Severity::Low));
    }

    #[test]
    fn fails_when_nobody_made_the_group_unless_tasks_do() {
        let found = findings(&CHECK, shop());
        assert_eq!(found[0].resource.arn, "arn:aws:logs:us-east-1:111111111111:log-group/%2Fecs%2Fapp".replace("%2F", "/"));
        assert!(found[0].message.contains("does not exist"), "{found:?}");
        let creating = |definition: &mut TaskDefinition| {
            let logs = definition.container_definitions[0].log_configuration.as_mut().unwrap();
            logs.options.insert("awslogs-create-group".to_owned(), "true".to_owned());
        };
        assert_eq!(outcome(&CHECK, shop().each(creating)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_groups_or_their_filters_were_not_readable() {
        assert_eq!(outcome(&CHECK, shop().denied("logs:DescribeLogGroups")), Unknown);
        let unread = |group: &mut LogGroup| group.subscription_filters = gap("logs:DescribeSubscriptionFilters").into();
        assert_eq!(outcome(&CHECK, keeping(Some(30)).each(unread)), Unknown);
        assert_eq!(outcome(&CHECK, keeping(Some(90)).each(unread)), Pass);
    }
}
