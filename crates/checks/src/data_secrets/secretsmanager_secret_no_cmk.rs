//! Reads the key of each secret and each SecureString parameter that a task definition in scope names. Yields one verdict per
//! secret and parameter.

use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::aws::ssm::Parameter;
use plimsoll_model::{Resource, Severity};
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::undecided;

pub(crate) const CHECK: Check = Check {
    id: "secretsmanager-secret-no-cmk",
    title: "Container secret uses the AWS managed key",
    severity: Severity::Low,
    resource: "AWS::SecretsManager::Secret",
    area: Area::DataSecrets,
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
        "kms:DescribeKey",
        "secretsmanager:ListSecrets",
        "secretsmanager:DescribeSecret",
        "ssm:DescribeParameters",
    ],
    // Asked for single secrets of other accounts: their verdict alone is unknown without it.
    shades: &["secretsmanager:DescribeSecret"],
    compliance: &[nist("SC-12"), nist("SC-28")],
    fails_when: "KmsKeyId is absent or resolves to alias/aws/secretsmanager. Same for SecureString parameters with KeyId \
                 alias/aws/ssm.",
    why: "Under the key that AWS manages, whoever may read the secret may decrypt it: no key policy can say otherwise, and other accounts cannot be let in.",
    remediation: Remediation {
        text: "Encrypt the secret with a customer managed key.",
        cli: "aws secretsmanager update-secret --secret-id SECRET --kms-key-id KEY",
    },
    evaluate,
};

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    verdicts.each(estate.all::<Secret>().filter(|secret| secret.definitions().next().is_some()), |secret| {
        let data = secret.data();
        // A secret of another account of which no more than its ARN is known.
        if data.name.is_empty() {
            return Err(match estate.coverage().on_resource("secretsmanager:DescribeSecret", &data.arn) {
                Some(gap) => gap.into(),
                None => undecided(secret, "secretsmanager:DescribeSecret", "NotAnswered", "the secret tells no name"),
            });
        }
        judge(secret, "secret", data.kms_key_id.as_deref())
    });
    let secure = |parameter: &Node<'e, Parameter>| parameter.data().kind == "SecureString" && parameter.definitions().next().is_some();
    verdicts.each(estate.all::<Parameter>().filter(secure), |parameter| judge(parameter, "parameter", parameter.data().key_id.as_deref()));
}

fn judge<T: Resource>(node: Node<'_, T>, what: &str, key: Option<&str>) -> Judgement {
    if !is_of_aws(node, key)? {
        return Ok(Verdict::Pass);
    }
    let message = format!("{what} {} is encrypted with the key that AWS manages", node.name());
    fail(message, json!({"Name": node.name(), "KmsKeyId": key})).verdict()
}

/// Whether a reference means the key that AWS manages for the service.
fn is_of_aws<T: Resource>(node: Node<'_, T>, key: Option<&str>) -> Result<bool, Unknown> {
    let Some(reference) = key.filter(|key| !key.is_empty()) else { return Ok(true) };
    if reference.starts_with("alias/aws/") || reference.contains(":alias/aws/") {
        return Ok(true);
    }
    let Some(key) = node.estate().key(node.account(), node.region(), reference).exists()? else { return Ok(false) };
    Ok(key.metadata()?.is_some_and(|metadata| metadata.key_manager.as_deref() == Some("AWS")))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, injects};
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::aws::secretsmanager::Secret;
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn secret(key: Option<&str>) -> Fixture {
        let key = key.map(str::to_owned);
        let web =
            fixture().cluster("shop", |_| {}).task_definition("web", injects("arn:aws:secretsmanager:us-east-1:111111111111:secret:db"));
        web.secret("db", |secret| secret.kms_key_id = key).key("secrets", |_| {})
    }

    fn parameter(key: &str) -> Fixture {
        let web = fixture().cluster("shop", |_| {}).task_definition("web", injects("/db"));
        web.parameter("/db", |parameter| parameter.key_id = Some(key.to_owned())).key("secrets", |_| {})
    }

    fn of_aws(key: &mut Key) {
        if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
            metadata.key_manager = Some("AWS".to_owned());
        }
    }

    #[test]
    fn fails_when_no_key_or_the_one_of_aws_is_named() {
        for key in [None, Some("alias/aws/secretsmanager"), Some("arn:aws:kms:us-east-1:111111111111:alias/aws/secretsmanager")] {
            assert_eq!(outcome(&CHECK, secret(key)), Fail(Severity::Low), "{key:?}");
        }
        assert_eq!(outcome(&CHECK, secret(Some("secrets")).each(of_aws)), Fail(Severity::Low));
    }

    #[test]
    fn parameters_count_as_secrets() {
        let found = findings(&CHECK, parameter("alias/aws/ssm"));
        assert_eq!(found[0].resource.kind, "AWS::SSM::Parameter");
        assert_eq!(outcome(&CHECK, parameter("secrets")), Pass);
    }

    #[test]
    fn passes_with_a_key_of_the_customer() {
        assert_eq!(outcome(&CHECK, secret(Some("secrets"))), Pass);
    }

    #[test]
    fn does_not_apply_to_secrets_that_no_container_uses() {
        assert_eq!(outcome(&CHECK, fixture().secret("db", |secret: &mut Secret| secret.kms_key_id = None)), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_key_or_the_secret_was_not_readable() {
        let unread = secret(Some("secrets")).each(|key: &mut Key| key.key_metadata = Seen::default());
        assert_eq!(outcome(&CHECK, unread), Unknown);
        assert_eq!(outcome(&CHECK, secret(None).without::<Secret>().denied("secretsmanager:ListSecrets")), Unknown);
    }
}
