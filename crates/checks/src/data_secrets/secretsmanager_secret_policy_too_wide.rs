//! Reads the resource policy of each secret that a task definition in scope names, evaluated for principals of other
//! accounts. Yields one verdict per secret of the own account; a failure names who from outside may read the value.

use plimsoll_graph::{Estate, Node, Outsider};
use plimsoll_model::Severity;
use plimsoll_model::aws::secretsmanager::Secret;
use serde_json::json;

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::policies::{admitted_evidence, admitted_told, letting_in, named_statements};
use crate::reading::listed;

pub(crate) const CHECK: Check = Check {
    id: "secretsmanager-secret-policy-too-wide",
    title: "Resource policy opens a container secret to everyone or to another account",
    severity: Severity::High,
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
        "organizations:DescribeOrganization",
        "secretsmanager:ListSecrets",
        "secretsmanager:GetResourcePolicy",
    ],
    // Only secrets whose policy names another account or an organization are unknown without it.
    shades: &["organizations:DescribeOrganization"],
    compliance: &[nist("AC-3"), nist("AC-6"), pci("7.2.1?")],
    fails_when: "ResourcePolicy allows secretsmanager:GetSecretValue (or *) to Principal \"*\" without a limiting \
                 condition (critical) or to an account outside the organization and allow-list, and no Deny takes it back.",
    why: "Who is let in reads the password or token that the containers use, without a trace in any of them.",
    remediation: Remediation {
        text: "Name the roles that need the secret.",
        cli: "aws secretsmanager put-resource-policy --secret-id SECRET --resource-policy file://policy.json \
             --block-public-policy",
    },
    evaluate: |estate: &Estate<'_>, verdicts| {
        verdicts.each(estate.all::<Secret>().filter(|secret| secret.definitions().next().is_some()), judge);
    },
};

const READ: &str = "secretsmanager:GetSecretValue";

fn judge(secret: Node<'_, Secret>) -> Judgement {
    if secret.is_foreign() {
        return Ok(Verdict::NotApplicable);
    }
    let outside = secret.outsiders(&[READ])?;
    if outside.admitted.is_empty() {
        return outside.unread.map_or(Ok(Verdict::Pass), Err);
    }
    let everyone = outside.admitted.iter().find(|admitted| admitted.who == Outsider::Everyone);
    let severity = if everyone.is_some() { Severity::Critical } else { Severity::High };
    let certain = everyone.map_or_else(|| outside.admitted.iter().any(|admitted| admitted.certain), |everyone| everyone.certain);
    let told: Vec<String> = outside.admitted.iter().map(admitted_told).collect();
    let policy = secret.data().resource_policy.known().ok().and_then(Option::as_ref);
    let evidence = json!({
        "Name": secret.data().name,
        "ResourcePolicy": {"Statement": named_statements(policy, &letting_in(outside.admitted.iter()))},
        "principals": admitted_evidence(outside.admitted.iter()),
        "KmsKeyId": secret.data().kms_key_id,
    });
    let failure = fail(format!("of secret {} {}", secret.name(), listed(&told)), evidence).severity(severity);
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, injects, policy};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::aws::secretsmanager::Secret;
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    const OTHER: &str = "222222222222";

    fn secret(statements: &[Value]) -> Fixture {
        let document = policy(json!({"Version": "2012-10-17", "Statement": statements}));
        let account = Account { id: ACCOUNT.to_owned(), organization: Seen::Known(None), ..Account::default() };
        fixture()
            .resource(account)
            .cluster("shop", |_| {})
            .task_definition("web", injects("arn:aws:secretsmanager:us-east-1:111111111111:secret:db"))
            .secret("db", |secret| secret.resource_policy = Seen::Known(Some(document)))
    }

    fn read(principal: &Value, condition: &Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "secretsmanager:GetSecretValue", "Resource": "*", "Condition": condition})
    }

    #[test]
    fn everyone_is_critical_and_an_account_outside_is_high() {
        assert_eq!(outcome(&CHECK, secret(&[read(&json!("*"), &json!({}))])), Fail(Severity::Critical));
        let all = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*", "Resource": "*"});
        assert_eq!(outcome(&CHECK, secret(&[all])), Fail(Severity::Critical));
        let found = findings(&CHECK, secret(&[read(&json!({"AWS": format!("arn:aws:iam::{OTHER}:role/x")}), &json!({}))]));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "of secret db account 222222222222 may secretsmanager:GetSecretValue");
        let by_key = read(&json!("*"), &json!({"StringEquals": {"aws:PrincipalAccount": OTHER}}));
        assert_eq!(outcome(&CHECK, secret(&[by_key])), Fail(Severity::High));
    }

    #[test]
    fn passes_for_the_own_account_and_where_it_is_taken_back() {
        assert_eq!(outcome(&CHECK, secret(&[read(&json!({"AWS": ACCOUNT}), &json!({}))])), Pass);
        assert_eq!(outcome(&CHECK, secret(&[read(&json!("*"), &json!({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}))])), Pass);
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}});
        assert_eq!(outcome(&CHECK, secret(&[read(&json!("*"), &json!({})), deny])), Pass);
        let elsewhere = json!({"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue",
            "Resource": "arn:aws:secretsmanager:us-east-1:111111111111:secret:other-AbCdEf"});
        assert_eq!(outcome(&CHECK, secret(&[elsewhere])), Pass);
        assert_eq!(outcome(&CHECK, secret(&[]).each(|secret: &mut Secret| secret.resource_policy = Seen::Known(None))), Pass);
    }

    #[test]
    fn does_not_apply_to_secrets_that_no_definition_names_or_that_belong_to_another_account() {
        let idle = fixture().secret("db", |_| {});
        assert_eq!(outcome(&CHECK, idle), NotApplicable);
        let foreign = secret(&[]).each(|secret: &mut Secret| {
            secret.resource_policy = gap("secretsmanager:GetResourcePolicy").into();
            secret.arn = secret.arn.replace(ACCOUNT, OTHER);
        });
        let foreign = foreign.each(injects("arn:aws:secretsmanager:us-east-1:222222222222:secret:db-AbCdEf"));
        assert_eq!(outcome(&CHECK, foreign), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_policy_or_the_organization_was_not_readable() {
        let unread = |secret: &mut Secret| secret.resource_policy = gap("secretsmanager:GetResourcePolicy").into();
        assert_eq!(outcome(&CHECK, secret(&[]).each(unread)), Unknown);
        let refused = |account: &mut Account| account.organization = gap("organizations:DescribeOrganization").into();
        assert_eq!(outcome(&CHECK, secret(&[read(&json!({"AWS": OTHER}), &json!({}))]).each(refused)), Unknown);
        assert_eq!(outcome(&CHECK, fixture().denied("secretsmanager:ListSecrets")), Unknown);
    }
}
