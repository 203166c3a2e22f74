//! Reads what GuardDuty's runtime monitoring covers where it is on, the tag and the account setting that keep it out, and the
//! containers of running Fargate tasks. Yields one verdict per ACTIVE cluster in which tasks run.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{Cluster, Container, Task};
use plimsoll_model::aws::guardduty::CoverageResource;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist};
use crate::reading::{is_fargate_linux, listed};

pub(crate) const CHECK: Check = Check {
    id: "guardduty-ecs-coverage-gap",
    title: "Cluster is not covered by GuardDuty runtime monitoring",
    severity: Severity::Medium,
    resource: "AWS::ECS::Cluster",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListAccountSettings",
        "guardduty:ListDetectors",
        "guardduty:GetDetector",
        "guardduty:ListCoverage",
    ],
    shades: &[],
    compliance: &[fsbp("GuardDuty.12?"), nist("SI-4")],
    fails_when: "Runtime monitoring is on but the cluster is absent from ListCoverage (resourceType ECS), or \
                 CoverageStatus is UNHEALTHY, or has tag GuardDutyManaged=false, or guardDutyActivate is off, or a \
                 RUNNING Fargate task has no sidecar container whose name starts with aws-guardduty-agent (started before \
                 activation, or its execution role cannot pull the agent image).",
    why: "What GuardDuty does not see into can be taken over without a trace, while the console says that monitoring is on.",
    remediation: Remediation {
        text: "Fix the reported issue (execution role, endpoint, platform version) and redeploy.",
        cli: "aws ecs update-service --cluster CLUSTER --service SERVICE --force-new-deployment",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_clusters(), judge),
};

/// Tasks that evidence names.
const SHOWN: usize = 20;

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let Some(detector) = cluster.estate().detector(cluster.account(), cluster.region())? else {
        return Ok(Verdict::NotApplicable);
    };
    if !detector.data().configuration.known()?.has("RUNTIME_MONITORING") {
        return Ok(Verdict::NotApplicable);
    }
    let mut reasons = Vec::new();
    // What is found out stands, whatever else was not read.
    let mut unread: Option<Unknown> = None;
    if cluster.tag("GuardDutyManaged").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
        reasons.push("the tag GuardDutyManaged keeps it out".to_owned());
    }
    match cluster.estate().account_setting(cluster.account(), cluster.region(), "guardDutyActivate") {
        Ok(Some("off" | "disabled")) => reasons.push("guardDutyActivate is off".to_owned()),
        Ok(_) => {}
        Err(unknown) => unread = Some(unknown),
    }
    let tasks = || cluster.tasks().filter(|task| task.data().last_status == "RUNNING");
    let coverage = match cluster.guardduty_coverage() {
        Ok(Some(coverage)) => Some(coverage),
        // GuardDuty lists a cluster once something runs in it.
        Ok(None) if reasons.is_empty() && tasks().next().is_none() => return Ok(Verdict::NotApplicable),
        Ok(None) => {
            reasons.push("it is not among the clusters that GuardDuty covers".to_owned());
            None
        }
        Err(unknown) => {
            unread = Some(unknown);
            None
        }
    };
    if let Some(coverage) = coverage.filter(|coverage| coverage.data().coverage_status.as_deref() == Some("UNHEALTHY")) {
        let issue = coverage.data().issue.as_deref().map_or(String::new(), |issue| format!(" ({issue})"));
        reasons.push(format!("its coverage is UNHEALTHY{issue}"));
    }
    let mut without_agent = Vec::new();
    for task in tasks() {
        match is_fargate_linux(task) {
            Ok(true) if !has_agent(task) => without_agent.push(task.data().task_arn.as_str()),
            Ok(_) => {}
            Err(unknown) => unread = Some(unknown),
        }
    }
    if !without_agent.is_empty() {
        let count = without_agent.len();
        reasons.push(format!("{count} running Fargate {} no agent", if count == 1 { "task has" } else { "tasks have" }));
    }
    if reasons.is_empty() {
        return unread.map_or(Ok(Verdict::Pass), Err);
    }
    let message = format!("cluster {} escapes GuardDuty runtime monitoring: {}", cluster.name(), listed(&reasons));
    fail(message, evidence(coverage, &without_agent)).verdict()
}

fn has_agent(task: Node<'_, Task>) -> bool {
    task.data().containers.iter().any(|container| container.name.starts_with(Container::GUARDDUTY_AGENT))
}

fn evidence(coverage: Option<Node<'_, CoverageResource>>, without_agent: &[&str]) -> Value {
    let coverage = coverage.map(|one| one.data());
    let details = coverage.and_then(|coverage| coverage.resource_details.as_ref()?.ecs_cluster_details.as_ref());
    json!({
        "CoverageStatus": coverage.and_then(|coverage| coverage.coverage_status.as_deref()),
        "Issue": coverage.and_then(|coverage| coverage.issue.as_deref()),
        "FargateDetails": details.and_then(|details| details.fargate_details.as_ref()),
        "ContainerInstanceDetails": details.and_then(|details| details.container_instance_details.as_ref()),
        "tasksWithoutAgent": without_agent.get(..SHOWN).unwrap_or(without_agent),
        "tasksWithoutAgentCount": without_agent.len(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{Cluster, Tag, Task};
    use plimsoll_model::aws::guardduty::CoverageResource;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn watched(cluster: impl FnOnce(&mut Cluster), task: impl FnOnce(&mut Task)) -> Fixture {
        fixture().cluster("shop", cluster).task("shop", "web", "t1", task).account_setting("guardDutyActivate", "on").detector(|_| {})
    }

    fn without_agent(task: &mut Task) {
        task.containers.truncate(1);
    }

    #[test]
    fn fails_when_the_cluster_is_absent_or_unhealthy() {
        assert_eq!(outcome(&CHECK, watched(|_| {}, |_| {})), Fail(Severity::Medium));
        let unhealthy = |coverage: &mut CoverageResource| {
            coverage.coverage_status = Some("UNHEALTHY".to_owned());
            coverage.issue = Some("Agent exited".to_owned());
        };
        let found = findings(&CHECK, watched(|_| {}, |_| {}).covered_cluster("shop", unhealthy));
        assert!(found[0].message.contains("UNHEALTHY (Agent exited)"), "{}", found[0].message);
    }

    #[test]
    fn fails_when_a_tag_or_setting_keeps_it_out() {
        let tagged = |cluster: &mut Cluster| cluster.tags.push(Tag { key: "GuardDutyManaged".to_owned(), value: "false".to_owned() });
        assert_eq!(outcome(&CHECK, watched(tagged, |_| {}).covered_cluster("shop", |_| {})), Fail(Severity::Medium));
        let off = fixture().cluster("shop", |_| {}).account_setting("guardDutyActivate", "off").detector(|_| {});
        assert_eq!(outcome(&CHECK, off.covered_cluster("shop", |_| {})), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_a_fargate_task_has_no_agent() {
        assert_eq!(outcome(&CHECK, watched(|_| {}, without_agent).covered_cluster("shop", |_| {})), Fail(Severity::Medium));
    }

    #[test]
    fn passes_when_covered_and_every_fargate_task_has_its_agent() {
        assert_eq!(outcome(&CHECK, watched(|_| {}, |_| {}).covered_cluster("shop", |_| {})), Pass);
        let on_ec2 = |task: &mut Task| {
            without_agent(task);
            task.launch_type = Some("EC2".to_owned());
        };
        assert_eq!(outcome(&CHECK, watched(|_| {}, on_ec2).covered_cluster("shop", |_| {})), Pass);
    }

    #[test]
    fn does_not_apply_where_runtime_monitoring_is_off_or_nothing_runs() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {}).task("shop", "web", "t1", |_| {})), NotApplicable);
        let off = fixture().cluster("shop", |_| {}).detector(|detector| detector.features.clear());
        assert_eq!(outcome(&CHECK, off), NotApplicable);
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {}).detector(|_| {})), NotApplicable);
    }

    #[test]
    fn is_unknown_when_coverage_was_not_readable_and_nothing_else_fails() {
        assert_eq!(outcome(&CHECK, watched(|_| {}, |_| {}).denied("guardduty:ListCoverage")), Unknown);
        assert_eq!(outcome(&CHECK, watched(|_| {}, without_agent).denied("guardduty:ListCoverage")), Fail(Severity::Medium));
        let covered = watched(|_| {}, |_| {}).covered_cluster("shop", |_| {});
        assert_eq!(outcome(&CHECK, covered.denied("guardduty:ListDetectors")), Unknown);
    }
}
