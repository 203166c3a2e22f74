//! Reads the policy and the grants of each customer managed key that a container platform uses, evaluated for principals of
//! other accounts and, with their own policies, for the principals of the account. Yields one verdict per key; a failure
//! lists who can do too much.

use std::collections::BTreeMap;

use plimsoll_graph::{Estate, KeyPolicy, Leave, Member, Node, Unknown};
use plimsoll_iam::KeyState;
use plimsoll_model::aws::kms::{GrantConstraints, GrantListEntry, Key};
use plimsoll_model::{AccountId, Severity};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::policies::{admitted_evidence, admitted_told, letting_in, named_statements, names_everyone};
use crate::reading::{key_in_use, key_statements, key_users, listed};

pub(crate) const CHECK: Check = Check {
    id: "kms-key-policy-too-wide",
    title: "Key of a container platform can be used by too many principals",
    severity: Severity::Medium,
    resource: "AWS::KMS::Key",
    area: Area::DataSecrets,
    responsibility: ByLaunch { fargate: Responsibility::Customer, ec2: Responsibility::Customer, eks: Responsibility::Customer },
    needs: &[
        "kms:ListKeys",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:ListGrants",
        "ecs:ListClusters",
        "ecs:DescribeClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ec2:DescribeVolumes",
        "eks:ListClusters",
        "eks:DescribeCluster",
        "ecr:DescribeRepositories",
        "logs:DescribeLogGroups",
        "secretsmanager:ListSecrets",
        "ssm:DescribeParameters",
        "elasticfilesystem:DescribeFileSystems",
        "cloudtrail:DescribeTrails",
        "iam:GetAccountAuthorizationDetails",
        "organizations:DescribeOrganization",
    ],
    // Only keys whose policy names another account or an organization are unknown without it.
    shades: &["organizations:DescribeOrganization"],
    compliance: &[nist("AC-5?"), nist("AC-6"), nist("SC-12"), pci("3.6.1?"), pci("3.7.6?")],
    fails_when: "Any of: an account outside the organization may Decrypt, ReEncrypt, GenerateDataKey* or CreateGrant \
                 (high); a non-admin role or user has kms:* or kms:PutKeyPolicy with kms:ScheduleKeyDeletion, or \
                 kms:CreateGrant without kms:GrantIsForAWSResource true or a service condition; the same non-admin principal \
                 both administers and uses the key; a live grant lets a principal outside the organization do any of the first \
                 (high), or serves Fargate without the encryption context of a cluster as a constraint. The default root \
                 statement alone passes.",
    why: "The key guards the data only as well as its policy: whoever can use it reads what it encrypts, and whoever can change \
          or delete it can lock everybody out.",
    remediation: Remediation {
        text: "Split administration from use and scope each statement to services and encryption context.",
        cli: "aws kms put-key-policy --key-id KEY --policy-name default --policy file://policy.json",
    },
    evaluate,
};

/// What outsiders must not do.
const USE_FROM_OUTSIDE: [&str; 8] = [
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:CreateGrant",
];
const CHANGE: &str = "kms:PutKeyPolicy";
const DELETE: &str = "kms:ScheduleKeyDeletion";
const GRANT: &str = "kms:CreateGrant";
const ADMINISTER: [&str; 3] = [CHANGE, DELETE, "kms:DisableKey"];
const USE: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];
/// A grant that no AWS service asks for.
fn by_hand() -> [(&'static str, KeyState); 2] {
    [("kms:GrantIsForAWSResource", KeyState::known("false")), ("kms:ViaService", KeyState::Absent)]
}

/// The principals of an account that may have a say in its keys.
#[derive(Default)]
struct Staff<'e> {
    by_arn: FxHashMap<&'e str, Member<'e>>,
    /// Those whose own policies let them administer some key or make grants for it.
    granted: Vec<Member<'e>>,
    unread: Option<Unknown>,
}

/// What is wrong with one principal.
struct Excess<'e> {
    member: Member<'e>,
    told: String,
    certain: bool,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let mut staff: BTreeMap<&AccountId, Staff<'e>> = BTreeMap::new();
    for member in estate.members() {
        let staff = staff.entry(member.principal().account()).or_default();
        match member.is_administrator() {
            Ok(true) => continue,
            Ok(false) => {}
            Err(unknown) => {
                staff.unread.get_or_insert(unknown);
                continue;
            }
        }
        staff.by_arn.insert(member.principal().arn(), member);
        if ADMINISTER.iter().chain(&[GRANT]).any(|action| member.is_granted(action)) {
            staff.granted.push(member);
        }
    }
    let nobody = Staff::default();
    verdicts.each(estate.keys(), |key| judge(key, staff.get(key.account()).unwrap_or(&nobody)));
}

fn judge(key: Node<'_, Key>, staff: &Staff<'_>) -> Judgement {
    if key.customer_managed()?.is_none() || key.is_foreign() || !key_in_use(key)? {
        return Ok(Verdict::NotApplicable);
    }
    let outside = key.outsiders(&USE_FROM_OUTSIDE)?;
    let mut excesses: Vec<Excess<'_>> = Vec::new();
    let policy = key.compiled_policy()?;
    for member in having_a_say(key, staff)? {
        excesses.extend(excess(&policy, member)?);
    }
    let loose: Vec<&GrantListEntry> = key.data().grants.known().into_iter().flatten().filter(|grant| is_loose(grant)).collect();
    if outside.admitted.is_empty() && excesses.is_empty() && loose.is_empty() {
        return match outside.unread.or_else(|| staff.unread.clone()).or_else(|| key.unread_grants()) {
            Some(unknown) => Err(unknown),
            None => Ok(Verdict::Pass),
        };
    }
    let without = |grant: &&GrantListEntry| format!("Fargate holds {} without constraints", grant.statement_name());
    let excessive = excesses.iter().map(|excess| excess.told.clone());
    let told: Vec<String> = outside.admitted.iter().map(admitted_told).chain(excessive).chain(loose.iter().map(without)).collect();
    let mut evidence = key_users(key);
    if let Value::Object(fields) = &mut evidence {
        let statements = letting_in(outside.admitted.iter());
        let policy = key.policy_with_grants()?;
        let shown: Vec<Value> = excesses
            .iter()
            .take(20)
            .map(|excess| json!({"principal": excess.member.principal().arn(), "finding": excess.told, "certain": excess.certain}))
            .collect();
        fields.insert("outsiders".to_owned(), admitted_evidence(outside.admitted.iter()));
        fields.insert("Statement".to_owned(), json!(named_statements(policy.as_deref(), &statements)));
        fields.insert("principals".to_owned(), json!(shown));
        fields.insert("grants".to_owned(), json!(loose));
        fields.insert("grantsRead".to_owned(), json!(key.unread_grants().is_none()));
    }
    let from_outside = !outside.admitted.is_empty();
    let certain = if from_outside {
        outside.admitted.iter().any(|admitted| admitted.certain)
    } else {
        !loose.is_empty() || excesses.iter().any(|excess| excess.certain)
    };
    let severity = if from_outside { Severity::High } else { Severity::Medium };
    let failure = fail(format!("with key {} {}", key.name(), listed(&told)), evidence).severity(severity);
    if certain { failure.verdict() } else { failure.possible().verdict() }
}

/// Whether Fargate may use the key by a grant for any cluster: it sets a constraint on each grant that it makes.
fn is_loose(grant: &GrantListEntry) -> bool {
    let fargate = grant.is_to_service() && grant.grantee_principal.as_deref().is_some_and(|service| service.starts_with("fargate."));
    let bound = |constraints: &GrantConstraints| {
        !(constraints.encryption_context_equals.is_empty() && constraints.encryption_context_subset.is_empty())
    };
    fargate && !grant.constraints.as_ref().is_some_and(bound)
}

/// Principals that are no administrators and to whom their own policies or that of the key may grant too much.
fn having_a_say<'e>(key: Node<'e, Key>, staff: &Staff<'e>) -> Result<Vec<Member<'e>>, Unknown> {
    // A policy that does not read as one is told by key_statements.
    key_statements(key)?;
    let policy = key.policy_with_grants()?;
    let statements = policy.as_ref().and_then(|policy| policy.statements().ok()).unwrap_or_default();
    let grants = |action: &&str| statements.iter().any(|statement| statement.allows && statement.covers_action(action));
    if !ADMINISTER.iter().chain(&[GRANT]).any(grants) {
        return Ok(Vec::new());
    }
    let mut members: Vec<Member<'e>> = staff.granted.clone();
    if statements.iter().any(|statement| statement.allows && names_everyone(statement)) {
        members.extend(staff.by_arn.values());
    } else {
        let named = statements.iter().filter(|statement| statement.allows).filter_map(|statement| statement.principals.as_ref());
        members.extend(named.flat_map(|principals| &principals.aws).filter_map(|arn| staff.by_arn.get(arn.as_str())));
    }
    members.sort_by_key(|member| member.principal().arn());
    members.dedup_by_key(|member| member.principal().arn());
    Ok(members)
}

fn excess<'e>(policy: &KeyPolicy<'_>, member: Member<'e>) -> Result<Option<Excess<'e>>, Unknown> {
    let with_key = member.with_key(policy);
    let may = |action: &str| with_key.may(action, &[]);
    let (change, delete) = (may(CHANGE)?, may(DELETE)?);
    let by_hand = with_key.may(GRANT, &by_hand())?;
    let mut told: Vec<&str> = Vec::new();
    let mut certain = false;
    let mut count = |what: &'static str, leaves: &[&Leave]| {
        if leaves.iter().all(|leave| leave.is_some()) {
            told.push(what);
            certain |= leaves.iter().all(|leave| **leave == Leave::Certain);
        }
    };
    count("change its policy and delete it", &[&change, &delete]);
    count("grant its use to anyone", &[&by_hand]);
    let administers = if change.is_some() {
        change
    } else if delete.is_some() {
        delete
    } else {
        may("kms:DisableKey")?
    };
    if administers.is_some() {
        for action in USE {
            let uses = may(action)?;
            if uses.is_some() {
                count("both administer and use it", &[&administers, &uses]);
                break;
            }
        }
    }
    if told.is_empty() {
        return Ok(None);
    }
    Ok(Some(Excess { member, told: format!("{} may {}", member.principal().name(), listed(&told)), certain }))
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, key_arn, policy, role_arn};
    use plimsoll_model::aws::ec2::Volume;
    use plimsoll_model::aws::iam::{PolicyDetail, Role};
    use plimsoll_model::aws::kms::{GrantConstraints, GrantListEntry, Key};
    use plimsoll_model::aws::organizations::Account;
    use plimsoll_model::{Confidence, Seen, Severity};
    use serde_json::{Value, json};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Outcome, Pass, Unknown, findings, outcome};

    const OTHER: &str = "222222222222";

    /// Key `k1` of a volume, with the default statement and these.
    fn key(statements: &[Value]) -> Fixture {
        let root = json!({"Sid": "root", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
            "Action": "kms:*", "Resource": "*"});
        let statements = [&[root], statements].concat();
        let document = policy(json!({"Version": "2012-10-17", "Statement": statements}));
        let account = Account {
            id: ACCOUNT.to_owned(),
            organization: Seen::Known(None),
            parents: Seen::Known(Vec::new()),
            policies: Seen::Known(Vec::new()),
        };
        fixture().resource(account).key("k1", |key| key.policy = Seen::Known(Some(document))).resource(Volume {
            volume_id: "vol-1".to_owned(),
            kms_key_id: Some(key_arn("k1")),
            ..Volume::default()
        })
    }

    fn allow(principal: &Value, actions: &Value, condition: &Value) -> Value {
        json!({"Sid": "more", "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*", "Condition": condition})
    }

    fn with_role(account: Fixture, actions: &Value) -> Fixture {
        let document = policy(json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}));
        account.role("web", move |role: &mut Role| {
            role.role_policy_list = vec![PolicyDetail { policy_name: "keys".to_owned(), policy_document: Some(document) }];
        })
    }

    fn role_may(actions: &Value) -> Outcome {
        outcome(&CHECK, with_role(key(&[]), actions))
    }

    #[test]
    fn passes_the_default_policy_with_users_and_administrators() {
        assert_eq!(outcome(&CHECK, key(&[])), Pass);
        assert_eq!(role_may(&json!(["kms:Decrypt", "kms:GenerateDataKey*"])), Pass);
        assert_eq!(role_may(&json!("*")), Pass);
        assert_eq!(role_may(&json!("s3:*")), Pass);
        assert_eq!(role_may(&json!("kms:DisableKey")), Pass);
    }

    #[test]
    fn an_account_outside_is_high() {
        let other = json!({"AWS": format!("arn:aws:iam::{OTHER}:root")});
        let found = findings(&CHECK, key(&[allow(&other, &json!("kms:Decrypt"), &json!({}))]));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Certain));
        assert_eq!(found[0].message, "with key k1 account 222222222222 may kms:Decrypt");
        let everyone = allow(&json!("*"), &json!("kms:*"), &json!({}));
        assert_eq!(outcome(&CHECK, key(std::slice::from_ref(&everyone))), Fail(Severity::High));
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": {"StringNotEquals": {"kms:CallerAccount": ACCOUNT}}});
        assert_eq!(outcome(&CHECK, key(&[everyone, deny])), Pass);
        let trusted = key(&[allow(&other, &json!("kms:Decrypt"), &json!({}))]);
        assert_eq!(outcome(&CHECK, trusted.thresholds(|thresholds| thresholds.trusted_accounts = vec![OTHER.to_owned()])), Pass);
        assert_eq!(outcome(&CHECK, key(&[allow(&other, &json!("kms:DescribeKey"), &json!({}))])), Pass);
    }

    #[test]
    fn keys_of_services_for_the_own_account_pass() {
        let condition = json!({"StringEquals": {"kms:CallerAccount": ACCOUNT, "kms:ViaService": "ec2.us-east-1.amazonaws.com"}});
        assert_eq!(outcome(&CHECK, key(&[allow(&json!("*"), &json!("kms:Decrypt"), &condition)])), Pass);
        let outside = json!({"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}});
        assert_eq!(outcome(&CHECK, key(&[allow(&json!("*"), &json!("kms:Decrypt"), &outside)])), Fail(Severity::High));
        let service = allow(&json!({"Service": "fargate.amazonaws.com"}), &json!("kms:CreateGrant"), &json!({}));
        assert_eq!(outcome(&CHECK, key(&[service])), Pass);
    }

    #[test]
    fn a_role_that_may_do_everything_with_the_key_fails() {
        let found = findings(&CHECK, with_role(key(&[]), &json!("kms:*")));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::Medium, Confidence::Certain));
        for part in ["web may change its policy and delete it", "grant its use to anyone", "both administer and use it"] {
            assert!(found[0].message.contains(part), "{}", found[0].message);
        }
        assert_eq!(role_may(&json!(["kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"])), Fail(Severity::Medium));
        assert_eq!(role_may(&json!(["kms:PutKeyPolicy", "kms:Decrypt"])), Fail(Severity::Medium));
        assert_eq!(role_may(&json!("kms:PutKeyPolicy")), Pass);
        let named = allow(&json!({"AWS": role_arn("web")}), &json!("kms:*"), &json!({}));
        assert_eq!(outcome(&CHECK, key(&[named]).role("web", |_| {})), Fail(Severity::Medium));
    }

    #[test]
    fn a_key_policy_that_leaves_nothing_to_iam_passes_whatever_iam_grants() {
        let own = policy(
            json!({"Version": "2012-10-17", "Statement": [allow(&json!({"AWS": role_arn("keeper")}), &json!("kms:Put*"), &json!({}))]}),
        );
        let account = with_role(key(&[]), &json!("kms:*")).each(move |key: &mut Key| key.policy = Seen::Known(Some(own.clone())));
        assert_eq!(outcome(&CHECK, account), Pass);
    }

    #[test]
    fn grants_are_for_services_only() {
        let grant = |condition: Value| {
            let statement = allow(&json!({"AWS": role_arn("web")}), &json!("kms:CreateGrant"), &condition);
            outcome(&CHECK, key(&[statement]).role("web", |_| {}))
        };
        assert_eq!(grant(json!({})), Fail(Severity::Medium));
        assert_eq!(grant(json!({"Bool": {"kms:GrantIsForAWSResource": "true"}})), Pass);
        assert_eq!(grant(json!({"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}})), Pass);
    }

    fn granted(to: &str, constraints: Option<GrantConstraints>) -> Fixture {
        let operations = vec!["Decrypt".to_owned()];
        let grantee_principal = Some(to.to_owned());
        let grant = GrantListEntry { grant_id: "g1".to_owned(), grantee_principal, operations, constraints, ..Default::default() };
        key(&[]).each(move |key: &mut Key| key.grants = Seen::Known(vec![grant.clone()]))
    }

    #[test]
    fn a_grant_to_another_account_is_high() {
        let other = format!("arn:aws:iam::{OTHER}:role/reader");
        let found = findings(&CHECK, granted(&other, None));
        assert_eq!((found[0].severity, found[0].confidence), (Severity::High, Confidence::Certain));
        assert_eq!(found[0].evidence["Statement"][0]["Sid"], "grant g1", "{}", found[0].evidence);
        assert_eq!(outcome(&CHECK, granted(&role_arn("web"), None)), Pass);
        let trusted = granted(&other, None).thresholds(|thresholds| thresholds.trusted_accounts = vec![OTHER.to_owned()]);
        assert_eq!(outcome(&CHECK, trusted), Pass);
    }

    #[test]
    fn fargate_s_grants_are_bound_to_a_cluster() {
        let service = "fargate.us-east-1.amazonaws.com";
        assert_eq!(outcome(&CHECK, granted(service, None)), Fail(Severity::Medium));
        let context = [("aws:ecs:clusterName".to_owned(), "shop".to_owned())].into();
        let bound = GrantConstraints { encryption_context_subset: context, ..Default::default() };
        assert_eq!(outcome(&CHECK, granted(service, Some(bound))), Pass);
        assert_eq!(outcome(&CHECK, granted("rds.us-east-1.amazonaws.com", None)), Pass);
    }

    #[test]
    fn is_unknown_without_the_grants_unless_the_policy_fails() {
        let unread = |account: Fixture| account.each(|key: &mut Key| key.grants = gap("kms:ListGrants").into());
        assert_eq!(outcome(&CHECK, unread(key(&[]))), Unknown);
        let everyone = allow(&json!("*"), &json!("kms:*"), &json!({}));
        assert_eq!(outcome(&CHECK, unread(key(&[everyone]))), Fail(Severity::High));
    }

    #[test]
    fn does_not_apply_to_keys_that_nothing_uses_or_that_are_of_aws() {
        assert_eq!(outcome(&CHECK, with_role(key(&[]), &json!("kms:*")).without::<Volume>()), NotApplicable);
        let of_aws = key(&[]).each(|key: &mut Key| {
            if let Seen::Known(Some(metadata)) = &mut key.key_metadata {
                metadata.key_manager = Some("AWS".to_owned());
            }
        });
        assert_eq!(outcome(&CHECK, of_aws), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_policy_roles_or_the_organization_were_not_readable() {
        assert_eq!(outcome(&CHECK, key(&[]).each(|key: &mut Key| key.policy = gap("kms:GetKeyPolicy").into())), Unknown);
        assert_eq!(outcome(&CHECK, key(&[]).denied("iam:GetAccountAuthorizationDetails")), Unknown);
        let refused = |account: &mut Account| account.organization = gap("organizations:DescribeOrganization").into();
        let other = allow(&json!({"AWS": OTHER}), &json!("kms:Decrypt"), &json!({}));
        assert_eq!(outcome(&CHECK, key(&[other]).each(refused)), Unknown);
        assert_eq!(outcome(&CHECK, key(&[]).each(refused)), Pass);
        let torn = |role: &mut Role| role.role_policy_list = vec![PolicyDetail { policy_name: "torn".to_owned(), policy_document: None }];
        assert_eq!(outcome(&CHECK, key(&[]).role("web", torn)), Unknown);
    }
}
