//! Reads when running Fargate tasks started. Yields one verdict per RUNNING task; a failure tells for how many days it
//! has run, and how long AWS waits before it retires tasks.

use jiff::Timestamp;
use plimsoll_graph::{Node, TaskGroup};
use plimsoll_model::aws::ecs::Task;
use plimsoll_model::{LaunchKind, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-fargate-not-refreshed",
    title: "Fargate task has run so long that it missed platform patches",
    severity: Severity::Low,
    resource: "AWS::ECS::Task",
    area: Area::HostPatching,
    responsibility: ByLaunch { fargate: Responsibility::Shared, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:ListTasks", "ecs:DescribeTasks", "ecs:ListAccountSettings"],
    shades: &["ecs:ListAccountSettings"],
    compliance: &[nist("SI-2"), pci("6.3.3?")],
    fails_when: "A RUNNING Fargate task has startedAt older than 45 days (configurable). Standalone tasks are medium: \
                 when AWS retires one, nothing replaces it. Evidence includes fargateTaskRetirementWaitPeriod.",
    why: "AWS patches Fargate by starting new tasks on a patched platform: a task that never restarts keeps the kernel and \
          the runtime of the day it began.",
    remediation: Remediation {
        text: "Redeploy the service on a schedule; turn standalone daemons into services.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --force-new-deployment",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.running_tasks(), judge),
};

const DAY: i64 = 24 * 60 * 60;

fn judge(task: Node<'_, Task>) -> Judgement {
    // The first test spares the look at the capacity provider.
    if task.container_instance_arn.is_some() || task.launch() != LaunchKind::Fargate {
        return Ok(Verdict::NotApplicable);
    }
    let Some(started_at) = task.started_at else {
        return Err(undecided(task, "ecs:DescribeTasks", "NoStartedAt", "the task does not tell when it started"));
    };
    let age = age(started_at, task.estate().inventory().header.finished_at);
    if age <= i64::from(task.estate().thresholds().fargate_task_days) * DAY {
        return Ok(Verdict::Pass);
    }
    let is_standalone = task.group() == TaskGroup::Standalone;
    let days = age / DAY;
    let wait = task.estate().account_setting(task.account(), task.region(), "fargateTaskRetirementWaitPeriod");
    let evidence = json!({
        "taskArn": task.task_arn,
        "startedAt": started_at,
        "days": days,
        "group": task.group,
        "fargateTaskRetirementWaitPeriod": wait.ok().flatten(),
    });
    let (kind, severity) = if is_standalone { ("standalone task", Severity::Medium) } else { ("task", Severity::Low) };
    let family = task.data().task_definition_arn.rsplit('/').next().unwrap_or_default();
    fail(format!("{kind} {} of {family} has run for {days} days", task.name()), evidence).severity(severity).verdict()
}

/// Seconds between two instants.
fn age(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, at, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    // The fixture's now is 2026-06-15T12:00:00Z: 45 days earlier is 2026-05-01T12:00:00Z.
    fn started(instant: &'static str) -> Fixture {
        fixture().shop().each(move |task: &mut ecs::Task| task.started_at = Some(at(instant)))
    }

    #[test]
    fn fails_when_a_task_has_run_for_more_than_45_days() {
        assert_eq!(outcome(&CHECK, started("2026-05-01T11:59:59Z")), Fail(Severity::Low));
        let found = findings(&CHECK, started("2026-04-15T00:00:00Z"));
        assert!(found[0].message.ends_with("has run for 61 days"), "{}", found[0].message);
        assert_eq!(found[0].evidence["fargateTaskRetirementWaitPeriod"], "7");
    }

    #[test]
    fn weighs_more_when_nothing_replaces_the_task() {
        let standalone = started("2026-04-01T00:00:00Z").each(|task: &mut ecs::Task| task.group = Some("family:web".to_owned()));
        assert_eq!(outcome(&CHECK, standalone), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_the_task_is_45_days_old() {
        assert_eq!(outcome(&CHECK, started("2026-05-01T12:00:00Z")), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn fails_without_the_account_settings() {
        let unread = started("2026-04-01T00:00:00Z").without::<ecs::AccountSetting>().denied("ecs:ListAccountSettings");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Low));
    }

    #[test]
    fn does_not_apply_to_tasks_on_ec2() {
        let on_ec2 = |task: &mut ecs::Task| task.launch_type = Some("EC2".to_owned());
        assert_eq!(outcome(&CHECK, started("2026-01-01T00:00:00Z").each(on_ec2)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_tasks_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeTasks")), Unknown);
        assert_eq!(outcome(&CHECK, fixture().shop().each(|task: &mut ecs::Task| task.started_at = None)), Unknown);
    }

    #[test]
    fn the_configuration_sets_the_age() {
        let account = started("2026-06-01T00:00:00Z");
        assert_eq!(outcome(&CHECK, account.clone()), Pass);
        assert_eq!(outcome(&CHECK, account.thresholds(|thresholds| thresholds.fargate_task_days = 7)), Fail(Severity::Low));
    }
}
