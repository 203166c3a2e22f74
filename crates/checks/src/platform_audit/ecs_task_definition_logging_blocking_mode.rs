//! Reads the mode of the awslogs driver, and the account setting that stands in for it. Yields one verdict per task
//! definition in scope; a failure names every container that waits for its log destination.

use plimsoll_graph::{Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{LogConfiguration, TaskDefinition};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{containers, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-logging-blocking-mode",
    title: "A stalled log destination can freeze the application",
    severity: Severity::Low,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::PlatformAudit,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListAccountSettings",
        "ecs:ListClusters",
    ],
    shades: &[],
    compliance: &[nist("AU-5")],
    fails_when: "logDriver is awslogs and logConfiguration.options.mode is \"blocking\", or mode is absent and the \
                 effective account setting defaultLogDriverMode is blocking. With mode absent and the setting absent, the \
                 default of new definitions is non-blocking since June 2025: pass.",
    why: "In blocking mode a write to standard output waits until CloudWatch Logs takes it: when that is slow or \
          unreachable, the application hangs and fails its health checks.",
    remediation: Remediation {
        text: "Set mode to non-blocking with a max-buffer-size, unless loss of logs is worse than a stalled \
              application.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # \
             logConfiguration.options.mode=non-blocking; then: aws ecs update-service --cluster CLUSTER --service \
             SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// The account setting that holds where a definition names no mode.
const DEFAULT_MODE: &str = "defaultLogDriverMode";

/// What a container does when its logs cannot be delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Blocking,
    NonBlocking,
    ByDefault,
}

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let modes = || definition.data().container_definitions.iter().filter_map(|c| Some((c, mode(c.log_configuration.as_ref()?)?)));
    let default = if modes().any(|(_, mode)| mode == Mode::ByDefault) { default_mode(definition) } else { Ok(None) };
    let blocks_by_default = matches!(default, Ok(Some("blocking")));
    let blocks = |mode: Mode| mode == Mode::Blocking || (mode == Mode::ByDefault && blocks_by_default);
    let blocking: Vec<&str> = modes().filter(|(_, mode)| blocks(*mode)).map(|(container, _)| container.name.as_str()).collect();
    if blocking.is_empty() {
        return default.map(|_| Verdict::Pass);
    }
    let options = |log: Option<&LogConfiguration>| {
        let option = |name: &str| log.and_then(|log| log.options.get(name));
        json!({"mode": option("mode"), "max-buffer-size": option("max-buffer-size")})
    };
    let told: Vec<Value> = modes()
        .filter(|(_, mode)| blocks(*mode))
        .map(|(c, _)| json!({"name": c.name, "logConfiguration": {"options": options(c.log_configuration.as_ref())}}))
        .collect();
    let evidence = json!({
        "containerDefinitions": told,
        (DEFAULT_MODE): default_mode(definition).ok().flatten(),
        "usedBy": users(definition),
    });
    let verb = if blocking.len() == 1 { "waits" } else { "wait" };
    let message = format!("{} of {} {verb} for CloudWatch Logs in blocking mode", containers(&blocking), definition.name());
    fail(message, evidence).verdict()
}

/// The mode of the awslogs driver; `None` for other drivers.
fn mode(log: &LogConfiguration) -> Option<Mode> {
    (log.log_driver.as_deref() == Some("awslogs")).then(|| match log.options.get("mode").map(String::as_str) {
        Some("blocking") => Mode::Blocking,
        Some(_) => Mode::NonBlocking,
        None => Mode::ByDefault,
    })
}

/// The effective setting. Without it AWS does not block, since June 2025.
fn default_mode(definition: Node<'_, TaskDefinition>) -> Result<Option<&str>, Unknown> {
    definition.estate().account_setting(definition.account(), definition.region(), DEFAULT_MODE)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::TaskDefinition;

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn with_mode(mode: Option<&'static str>) -> Fixture {
        fixture().shop().each(move |definition: &mut TaskDefinition| {
            let log = definition.container_definitions[0].log_configuration.as_mut().unwrap();
            log.options.remove("mode");
            log.options.extend(mode.map(|mode| ("mode".to_owned(), mode.to_owned())));
        })
    }

    #[test]
    fn fails_in_blocking_mode() {
        let found = findings(&CHECK, with_mode(Some("blocking")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Low);
        assert_eq!(found[0].message, "container app of web:1 waits for CloudWatch Logs in blocking mode");
    }

    #[test]
    fn fails_without_mode_when_the_account_blocks_by_default() {
        assert_eq!(outcome(&CHECK, with_mode(None).account_setting("defaultLogDriverMode", "blocking")), Fail(Severity::Low));
    }

    #[test]
    fn passes_without_mode_when_the_account_does_not_block_by_default() {
        assert_eq!(outcome(&CHECK, with_mode(None).account_setting("defaultLogDriverMode", "non-blocking")), Pass);
        assert_eq!(outcome(&CHECK, with_mode(None)), Pass);
    }

    #[test]
    fn passes_in_non_blocking_mode_and_with_other_drivers() {
        assert_eq!(outcome(&CHECK, with_mode(Some("non-blocking")).account_setting("defaultLogDriverMode", "blocking")), Pass);
        let other = with_mode(Some("blocking")).each(|definition: &mut TaskDefinition| {
            definition.container_definitions[0].log_configuration.as_mut().unwrap().log_driver = Some("awsfirelens".to_owned());
        });
        assert_eq!(outcome(&CHECK, other), Pass);
    }

    #[test]
    fn is_unknown_without_mode_when_the_setting_was_not_readable() {
        assert_eq!(outcome(&CHECK, with_mode(None).denied("ecs:ListAccountSettings")), Unknown);
    }

    #[test]
    fn blocking_mode_is_proven_without_the_setting() {
        assert_eq!(outcome(&CHECK, with_mode(Some("blocking")).denied("ecs:ListAccountSettings")), Fail(Severity::Low));
    }
}
