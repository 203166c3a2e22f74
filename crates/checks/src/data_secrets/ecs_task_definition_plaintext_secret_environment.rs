//! Reads the detector's verdicts on environment variables of containers, and of overrides in RUNNING tasks. Yields one
//! verdict per task definition in scope; a failure names every variable that holds a secret, never its value.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::{Screened, TaskDefinition};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, cis_docker, fail, fsbp, nist, pci};
use crate::reading::{ACCESS_KEY_ID, DEFINITION_NEEDS, containers, containers_where, masked, running_overrides, secrets, told, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-plaintext-secret-environment",
    title: "Container environment holds a secret in plain text",
    severity: Severity::High,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[fsbp("ECS.8"), nist("IA-5(7)"), nist("SC-28"), pci("8.6.2"), pci("8.3.2"), cis_docker("4.10?")],
    fails_when: "A containerDefinitions[].environment[] value matches a secret detector (AWS key pairs, private key \
                 blocks, tokens of known providers, connection strings with a password, JWTs), or its name matches \
                 (?i)(passw|secret|token|api_?key|private_?key|credential|ECS_ENGINE_AUTH_DATA|AWS_SECRET_ACCESS_KEY) and \
                 the value is not empty, not an ARN, not a URL without userinfo, not a path or a boolean. Also scan \
                 overrides.containerOverrides[].environment of RUNNING tasks. Critical when an AWS access key id (AKIA) \
                 and its secret are both present.",
    why: "Everyone who may describe task definitions or tasks reads the value, and it stays in every old revision: plain \
          environment variables are neither encrypted nor logged on reading.",
    remediation: Remediation {
        text: "Move the value to Secrets Manager or a SecureString parameter, refer to it with secrets[].valueFrom, and \
              rotate it.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # secrets=[{name,valueFrom}]; \
             then: aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

/// Evidence names at most this many overrides.
const SHOWN_OVERRIDES: usize = 10;

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let holds = |environment: &[Screened]| secrets(environment).next().is_some();
    let failing = containers_where(definition, |container| holds(&container.environment));
    let overrides = || running_overrides(definition).filter(|(_, one)| holds(&one.environment));
    let overridden = overrides().count();
    if failing.is_empty() && overridden == 0 {
        return Ok(Verdict::Pass);
    }
    let of_containers = || definition.data().container_definitions.iter().filter(|container| holds(&container.environment));
    let told = told(of_containers().flat_map(|c| secrets(&c.environment)).chain(overrides().flat_map(|(_, o)| secrets(&o.environment))));
    let whose = match (failing.as_slice(), overridden) {
        ([], count) => format!("overrides in {count} running tasks of {} set", definition.name()),
        ([_], 0) => format!("{} of {} holds", containers(&failing), definition.name()),
        (_, 0) => format!("{} of {} hold", containers(&failing), definition.name()),
        (_, count) => format!("{} of {} and overrides in {count} of its running tasks hold", containers(&failing), definition.name()),
    };
    let pair = of_containers().any(|c| is_key_pair(&c.environment)) || overrides().any(|(_, o)| is_key_pair(&o.environment));
    let detail = if pair { ", a whole AWS access key among them" } else { "" };
    let evidence = json!({
        "containerDefinitions":
            of_containers().map(|c| json!({"name": c.name, "environment": masked(secrets(&c.environment))})).collect::<Vec<Value>>(),
        "overrides": overrides()
            .take(SHOWN_OVERRIDES)
            .map(|(task, o)| json!({"taskArn": task, "name": o.name, "environment": masked(secrets(&o.environment))}))
            .collect::<Vec<Value>>(),
        "overrideCount": overridden,
        "usedBy": users(definition),
    });
    let failure = fail(format!("{whose} {told} in plain text{detail}"), evidence);
    if pair { failure.severity(Severity::Critical).verdict() } else { failure.verdict() }
}

/// Whether an environment holds a whole, long-lived AWS access key. Of ids the collector keeps references to long-lived
/// ones (AKIA) only; temporary ones come with a session token and expire.
fn is_key_pair(environment: &[Screened]) -> bool {
    let has = |kind: &str| environment.iter().any(|one| one.looks_like.as_deref() == Some(kind));
    let long_lived = environment.iter().any(|one| !one.access_keys.is_empty());
    (long_lived || (has(ACCESS_KEY_ID) && !has("aws-session-token"))) && has("aws-secret-access-key")
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, screened};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{ContainerOverride, Task, TaskDefinition, TaskOverride};

    use super::CHECK;
    use crate::outcome::{Fail, Outcome, Pass, Unknown, findings, outcome};

    fn with_environment(variables: &'static [(&'static str, Option<&'static str>)]) -> impl Fn(&mut TaskDefinition) {
        move |definition| {
            definition.container_definitions[0].environment = variables.iter().map(|(name, kind)| screened(name, *kind)).collect();
        }
    }

    fn overridden(variable: &'static str, kind: &'static str) -> impl Fn(&mut Task) {
        move |task| {
            let container =
                ContainerOverride { name: Some("app".to_owned()), environment: vec![screened(variable, Some(kind))], ..Default::default() };
            task.overrides = Some(TaskOverride { container_overrides: vec![container], ..Default::default() });
        }
    }

    fn outcome_of(variables: &'static [(&'static str, Option<&'static str>)]) -> Outcome {
        outcome(&CHECK, shop().each(with_environment(variables)))
    }

    fn shop() -> Fixture {
        fixture().shop()
    }

    #[test]
    fn fails_when_a_variable_holds_a_secret() {
        let found = findings(&CHECK, shop().each(with_environment(&[("STAGE", None), ("DB_PASSWORD", Some("named-secret"))])));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::High);
        assert_eq!(found[0].message, "container app of web:1 holds DB_PASSWORD (named-secret) in plain text");
    }

    #[test]
    fn a_whole_aws_access_key_is_critical() {
        let both = &[("AWS_ACCESS_KEY_ID", Some("aws-access-key-id")), ("AWS_SECRET_ACCESS_KEY", Some("aws-secret-access-key"))];
        assert_eq!(outcome_of(both), Fail(Severity::Critical));
        assert_eq!(outcome_of(&[("AWS_SECRET_ACCESS_KEY", Some("aws-secret-access-key"))]), Fail(Severity::High));
    }

    #[test]
    fn temporary_aws_credentials_are_not_critical() {
        let all = &[
            ("AWS_ACCESS_KEY_ID", Some("aws-access-key-id")),
            ("AWS_SECRET_ACCESS_KEY", Some("aws-secret-access-key")),
            ("AWS_SESSION_TOKEN", Some("aws-session-token")),
        ];
        assert_eq!(outcome_of(all), Fail(Severity::High));
    }

    #[test]
    fn passes_with_harmless_variables_or_an_access_key_id_alone() {
        assert_eq!(outcome_of(&[("STAGE", None), ("DB_PASSWORD_FILE", None)]), Pass);
        assert_eq!(outcome_of(&[("AWS_ACCESS_KEY_ID", Some("aws-access-key-id"))]), Pass);
    }

    #[test]
    fn fails_when_a_running_task_overrides_a_variable_with_a_secret() {
        assert_eq!(outcome(&CHECK, shop().each(overridden("TOKEN", "github-token"))), Fail(Severity::High));
        let stopping = shop().each(overridden("TOKEN", "github-token")).each(|task: &mut Task| "PENDING".clone_into(&mut task.last_status));
        assert_eq!(outcome(&CHECK, stopping), Pass);
    }

    #[test]
    fn weighs_less_when_nothing_runs_the_revision() {
        let unused = fixture().task_definition("web", with_environment(&[("TOKEN", Some("jwt"))]));
        assert_eq!(outcome(&CHECK, unused), Fail(Severity::Medium));
    }

    #[test]
    fn is_unknown_when_tasks_were_not_readable() {
        assert_eq!(outcome(&CHECK, shop().denied("ecs:DescribeTasks")), Unknown);
        assert_eq!(outcome(&CHECK, shop().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
