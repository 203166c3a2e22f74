//! Reads whether each role that tasks, service accounts of EKS and its nodes run with, or are started with, may decrypt with
//! any key whose policy leaves that to IAM. Yields one verdict per role.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, Node, Principal};
use plimsoll_model::aws::iam::Role;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::{AccountId, Arn, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, fsbp, nist, pci};
use crate::engine::Verdicts;
use crate::grants::{ANY_KEY, Doubt, Grant, Holdings, Probe, unnamed_keys};
use crate::policies::{account_of_principal, is_whole_account};
use crate::reading::listed;
use crate::roles::Runtime;

pub(crate) const CHECK: Check = Check {
    id: "iam-task-role-kms-decrypt-wide",
    title: "Task or execution role may decrypt with any KMS key",
    severity: Severity::Medium,
    resource: "AWS::IAM::Role",
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
        "eks:ListClusters",
        "eks:DescribeCluster",
        "eks:ListNodegroups",
        "eks:DescribeNodegroup",
        "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation",
        "ec2:DescribeInstances",
        "iam:GetAccountAuthorizationDetails",
        "kms:ListKeys",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
    ],
    shades: &["kms:ListKeys", "kms:DescribeKey", "kms:GetKeyPolicy"],
    compliance: &[fsbp("KMS.1"), fsbp("KMS.2"), nist("AC-6"), nist("SC-12"), pci("3.6.1?")],
    fails_when: "Identity policies allow kms:Decrypt, kms:ReEncrypt* or kms:* on Resource \"*\", key/* or alias wildcards \
                 without kms:ViaService, kms:EncryptionContext or kms:ResourceAliases conditions.",
    why: "Encryption with a key of one's own protects nothing from a role that may use every key: with read access to a \
          bucket, a volume or a secret it has the plain text.",
    remediation: Remediation {
        text: "Name the key ARN and add a kms:ViaService condition.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate,
};

/// Keys that are named in evidence.
const SHOWN: usize = 20;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let runtime = Runtime::without_hosts(estate);
    let probes: Vec<&Probe> = ANY_KEY.iter().collect();
    let any = Holdings::of_probes(estate, runtime.roles().map(|(role, _)| Principal::Role(role)), &probes, unnamed_keys());
    let mut delegating: BTreeMap<&AccountId, Vec<&str>> = BTreeMap::new();
    for key in estate.keys().filter(|key| leaves_use_to_iam(*key)) {
        delegating.entry(key.account()).or_default().push(key.data().key_id.as_str());
    }
    for (role, uses) in runtime.roles() {
        let keys = delegating.get(role.account()).map(Vec::as_slice).unwrap_or_default();
        verdicts.judge(role, judge(role, uses, &any, keys));
    }
}

fn judge(role: Node<'_, Role>, uses: &[&str], any: &Holdings, keys: &[&str]) -> Judgement {
    let principal = Principal::Role(role);
    let grants = any.grants(principal, |_| true);
    let Some(first) = grants.first() else { return principal.unread().map_or(Ok(Verdict::Pass), Err) };
    let message = format!(
        "{} {} may decrypt with any key of account {} that leaves its use to IAM, by {}",
        listed(uses),
        role.name(),
        role.account(),
        first.by()
    );
    fail_with(message, &grants, keys)
}

fn fail_with(message: String, grants: &[Grant], keys: &[&str]) -> Judgement {
    let names: Vec<&str> = keys.iter().take(SHOWN).map(|key| Arn::parse(key).map_or(*key, |arn| arn.name())).collect();
    let statements: Vec<Value> = grants.iter().map(Grant::evidence).collect();
    let evidence = json!({"statements": statements, "delegatingKeys": names, "delegatingKeyCount": keys.len()});
    Doubt::common(grants.iter()).mark(fail(message, evidence)).verdict()
}

/// Whether the policy of a key lets IAM decide who decrypts with it.
fn leaves_use_to_iam(key: Node<'_, Key>) -> bool {
    let Ok(Some(policy)) = key.data().policy.known().map(Option::as_ref) else { return false };
    let own = key.account().as_str();
    let statements = policy.statements().unwrap_or_default();
    statements.iter().any(|statement| {
        let whole = |name: &String| is_whole_account(name) && account_of_principal(name) == Some(own);
        statement.allows
            && statement.covers_action("kms:Decrypt")
            && statement.principals.as_ref().is_some_and(|principals| principals.aws.iter().any(whole))
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, key_arn, role_arn};
    use plimsoll_model::aws::eks::PodIdentityAssociation;
    use plimsoll_model::aws::iam::{AttachedPolicy, Role};
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    fn shop(name: &str, statement: Value) -> Fixture {
        alone(fixture().shop()).key("k1", |_| {}).each(grants(name, statement))
    }

    fn allowed(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    #[test]
    fn fails_for_task_and_execution_roles() {
        let found = findings(&CHECK, shop("web-task", allowed("kms:Decrypt", "*")));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::Medium, Confidence::Certain));
        assert!(
            found[0].message.starts_with("task role web-task may decrypt with any key of account 111111111111"),
            "{}",
            found[0].message
        );
        assert!(found[0].message.ends_with("by statement #0 of access"), "{}", found[0].message);
        assert_eq!(found[0].evidence["delegatingKeys"], json!(["k1"]));
        for (action, resource) in [("kms:*", "arn:aws:kms:us-east-1:111111111111:key/*"), ("kms:ReEncrypt*", "*"), ("*", "*")] {
            assert_eq!(outcome(&CHECK, shop("execution", allowed(action, resource))), Fail(Severity::Medium), "{action}");
        }
    }

    #[test]
    fn passes_with_named_keys_and_narrowing_conditions() {
        assert_eq!(outcome(&CHECK, shop("web-task", allowed("kms:Decrypt", &key_arn("k1")))), Pass);
        assert_eq!(outcome(&CHECK, shop("web-task", allowed("kms:DescribeKey", "*"))), Pass);
        // An alias in the Resource grants no use of its key.
        assert_eq!(outcome(&CHECK, shop("web-task", allowed("kms:Decrypt", "arn:aws:kms:*:*:alias/*"))), Pass);
        for (operator, key, value) in [
            ("StringEquals", "kms:ViaService", "secretsmanager.us-east-1.amazonaws.com"),
            ("StringEquals", "kms:EncryptionContext:SecretARN", "x"),
            ("ForAnyValue:StringEquals", "kms:ResourceAliases", "alias/shop"),
        ] {
            let statement = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Condition": {operator: {key: value}}});
            assert_eq!(outcome(&CHECK, shop("web-task", statement)), Pass, "{key}");
        }
        let denied = json!([allowed("kms:*", "*"), {"Effect": "Deny", "Action": ["kms:Decrypt", "kms:ReEncrypt*"], "Resource": "*"}]);
        assert_eq!(outcome(&CHECK, shop("web-task", denied)), Pass);
    }

    #[test]
    fn fails_for_roles_of_service_accounts_and_nodes() {
        let statement = || allowed("kms:Decrypt", "*");
        let association = PodIdentityAssociation {
            association_arn: "a".to_owned(),
            cluster_name: "k".to_owned(),
            namespace: "shop".to_owned(),
            service_account: "api".to_owned(),
            role_arn: role_arn("pods"),
            ..Default::default()
        };
        let pods = alone(fixture().eks_cluster("k", |_| {})).role("pods", |_| {}).each(grants("pods", statement())).resource(association);
        assert!(findings(&CHECK, pods)[0].message.starts_with("service account role pods"));
        let nodes = alone(fixture().eks_cluster("k", |_| {})).role("nodes", |_| {}).each(grants("nodes", statement())).nodegroup(
            "k",
            "g",
            |group| group.node_role = Some(role_arn("nodes")),
        );
        assert!(findings(&CHECK, nodes)[0].message.starts_with("node role nodes"));
    }

    #[test]
    fn is_unknown_when_a_policy_or_a_listing_was_not_readable() {
        let attached = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).each(attached)), Unknown);
        for operation in ["iam:GetAccountAuthorizationDetails", "eks:ListClusters", "ecs:DescribeTaskDefinition"] {
            assert_eq!(outcome(&CHECK, alone(fixture().shop()).denied(operation)), Unknown, "{operation}");
        }
    }
}
