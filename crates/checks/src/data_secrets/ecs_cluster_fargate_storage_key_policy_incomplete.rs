//! Reads the policy of the key that each cluster names for Fargate ephemeral storage, and asks the policy engine what Fargate
//! may do with it on behalf of that cluster. Yields one verdict per active cluster with a key; a failure names the actions that are not
//! allowed and the conditions that do not hold.

use plimsoll_graph::{Node, Unknown};
use plimsoll_iam::{Context, ContextValue, KeyState, Verdict as Answer};
use plimsoll_model::Severity;
use plimsoll_model::aws::ecs::Cluster;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::policy::{PolicyDocument, Statement};
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

/// A request that Fargate sends to KMS on behalf of a cluster.
struct Sent<'e> {
    action: &'static str,
    cluster: Node<'e, Cluster>,
    key: Node<'e, Key>,
    resource: &'e str,
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
    let policy = key.data().policy.known()?.as_ref();
    let resource = key.metadata().ok().flatten().map_or(key.data().key_id.as_str(), |metadata| metadata.arn.as_str());
    let (mut missing, mut denied, mut conditional, mut relevant) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for action in ACTIONS {
        let sent = Sent { action, cluster, key, resource };
        match sent.verdict(policy)? {
            Answer::Allowed => {}
            Answer::Conditional => conditional.push(action),
            Answer::ExplicitlyDenied => denied.push(action),
            // A statement about another resource may mean the key by its ARN, which is not known.
            Answer::ImplicitlyDenied if !resource.starts_with("arn:") => conditional.push(action),
            Answer::ImplicitlyDenied => missing.push(action),
        }
        for statement in statements.iter().filter(|statement| concerns(statement, action)) {
            relevant.push(sent.explained(statement)?);
        }
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
fn concerns(statement: &Statement<'_>, action: &str) -> bool {
    let named = match &statement.principals {
        Some(principals) => principals.everyone || names_service(statement, FARGATE),
        None => statement.not_principal,
    };
    named && statement.covers_action(action)
}

impl Sent<'_> {
    /// What KMS says to it under a policy.
    fn verdict(&self, policy: Option<&PolicyDocument>) -> Result<Answer, Unknown> {
        let ask = |caller: &str| {
            let decision = self.cluster.estate().admits((self.key.account(), policy), caller, self.action, self.resource, self.context());
            decision.map(|decision| decision.verdict)
        };
        // What everybody may do, a service may do too; what is denied to everybody or to it, stays denied.
        Ok(match ask(FARGATE)? {
            Answer::ImplicitlyDenied => match ask("*")? {
                Answer::ExplicitlyDenied => Answer::ImplicitlyDenied,
                verdict => verdict,
            },
            verdict => verdict,
        })
    }

    /// What is known of what Fargate sends along: the encryption context, and for a grant the one operation `Decrypt`.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-create-storage-key.html>
    fn context(&self) -> Context {
        let grants = self.action == "kms:CreateGrant";
        let operations = KeyState::Known(ContextValue::Many(vec!["Decrypt".into()]));
        let mut context = Context::open()
            .with("kms:EncryptionContext:aws:ecs:clusterAccount", KeyState::known(self.cluster.account().as_str()))
            .with("kms:EncryptionContext:aws:ecs:clusterName", KeyState::known(self.cluster.name()))
            .with("kms:GrantOperations", if grants { operations } else { KeyState::Absent })
            .with("aws:PrincipalIsAWSService", KeyState::known("true"))
            .with("aws:PrincipalServiceName", KeyState::known(FARGATE))
            .with("aws:SecureTransport", KeyState::known("true"))
            .with("aws:RequestedRegion", KeyState::known(self.key.region().as_str()));
        // Fargate decides on these, not whoever wants the answer to be yes.
        for key in ["kms:GranteePrincipal", "kms:GrantIsForAWSResource", "aws:UserAgent", "aws:Referer", "aws:TagKeys"] {
            context.set(key, KeyState::Unknown);
        }
        context
    }

    /// A statement with those of its conditions that the request does not meet, each tried by itself.
    fn explained(&self, statement: &Statement<'_>) -> Result<Value, Unknown> {
        let mut unmet = Vec::new();
        for (operator, key, values) in &statement.conditions {
            let alone = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": FARGATE},
                "Action": self.action, "Resource": "*", "Condition": {*operator: {*key: values}}}});
            if !self.verdict(Some(&PolicyDocument(alone)))?.is_possible() {
                unmet.push(format!("{operator} {key}"));
            }
        }
        let mut evidence = statement_evidence(statement);
        if let Value::Object(fields) = &mut evidence {
            fields.insert("request".to_owned(), json!(self.action));
            fields.insert("unmetConditions".to_owned(), json!(unmet));
        }
        Ok(evidence)
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, REGION, fargate_key_policy, fixture, gap, key_arn, policy};
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
    fn a_deny_of_one_action_or_to_all_services_counts_and_one_to_others_does_not() {
        let grants =
            json!({"Effect": "Deny", "Principal": {"Service": "fargate.amazonaws.com"}, "Action": "kms:CreateGrant", "Resource": "*"});
        assert_eq!(with_statement(&grants), Fail(Severity::Medium));
        let services = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:PrincipalIsAWSService": "true"}}});
        assert_eq!(with_statement(&services), Fail(Severity::Medium));
        let people = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"Bool": {"aws:PrincipalIsAWSService": "false"}}});
        assert_eq!(with_statement(&people), Pass);
        let elsewhere = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:RequestedRegion": REGION}}});
        assert_eq!(with_statement(&elsewhere), Pass);
        let of_account = json!({"Effect": "Deny", "Principal": {"AWS": "111111111111"}, "Action": "kms:*", "Resource": "*"});
        assert_eq!(with_statement(&of_account), Pass);
    }

    #[test]
    fn a_condition_on_the_account_that_the_policy_writes_in_another_way_is_met() {
        let like = |statements: &mut Value| {
            statements[1]["Condition"] = json!({"StringLike": {"kms:EncryptionContext:aws:ecs:clusterAccount": "1111*"},
                "StringEqualsIgnoreCase": {"kms:EncryptionContext:aws:ecs:clusterName": "SHOP"},
                "Null": {"kms:GrantOperations": "true"}});
        };
        assert_eq!(changed(like), Pass);
        let null = |statements: &mut Value| statements[2]["Condition"] = json!({"Null": {"kms:GrantOperations": "true"}});
        assert_eq!(changed(null), Fail(Severity::Medium));
        let other_key = |statements: &mut Value| statements[1]["Resource"] = json!(key_arn("k2"));
        assert_eq!(changed(other_key), Fail(Severity::Medium));
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
