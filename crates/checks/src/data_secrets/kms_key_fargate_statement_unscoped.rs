//! Reads the statements of key policies that let Fargate in. Yields one verdict per customer managed key with such a
//! statement; a failure shows each of them with what it lacks.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::policy::Statement;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{key_statements, listed, names_service, statement_evidence, statement_name};

pub(crate) const CHECK: Check = Check {
    id: "kms-key-fargate-statement-unscoped",
    title: "Key policy trusts Fargate for every cluster and account",
    severity: Severity::Medium,
    resource: "AWS::KMS::Key",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &["kms:ListKeys", "kms:DescribeKey", "kms:GetKeyPolicy"],
    shades: &[],
    compliance: &[nist("AC-3"), nist("SC-12")],
    fails_when: "A statement with Principal Service fargate.amazonaws.com lacks StringEquals \
                 kms:EncryptionContext:aws:ecs:clusterAccount, or kms:EncryptionContext:aws:ecs:clusterName (low when \
                 only the name is missing), or allows kms:CreateGrant without kms:GrantOperations limited to Decrypt, or \
                 allows kms:*.",
    why: "Fargate acts for every AWS customer: without these conditions a cluster of another account, or another cluster \
          of this one, can have its storage encrypted with the key and read it through a grant.",
    remediation: Remediation {
        text: "Add the account and cluster name conditions.",
        cli: "aws kms put-key-policy --key-id KEY --policy-name default --policy file://policy.json",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.keys(), judge),
};

const FARGATE: &str = "fargate.amazonaws.com";

/// Actions that carry an encryption context, on which a statement can be scoped; `DescribeKey` and the like do not.
const WITH_CONTEXT: [&str; 8] = [
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// What a statement lacks, the name of the cluster last: alone it weighs less.
const NO_NAME: &str = "clusterName";

fn judge(key: Node<'_, Key>) -> Judgement {
    if key.is_foreign() {
        return Ok(Verdict::NotApplicable);
    }
    let Some(statements) = key_statements(key)? else {
        return Ok(Verdict::NotApplicable);
    };
    let trusting: Vec<&Statement<'_>> =
        statements.iter().filter(|statement| statement.allows && names_service(statement, FARGATE)).collect();
    // Keys of AWS trust no such principal, so metadata that was not read withholds nothing.
    if trusting.is_empty() || key.customer_managed() == Ok(None) {
        return Ok(Verdict::NotApplicable);
    }
    let (mut names, mut lacks, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for statement in trusting {
        let found = lacking(statement);
        if found.is_empty() {
            continue;
        }
        let mut evidence = statement_evidence(statement);
        if let Value::Object(fields) = &mut evidence {
            fields.insert("lacks".to_owned(), json!(found));
        }
        shown.push(evidence);
        names.push(statement_name(statement));
        lacks.extend(found);
    }
    if shown.is_empty() {
        return Ok(Verdict::Pass);
    }
    let severity = if lacks.iter().all(|lack| *lack == NO_NAME) { Severity::Low } else { Severity::Medium };
    lacks.sort_unstable();
    lacks.dedup();
    let message = format!(
        "the policy of key {} trusts Fargate without limit on {} ({} {})",
        key.name(),
        listed(&lacks),
        if names.len() == 1 { "statement" } else { "statements" },
        listed(&names),
    );
    fail(message, json!({"key": key.arn(), "Statement": shown})).severity(severity).verdict()
}

fn lacking(statement: &Statement<'_>) -> Vec<&'static str> {
    let mut lacks = Vec::new();
    if WITH_CONTEXT.iter().any(|action| statement.covers_action(action)) {
        if !bound(statement, "kms:EncryptionContext:aws:ecs:clusterAccount", |value| !value.contains(['*', '?'])) {
            lacks.push("clusterAccount");
        }
        if !bound(statement, "kms:EncryptionContext:aws:ecs:clusterName", |value| value.contains(|letter| !matches!(letter, '*' | '?'))) {
            lacks.push(NO_NAME);
        }
    }
    let decrypt_only = statement.conditions.iter().any(|(operator, key, values)| {
        let operator = operator.to_ascii_lowercase();
        let operator = operator.strip_prefix("forallvalues:").unwrap_or(&operator);
        key.eq_ignore_ascii_case("kms:GrantOperations") && operator == "stringequals" && values.iter().all(|value| value == "Decrypt")
    });
    if statement.covers_action("kms:CreateGrant") && !decrypt_only {
        lacks.push("GrantOperations");
    }
    // Whatever covers the change of the policy covers every action.
    if statement.covers_action("kms:PutKeyPolicy") {
        lacks.push("Action");
    }
    lacks
}

/// Whether a condition demands one of certain values of a key; with `IfExists` or `ForAllValues` a request without the
/// key passes as well.
fn bound(statement: &Statement<'_>, name: &str, pattern: impl Fn(&str) -> bool) -> bool {
    statement.conditions.iter().any(|(operator, key, values)| {
        let operator = operator.to_ascii_lowercase();
        key.eq_ignore_ascii_case(name)
            && !values.is_empty()
            && match operator.strip_prefix("foranyvalue:").unwrap_or(&operator) {
                "stringequals" | "stringequalsignorecase" => true,
                "stringlike" => values.iter().all(|value| pattern(value)),
                _ => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fargate_key_policy, fixture, gap, policy};
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    fn with(change: impl Fn(&mut Value)) -> Fixture {
        let mut document = fargate_key_policy("shop");
        change(&mut document.0["Statement"]);
        fixture().key("k1", |key| key.policy = Seen::Known(Some(document)))
    }

    fn changed(change: impl Fn(&mut Value)) -> Outcome {
        outcome(&CHECK, with(change))
    }

    fn without(key: &str) -> impl Fn(&mut Value) {
        move |statements| {
            for statement in [1, 2] {
                statements[statement]["Condition"]["StringEquals"].as_object_mut().unwrap().remove(key);
            }
        }
    }

    #[test]
    fn passes_with_the_documented_statements() {
        assert_eq!(changed(|_| {}), Pass);
    }

    #[test]
    fn fails_when_the_account_is_not_named() {
        let account = without("kms:EncryptionContext:aws:ecs:clusterAccount");
        assert_eq!(changed(&account), Fail(Severity::Medium));
        assert_eq!(
            findings(&CHECK, with(account))[0].message,
            "the policy of key k1 trusts Fargate without limit on clusterAccount (statements fargate-data-key and fargate-grant)"
        );
        let anyone = |statements: &mut Value| {
            statements[1]["Condition"] = json!({"StringLike": {"kms:EncryptionContext:aws:ecs:clusterAccount": "*",
                "kms:EncryptionContext:aws:ecs:clusterName": "shop"}});
        };
        assert_eq!(changed(anyone), Fail(Severity::Medium));
    }

    #[test]
    fn weighs_less_when_only_the_name_of_the_cluster_is_missing() {
        assert_eq!(changed(without("kms:EncryptionContext:aws:ecs:clusterName")), Fail(Severity::Low));
        let if_exists = |statements: &mut Value| {
            let condition = statements[1]["Condition"]["StringEquals"].as_object_mut().unwrap();
            let name = condition.remove("kms:EncryptionContext:aws:ecs:clusterName").unwrap();
            statements[1]["Condition"]["StringEqualsIfExists"] = json!({"kms:EncryptionContext:aws:ecs:clusterName": name});
        };
        assert_eq!(changed(if_exists), Fail(Severity::Low));
    }

    #[test]
    fn passes_a_pattern_that_keeps_to_some_clusters() {
        let pattern = |statements: &mut Value| {
            let condition = statements[1]["Condition"].as_object_mut().unwrap();
            condition["StringEquals"].as_object_mut().unwrap().remove("kms:EncryptionContext:aws:ecs:clusterName");
            condition.insert("StringLike".to_owned(), json!({"kms:EncryptionContext:aws:ecs:clusterName": "shop-*"}));
        };
        assert_eq!(changed(pattern), Pass);
    }

    #[test]
    fn fails_when_grants_are_not_limited_to_decrypt() {
        let removed = |statements: &mut Value| {
            statements[2]["Condition"].as_object_mut().unwrap().remove("ForAllValues:StringEquals");
        };
        assert_eq!(changed(removed), Fail(Severity::Medium));
        let more = |statements: &mut Value| {
            statements[2]["Condition"]["ForAllValues:StringEquals"]["kms:GrantOperations"] = json!(["Decrypt", "CreateGrant"]);
        };
        assert_eq!(changed(more), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_fargate_may_do_anything_with_the_key() {
        assert_eq!(changed(|statements| statements[1]["Action"] = json!("kms:*")), Fail(Severity::Medium));
    }

    #[test]
    fn passes_a_statement_for_actions_that_carry_no_encryption_context() {
        let describe = |statements: &mut Value| {
            statements[1] =
                json!({"Effect": "Allow", "Principal": {"Service": "fargate.amazonaws.com"}, "Action": "kms:DescribeKey", "Resource": "*"});
        };
        assert_eq!(changed(describe), Pass);
    }

    #[test]
    fn does_not_apply_to_a_key_of_another_account_whose_policy_only_that_account_can_read() {
        let account = fixture().key("k1", |key| {
            key.key_id = key.key_id.replace("111111111111", "222222222222");
            key.policy = gap("kms:GetKeyPolicy").into();
        });
        assert_eq!(outcome(&CHECK, account), NotApplicable);
    }

    #[test]
    fn does_not_apply_without_a_statement_for_fargate() {
        assert_eq!(outcome(&CHECK, fixture().key("k1", |_| {})), NotApplicable);
        assert_eq!(
            changed(|statements| statements.as_array_mut().unwrap().iter_mut().for_each(|s| s["Effect"] = json!("Deny"))),
            NotApplicable
        );
    }

    #[test]
    fn is_unknown_when_the_policy_was_not_readable_or_does_not_parse() {
        assert_eq!(outcome(&CHECK, fixture().key("k1", |key| key.policy = gap("kms:GetKeyPolicy").into())), Unknown);
        assert_eq!(outcome(&CHECK, fixture().key("k1", |key| key.policy = Seen::Known(Some(policy(json!([])))))), Unknown);
    }

    #[test]
    fn a_failure_at_hand_stands_even_if_the_key_itself_was_not_described() {
        let account = with(without("kms:EncryptionContext:aws:ecs:clusterAccount"))
            .each::<Key>(|key| key.key_metadata = gap("kms:DescribeKey").into());
        assert_eq!(outcome(&CHECK, account), Fail(Severity::Medium));
    }
}
