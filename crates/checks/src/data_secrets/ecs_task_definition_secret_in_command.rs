//! Reads what the detector found in commands, entry points, health checks, labels, log options and the other texts of a
//! task definition, and in commands that RUNNING tasks override. Yields one verdict per task definition in scope; a failure
//! names the field of every secret, never the secret.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{Screened, TaskDefinition};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::{DEFINITION_NEEDS, containers, containers_where, masked, running_overrides, secrets, told, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-secret-in-command",
    title: "Secret in plain text in command, label, health check or log option",
    severity: Severity::High,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[nist("IA-5(7)"), pci("8.6.2")],
    fails_when: "The same detectors match in containerDefinitions[].command, entryPoint, healthCheck.command, \
                 dockerLabels values, logConfiguration.options values, firelensConfiguration.options values, extraHosts, \
                 systemControls, proxyConfiguration.properties, volumes[].dockerVolumeConfiguration.driverOpts, or in \
                 overrides.containerOverrides[].command of RUNNING tasks.",
    why: "Command lines, labels and log options are open to everyone who may describe the task definition, show in process \
          lists and on the host, and stay in every old revision.",
    remediation: Remediation {
        text: "Move the value to secrets[] or logConfiguration.secretOptions[] and rotate it.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # logConfiguration.secretOptions; \
             then: aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// Evidence names at most this many overrides.
const SHOWN_OVERRIDES: usize = 10;

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let holds = |texts: &[Screened]| secrets(texts).next().is_some();
    let data = definition.data();
    let failing = containers_where(definition, |container| holds(&container.secrets_in_text));
    let overrides = || running_overrides(definition).filter(|(_, one)| holds(&one.secrets_in_text));
    let overridden = overrides().count();
    if failing.is_empty() && overridden == 0 && !holds(&data.secrets_in_text) {
        return Ok(Verdict::Pass);
    }
    let of_containers = || data.container_definitions.iter().filter(|container| holds(&container.secrets_in_text));
    let found = of_containers()
        .flat_map(|container| secrets(&container.secrets_in_text))
        .chain(secrets(&data.secrets_in_text))
        .chain(overrides().flat_map(|(_, one)| secrets(&one.secrets_in_text)));
    let whose = match (failing.as_slice(), overridden) {
        ([], 0) => definition.name().to_owned(),
        ([], count) => format!("{} with overrides in {count} running tasks", definition.name()),
        (_, 0) => format!("{} of {}", containers(&failing), definition.name()),
        (_, count) => format!("{} of {} with overrides in {count} running tasks", containers(&failing), definition.name()),
    };
    let evidence = json!({
        "containerDefinitions": of_containers()
            .map(|container| json!({"name": container.name, "fields": masked(secrets(&container.secrets_in_text))}))
            .collect::<Vec<Value>>(),
        "fields": masked(secrets(&data.secrets_in_text)),
        "overrides": overrides()
            .take(SHOWN_OVERRIDES)
            .map(|(task, one)| json!({"taskArn": task, "name": one.name, "fields": masked(secrets(&one.secrets_in_text))}))
            .collect::<Vec<Value>>(),
        "overrideCount": overridden,
        "usedBy": users(definition),
    });
    fail(format!("plain-text secrets in {whose}: {}", told(found)), evidence).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, screened};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{ContainerOverride, Task, TaskDefinition, TaskOverride};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn with_text(field: &'static str, kind: &'static str) -> Fixture {
        fixture().shop().each(move |definition: &mut TaskDefinition| {
            definition.container_definitions[0].secrets_in_text = vec![screened(field, Some(kind))];
        })
    }

    #[test]
    fn fails_when_a_command_holds_a_secret() {
        let found = findings(&CHECK, with_text("command[2]", "password-in-url"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::High);
        assert_eq!(found[0].message, "plain-text secrets in container app of web:1: command[2] (password-in-url)");
    }

    #[test]
    fn fails_when_a_text_outside_the_containers_holds_a_secret() {
        let account = fixture().shop().each(|definition: &mut TaskDefinition| {
            definition.secrets_in_text = vec![screened("volumes[0].dockerVolumeConfiguration.driverOpts.o", Some("named-secret"))];
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn fails_when_a_running_task_overrides_the_command_with_a_secret() {
        let account = fixture().shop().each(|task: &mut Task| {
            let container = ContainerOverride { secrets_in_text: vec![screened("command", Some("jwt"))], ..Default::default() };
            task.overrides = Some(TaskOverride { container_overrides: vec![container], ..Default::default() });
        });
        assert_eq!(outcome(&CHECK, account), Fail(Severity::High));
    }

    #[test]
    fn passes_when_only_an_access_key_id_was_found() {
        assert_eq!(outcome(&CHECK, with_text("command[1]", "aws-access-key-id")), Pass);
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        let unused = fixture().task_definition("web", |definition| {
            definition.container_definitions[0].secrets_in_text = vec![screened("dockerLabels.token", Some("jwt"))];
        });
        assert_eq!(outcome(&CHECK, unused), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_tasks_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeTasks")), Unknown);
    }
}
