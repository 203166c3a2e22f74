//! Reads which secrets containers take whole, whether any definition takes a key of the same secret, and what AWS says of
//! the secret. Yields one verdict per task definition in scope; a failure names each such variable. No value is read:
//! where nothing tells that a secret is a JSON document, the check does not apply.

use plimsoll_graph::{Estate, Link, Missing, Node, Unknown};
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::{SecretUse, Severity};
use rustc_hash::FxHashSet;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::engine::Verdicts;
use crate::reading::{counted, distinct, users};

pub(crate) const CHECK: Check = Check {
    id: "ecs-task-definition-whole-secret-injected",
    title: "Container receives a whole secret document instead of one key",
    severity: Severity::Informational,
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
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecrets",
    ],
    // Only definitions that take a secret whole are unknown without them.
    shades: &["secretsmanager:DescribeSecret", "secretsmanager:ListSecrets"],
    compliance: &[nist("AC-6")],
    fails_when: "secrets[].valueFrom is a Secrets Manager ARN without a :json-key: part, and the same secret ARN is \
                 referenced with a json-key by another container or definition, or the secret is of a managed type that \
                 is always JSON (OwningService rds, redshift, or a rotation function for database credentials). The \
                 scanner never reads the secret value.",
    why: "The container gets the user, the host and every other field besides the password it needs, and each of them ends up \
          wherever its environment does.",
    remediation: Remediation {
        text: "Append :KEY:: to valueFrom so that only the needed key is injected.",
        cli: "aws ecs register-task-definition --cli-input-json file://taskdef.json  # \
             valueFrom=arn:...:secret:NAME:KEY::; then: aws ecs update-service --cluster CLUSTER --service SERVICE \
             --task-definition FAMILY",
    },
    evaluate,
};

/// Services whose secrets are JSON documents with the fields of a connection.
const OF_DATABASES: [&str; 2] = ["rds", "redshift"];
/// What the names of AWS's rotation functions for databases hold: their templates are named after the engine.
const ROTATION_FUNCTIONS: [&str; 4] = ["SecretsManagerRDS", "SecretsManagerRedshift", "SecretsManagerMongoDB", "SecretsManagerDB2"];

/// ARNs of secrets of which somebody takes a key: they are JSON documents.
type Documents<'e> = FxHashSet<&'e str>;

/// Why a secret is known to be a JSON document.
#[derive(Clone, Copy)]
enum Known<'e> {
    ByKey,
    OwningService(&'e str),
    RotationFunction(&'e str),
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut documents = Documents::default();
    for definition in estate.definitions_in_scope() {
        for one in definition.data().secret_uses().filter(|one| one.json_key().is_some()) {
            documents.extend(one.secret().map(|reference| identity(definition, reference)));
        }
    }
    verdicts.each_definition(|definition| judge(definition, &documents));
}

/// The ARN of a secret, however it is referred to; of one that was not read the reference.
fn identity<'e>(definition: Node<'e, TaskDefinition>, reference: &'e str) -> &'e str {
    definition.secret(reference).found().map_or(reference, |secret| secret.data().arn.as_str())
}

fn judge(definition: Node<'_, TaskDefinition>, documents: &Documents<'_>) -> Judgement {
    let mut whole: Vec<(SecretUse<'_>, Known<'_>)> = Vec::new();
    let (mut by_key, mut undecided) = (false, false);
    let mut unread: Option<Unknown> = None;
    for one in definition.data().secret_uses().filter(is_variable) {
        let Some(reference) = one.secret() else { continue };
        if one.json_key().is_some() {
            by_key = true;
            continue;
        }
        if documents.contains(identity(definition, reference)) {
            whole.push((one, Known::ByKey));
            continue;
        }
        match definition.secret(reference) {
            Link::Found(secret) => match document(secret) {
                Some(known) => whole.push((one, known)),
                None if secret.data().name.is_empty() => unread = Some(undescribed(secret)),
                None => undecided = true,
            },
            // A secret that does not exist gives nothing away.
            Link::Missing(Missing::NotFound { .. }) => {}
            missing @ Link::Missing(_) => unread = missing.known().err(),
        }
    }
    if !whole.is_empty() {
        return failure(definition, &whole);
    }
    match unread {
        Some(unknown) => Err(unknown),
        // Whether another secret is a document shows in its value alone.
        None if undecided || !by_key => Ok(Verdict::NotApplicable),
        None => Ok(Verdict::Pass),
    }
}

/// Whether a container gets it as a variable: `secrets[]`, not the options of its log driver nor its registry.
fn is_variable(one: &SecretUse<'_>) -> bool {
    let of_container = one.container.secrets.iter().any(|secret| std::ptr::eq(secret.value_from.as_str(), one.value_from));
    of_container && !one.is_registry
}

/// What AWS says of the secret's form.
fn document(secret: Node<'_, Secret>) -> Option<Known<'_>> {
    let data = secret.data();
    let owner = data.owning_service.as_deref().filter(|owner| OF_DATABASES.contains(owner));
    let function = || data.rotation_lambda_arn.as_deref().filter(|arn| ROTATION_FUNCTIONS.iter().any(|name| arn.contains(name)));
    owner.map(Known::OwningService).or_else(|| function().map(Known::RotationFunction))
}

/// The unknown of a secret of another account of which no more than its ARN is known.
fn undescribed(secret: Node<'_, Secret>) -> Unknown {
    const OPERATION: &str = "secretsmanager:DescribeSecret";
    match secret.estate().coverage().on_resource(OPERATION, &secret.data().arn) {
        Some(gap) => gap.into(),
        None => crate::reading::undecided(secret, OPERATION, "NotAnswered", "the secret tells no name"),
    }
}

fn failure(definition: Node<'_, TaskDefinition>, whole: &[(SecretUse<'_>, Known<'_>)]) -> Judgement {
    let names = distinct(whole.iter().map(|(one, _)| one.name));
    let containers = distinct(whole.iter().map(|(one, _)| one.container.name.as_str()));
    let all = format!("{} of {}", counted("variable", &names), counted("container", &containers));
    let message = format!("{} takes whole JSON documents from Secrets Manager as {all}", definition.name());
    let secrets: Vec<Value> = whole
        .iter()
        .map(|(one, known)| {
            let (owner, function) = match known {
                Known::ByKey => (None, None),
                Known::OwningService(owner) => (Some(owner), None),
                Known::RotationFunction(function) => (None, Some(function)),
            };
            json!({
                "containerName": one.container.name,
                "name": one.name,
                "valueFrom": one.value_from,
                "OwningService": owner,
                "RotationLambdaARN": function,
                "keyTakenElsewhere": matches!(known, Known::ByKey),
            })
        })
        .collect();
    fail(message, json!({"secrets": secrets, "usedBy": users(definition)})).verdict()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, gap, injects};
    use plimsoll_model::Severity;
    use plimsoll_model::aws::ecs::{Secret as Injected, TaskDefinition};
    use plimsoll_model::aws::secretsmanager::Secret;

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn secret() -> String {
        arn("secretsmanager", "secret:db-AbCdEf")
    }

    /// Definition `web` with the secret under these references, behind its ARN.
    fn web(suffixes: &[&str], change: impl FnOnce(&mut Secret)) -> Fixture {
        let account = fixture().cluster("shop", |_| {}).secret("db", change).task_definition("web", |_| {}).service("shop", "web", |_| {});
        suffixes.iter().fold(account, |account, suffix| account.each(injects(&format!("{}{suffix}", secret()))))
    }

    #[test]
    fn fails_when_a_secret_of_a_database_is_taken_whole() {
        let found = findings(&CHECK, web(&["", "::AWSCURRENT:"], |secret| secret.owning_service = Some("rds".to_owned())));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Informational);
        assert_eq!(found[0].message, "web:1 takes whole JSON documents from Secrets Manager as variable TOKEN of container app");
        assert_eq!(found[0].evidence["secrets"][1]["OwningService"], "rds");
        let rotated = |secret: &mut Secret| {
            secret.rotation_lambda_arn = Some(arn("lambda", "function:SecretsManagerRDSMySQLRotationSingleUser"));
        };
        assert_eq!(outcome(&CHECK, web(&[""], rotated)), Fail(Severity::Informational));
    }

    #[test]
    fn fails_when_another_definition_takes_a_key() {
        let both = || web(&[""], |_| {}).task_definition("api", |definition| injects(&format!("{}:password::", secret()))(definition));
        let found = findings(&CHECK, both());
        assert_eq!((found.len(), found[0].resource.name.as_str()), (1, "web:1"));
        let partial = arn("secretsmanager", "secret:db:password::");
        let named = web(&[""], |_| {}).task_definition("api", injects(&partial));
        assert_eq!(outcome(&CHECK, named), Fail(Severity::Informational));
        let unread = both().without::<Secret>().denied("secretsmanager:ListSecrets");
        assert_eq!(outcome(&CHECK, unread), Fail(Severity::Informational));
    }

    #[test]
    fn passes_when_only_keys_are_taken() {
        assert_eq!(outcome(&CHECK, web(&[":password::"], |secret| secret.owning_service = Some("rds".to_owned()))), Pass);
    }

    #[test]
    fn does_not_apply_to_secrets_that_may_be_a_single_text() {
        assert_eq!(outcome(&CHECK, web(&[""], |_| {})), NotApplicable);
        assert_eq!(outcome(&CHECK, web(&[], |_| {})), NotApplicable);
        let options = web(&[], |secret| secret.owning_service = Some("rds".to_owned())).each(|definition: &mut TaskDefinition| {
            let logs = definition.container_definitions[0].log_configuration.as_mut().unwrap();
            logs.secret_options = vec![Injected { name: "splunk-token".to_owned(), value_from: secret() }];
        });
        assert_eq!(outcome(&CHECK, options), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_secret_was_not_readable() {
        let unread = web(&["", ":password::"], |_| {}).each(|definition: &mut TaskDefinition| {
            definition.container_definitions[0].secrets.truncate(1);
        });
        assert_eq!(outcome(&CHECK, unread.clone().without::<Secret>().denied("secretsmanager:ListSecrets")), Unknown);
        let foreign = unread.each(|secret: &mut Secret| secret.name.clear()).with(|inventory| {
            let mut gap = gap("secretsmanager:DescribeSecret");
            gap.resource = Some(secret());
            inventory.gaps.push(gap);
        });
        assert_eq!(outcome(&CHECK, foreign), Unknown);
    }

    #[test]
    fn is_unknown_when_definitions_were_not_readable() {
        assert_eq!(outcome(&CHECK, web(&[], |_| {}).denied("ecs:ListTaskDefinitionFamilies")), Unknown);
    }
}
