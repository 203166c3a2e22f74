//! Reads which secrets and parameters each role that tasks run with may read: any at all, or how many of those that exist,
//! against those that its task definitions name. Yields one verdict per role. A grant on condition of a tag counts for what
//! carries the tag only, and so passes.

use std::collections::BTreeSet;

use plimsoll_graph::Estate;
use plimsoll_model::Severity;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::grants::{ANY_PARAMETER, ANY_SECRET, Doubt, Grant, Holdings, Probe, unnamed_keys};
use crate::reading::listed;
use crate::roles::{TaskRole, task_roles};
use crate::vault::{Vault, referenced};

pub(crate) const CHECK: Check = Check {
    id: "iam-task-role-secret-access-wide",
    title: "Task role can read every secret or parameter",
    severity: Severity::High,
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
        "iam:GetAccountAuthorizationDetails",
        "secretsmanager:ListSecrets",
        "ssm:DescribeParameters",
    ],
    shades: &[],
    compliance: &[nist("AC-6"), pci("7.2.5?")],
    fails_when: "The role is allowed secretsmanager:GetSecretValue, BatchGetSecretValue, ssm:GetParameter, GetParameters \
                 or GetParametersByPath on Resource \"*\", arn:*:secret:*, a bare path wildcard (parameter/*), or on more \
                 than 3 times the secrets that its definitions reference (and more than 10). A condition on \
                 aws:ResourceTag or secretsmanager:ResourceTag that narrows to the service passes.",
    why: "Whoever breaks into one container reads the passwords and keys of every other service, and from there goes \
          wherever these open.",
    remediation: Remediation {
        text: "List the ARNs or a tag condition of this service only.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate,
};

/// Secrets that are named in evidence.
const SHOWN: usize = 20;
/// Secrets whose statements are named.
const CITED: usize = 3;

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let roles = task_roles(estate);
    let probes: Vec<&Probe> = ANY_SECRET.iter().chain(ANY_PARAMETER).collect();
    let any = Holdings::of_probes(estate, roles.iter().map(TaskRole::principal), &probes, unnamed_keys());
    let vault = Vault::open(estate, roles.iter().map(TaskRole::principal));
    for one in &roles {
        verdicts.judge(one.role, judge(one, &any, &vault));
    }
}

fn judge(one: &TaskRole<'_>, any: &Holdings, vault: &Vault) -> Judgement {
    let principal = one.principal();
    let readable = vault.of(principal);
    let referenced = referenced(&one.definitions);
    let everything = any.grants(principal, |_| true);
    let thresholds = principal.estate().thresholds();
    let most = (thresholds.role_secrets as usize).max(referenced.len().saturating_mul(thresholds.role_secrets_factor as usize));
    if everything.is_empty() && readable.len() <= most {
        return principal.unread().map_or(Ok(Verdict::Pass), Err);
    }
    let who = format!("task role {}{}", one.role.name(), one.told());
    let (message, grants) = if everything.is_empty() {
        let grants = vault.grants(principal, CITED);
        let by = told(&grants);
        let count = readable.len();
        (format!("{who} may read {count} secrets and parameters, of which its task definitions name {}{by}", referenced.len()), grants)
    } else {
        let what = kinds(&everything);
        (format!("{who} may read every {what} of account {}{}", one.role.account(), told(&everything)), everything)
    };
    let doubt = Doubt::common(grants.iter());
    let evidence = evidence(one, &grants, &readable, &referenced);
    doubt.mark(fail(message, evidence)).verdict()
}

fn kinds(grants: &[Grant]) -> &'static str {
    let of = |service: &str| grants.iter().any(|grant| grant.action.starts_with(service));
    match (of("secretsmanager:"), of("ssm:")) {
        (true, true) => "secret and parameter",
        (true, false) => "secret",
        _ => "parameter",
    }
}

fn told(grants: &[Grant]) -> String {
    let by: BTreeSet<String> = grants.iter().map(Grant::by).collect();
    let by: Vec<String> = by.into_iter().collect();
    if by.is_empty() { String::new() } else { format!(", by {}", listed(&by)) }
}

fn evidence(one: &TaskRole<'_>, grants: &[Grant], readable: &[&str], referenced: &BTreeSet<&str>) -> Value {
    json!({
        "statements": grants.iter().take(SHOWN).map(Grant::evidence).collect::<Vec<_>>(),
        "secrets": readable.iter().take(SHOWN).collect::<Vec<_>>(),
        "secretCount": readable.len(),
        "referencedSecrets": referenced.iter().take(SHOWN).collect::<Vec<_>>(),
        "referencedSecretCount": referenced.len(),
        "usedBy": one.users(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, injects};
    use plimsoll_model::aws::ecs::TaskDefinition;
    use plimsoll_model::aws::iam::{AttachedPolicy, Role};
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, Outcome, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    fn shop(statement: Value) -> Fixture {
        alone(fixture().shop()).each(grants("web-task", statement))
    }

    fn allowed(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    fn with_secrets(account: Fixture, count: usize) -> Fixture {
        (0..count).fold(account, |account, number| account.secret(&format!("shop/s{number}"), |_| {}))
    }

    #[test]
    fn fails_when_the_role_may_read_any_secret_or_parameter() {
        let found = findings(&CHECK, with_secrets(shop(allowed("secretsmanager:*", "*")), 2));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::High, Confidence::Certain));
        assert_eq!(
            found[0].message,
            "task role web-task of service web may read every secret of account 111111111111, by statement #0 of access"
        );
        assert_eq!((found[0].evidence["secretCount"].as_u64(), &found[0].evidence["secrets"][0]), (Some(2), &json!("shop/s0")));
        for (action, resource) in [
            ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111111111111:secret:*"),
            ("ssm:GetParameter", "arn:aws:ssm:*:*:parameter/*"),
            ("ssm:GetParametersByPath", "arn:aws:ssm:us-east-1:111111111111:parameter/"),
        ] {
            assert_eq!(outcome(&CHECK, shop(allowed(action, resource))), Fail(Severity::High), "{action}");
        }
    }

    #[test]
    fn passes_with_the_secrets_of_the_service() {
        assert_eq!(outcome(&CHECK, shop(allowed("secretsmanager:GetSecretValue", &arn("secretsmanager", "secret:shop/*")))), Pass);
        assert_eq!(outcome(&CHECK, shop(allowed("secretsmanager:ListSecrets", "*"))), Pass);
        // This shows what GetSecretValue allows, and nothing else.
        assert_eq!(outcome(&CHECK, shop(allowed("secretsmanager:BatchGetSecretValue", "*"))), Pass);
        for key in ["aws:ResourceTag/service", "secretsmanager:ResourceTag/service"] {
            let tagged = json!({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
                "Condition": {"StringEquals": {key: "web"}}});
            assert_eq!(outcome(&CHECK, with_secrets(shop(tagged), 20)), Pass, "{key}");
        }
    }

    #[test]
    fn counts_what_exists_against_what_the_definitions_name() {
        let reads = || shop(allowed("secretsmanager:GetSecretValue", &arn("secretsmanager", "secret:shop/*")));
        let judged = |count: usize, named: usize| -> Outcome {
            let account = with_secrets(reads(), count).each(move |definition: &mut TaskDefinition| {
                for number in 0..named {
                    injects(&arn("secretsmanager", &format!("secret:shop/s{number}-AbCdEf")))(definition);
                }
            });
            outcome(&CHECK, account)
        };
        assert_eq!(judged(10, 0), Pass);
        assert_eq!(judged(11, 0), Fail(Severity::High));
        assert_eq!(judged(12, 4), Pass);
        assert_eq!(judged(13, 4), Fail(Severity::High));
        let found = findings(&CHECK, with_secrets(reads(), 11));
        assert!(
            found[0].message.contains("may read 11 secrets and parameters, of which its task definitions name 0"),
            "{}",
            found[0].message
        );
        let strict = with_secrets(reads(), 5).thresholds(|thresholds| thresholds.role_secrets = 4);
        assert_eq!(outcome(&CHECK, strict), Fail(Severity::High));
        let lax = with_secrets(reads(), 13).thresholds(|thresholds| thresholds.role_secrets = 13);
        assert_eq!(outcome(&CHECK, lax), Pass);
    }

    #[test]
    fn is_possible_on_a_condition_that_is_not_decided() {
        let statement = json!({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}});
        let found = findings(&CHECK, shop(statement));
        assert_eq!((found[0].status, found[0].confidence), (plimsoll_model::Status::Fail, Confidence::Possible));
        assert!(
            found[0].message.ends_with("(it depends on aws:sourcevpce)") || found[0].message.ends_with("(it depends on aws:SourceVpce)")
        );
    }

    #[test]
    fn is_unknown_when_a_policy_or_the_secrets_were_not_readable() {
        let attached = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).each(attached)), Unknown);
        assert_eq!(outcome(&CHECK, shop(allowed("secretsmanager:*", "*")).each(attached)), Fail(Severity::High));
        for operation in ["secretsmanager:ListSecrets", "ssm:DescribeParameters", "iam:GetAccountAuthorizationDetails"] {
            assert_eq!(outcome(&CHECK, alone(fixture().shop()).denied(operation)), Unknown, "{operation}");
        }
    }
}
