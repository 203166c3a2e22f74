//! Reads the policy of each enabled customer managed key. Yields one verdict per key; a failure shows the statements that let
//! principals of any account use it.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::policy::{Statement, wildcard_match};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::policies::{LimitingKeys, names_everyone};
use crate::reading::{key_statements, listed, statement_evidence, statement_name, undecided};

pub(crate) const CHECK: Check = Check {
    id: "kms-key-policy-public",
    title: "Key policy lets any AWS principal use the key",
    severity: Severity::Critical,
    resource: "AWS::KMS::Key",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &["kms:ListKeys", "kms:DescribeKey", "kms:GetKeyPolicy"],
    shades: &[],
    compliance: &[fsbp("KMS.5"), nist("AC-3"), nist("SC-12"), pci("3.6.1?"), pci("7.2.1?")],
    fails_when: "A statement allows Principal \"*\" or AWS \"*\" a kms action without kms:CallerAccount, kms:ViaService \
                 together with kms:CallerAccount, aws:PrincipalOrgID, aws:PrincipalAccount, aws:SourceAccount or \
                 aws:PrincipalArn limits.",
    why: "Anyone with an AWS account of their own can call the granted actions: decrypt what leaks, or change, disable and \
          delete the key where the statement goes that far.",
    remediation: Remediation {
        text: "Name the principals or add kms:CallerAccount.",
        cli: "aws kms put-key-policy --key-id KEY --policy-name default --policy file://policy.json",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.keys(), judge),
};

const LIMITS: LimitingKeys = LimitingKeys {
    always_present: &["kms:CallerAccount", "aws:PrincipalAccount", "aws:PrincipalArn"],
    sometimes_present: &["aws:PrincipalOrgID", "aws:SourceAccount"],
};

fn judge(key: Node<'_, Key>) -> Judgement {
    let Some(metadata) = key.customer_managed()? else {
        return Ok(Verdict::NotApplicable);
    };
    match metadata.key_state.as_deref() {
        _ if key.is_foreign() => return Ok(Verdict::NotApplicable),
        Some("Enabled") => {}
        Some(_) => return Ok(Verdict::NotApplicable),
        None => return Err(undecided(key, "kms:DescribeKey", "NotAnswered", "the key tells no KeyState")),
    }
    let statements = key_statements(key)?.unwrap_or_default();
    let open: Vec<&Statement<'_>> = statements.iter().filter(|statement| is_open(statement)).collect();
    if open.is_empty() {
        return Ok(Verdict::Pass);
    }
    let shown: Vec<Value> = open.iter().map(|statement| statement_evidence(statement)).collect();
    let names: Vec<String> = open.iter().map(|statement| statement_name(statement)).collect();
    let message = format!(
        "{} {} of the policy of key {} {} any AWS principal in",
        if names.len() == 1 { "statement" } else { "statements" },
        listed(&names),
        key.name(),
        if names.len() == 1 { "lets" } else { "let" }
    );
    let evidence = json!({"Arn": metadata.arn, "Statement": shown});
    // What narrows every open statement, or denies to all comers, may leave nobody outside the account.
    let denies = statements.iter().find(|statement| !statement.allows && names_everyone(statement));
    if let Some(deny) = denies {
        return fail(format!("{message}, unless {} denies it", statement_name(deny)), evidence).possible().verdict();
    }
    if open.iter().all(|statement| !statement.conditions.is_empty()) {
        let keys: Vec<&str> = open.iter().flat_map(|statement| statement.conditions.iter().map(|(_, key, _)| *key)).collect();
        return fail(format!("{message}, as far as {} does not keep them out", listed(&keys)), evidence).possible().verdict();
    }
    fail(message, evidence).verdict()
}

fn is_open(statement: &Statement<'_>) -> bool {
    statement.allows && names_everyone(statement) && grants_kms(statement) && !LIMITS.limit(statement)
}

fn grants_kms(statement: &Statement<'_>) -> bool {
    if !statement.not_actions.is_empty() {
        return !statement.not_actions.iter().any(|action| matches!(action.to_ascii_lowercase().as_str(), "*" | "kms:*"));
    }
    statement.actions.iter().any(|action| match action.split_once(':') {
        Some((service, _)) => wildcard_match(&service.to_ascii_lowercase(), "kms"),
        None => action.contains('*'),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, gap, policy};
    use plimsoll_model::aws::kms::Key;
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    fn with_statements(statements: &Value) -> Fixture {
        let document = policy(json!({"Version": "2012-10-17", "Statement": statements}));
        fixture().key("k1", |key| key.policy = Seen::Known(Some(document)))
    }

    fn everyone(change: &Value) -> Value {
        let mut statement = json!({"Sid": "open", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"});
        for (name, value) in change.as_object().unwrap() {
            statement[name] = value.clone();
        }
        statement
    }

    fn under(condition: &Value) -> Outcome {
        outcome(&CHECK, with_statements(&json!([everyone(&json!({"Condition": condition}))])))
    }

    #[test]
    fn fails_when_everyone_is_allowed_a_kms_action() {
        for change in [
            json!({}),
            json!({"Principal": {"AWS": ["arn:aws:iam::111111111111:root", "*"]}}),
            json!({"Action": "*"}),
            json!({"Action": ["s3:GetObject", "KMS:*"]}),
        ] {
            let found = findings(&CHECK, with_statements(&json!([everyone(&change)])));
            assert_eq!((found[0].severity, found[0].confidence), (Severity::Critical, Confidence::Certain));
        }
    }

    #[test]
    fn passes_the_default_policy_and_actions_of_other_services() {
        assert_eq!(outcome(&CHECK, fixture().key("k1", |_| {})), Pass);
        assert_eq!(outcome(&CHECK, with_statements(&json!([everyone(&json!({"Action": "s3:*"}))]))), Pass);
        assert_eq!(outcome(&CHECK, with_statements(&json!([everyone(&json!({"Effect": "Deny"}))]))), Pass);
    }

    #[test]
    fn passes_when_a_condition_names_accounts_organisations_or_principals() {
        for condition in [
            json!({"StringEquals": {"kms:CallerAccount": "111111111111", "kms:ViaService": "ec2.us-east-1.amazonaws.com"}}),
            json!({"StringEqualsIfExists": {"kms:CallerAccount": "111111111111"}}),
            json!({"StringEquals": {"aws:principalorgid": "o-1"}}),
            json!({"StringEquals": {"aws:SourceAccount": ["111111111111"]}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}),
        ] {
            assert_eq!(under(&condition), Pass, "{condition}");
        }
    }

    #[test]
    fn fails_as_possible_when_the_condition_does_not_say_whose() {
        for condition in [
            json!({"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}),
            json!({"StringLike": {"kms:CallerAccount": ["111111111111", "*"]}}),
            json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"StringNotEquals": {"kms:CallerAccount": "222222222222"}}),
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}),
        ] {
            assert_eq!(under(&condition), Fail(Severity::Critical), "{condition}");
        }
        let account = with_statements(&json!([everyone(&json!({"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}))]));
        assert_eq!(findings(&CHECK, account)[0].confidence, Confidence::Possible);
    }

    #[test]
    fn fails_as_possible_when_a_deny_may_take_it_back() {
        let deny = json!({"Sid": "org", "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}});
        let found = findings(&CHECK, with_statements(&json!([everyone(&json!({})), deny])));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Critical, Confidence::Possible));
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
    fn does_not_apply_to_keys_that_are_not_enabled_or_not_the_customers() {
        for change in [|key: &mut Key| state(key, "Disabled", "CUSTOMER"), |key: &mut Key| state(key, "Enabled", "AWS")] {
            assert_eq!(outcome(&CHECK, with_statements(&json!([everyone(&json!({}))])).each(change)), NotApplicable);
        }
    }

    fn state(key: &mut Key, state: &str, manager: &str) {
        if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
            metadata.key_state = Some(state.to_owned());
            metadata.key_manager = Some(manager.to_owned());
        }
    }

    #[test]
    fn is_unknown_when_the_policy_was_not_readable_or_does_not_parse() {
        assert_eq!(outcome(&CHECK, fixture().key("k1", |key| key.policy = gap("kms:GetKeyPolicy").into())), Unknown);
        let found = findings(&CHECK, fixture().key("k1", |key| key.policy = Seen::Known(Some(policy(json!("{oops"))))));
        assert_eq!(found[0].evidence["missing"][0]["code"], "MalformedPolicyDocument");
        assert_eq!(outcome(&CHECK, fixture().denied("kms:ListKeys")), Unknown);
    }
}
