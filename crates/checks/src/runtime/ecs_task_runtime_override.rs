//! Reads what running tasks override of their definition, and what started them. Yields one verdict per task; a failure names
//! the roles, and the containers whose command or environment differs.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{ContainerOverride, Task, TaskOverride};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{containers, listed};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-runtime-override",
    title: "Running task differs from its definition in role, command or environment",
    severity: Severity::Medium,
    resource: "AWS::ECS::Task",
    area: Area::Runtime,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:ListTasks", "ecs:DescribeTasks", "ecs:DescribeTaskDefinition"],
    shades: &["ecs:DescribeTaskDefinition"],
    compliance: &[nist("CM-3"), nist("SI-7?")],
    fails_when: "A RUNNING task has overrides.taskRoleArn or overrides.executionRoleArn that differs from the definition, \
                 or containerOverrides[].command / environment on a task that no EventBridge rule, schedule, Step \
                 Functions or Batch started (startedBy).",
    why: "Whoever may run a task with another role or command gets what that role may do, under the name of a definition that \
          was reviewed.",
    remediation: Remediation {
        text: "Confirm the caller; forbid role overrides with iam:PassRole on exact roles.",
        cli: "aws ecs stop-task --cluster CLUSTER --task TASK --reason unapproved-override",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.running_tasks(), judge),
};

fn judge(task: Node<'_, Task>) -> Judgement {
    let Some(overrides) = &task.data().overrides else {
        return Ok(Verdict::Pass);
    };
    let changed: Vec<&ContainerOverride> = overrides.container_overrides.iter().filter(|one| is_changed(one)).collect();
    let by_machine = changed.is_empty() || is_started_by_machine(task);
    let (roles, gap) = match foreign_roles(task, overrides) {
        Ok(roles) => (roles, None),
        Err(unknown) => (Vec::new(), Some(unknown)),
    };
    let mut told: Vec<String> = roles.iter().map(|(name, role)| format!("{name} is {role}")).collect();
    if !by_machine {
        let names: Vec<&str> = changed.iter().filter_map(|one| one.name.as_deref()).collect();
        told.push(format!("command or environment of {} differs", containers(&names)));
    }
    if told.is_empty() {
        return gap.map_or(Ok(Verdict::Pass), Err);
    }
    let of_containers: Vec<Value> = changed
        .iter()
        .map(|one| {
            let names: Vec<&str> = one.environment.iter().map(|variable| variable.name.as_str()).collect();
            json!({"name": one.name, "command": one.command, "environment": names})
        })
        .collect();
    let evidence = json!({
        "overrides": {
            "taskRoleArn": overrides.task_role_arn,
            "executionRoleArn": overrides.execution_role_arn,
            "containerOverrides": of_containers,
        },
        "taskDefinitionArn": task.task_definition_arn,
        "startedBy": task.started_by,
        "group": task.group,
    });
    fail(format!("task {} of {} overrides its definition: {}", task.name(), family(task), listed(&told)), evidence).verdict()
}

fn is_changed(one: &ContainerOverride) -> bool {
    one.command.is_some() || !one.environment.is_empty()
}

fn family(task: Node<'_, Task>) -> &str {
    task.data().task_definition_arn.rsplit('/').next().unwrap_or_default()
}

/// Whether EventBridge, its Scheduler, Step Functions or AWS Batch started it: there an override is part of the set-up.
fn is_started_by_machine(task: Node<'_, Task>) -> bool {
    let started_by = task.started_by.as_deref().unwrap_or_default();
    // AWS Batch names its clusters after the compute environment and writes the id of a job into startedBy.
    let cluster = task.cluster_arn.rsplit('/').next().unwrap_or_default();
    ["events-rule/", "chronos-schedule/"].iter().any(|prefix| started_by.starts_with(prefix))
        || started_by == "AWS Step Functions"
        || cluster.starts_with("AWSBatch-")
        || cluster.contains("_Batch_")
}

/// The overridden roles that are not those of the definition.
fn foreign_roles<'e>(task: Node<'e, Task>, overrides: &'e TaskOverride) -> Result<Vec<(&'static str, &'e str)>, Unknown> {
    let given = [("taskRoleArn", overrides.task_role_arn.as_deref()), ("executionRoleArn", overrides.execution_role_arn.as_deref())];
    if given.iter().all(|(_, role)| role.is_none_or(str::is_empty)) {
        return Ok(Vec::new());
    }
    let definition = task.task_definition().known()?.data();
    let own = [definition.task_role_arn.as_deref(), definition.execution_role_arn.as_deref()];
    let given = given.into_iter().zip(own).filter_map(|((name, role), own)| Some((name, role.filter(|role| !role.is_empty())?, own)));
    Ok(given.filter(|(_, role, own)| !own.is_some_and(|own| is_same_role(role, own))).map(|(name, role, _)| (name, role)).collect())
}

/// A definition may name a role without the rest of its ARN.
fn is_same_role(one: &str, other: &str) -> bool {
    let bare = |role: &str| !role.starts_with("arn:");
    let name = |role: &'_ str| role.rsplit('/').next().unwrap_or_default().to_owned();
    one == other || (bare(one) || bare(other)) && name(one) == name(other)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, role_arn, screened};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{ContainerOverride, Task, TaskDefinition, TaskOverride, Words};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn overriding(change: impl Fn(&mut TaskOverride)) -> Fixture {
        fixture().shop().each(|task: &mut Task| {
            let mut overrides = TaskOverride {
                container_overrides: vec![ContainerOverride { name: Some("app".to_owned()), ..Default::default() }],
                ..Default::default()
            };
            change(&mut overrides);
            task.overrides = Some(overrides);
        })
    }

    fn command(overrides: &mut TaskOverride) {
        overrides.container_overrides[0].command = Some(Words { count: 2, program: Some("sh".to_owned()) });
    }

    fn started_by(name: &'static str) -> impl Fn(&mut Task) {
        move |task| task.started_by = Some(name.to_owned())
    }

    #[test]
    fn fails_when_a_role_differs_from_the_definitions() {
        assert_eq!(outcome(&CHECK, overriding(|o| o.task_role_arn = Some(role_arn("admin")))), Fail(Severity::Medium));
        let machine = overriding(|o| o.execution_role_arn = Some(role_arn("admin"))).each(started_by("events-rule/nightly"));
        assert_eq!(outcome(&CHECK, machine), Fail(Severity::Medium), "whoever started it");
    }

    #[test]
    fn fails_when_somebody_gave_another_command_or_environment() {
        assert_eq!(outcome(&CHECK, overriding(command).each(started_by("jane"))), Fail(Severity::Medium));
        let variable = |o: &mut TaskOverride| o.container_overrides[0].environment = vec![screened("DEBUG", None)];
        let found = findings(&CHECK, overriding(variable));
        assert_eq!(found[0].evidence["overrides"]["containerOverrides"][0]["environment"][0], "DEBUG");
    }

    #[test]
    fn passes_when_a_machine_gave_it_or_nothing_differs() {
        for name in ["events-rule/nightly", "chronos-schedule/nightly", "AWS Step Functions"] {
            assert_eq!(outcome(&CHECK, overriding(command).each(started_by(name))), Pass, "{name}");
        }
        let batch = |task: &mut Task| task.cluster_arn = task.cluster_arn.replace("/shop", "/AWSBatch-jobs-1");
        assert_eq!(outcome(&CHECK, overriding(command).each(batch)), Pass);
        assert_eq!(outcome(&CHECK, overriding(|o| o.task_role_arn = Some(role_arn("web-task")))), Pass);
        let by_name = |definition: &mut TaskDefinition| definition.task_role_arn = Some("web-task".to_owned());
        assert_eq!(outcome(&CHECK, overriding(|o| o.task_role_arn = Some(role_arn("web-task"))).each(by_name)), Pass);
        assert_eq!(outcome(&CHECK, overriding(|_| {})), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn is_unknown_when_the_definition_of_an_overridden_role_was_not_readable() {
        let account = overriding(|o| o.task_role_arn = Some(role_arn("admin"))).without::<TaskDefinition>();
        assert_eq!(outcome(&CHECK, account.denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
