//! Reads the policy of the key that each cluster names for Fargate ephemeral storage, as KMS would for a request of Fargate
//! on behalf of that cluster. Yields one verdict per active cluster with a key; a failure names the actions that are not
//! allowed and the conditions that do not hold.

use plimsoll_graph::Node;
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::policy::{Statement, wildcard_match};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist};
use crate::reading::{key_statements, listed, names_service, statement_evidence, undecided};

pub(crate) const CHECK: Check = Check {
    id: "ecs-cluster-fargate-storage-key-policy-incomplete",
    title: "Key policy does not let Fargate use the storage key of the cluster",
    severity: Severity::Medium,
    resource: "AWS::ECS::Cluster",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::NotApplicable, eks: Responsibility::NotApplicable },
    needs: &["ecs:ListClusters", "ecs:DescribeClusters", "kms:DescribeKey", "kms:GetKeyPolicy"],
    shades: &[],
    compliance: &[nist("SC-12")],
    fails_when: "No combination of Allow statements in the key policy gives Service principal fargate.amazonaws.com both \
                 kms:GenerateDataKeyWithoutPlaintext and kms:CreateGrant with conditions that match this cluster \
                 (kms:EncryptionContext:aws:ecs:clusterAccount and :clusterName, kms:GrantOperations Decrypt), or a Deny \
                 statement matches. Tasks then fail with a key error.",
    why: "Fargate calls KMS as itself, not with a role of the account: without both statements no task of the \
          cluster starts, and that shows at the next deployment or scale-out only.",
    remediation: Remediation {
        text: "Add the two Fargate statements to the key policy, scoped to account and cluster.",
        cli: "aws kms put-key-policy --key-id KEY --policy-name default --policy file://policy.json",
    },
    evaluate: |estate, verdicts| verdicts.each(estate.active_clusters(), judge),
};

const FARGATE: &str = "fargate.amazonaws.com";

/// What Fargate calls to give a task encrypted storage.
const ACTIONS: [&str; 2] = ["kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant"];

/// Whether something holds of a request; the minimum of two is their "and", the maximum their "or".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    No,
    Perhaps,
    Yes,
}

/// A request that Fargate sends to KMS.
struct Request<'a> {
    action: &'a str,
    account: &'a str,
    cluster: &'a str,
    key: &'a str,
}

fn judge(cluster: Node<'_, Cluster>) -> Judgement {
    let Some(link) = cluster.ephemeral_storage_key() else {
        return Ok(Verdict::NotApplicable);
    };
    // That the key does not exist is said by ecs-cluster-fargate-storage-key-unsupported.
    let Some(key) = link.exists()?.filter(|key| !matches!(key.metadata(), Ok(None))) else {
        return Ok(Verdict::NotApplicable);
    };
    let statements = key_statements(key)?.unwrap_or_default();
    let (mut missing, mut denied, mut conditional, mut relevant) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for action in ACTIONS {
        let request = Request { action, account: cluster.account().as_str(), cluster: cluster.name(), key: &key.data().key_id };
        let best = |allows: bool| {
            let applying = statements.iter().filter(|statement| statement.allows == allows);
            applying.map(|statement| applies(statement, &request)).max().unwrap_or(Holds::No)
        };
        match (best(true), best(false)) {
            (Holds::No, _) => missing.push(action),
            (_, Holds::Yes) => denied.push(action),
            (Holds::Yes, Holds::No) => {}
            _ => conditional.push(action),
        }
        relevant
            .extend(statements.iter().filter(|statement| concerns(statement, &request)).map(|statement| explained(statement, &request)));
    }
    if missing.is_empty() && denied.is_empty() {
        if conditional.is_empty() {
            return Ok(Verdict::Pass);
        }
        let message = format!("a condition on {} cannot be decided from the policy alone", listed(&conditional));
        return Err(undecided(key, "kms:GetKeyPolicy", "UndecidableCondition", message));
    }
    let evidence = json!({
        "clusterName": cluster.cluster_name,
        "key": key.arn(),
        "missingActions": missing,
        "deniedActions": denied,
        "statements": relevant,
    });
    let allowed = (!missing.is_empty()).then(|| format!("does not allow {}", listed(&missing)));
    let denied = (!denied.is_empty()).then(|| format!("denies {}", listed(&denied)));
    let parts: Vec<String> = allowed.into_iter().chain(denied).collect();
    fail(format!("the policy of key {} {} to Fargate for cluster {}", key.name(), listed(&parts), cluster.name()), evidence).verdict()
}

/// Whether a statement speaks of the request, whatever its conditions.
fn concerns(statement: &Statement<'_>, request: &Request<'_>) -> bool {
    principal(statement) != Holds::No && statement.covers_action(request.action)
}

/// A statement with those of its conditions that the request does not meet.
fn explained(statement: &Statement<'_>, request: &Request<'_>) -> Value {
    let unmet: Vec<String> = statement
        .conditions
        .iter()
        .filter(|(operator, key, values)| condition(operator, key, values, request) == Holds::No)
        .map(|(operator, key, _)| format!("{operator} {key}"))
        .collect();
    let mut evidence = statement_evidence(statement);
    if let Value::Object(fields) = &mut evidence {
        fields.insert("request".to_owned(), json!(request.action));
        fields.insert("unmetConditions".to_owned(), json!(unmet));
    }
    evidence
}

fn applies(statement: &Statement<'_>, request: &Request<'_>) -> Holds {
    if !statement.covers_action(request.action) {
        return Holds::No;
    }
    let conditions = statement.conditions.iter().map(|(operator, key, values)| condition(operator, key, values, request));
    conditions.fold(principal(statement).min(resource(statement, request)), Holds::min)
}

fn principal(statement: &Statement<'_>) -> Holds {
    match &statement.principals {
        Some(principals) if principals.everyone || names_service(statement, FARGATE) => Holds::Yes,
        // Whether NotPrincipal reaches services is not documented.
        None if statement.not_principal => Holds::Perhaps,
        _ => Holds::No,
    }
}

/// In a key policy the resource is the key itself, by `*` or by its ARN.
fn resource(statement: &Statement<'_>, request: &Request<'_>) -> Holds {
    if !statement.not_resources.is_empty() {
        return Holds::Perhaps;
    }
    let matches = statement.resources.is_empty() || statement.resources.iter().any(|pattern| wildcard_match(pattern, request.key));
    match matches {
        true => Holds::Yes,
        // The key goes by an alias or id as long as its ARN is not known.
        false if request.key.starts_with("arn:") => Holds::No,
        false => Holds::Perhaps,
    }
}

/// Whether a condition holds, as far as it is known what Fargate sends along: the encryption context, and for a grant
/// the one operation `Decrypt`.
fn condition(operator: &str, key: &str, values: &[String], request: &Request<'_>) -> Holds {
    let sent = match key.to_ascii_lowercase().as_str() {
        "kms:encryptioncontext:aws:ecs:clusteraccount" => Some(request.account),
        "kms:encryptioncontext:aws:ecs:clustername" => Some(request.cluster),
        "kms:grantoperations" => (request.action == "kms:CreateGrant").then_some("Decrypt"),
        _ => return Holds::Perhaps,
    };
    if values.iter().any(|value| value.contains("${")) {
        return Holds::Perhaps;
    }
    let operator = operator.to_ascii_lowercase();
    let (for_all, operator) = operator.strip_prefix("forallvalues:").map_or((false, operator.as_str()), |rest| (true, rest));
    let (for_any, operator) = operator.strip_prefix("foranyvalue:").map_or((false, operator), |rest| (true, rest));
    let (if_exists, operator) = operator.strip_suffix("ifexists").map_or((false, operator), |rest| (true, rest));
    let (negated, matches): (bool, fn(&str, &str) -> bool) = match operator {
        "stringequals" => (false, |value, sent| value == sent),
        "stringnotequals" => (true, |value, sent| value == sent),
        "stringequalsignorecase" => (false, |value, sent| value.eq_ignore_ascii_case(sent)),
        "stringnotequalsignorecase" => (true, |value, sent| value.eq_ignore_ascii_case(sent)),
        "stringlike" => (false, wildcard_match),
        "stringnotlike" => (true, wildcard_match),
        "null" => return decided(values.iter().any(|value| value.eq_ignore_ascii_case("true") == sent.is_none())),
        _ => return Holds::Perhaps,
    };
    match sent {
        Some(sent) => decided(values.iter().any(|value| matches(value, sent)) != negated),
        None => decided(if_exists || for_all || (negated && !for_any)),
    }
}

fn decided(holds: bool) -> Holds {
    if holds { Holds::Yes } else { Holds::No }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fargate_key_policy, fixture, gap, key_arn, policy};
    use plimsoll_model::aws::ecs::{ClusterConfiguration, ManagedStorageConfiguration};
    use plimsoll_model::policy::PolicyDocument;
    use plimsoll_model::{Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    fn with_policy(document: Seen<Option<PolicyDocument>>) -> Fixture {
        fixture().key("k1", |key| key.policy = document).cluster("shop", |cluster| {
            let storage = ManagedStorageConfiguration { fargate_ephemeral_storage_kms_key_id: Some(key_arn("k1")), ..Default::default() };
            cluster.configuration = Some(ClusterConfiguration { managed_storage_configuration: Some(storage), ..Default::default() });
        })
    }

    /// The documented policy with its Fargate statements changed.
    fn changed(change: impl Fn(&mut Value)) -> Outcome {
        let mut document = fargate_key_policy("shop");
        change(&mut document.0["Statement"]);
        outcome(&CHECK, with_policy(Seen::Known(Some(document))))
    }

    fn with_statement(statement: &Value) -> Outcome {
        changed(|statements| statements.as_array_mut().unwrap().push(statement.clone()))
    }

    #[test]
    fn passes_with_the_documented_statements() {
        assert_eq!(changed(|_| {}), Pass);
    }

    #[test]
    fn passes_when_wildcards_cover_action_principal_account_and_cluster() {
        let statement = json!({"Effect": "Allow", "Principal": {"Service": ["ecs.amazonaws.com", "fargate.amazonaws.com"]},
            "Action": ["kms:GenerateDataKey*", "kms:Create*"], "Resource": key_arn("k1"),
            "Condition": {"StringLike": {"kms:encryptioncontext:aws:ecs:clusterName": "sh*"}}});
        assert_eq!(changed(|statements| *statements = json!([statement])), Pass);
        let everyone = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"});
        assert_eq!(changed(|statements| *statements = everyone.clone()), Pass);
    }

    #[test]
    fn fails_when_the_account_alone_may_use_the_key() {
        assert_eq!(changed(|statements| statements.as_array_mut().unwrap().truncate(1)), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_one_of_the_two_actions_is_missing_and_names_it() {
        let mut document = fargate_key_policy("shop");
        document.0["Statement"].as_array_mut().unwrap().truncate(2);
        let found = findings(&CHECK, with_policy(Seen::Known(Some(document))));
        assert_eq!(found[0].evidence["missingActions"], json!(["kms:CreateGrant"]));
        assert_eq!(found[0].message, "the policy of key k1 does not allow kms:CreateGrant to Fargate for cluster shop");
    }

    #[test]
    fn fails_when_the_conditions_name_another_cluster_account_or_grant() {
        let found = findings(&CHECK, with_policy(Seen::Known(Some(fargate_key_policy("other")))));
        assert_eq!(
            found[0].evidence["statements"][0]["unmetConditions"],
            json!(["StringEquals kms:EncryptionContext:aws:ecs:clusterName"])
        );
        let account = |statements: &mut Value| {
            statements[1]["Condition"]["StringEquals"]["kms:EncryptionContext:aws:ecs:clusterAccount"] = json!("222222222222");
        };
        assert_eq!(changed(account), Fail(Severity::Medium));
        let grant =
            |statements: &mut Value| statements[2]["Condition"]["ForAllValues:StringEquals"]["kms:GrantOperations"] = json!("Encrypt");
        assert_eq!(changed(grant), Fail(Severity::Medium));
        // A data key request carries no grant operations, so the plain operator finds nothing to compare.
        let absent = |statements: &mut Value| statements[1]["Condition"]["StringEquals"]["kms:GrantOperations"] = json!("Decrypt");
        assert_eq!(changed(absent), Fail(Severity::Medium));
    }

    #[test]
    fn fails_when_a_deny_matches_and_passes_when_it_matches_another_cluster() {
        let deny = |cluster: &str| {
            json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
                "Condition": {"StringNotEquals": {"kms:EncryptionContext:aws:ecs:clusterName": cluster}}})
        };
        assert_eq!(with_statement(&deny("other")), Fail(Severity::Medium));
        assert_eq!(with_statement(&deny("shop")), Pass);
    }

    #[test]
    fn is_unknown_when_a_condition_cannot_be_decided() {
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}});
        assert_eq!(with_statement(&deny), Unknown);
        let allow = |statements: &mut Value| statements[1]["Condition"]["StringEquals"]["aws:SourceAccount"] = json!("111111111111");
        assert_eq!(changed(allow), Unknown);
    }

    #[test]
    fn an_undecidable_condition_does_not_hide_a_missing_action() {
        let only = json!([{"Effect": "Allow", "Principal": {"Service": "fargate.amazonaws.com"}, "Action": "kms:CreateGrant", "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}}]);
        assert_eq!(changed(|statements| *statements = only.clone()), Fail(Severity::Medium));
    }

    #[test]
    fn does_not_apply_without_a_key() {
        assert_eq!(outcome(&CHECK, fixture().cluster("shop", |_| {})), NotApplicable);
        let gone = with_policy(Seen::Known(None)).each::<plimsoll_model::aws::kms::Key>(|key| key.key_metadata = Seen::Known(None));
        assert_eq!(outcome(&CHECK, gone), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_policy_was_not_readable_or_does_not_parse() {
        assert_eq!(outcome(&CHECK, with_policy(gap("kms:GetKeyPolicy").into())), Unknown);
        assert_eq!(outcome(&CHECK, with_policy(Seen::Known(Some(policy(json!("{oops")))))), Unknown);
    }
}
