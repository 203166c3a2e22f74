//! Reads the type of each Parameter Store parameter that a task definition injects as a secret. Yields one verdict per task
//! definition in scope; a failure names every such parameter.

use plimsoll_graph::{Link, Missing, Node, Unknown};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::ssm::Parameter;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::reading::{counted, distinct, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-parameter-not-securestring",
    title: "Container secret comes from an unencrypted SSM parameter",
    severity: Severity::Medium,
    resource: "AWS::ECS::TaskDefinition",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::NotApplicable },
    needs: &[
        "ecs:ListTaskDefinitionFamilies",
        "ecs:ListTaskDefinitions",
        "ecs:DescribeTaskDefinition",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListClusters",
        "ssm:DescribeParameters",
    ],
    shades: &[],
    compliance: &[nist("SC-28"), nist("IA-5"), pci("8.3.2?")],
    fails_when: "A secrets[].valueFrom or secretOptions[].valueFrom names an SSM parameter whose Type is String or \
                 StringList.",
    why: "Whoever may read parameters reads the value in plain text, and no key stands between them.",
    remediation: Remediation {
        text: "Recreate the parameter as SecureString under a customer managed key and rotate the value.",
        cli: "aws ssm put-parameter --name NAME --type SecureString --key-id KEY --value file://value --overwrite",
    },
    evaluate: |_, verdicts| verdicts.each_definition(judge),
};

fn judge(definition: Node<'_, TaskDefinition>) -> Judgement {
    let mut plain: Vec<(&str, &str, Node<'_, Parameter>)> = Vec::new();
    let mut unread: Option<Unknown> = None;
    let mut any = false;
    for one in definition.data().secret_uses() {
        let Some(reference) = one.parameter() else { continue };
        any = true;
        match definition.parameter(reference) {
            Link::Found(parameter) if parameter.data().kind == "SecureString" => {}
            Link::Found(parameter) => plain.push((one.container.name.as_str(), one.name, parameter)),
            // A parameter that does not exist gives nothing away.
            Link::Missing(Missing::NotFound { .. }) => {}
            missing @ Link::Missing(_) => unread = missing.known().err(),
        }
    }
    if plain.is_empty() {
        return match unread {
            Some(unknown) => Err(unknown),
            None if any => Ok(Verdict::Pass),
            None => Ok(Verdict::NotApplicable),
        };
    }
    let names = distinct(plain.iter().map(|(_, _, parameter)| parameter.data().name.as_str()));
    let message = format!("{} takes secrets from {} of type String or StringList", definition.name(), counted("parameter", &names));
    let parameters: Vec<Value> = plain
        .iter()
        .map(|(container, name, parameter)| {
            let parameter = parameter.data();
            json!({"container": container, "secret": name, "Name": parameter.name, "Type": parameter.kind,
                "LastModifiedDate": parameter.last_modified_date})
        })
        .collect();
    fail(message, json!({"parameters": parameters, "usedBy": users(definition)})).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, injects};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ssm::Parameter;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, outcome};

    fn web(value_from: &str) -> Fixture {
        fixture().cluster("shop", |_| {}).task_definition("web", injects(value_from)).service("shop", "web", |_| {})
    }

    fn plain(parameter: &mut Parameter) {
        parameter.kind = "String".to_owned();
    }

    #[test]
    fn fails_when_a_parameter_is_not_encrypted_however_it_is_named() {
        for reference in ["/app/token".to_owned(), arn("ssm", "parameter/app/token"), "/app/token:3".to_owned()] {
            assert_eq!(outcome(&CHECK, web(&reference).parameter("/app/token", plain)), Fail(Severity::Medium), "{reference}");
        }
        let list = |parameter: &mut Parameter| parameter.kind = "StringList".to_owned();
        assert_eq!(outcome(&CHECK, web("/app/token").parameter("/app/token", list)), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_nothing_runs_it() {
        let idle = fixture().cluster("shop", |_| {}).task_definition("web", injects("/app/token")).parameter("/app/token", plain);
        assert_eq!(outcome(&CHECK, idle), Fail(Severity::Low));
    }

    #[test]
    fn passes_when_encrypted_or_gone() {
        assert_eq!(outcome(&CHECK, web("/app/token").parameter("/app/token", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, web("/app/token")), Pass);
    }

    #[test]
    fn does_not_apply_without_parameters() {
        assert_eq!(outcome(&CHECK, web("arn:aws:secretsmanager:us-east-1:111111111111:secret:db-AbCdEf")), NotApplicable);
    }

    #[test]
    fn is_unknown_when_parameters_were_not_readable_or_belong_to_others() {
        assert_eq!(outcome(&CHECK, web("/app/token").denied("ssm:DescribeParameters")), Unknown);
        assert_eq!(outcome(&CHECK, web("arn:aws:ssm:us-east-1:222222222222:parameter/shared")), Unknown);
    }
}
