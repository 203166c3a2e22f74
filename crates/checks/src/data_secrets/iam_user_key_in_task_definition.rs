//! Reads the AWS access key ids that task definitions in scope and overrides of RUNNING tasks hold, and the access keys of
//! IAM users. Yields one verdict per key that is found; a failure names every revision and field that holds the key.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_graph::{Estate, Node, Unknown};
use plimsoll_model::aws::ecs::{AccessKeyReference, Screened, TaskDefinition};
use plimsoll_model::aws::iam::{AccessKey, User};
use plimsoll_model::{AccountId, Gap, PathStep, Region, ResourceRef, Severity, partition_of};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::check::{Area, ByLaunch, Check, Judgement, Remediation, Responsibility, Verdict, fail, nist, pci};
use crate::engine::Verdicts;
use crate::reading::running_overrides;

pub(crate) const CHECK: Check = Check {
    id: "iam-user-key-in-task-definition",
    title: "A live IAM user access key is stored in a task definition",
    severity: Severity::Critical,
    resource: "AWS::IAM::AccessKey",
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
        "iam:ListAccessKeys",
        "iam:GetAccessKeyLastUsed",
    ],
    shades: &["iam:GetAccessKeyLastUsed"],
    compliance: &[nist("IA-5"), pci("8.6.2")],
    fails_when: "An AKIA id found in any text field of a TD-SCOPE revision equals AccessKeyMetadata[].AccessKeyId of a \
                 user of the scanned account with Status Active. An id of another account (decode the account number from \
                 the key id) is reported as high.",
    why: "The key id tells whoever reads the definition which user's credentials the containers carry, and the secret is \
          seldom far: user keys do not expire, work from anywhere and cannot be told apart from their owner.",
    remediation: Remediation {
        text: "Deactivate the key, give the task a task role, and delete the key.",
        cli: "aws iam update-access-key --user-name USER --access-key-id AKIA... --status Inactive",
    },
    evaluate,
};

/// Evidence names at most this many places that hold a key.
const SHOWN_PLACES: usize = 10;

/// An access key id and everywhere it was found.
struct Stored<'e> {
    reference: &'e AccessKeyReference,
    places: Vec<Place<'e>>,
}

struct Place<'e> {
    definition: Node<'e, TaskDefinition>,
    task: Option<&'e str>,
    container: Option<&'e str>,
    field: String,
}

/// The access keys of all users.
struct Keys<'e> {
    by_digest: FxHashMap<&'e str, (Node<'e, User>, &'e AccessKey)>,
    // Accounts with a user whose keys were not read.
    unread: BTreeMap<&'e AccountId, &'e Gap>,
}

fn evaluate<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>) {
    let stored = stored(estate);
    if stored.is_empty() {
        return;
    }
    let keys = Keys::of(estate);
    for one in stored.values() {
        let owner = keys.by_digest.get(one.reference.digest.as_str()).copied();
        verdicts.judge_reference(resource(one, owner), judge(one, owner, &keys, estate));
    }
}

fn stored<'e>(estate: &'e Estate<'e>) -> BTreeMap<&'e str, Stored<'e>> {
    let mut stored = BTreeMap::new();
    for definition in estate.definitions_in_scope() {
        let data = definition.data();
        add(&mut stored, definition, None, None, &data.secrets_in_text, false);
        for container in &data.container_definitions {
            add(&mut stored, definition, None, Some(&container.name), &container.environment, true);
            add(&mut stored, definition, None, Some(&container.name), &container.secrets_in_text, false);
        }
        for (task, container) in running_overrides(definition) {
            add(&mut stored, definition, Some(task), container.name.as_deref(), &container.environment, true);
            add(&mut stored, definition, Some(task), container.name.as_deref(), &container.secrets_in_text, false);
        }
    }
    stored
}

fn add<'e>(
    stored: &mut BTreeMap<&'e str, Stored<'e>>,
    definition: Node<'e, TaskDefinition>,
    task: Option<&'e str>,
    container: Option<&'e str>,
    texts: &'e [Screened],
    is_environment: bool,
) {
    for text in texts {
        for reference in &text.access_keys {
            let field = if is_environment { format!("environment[{}]", text.name) } else { text.name.clone() };
            let one = stored.entry(reference.digest.as_str()).or_insert_with(|| Stored { reference, places: Vec::new() });
            one.places.push(Place { definition, task, container, field });
        }
    }
}

impl<'e> Keys<'e> {
    fn of(estate: &'e Estate<'e>) -> Self {
        let mut keys = Self { by_digest: FxHashMap::default(), unread: BTreeMap::new() };
        for user in estate.all::<User>() {
            match user.data().access_keys.known() {
                Ok(list) => keys.by_digest.extend(list.iter().map(|key| (key.digest.as_str(), (user, key)))),
                Err(gap) => {
                    keys.unread.entry(user.account()).or_insert(gap);
                }
            }
        }
        keys
    }

    /// Whether every key of the account's users was read.
    fn complete(&self, estate: &Estate<'_>, account: &AccountId) -> Result<(), Unknown> {
        estate.coverage().check(account, &Region::global(), "iam:GetAccountAuthorizationDetails")?;
        self.unread.get(account).map_or(Ok(()), |gap| Err((*gap).into()))
    }
}

/// The key as a resource. AWS gives keys no ARN, and the whole id is not known: a live key goes by the ARN of its user.
fn resource(stored: &Stored<'_>, owner: Option<(Node<'_, User>, &AccessKey)>) -> ResourceRef {
    let last_four = &stored.reference.last_four;
    let holder = stored.places.first().map(|place| place.definition);
    let account = match (owner, &stored.reference.account_id) {
        (Some((user, _)), _) => user.account().clone(),
        (None, Some(account)) => AccountId::new(account),
        (None, None) => holder.map(|definition| definition.account().clone()).unwrap_or_default(),
    };
    let (arn, name) = match owner {
        Some((user, key)) if is_active(key) => (user.data().arn.clone(), format!("{} …{last_four}", user.name())),
        _ => {
            let partition = holder.map_or("aws", |definition| partition_of(definition.region().as_str()));
            (format!("arn:{partition}:iam::{account}:access-key/…{last_four}"), format!("…{last_four}"))
        }
    };
    let kind = CHECK.resource.into();
    ResourceRef { arn, kind, account, region: Region::global(), name, tags: BTreeMap::new() }
}

fn is_active(key: &AccessKey) -> bool {
    key.status.as_deref() == Some("Active")
}

fn judge<'e>(stored: &Stored<'e>, owner: Option<(Node<'e, User>, &AccessKey)>, keys: &Keys<'e>, estate: &Estate<'_>) -> Judgement {
    let last_four = &stored.reference.last_four;
    if let Some((user, key)) = owner {
        return match &key.status {
            _ if is_active(key) => fail_live(stored, user, key, estate.inventory().header.finished_at),
            Some(_) => Ok(Verdict::Pass),
            None => Err(undecided(format!("the status of access key …{last_four} of {} was not told", user.name()))),
        };
    }
    let Some(account) = stored.reference.account_id.as_deref().map(AccountId::new) else {
        for scanned in &estate.inventory().header.scope.accounts {
            keys.complete(estate, scanned)?;
        }
        return Err(undecided(format!("no scanned account has access key …{last_four}, and its id names no account")));
    };
    let scanned = estate.inventory().header.scope.accounts.contains(&account);
    let foreign = stored.places.iter().any(|place| *place.definition.account() != account);
    match keys.complete(estate, &account) {
        // No user has the key: it was deleted, or it was temporary.
        Ok(()) if scanned => Ok(Verdict::Pass),
        Err(unknown) if scanned && !foreign => Err(unknown),
        _ => {
            let message = format!("access key …{last_four} of account {account} is stored in {}", place(stored));
            let evidence = json!({
                "AccessKeyId": format!("…{last_four}"),
                "Account": account,
                "storedIn": places(stored),
                "count": stored.places.len(),
            });
            let severity = in_context(stored, Severity::High);
            fail(message, evidence).severity(severity).discriminator(discriminator(stored)).verdict()
        }
    }
}

fn fail_live(stored: &Stored<'_>, user: Node<'_, User>, key: &AccessKey, now: Timestamp) -> Judgement {
    let last_four = &stored.reference.last_four;
    let administrator = user.is_administrator().ok();
    let last_used = key.last_used_date.map_or(String::new(), |date| {
        let days = now.duration_since(date).as_hours() / 24;
        format!(", last used {days} {} ago", if days == 1 { "day" } else { "days" })
    });
    let whose = if administrator == Some(true) { "administrator" } else { "user" };
    let message = format!("active access key …{last_four} of {whose} {}{last_used} is stored in {}", user.name(), place(stored));
    let attached: Vec<&str> = user.data().attached_managed_policies.iter().map(|policy| policy.policy_arn.as_str()).collect();
    let evidence = json!({
        "AccessKeyId": format!("…{last_four}"),
        "UserName": user.user_name,
        "Status": key.status,
        "LastUsedDate": key.last_used_date,
        "AttachedManagedPolicies": attached,
        "GroupList": user.group_list,
        "administrator": administrator,
        "storedIn": places(stored),
        "count": stored.places.len(),
    });
    let mut path = Vec::new();
    if let Some(first) = stored.places.first() {
        path.push(PathStep { arn: first.definition.arn().into_owned(), via: format!("{} holds key …{last_four}", first.field) });
        let rights = if administrator == Some(true) { "administers the account" } else { "has its policies" };
        path.push(PathStep { arn: user.data().arn.clone(), via: rights.to_owned() });
    }
    let failure = fail(message, evidence).path(path).discriminator(discriminator(stored));
    failure.severity(in_context(stored, CHECK.severity)).verdict()
}

/// One level less when nothing runs any of the revisions.
fn in_context(stored: &Stored<'_>, base: Severity) -> Severity {
    let unused = stored.places.iter().all(|place| place.task.is_none() && matches!(place.definition.in_use(), Ok(false)));
    if unused { base.lower() } else { base }
}

/// Tells keys apart whose last four characters are the same.
fn discriminator<'e>(stored: &Stored<'e>) -> &'e str {
    stored.reference.digest.get(..16).unwrap_or(&stored.reference.digest)
}

fn place(stored: &Stored<'_>) -> String {
    let Some(first) = stored.places.first() else { return String::new() };
    let container = first.container.map_or(String::new(), |name| format!(" of container {name}"));
    let more = match stored.places.len() {
        1 => String::new(),
        count => format!(" and {} more places", count - 1),
    };
    format!("{} ({}{container}){more}", first.definition.name(), first.field)
}

fn places(stored: &Stored<'_>) -> Vec<Value> {
    let told = |Place { definition, task, container, field }: &Place<'_>| {
        json!({
            "taskDefinitionArn": definition.arn(),
            "taskArn": task,
            "container": container,
            "field": field,
        })
    };
    stored.places.iter().take(SHOWN_PLACES).map(told).collect()
}

fn undecided(message: String) -> Unknown {
    Gap { message, code: Gap::NOT_FOUND.to_owned(), ..Gap::not_collected("iam:ListAccessKeys") }.into()
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, at, fixture, gap, screened};
    use plimsoll_model::aws::ecs::{AccessKeyReference, Screened, TaskDefinition};
    use plimsoll_model::aws::iam::{AccessKey, AttachedPolicy};
    use plimsoll_model::{Seen, Severity};

    use super::CHECK;
    use crate::outcome::{Fail, NotApplicable, Pass, Unknown, findings, outcome};

    fn variable(account: Option<&str>) -> Screened {
        let reference =
            AccessKeyReference { account_id: account.map(str::to_owned), last_four: "WXYZ".to_owned(), digest: "ab".repeat(32) };
        Screened { access_keys: vec![reference], ..screened("AWS_ACCESS_KEY_ID", Some("aws-access-key-id")) }
    }

    fn holding(account: Option<&'static str>) -> impl Fn(&mut TaskDefinition) {
        move |definition| definition.container_definitions[0].environment = vec![variable(account)]
    }

    fn storing(account: Option<&'static str>) -> Fixture {
        fixture().shop().each(holding(account))
    }

    fn key(status: &str) -> Seen<Vec<AccessKey>> {
        Seen::Known(vec![AccessKey {
            digest: "ab".repeat(32),
            last_four: "WXYZ".to_owned(),
            status: Some(status.to_owned()),
            last_used_date: Some(at("2026-06-12T10:00:00Z")),
            ..Default::default()
        }])
    }

    #[test]
    fn fails_when_the_key_of_a_user_is_active() {
        let found = findings(&CHECK, storing(Some(ACCOUNT)).user("ci", |user| user.access_keys = key("Active")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Critical);
        assert_eq!(found[0].resource.arn, "arn:aws:iam::111111111111:user/ci");
        assert_eq!(
            found[0].message,
            "active access key …WXYZ of user ci, last used 3 days ago is stored in web:1 (environment[AWS_ACCESS_KEY_ID] of container app)"
        );
        assert_eq!(found[0].path.len(), 2);
    }

    #[test]
    fn an_id_without_account_is_found_among_the_keys_too() {
        assert_eq!(outcome(&CHECK, storing(None).user("ci", |user| user.access_keys = key("Active"))), Fail(Severity::Critical));
    }

    #[test]
    fn says_when_the_user_is_an_administrator() {
        let policy = AttachedPolicy { policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(), policy_name: None };
        let account = storing(Some(ACCOUNT)).user("ci", |user| {
            user.access_keys = key("Active");
            user.attached_managed_policies = vec![policy];
        });
        assert_eq!(findings(&CHECK, account)[0].evidence["administrator"], true);
    }

    #[test]
    fn one_key_in_several_revisions_is_one_finding() {
        let account = fixture()
            .task_definition("web", holding(Some(ACCOUNT)))
            .task_definition("job", holding(Some(ACCOUNT)))
            .user("ci", |user| user.access_keys = key("Active"));
        let found = findings(&CHECK, account);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::High, "nothing runs the revisions");
        assert_eq!(found[0].evidence["count"], 2);
    }

    #[test]
    fn passes_when_the_key_is_inactive_or_gone() {
        assert_eq!(outcome(&CHECK, storing(Some(ACCOUNT)).user("ci", |user| user.access_keys = key("Inactive"))), Pass);
        assert_eq!(outcome(&CHECK, storing(Some(ACCOUNT)).user("ci", |_| {})), Pass);
    }

    #[test]
    fn the_key_of_an_account_that_was_not_scanned_is_high() {
        let found = findings(&CHECK, storing(Some("222222222222")));
        assert_eq!(found[0].severity, Severity::High);
        assert_eq!(found[0].resource.arn, "arn:aws:iam::222222222222:access-key/…WXYZ");
    }

    #[test]
    fn says_nothing_when_no_definition_holds_a_key() {
        assert_eq!(outcome(&CHECK, fixture().shop().user("ci", |user| user.access_keys = key("Active"))), NotApplicable);
    }

    #[test]
    fn is_unknown_when_the_keys_of_a_user_were_not_readable() {
        let unread = storing(Some(ACCOUNT)).user("ci", |user| user.access_keys = gap("iam:ListAccessKeys").into());
        assert_eq!(outcome(&CHECK, unread), Unknown);
        assert_eq!(outcome(&CHECK, storing(Some(ACCOUNT)).denied("iam:GetAccountAuthorizationDetails")), Unknown);
    }

    #[test]
    fn is_unknown_when_the_id_names_no_account_and_no_user_has_it() {
        assert_eq!(outcome(&CHECK, storing(None)), Unknown);
    }

    #[test]
    fn not_knowing_when_a_key_was_used_withholds_nothing() {
        let account = storing(Some(ACCOUNT)).user("ci", |user| user.access_keys = key("Inactive"));
        assert_eq!(outcome(&CHECK, account.denied("iam:GetAccessKeyLastUsed")), Pass);
    }
}
