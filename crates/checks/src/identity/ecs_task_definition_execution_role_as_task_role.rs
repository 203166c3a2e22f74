//! Reads the two roles of a task definition. Yields one verdict per task definition in scope.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{DEFINITION_NEEDS, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-execution-role-as-task-role",
    title: "One role is both task role and execution role",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::Identity,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: DEFINITION_NEEDS,
    shades: &[],
    compliance: &[nist("AC-5"), nist("AC-6")],
    fails_when: "taskRoleArn == executionRoleArn (compare the full ARN, ignoring path case).",
    why: "The application gets the rights that only the agent needs: it can read every secret that the task starts with, \
          and those of every other task that starts with this role.",
    remediation: Remediation {
        text: "Create a separate task role: the application must not hold the right to read every secret and log group \
              used at start.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # taskRoleArn=OTHER_ROLE; then: \
             aws ecs update-service --cluster CLUSTER --service SERVICE --task-definition FAMILY",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let data = definition.data();
    let (Some(task), Some(execution)) = (data.task_role_arn.as_deref(), data.execution_role_arn.as_deref()) else {
        return Ok(Verdict::Pass);
    };
    if task.is_empty() || !is_same(task, execution) {
        return Ok(Verdict::Pass);
    }
    // The execution role reads these when the task starts.
    let read = |container: &plimsoll_model::aws::ecs::ContainerDefinition| {
        let options = container.log_configuration.iter().flat_map(|log| &log.secret_options);
        container.secrets.iter().chain(options).map(|secret| json!(secret.value_from)).collect::<Vec<Value>>()
    };
    let secrets: Vec<Value> = data.container_definitions.iter().flat_map(read).collect();
    let starts = match secrets.len() {
        0 => String::new(),
        1 => ", which reads 1 secret at start".to_owned(),
        count => format!(", which reads {count} secrets at start"),
    };
    let message = format!("{} runs its containers with its execution role {}{starts}", definition.name(), name(execution));
    let evidence = json!({
        "taskRoleArn": task,
        "executionRoleArn": execution,
        "secrets": secrets,
        "usedBy": users(definition),
    });
    fail(message, evidence).verdict()
}

/// Compares ARNs; a short name compares by name, for it means a role of the same account. Case does not matter: no two
/// roles of an account differ by case alone.
fn is_same(left: &str, right: &str) -> bool {
    let short = !(left.starts_with("arn:") && right.starts_with("arn:"));
    left.eq_ignore_ascii_case(right) || (short && name(left).eq_ignore_ascii_case(name(right)))
}

fn name(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, role_arn};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{Secret, TaskDefinition};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};

    fn with_task_role(role: Option<String>) -> Fixture {
        fixture().shop().each(move |definition: &mut TaskDefinition| definition.task_role_arn.clone_from(&role))
    }

    #[test]
    fn fails_when_both_roles_are_one() {
        let account = with_task_role(Some(role_arn("execution"))).each(|definition: &mut TaskDefinition| {
            let value_from = "arn:aws:secretsmanager:us-east-1:111111111111:secret:db-AbCdEf".to_owned();
            definition.container_definitions[0].secrets = vec![Secret { name: "DB".to_owned(), value_from }];
        });
        let found = findings(&CHECK, account);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Medium);
        assert_eq!(found[0].message, "web:1 runs its containers with its execution role execution, which reads 1 secret at start");
    }

    #[test]
    fn case_and_short_names_make_no_difference() {
        assert_eq!(outcome(&CHECK, with_task_role(Some(role_arn("Execution")))), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, with_task_role(Some("execution".to_owned()))), Fail(Severity::Medium));
    }

    #[test]
    fn passes_with_two_roles_or_without_one_of_them() {
        assert_eq!(outcome(&CHECK, fixture().shop()), Pass);
        assert_eq!(outcome(&CHECK, with_task_role(None)), Pass);
        assert_eq!(outcome(&CHECK, with_task_role(Some(role_arn("team/execution")))), Pass, "a path makes another role");
        let empty =
            with_task_role(Some(String::new())).each(|definition: &mut TaskDefinition| definition.execution_role_arn = Some(String::new()));
        assert_eq!(outcome(&CHECK, empty), Pass, "an empty text names no role");
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, fixture().shop().denied("ecs:DescribeTaskDefinition")), Unknown);
    }
}
