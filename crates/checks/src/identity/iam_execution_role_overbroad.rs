//! Reads what each role that starts tasks is granted beyond pulling images, writing logs and reading what its task
//! definitions name: secrets, parameters, their keys and environment files. Yields one verdict per role.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node};
use plimsoll_iam::{Granted, Question};
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::kms::Key;
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::aws::ssm::Parameter;
use plimsoll_model::policy::wildcard_match;
use plimsoll_model::{AccountId, Region, Severity};
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::excess::{Excess, ExcessCache, actions, common_doubt, excess};
use crate::grants::{
    ANY_KEY, ANY_PARAMETER, ANY_SECRET, Administrator, Doubt, Escalating, Grant, Holdings, Probe, administrator, delegating, escalating,
    plain_keys, unnamed_keys,
};
use crate::reading::listed;
use crate::roles::{TaskRole, execution_roles};
use crate::vault::{Vault, referenced};

pub(crate) const CHECK: Check = Check {
    id: "iam-execution-role-overbroad",
    title: "Execution role can do more than start the task",
    severity: Severity::Medium,
    resource: "AWS::IAM::Role",
    area: Area::Identity,
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
        "kms:ListKeys",
        "kms:DescribeKey",
    ],
    shades: &["kms:DescribeKey"],
    compliance: &[nist("AC-6"), pci("7.2.5")],
    fails_when: "Effective permissions go beyond: ecr:GetAuthorizationToken, BatchCheckLayerAvailability, \
                 GetDownloadUrlForLayer, BatchGetImage; logs:CreateLogGroup, CreateLogStream, PutLogEvents; \
                 secretsmanager:GetSecretValue and ssm:GetParameters on the ARNs the definitions reference; kms:Decrypt \
                 on their keys; s3:GetObject and GetBucketLocation on environment files; acm-pca and secretsmanager \
                 actions of Service Connect TLS. High when GetSecretValue, GetParameters or Decrypt have Resource \"*\", \
                 or the role is ADMIN or CAN-ESCALATE (critical).",
    why: "The role is for the agent that starts tasks, but whoever may register a task definition or reaches the agent has \
          it too: with more than the task's own images, logs and secrets it leads into other services.",
    remediation: Remediation {
        text: "Use AmazonECSTaskExecutionRolePolicy plus one inline statement with the exact secret and key ARNs.",
        cli: "aws iam put-role-policy --role-name ROLE --policy-name POLICY --policy-document file://scoped.json",
    },
    evaluate,
};

/// Actions that starting any task takes, on whatever resource.
const STARTING: [&str; 8] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    // Pulls an image into a pull-through cache.
    "ecr:BatchImportUpstreamImage",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];
/// Actions that are judged by what they are granted on.
const BOUND: [&str; 3] = ["secretsmanager:GetSecretValue", "ssm:GetParameters", "kms:Decrypt"];
const DECRYPT: &str = "kms:Decrypt";
/// Actions that are judged by the environment files of the task definitions.
const FILES: [&str; 2] = ["s3:GetObject", "s3:GetBucketLocation"];
/// Actions of Service Connect with TLS: certificates, and its own secrets.
const TLS: [&str; 4] = [
    "acm-pca:DescribeCertificateAuthority",
    "acm-pca:GetCertificate",
    "acm-pca:GetCertificateAuthorityCertificate",
    "acm-pca:IssueCertificate",
];
const TLS_SECRETS: &str = ":secret:ecs-sc!";
/// Secrets, keys and statements that are named in evidence.
const SHOWN: usize = 20;

/// What was asked of all execution roles.
struct Answers<'e> {
    any: Holdings,
    vault: Vault,
    keys: Holdings,
    excess: ExcessCache,
    estate: &'e Estate<'e>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let roles = execution_roles(estate);
    let principals = || roles.iter().map(TaskRole::principal);
    let wide = ANY_SECRET.iter().chain(ANY_PARAMETER).chain(ANY_KEY);
    let probes: Vec<&Probe> = wide.filter(|probe| BOUND.contains(&probe.action)).collect();
    let mut keys: BTreeMap<&AccountId, Vec<Question>> = BTreeMap::new();
    // What is not known to be a key of AWS counts as one of the customer.
    for key in estate.keys().filter(|key| !matches!(key.customer_managed(), Ok(None))) {
        let mut question = Question::new(DECRYPT, &key.data().key_id);
        question.resource_policy = Some(delegating(partition(key), key.account()));
        keys.entry(key.account()).or_default().push(question);
    }
    let of_account = |account: &AccountId| keys.get(account).cloned().unwrap_or_default();
    let mut answers = Answers {
        any: Holdings::of_probes(estate, principals(), &probes, unnamed_keys()),
        vault: Vault::open(estate, principals()),
        keys: Holdings::of_questions(estate, principals(), &[DECRYPT], of_account, plain_keys()),
        excess: ExcessCache::default(),
        estate,
    };
    for one in &roles {
        verdicts.judge(one.role, judge(one, &mut answers));
    }
}

fn partition(key: Node<'_, Key>) -> &str {
    key.data().key_id.split(':').nth(1).unwrap_or("aws")
}

/// What is too much of a role.
struct Findings<'e> {
    administrator: Option<Administrator>,
    escalating: Option<Escalating<'e>>,
    /// Reads or decrypts anything.
    any: Vec<Grant>,
    secrets: BTreeSet<String>,
    keys: BTreeSet<String>,
    excess: Vec<Excess>,
}

fn judge(one: &TaskRole<'_>, answers: &mut Answers<'_>) -> Judgement {
    let principal = one.principal();
    let referenced = referenced(&one.definitions);
    let found = find(one, answers, &referenced);
    let Some((what, doubt, severity)) = told(&found, one) else {
        return principal.unread().map_or(Ok(Verdict::Pass), Err);
    };
    let message = format!("execution role {}{} {what}", one.role.name(), one.told());
    let mut failure = fail(message, evidence(one, &found, answers, &referenced)).severity(severity);
    if let (None, Some(way)) = (&found.administrator, &found.escalating) {
        failure = failure.path(way.steps());
    }
    doubt.mark(failure).verdict()
}

fn find<'e>(one: &TaskRole<'e>, answers: &mut Answers<'_>, referenced: &BTreeSet<&str>) -> Findings<'e> {
    let principal = one.principal();
    let files = environment_files(&one.definitions);
    let is_needed = |granted: &Granted, action: &str| is_needed(granted, action, &files);
    // Without environment files what is needed is the same for all.
    let excess = if files.is_empty() { answers.excess.of(principal, &is_needed).to_vec() } else { excess(principal, &is_needed) };
    let any = answers.any.grants(principal, |_| true);
    let own_keys = keys_of(answers.estate, referenced);
    let readable = answers.vault.arns_by(principal, &BOUND);
    let secrets = readable.into_iter().filter(|arn| !referenced.contains(arn) && !arn.contains(TLS_SECRETS));
    // Files may be encrypted with a key that nothing here names.
    let keys = answers.keys.of(principal).iter().filter(|_| files.is_empty()).map(|question| question.resource.as_str());
    Findings {
        administrator: administrator(principal).ok().flatten(),
        escalating: escalating(principal).ok().flatten(),
        secrets: secrets.map(str::to_owned).collect(),
        keys: keys.filter(|arn| !own_keys.contains(arn)).map(str::to_owned).collect(),
        any,
        excess,
    }
}

/// What to say of it, what leaves that in doubt, and how grave it is; `None` when nothing is too much.
fn told(found: &Findings<'_>, one: &TaskRole<'_>) -> Option<(String, Doubt, Severity)> {
    if let Some(administrator) = &found.administrator {
        return Some((format!("administers account {}", one.role.account()), administrator.doubt.clone(), Severity::Critical));
    }
    if let Some(way) = &found.escalating {
        return Some((format!("becomes an administrator {}", way.told()), way.doubt(), Severity::Critical));
    }
    if !found.any.is_empty() {
        let actions: BTreeSet<&str> = found.any.iter().map(|grant| grant.action.as_str()).collect();
        let actions: Vec<&str> = actions.into_iter().collect();
        let by = found.any.first().map(Grant::by).unwrap_or_default();
        return Some((format!("may call {} on everything, by {by}", listed(&actions)), Doubt::common(found.any.iter()), Severity::High));
    }
    let mut parts = Vec::new();
    if !found.secrets.is_empty() {
        parts.push(format!("may read {} secrets and parameters that its task definitions do not name", found.secrets.len()));
    }
    if !found.keys.is_empty() {
        parts.push(format!("may decrypt with {} keys that no secret of these has", found.keys.len()));
    }
    if !found.excess.is_empty() {
        parts.push(format!("may call {}", listed(&actions(&found.excess))));
    }
    if parts.is_empty() {
        return None;
    }
    let certain = !found.secrets.is_empty() || !found.keys.is_empty();
    let doubt = if certain { Doubt::of_principal(one.principal()) } else { common_doubt(&found.excess) };
    Some((parts.join(" and "), doubt, Severity::Medium))
}

fn is_needed(granted: &Granted, action: &str, files: &[&str]) -> bool {
    let within = |part: &str| !granted.all_resources_but && granted.resources.iter().all(|resource| resource.contains(part));
    if STARTING.contains(&action) || BOUND.contains(&action) || TLS.contains(&action) {
        return true;
    }
    if action.starts_with("secretsmanager:") {
        return within(TLS_SECRETS);
    }
    FILES.contains(&action) && !granted.all_resources_but && granted.resources.iter().all(|resource| is_of_file(resource, files))
}

/// Whether a resource means environment files, one by one or by a pattern below the bucket, or their bucket itself.
fn is_of_file(resource: &str, files: &[&str]) -> bool {
    files.iter().any(|file| {
        let bucket = file.split('/').next().unwrap_or(file);
        resource == bucket || (wildcard_match(resource, file) && !wildcard_match(resource, &format!("{bucket}/")))
    })
}

fn environment_files<'e>(definitions: &[Node<'e, TaskDefinition>]) -> Vec<&'e str> {
    let containers = definitions.iter().flat_map(|definition| &definition.data().container_definitions);
    containers.flat_map(|container| &container.environment_files).map(|file| file.value.as_str()).collect()
}

/// ARNs of the keys that these secrets and parameters are encrypted with.
fn keys_of<'e>(estate: &'e Estate<'e>, referenced: &BTreeSet<&str>) -> BTreeSet<&'e str> {
    let nowhere = (AccountId::default(), Region::global());
    let secret = |arn: &str| {
        let secret: Node<'e, Secret> = estate.secret(&nowhere.0, &nowhere.1, arn).found()?;
        estate.key(secret.account(), secret.region(), secret.data().kms_key_id.as_deref()?).found()
    };
    let parameter = |arn: &str| {
        let parameter: Node<'e, Parameter> = estate.parameter(&nowhere.0, &nowhere.1, arn).found()?;
        estate.key(parameter.account(), parameter.region(), parameter.data().key_id.as_deref()?).found()
    };
    referenced.iter().filter_map(|arn| secret(arn).or_else(|| parameter(arn))).map(|key| key.data().key_id.as_str()).collect()
}

fn evidence(one: &TaskRole<'_>, found: &Findings<'_>, answers: &Answers<'_>, referenced: &BTreeSet<&str>) -> Value {
    let readable = answers.vault.arns_by(one.principal(), &BOUND);
    json!({
        "administrator": found.administrator.is_some(),
        "escalation": found.escalating.as_ref().filter(|_| found.administrator.is_none()).map(Escalating::evidence),
        "extra": found.excess.iter().take(SHOWN).map(Excess::evidence).collect::<Vec<_>>(),
        "onEverything": found.any.iter().map(Grant::evidence).collect::<Vec<_>>(),
        "reachableSecretCount": readable.len(),
        "referencedSecretCount": referenced.len(),
        "secretsBeyond": found.secrets.iter().take(SHOWN).map(|arn| crate::vault::name(arn)).collect::<Vec<_>>(),
        "keysBeyond": found.keys.iter().take(SHOWN).collect::<Vec<_>>(),
        "usedBy": one.users(),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, arn, fixture, injects, key_arn};
    use plimsoll_model::aws::ecs::{EnvironmentFile, TaskDefinition};
    use plimsoll_model::aws::iam::{AttachedPolicy, Role};
    use plimsoll_model::{Confidence, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};
    use crate::roles::tests::{alone, grants};

    fn shop(statement: Value) -> Fixture {
        let account = alone(fixture().shop()).secret("db", |_| {}).secret("other", |_| {}).key("secrets", |_| {}).key("disks", |_| {});
        account.each(injects(&arn("secretsmanager", "secret:db-AbCdEf"))).each(grants("execution", statement))
    }

    fn allowed(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    fn secret(name: &str) -> String {
        arn("secretsmanager", &format!("secret:{name}"))
    }

    #[test]
    fn passes_with_what_starting_takes() {
        let statement = json!([
            {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
            allowed("secretsmanager:GetSecretValue", &secret("db-??????")),
            allowed("kms:Decrypt", &key_arn("secrets")),
            allowed("secretsmanager:CreateSecret", "arn:aws:secretsmanager:*:*:secret:ecs-sc!*"),
            allowed("acm-pca:IssueCertificate", "*"),
        ]);
        assert_eq!(outcome(&CHECK, shop(statement)), Pass);
        assert_eq!(outcome(&CHECK, alone(fixture().role("idle", |_| {}))), NotApplicable);
    }

    #[test]
    fn is_medium_with_more_actions() {
        let found = findings(&CHECK, shop(allowed("s3:GetObject", "arn:aws:s3:::prices/*")));
        assert_eq!((found.len(), found[0].severity, found[0].confidence), (1, Severity::Medium, Confidence::Certain));
        assert_eq!(found[0].message, "execution role execution of service web may call s3:GetObject");
        assert_eq!(found[0].evidence["extra"][0]["Resource"], json!(["arn:aws:s3:::prices/*"]));
        assert_eq!(outcome(&CHECK, shop(allowed("ecr:*", "*"))), Fail(Severity::Medium));
        let denied = json!([allowed("sqs:SendMessage", "*"), {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}]);
        assert_eq!(outcome(&CHECK, shop(denied)), Pass);
    }

    #[test]
    fn is_medium_with_secrets_and_keys_that_no_definition_names() {
        let found = findings(&CHECK, shop(allowed("secretsmanager:GetSecretValue", &secret("o*"))));
        assert_eq!(found[0].severity, Severity::Medium);
        assert_eq!(found[0].evidence["secretsBeyond"], json!(["other"]));
        let found = findings(&CHECK, shop(allowed("kms:Decrypt", &key_arn("disks"))));
        assert_eq!(found[0].evidence["keysBeyond"], json!([key_arn("disks")]));
    }

    #[test]
    fn is_high_when_it_reads_or_decrypts_everything() {
        for (action, resource) in [
            ("secretsmanager:GetSecretValue", "*"),
            ("ssm:GetParameters", "arn:aws:ssm:us-east-1:111111111111:parameter/*"),
            ("kms:Decrypt", "*"),
        ] {
            let found = findings(&CHECK, shop(allowed(action, resource)));
            assert_eq!(found[0].severity, Severity::High, "{action}");
            assert!(
                found[0].message.contains(&format!("may call {action} on everything, by statement #0 of access")),
                "{}",
                found[0].message
            );
        }
        let through = json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}}});
        assert_eq!(outcome(&CHECK, shop(through)), Pass);
    }

    #[test]
    fn is_critical_for_an_administrator_and_who_becomes_one() {
        let found = findings(&CHECK, shop(allowed("*", "*")));
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(found[0].message, "execution role execution of service web administers account 111111111111");
        let found = findings(&CHECK, shop(allowed("iam:PutRolePolicy", "*")));
        assert_eq!((found[0].severity, found[0].path.len()), (Severity::Critical, 2));
    }

    #[test]
    fn environment_files_may_be_read() {
        let account = |resource: &str| {
            let statement = json!([allowed("s3:GetObject", resource), allowed("s3:GetBucketLocation", "arn:aws:s3:::config")]);
            shop(statement).each(|definition: &mut TaskDefinition| {
                let file = EnvironmentFile { value: "arn:aws:s3:::config/web/app.env".to_owned(), kind: "s3".to_owned() };
                definition.container_definitions[0].environment_files = vec![file];
            })
        };
        assert_eq!(outcome(&CHECK, account("arn:aws:s3:::config/web/app.env")), Pass);
        assert_eq!(outcome(&CHECK, account("arn:aws:s3:::config/web/*")), Pass);
        assert_eq!(outcome(&CHECK, account("arn:aws:s3:::config/*")), Fail(Severity::Medium));
        assert_eq!(outcome(&CHECK, account("arn:aws:s3:::other/web/app.env")), Fail(Severity::Medium));
    }

    #[test]
    fn is_possible_on_conditions_and_unknown_when_not_readable() {
        let statement = json!({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}});
        assert_eq!(findings(&CHECK, shop(statement))[0].confidence, Confidence::Possible);
        let attached = |role: &mut Role| {
            role.attached_managed_policies =
                vec![AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/SomeAccess".to_owned(), policy_name: None }];
        };
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).each(attached)), Unknown);
        assert_eq!(outcome(&CHECK, alone(fixture().shop()).denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }
}
