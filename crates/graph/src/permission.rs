//! Who may do what: from IAM's principals and everything that binds them (their policies and groups, boundaries, the
//! organization's policies, the resource's own policy) to decisions of the policy engine.

use std::sync::{Arc, LazyLock};

use compact_str::CompactString;
use plimsoll_iam::{
    Attached, Caller, Context, Decision, Document, DocumentKind, Granted, KeyState, Layer, Policies, PrincipalFacts, Request, granted,
};
use plimsoll_model::aws::ecs::{Task, TaskDefinition};
use plimsoll_model::aws::iam::{Policy, Role, User};
use plimsoll_model::aws::{ecr, elasticfilesystem, kms, organizations, secretsmanager};
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{AccountId, Arn, Gap, Region, Resource, Seen};
use rustc_hash::FxHashMap;
use serde_json::json;
use thiserror::Error;

use crate::{Estate, Link, Node, Unknown};

/// The managed policies of all accounts, compiled, and the organizations over them.
#[derive(Default)]
pub(crate) struct Permissions {
    /// By position of the policy in the inventory.
    managed: Vec<Attached>,
    organizations: FxHashMap<AccountId, Controls>,
}

/// The managed policy of AWS that allows everything; its document need not be read.
const ADMINISTRATOR_ACCESS: &str = ":iam::aws:policy/AdministratorAccess";

static EVERYTHING: LazyLock<Attached> = LazyLock::new(|| {
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    Attached::parse("AdministratorAccess", DocumentKind::Identity, &document)
});

/// What an organization lays over an account.
#[derive(Clone, Default)]
pub(crate) struct Controls {
    pub(crate) scps: Vec<Vec<Attached>>,
    pub(crate) rcps: Vec<Vec<Attached>>,
    /// Some of it was not read.
    pub(crate) unread: bool,
    pub(crate) manages: bool,
    pub(crate) organization: Option<String>,
    /// AWS Organizations answered.
    is_known: bool,
    path: Option<String>,
}

/// A principal of IAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'e> {
    /// A role, and whoever has assumed it.
    Role(Node<'e, Role>),
    /// A user.
    User(Node<'e, User>),
}

impl<'e> Principal<'e> {
    /// Its ARN.
    pub fn arn(self) -> &'e str {
        match self {
            Self::Role(role) => &role.data().arn,
            Self::User(user) => &user.data().arn,
        }
    }

    /// Its name.
    pub fn name(self) -> &'e str {
        match self {
            Self::Role(role) => &role.data().role_name,
            Self::User(user) => &user.data().user_name,
        }
    }

    /// Its account.
    pub fn account(self) -> &'e AccountId {
        match self {
            Self::Role(role) => role.account(),
            Self::User(user) => user.account(),
        }
    }

    /// The estate that it belongs to.
    pub fn estate(self) -> &'e Estate<'e> {
        match self {
            Self::Role(role) => role.estate,
            Self::User(user) => user.estate,
        }
    }

    /// Its place among all principals: roles first, then users, each in the order of the inventory.
    pub(crate) fn position(self) -> usize {
        match self {
            Self::Role(role) => role.index as usize,
            Self::User(user) => user.estate.inventory().roles.len() + user.index as usize,
        }
    }

    /// Its tags.
    pub fn tags(self) -> Vec<(&'e str, &'e str)> {
        match self {
            Self::Role(role) => role.data().tags(),
            Self::User(user) => user.data().tags(),
        }
    }

    /// Everything that binds it whatever it asks for. The second part says which of its own policies was not read: what
    /// they grant is not known.
    pub fn policies(self) -> (Policies, Option<Unknown>) {
        self.holder().map(|holder| (holder.policies.clone(), holder.unread.clone())).unwrap_or_default()
    }

    /// What is known of it for the context of its requests.
    pub(crate) fn facts(self) -> PrincipalFacts {
        let controls = self.estate().controls(self.account());
        // Without AWS Organizations' word nothing is known of the organization, not even that there is none.
        let organization = controls.is_known.then(|| controls.organization.as_deref().map(Into::into));
        let session_tags = match self {
            Self::Role(role) => {
                role.trust_statements().is_ok_and(|trust| trust.iter().any(|s| s.allows && s.covers_action("sts:TagSession")))
            }
            Self::User(_) => false,
        };
        PrincipalFacts {
            arn: self.arn().into(),
            tags: Some(self.tags().into_iter().map(|(key, value)| (key.into(), value.into())).collect()),
            session_tags,
            organization,
            organization_path: controls.path.as_deref().map(Into::into),
        }
    }

    /// Whether it may do this to that. `context` says more of the request's keys than [`Principal::context`] does.
    ///
    /// # Errors
    ///
    /// A policy that was not read and that the answer hangs on, or one that is malformed.
    pub fn decide(self, action: &str, resource: &str, context: &[(&str, KeyState)]) -> Result<(Request, Decision), Unknown> {
        let (mut policies, unread) = self.policies();
        let estate = self.estate();
        let target = estate.target(self.account(), resource);
        let owner = target.account.clone().unwrap_or_else(|| self.account().clone());
        let organization = estate.controls(&owner).organization.as_deref();
        let tags: Option<Vec<(CompactString, CompactString)>> =
            target.tags.as_ref().map(|tags| tags.iter().map(|(key, value)| (key.into(), value.into())).collect());
        let mut keys = Context::of_principal(self.holder().map_or(&PrincipalFacts::default(), |holder| &holder.facts)).on_account(
            owner.as_str(),
            organization,
            tags.as_deref(),
        );
        for (key, state) in context {
            keys.set(key, state.clone());
        }
        let controls = estate.controls(&owner);
        policies.rcps.clone_from(&controls.rcps);
        policies.resource_manages = controls.manages;
        match target.policy {
            Some(Ok(policy)) => policies.resource = Some(policy),
            Some(Err(_)) => policies.unread.push(Layer::Resource),
            None => {}
        }
        let caller = Caller::parse(self.arn()).ok_or_else(|| malformed(self.arn(), "its ARN is not one of a principal"))?;
        let request = Request { resource_account: Some(owner.as_str().into()), context: keys, ..Request::new(caller, action, resource) };
        let mut decision = plimsoll_iam::evaluate(&request, &policies).map_err(|error| malformed(self.arn(), &error.to_string()))?;
        if let Some(unknown) = target.unread_grants.filter(|_| crate::grant::is_grantable(action)) {
            match decision.verdict {
                plimsoll_iam::Verdict::ImplicitlyDenied => return Err(unknown),
                plimsoll_iam::Verdict::Conditional => decision.unread.push(Layer::Grants),
                _ => {}
            }
        }
        match unread {
            // A Deny stands, whatever else is attached.
            Some(unknown) if decision.verdict != plimsoll_iam::Verdict::ExplicitlyDenied && !decision.verdict.is_possible() => Err(unknown),
            _ => Ok((request, decision)),
        }
    }
}

impl Principal<'_> {
    /// The statements of its identity policies by which it may do this on resources of theirs, with what is decided on an
    /// example of them. What is written with variables gives no example.
    pub fn grants_of(self, action: &str, context: &[(&str, KeyState)]) -> Vec<(Granted, Decision)> {
        let granting = |granted: Granted| {
            let examples = granted.examples(self.account().as_str());
            let decided = examples.iter().filter_map(|resource| Some(self.decide(action, resource, context).ok()?.1));
            let by_it = decided.filter(|decision| {
                let mut cited = decision.statements.iter();
                decision.verdict.is_possible()
                    && cited.any(|cited| (&cited.policy, &cited.statement) == (&granted.policy, &granted.statement))
            });
            let best = by_it.max_by_key(|decision| decision.verdict)?;
            Some((granted, best))
        };
        granted(&self.policies().0).into_iter().filter_map(granting).collect()
    }
}

impl Estate<'_> {
    /// Whether a caller that has no policies of its own, an AWS service or anybody at all (`*`), may do this to a resource of
    /// an account under the resource's policy. The RCPs of the organization that were read have their say.
    ///
    /// # Errors
    ///
    /// A policy that is malformed.
    pub fn admits(
        &self,
        (account, policy): (&AccountId, Option<&PolicyDocument>),
        caller: &str,
        action: &str,
        resource: &str,
        context: Context,
    ) -> Result<Decision, Unknown> {
        let caller = Caller::parse(caller).ok_or_else(|| malformed(resource, "the caller is no principal"))?;
        let controls = self.controls(account);
        let policies = Policies {
            resource: policy.map(|policy| parsed("resource policy", DocumentKind::Resource, Some(policy))),
            rcps: controls.rcps.clone(),
            resource_manages: controls.manages,
            ..Policies::default()
        };
        let request = Request { resource_account: Some(account.as_str().into()), context, ..Request::new(caller, action, resource) };
        plimsoll_iam::evaluate(&request, &policies).map_err(|error| malformed(resource, &error.to_string()))
    }
}

/// Why a text names no principal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoPrincipal {
    /// There is none.
    #[error("there is no role, user, service or task {text} in the snapshot")]
    NotFound {
        /// What was asked for.
        text: String,
        /// The name that looks most like it.
        nearest: Option<String>,
    },
    /// Several have the name.
    #[error("{text} is the name of {} principals", arns.len())]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Their ARNs.
        arns: Vec<String>,
    },
    /// The workload is there, and its role is not.
    #[error("{text} has no task role, or it was not read")]
    NoRole {
        /// What was asked for.
        text: String,
    },
}

/// What is known of the resource of a request.
struct Target {
    account: Option<AccountId>,
    policy: Option<Result<Attached, Unknown>>,
    /// `None` when nothing by that ARN was read.
    tags: Option<Vec<(String, String)>>,
    /// Why its grants are not known.
    unread_grants: Option<Unknown>,
}

impl Estate<'_> {
    /// A managed policy as it is attached in an account.
    pub(crate) fn managed_policy(&self, account: &AccountId, arn: &str) -> Result<Attached, Unknown> {
        let policy: Node<'_, Policy> = match self.link(account, &Region::global(), arn) {
            Link::Found(policy) => policy,
            Link::Missing(_) if arn.ends_with(ADMINISTRATOR_ACCESS) => {
                return Ok(Attached { name: arn.into(), document: EVERYTHING.document.clone() });
            }
            missing @ Link::Missing(_) => missing.known()?,
        };
        let managed = self.permissions().managed.get(policy.index as usize);
        managed.cloned().ok_or_else(|| malformed(arn, "the policy is in no list"))
    }

    pub(crate) fn permissions(&self) -> &Permissions {
        self.permissions.get_or_init(|| Permissions {
            managed: self.all::<Policy>().map(|policy| compiled(policy.data())).collect(),
            organizations: self
                .all::<organizations::Account>()
                .map(|account| (AccountId::new(&account.id), self.read_controls(account.data())))
                .collect(),
        })
    }

    pub(crate) fn controls(&self, account: &AccountId) -> &Controls {
        const UNREAD: &Controls =
            &Controls { scps: Vec::new(), rcps: Vec::new(), unread: true, manages: false, organization: None, is_known: false, path: None };
        self.permissions().organizations.get(account).unwrap_or(UNREAD)
    }

    fn read_controls(&self, account: &organizations::Account) -> Controls {
        let mut controls = Controls::default();
        let organization = match account.organization.known() {
            Ok(Some(organization)) => organization,
            Ok(None) => return Controls { is_known: true, ..controls },
            Err(_) => return Controls { unread: true, ..controls },
        };
        controls.is_known = true;
        controls.organization = Some(organization.id.clone());
        controls.manages = organization.master_account_id.as_deref() == Some(account.id.as_str());
        if organization.feature_set.as_deref() == Some("CONSOLIDATED_BILLING") {
            return controls;
        }
        let (Ok(parents), Ok(attachments)) = (account.parents.known(), account.policies.known()) else {
            return Controls { unread: true, ..controls };
        };
        let mut chain: Vec<&str> = parents.iter().rev().map(|parent| parent.id.as_str()).collect();
        controls.path = Some(format!("{}/{}/", organization.id, chain.join("/")));
        chain.push(&account.id);
        let documents: FxHashMap<&str, Node<'_, organizations::Policy>> =
            self.all::<organizations::Policy>().map(|policy| (policy.data().id.as_str(), policy)).collect();
        let mut unread = false;
        let mut levels = |kind: &str, as_kind: DocumentKind| -> Vec<Vec<Attached>> {
            let of_kind = || attachments.iter().filter(|one| one.kind == kind);
            // Where a kind of policy is on, every level has at least one.
            if of_kind().next().is_none() {
                return Vec::new();
            }
            let mut read = |id: &str| {
                let policy = documents.get(id).map(Node::data);
                let read = policy.and_then(|policy| Some(parsed(&policy.name, as_kind, Some(policy.content.known().ok()?))));
                unread |= read.is_none();
                read
            };
            let mut on = |target: &str| of_kind().filter(|one| one.target_id == target).filter_map(|one| read(&one.policy_id)).collect();
            chain.iter().map(|target| on(target)).collect()
        };
        let scps = levels("SERVICE_CONTROL_POLICY", DocumentKind::ServiceControl);
        let rcps = levels("RESOURCE_CONTROL_POLICY", DocumentKind::ResourceControl);
        controls.unread = unread;
        // A level with an unread policy would deny what that policy may allow.
        controls.scps = if unread { Vec::new() } else { scps };
        controls.rcps = rcps;
        controls
    }

    /// What is known of the resource with an ARN.
    fn target(&self, caller: &AccountId, resource: &str) -> Target {
        let none = Target { account: None, policy: None, tags: None, unread_grants: None };
        let Some(arn) = Arn::parse(resource) else { return none };
        let account = if arn.account.is_empty() { caller.clone() } else { AccountId::new(arn.account) };
        let region = if arn.region.is_empty() { Region::global() } else { Region::new(arn.region) };
        let of = |policy: Result<Option<Attached>, Unknown>, tags: Option<Vec<(&str, &str)>>| Target {
            account: Some(account.clone()),
            policy: policy.transpose(),
            tags: tags.map(|tags| tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
            unread_grants: None,
        };
        let seen = |policy: &Seen<Option<PolicyDocument>>, kind| match policy.known() {
            Ok(document) => Ok(document.as_ref().map(|document| parsed(resource, kind, Some(document)))),
            Err(gap) => Err(gap.into()),
        };
        match (arn.service, arn.resource.split(['/', ':']).next().unwrap_or_default()) {
            ("iam", "role") => match self.link::<Role>(&account, &Region::global(), resource) {
                Link::Found(role) => {
                    let trust = role.data().assume_role_policy_document.as_ref();
                    of(Ok(trust.map(|trust| parsed(resource, DocumentKind::Trust, Some(trust)))), Some(role.data().tags()))
                }
                Link::Missing(missing) => of(Err(missing.into_unknown::<Role>()), None),
            },
            ("iam", "user") => match self.all::<User>().find(|user| user.arn == resource) {
                Some(user) => of(Ok(None), Some(user.data().tags())),
                None => of(Ok(None), None),
            },
            ("kms", "key") => match self.key(&account, &region, resource) {
                Link::Found(key) => Target { unread_grants: key.unread_grants(), ..of(key.attached_policy(), Some(key.data().tags())) },
                Link::Missing(missing) => of(Err(missing.into_unknown::<kms::Key>()), None),
            },
            ("secretsmanager", "secret") => match self.secret(&account, &region, resource) {
                Link::Found(secret) => of(seen(&secret.data().resource_policy, DocumentKind::Resource), Some(secret.data().tags())),
                Link::Missing(missing) => of(Err(missing.into_unknown::<secretsmanager::Secret>()), None),
            },
            ("ecr", "repository") => match self.link::<ecr::Repository>(&account, &region, resource) {
                Link::Found(repository) => of(seen(&repository.data().policy, DocumentKind::Unaddressed), Some(repository.data().tags())),
                Link::Missing(missing) => of(Err(missing.into_unknown::<ecr::Repository>()), None),
            },
            ("elasticfilesystem", "file-system") => {
                let found = self.all::<elasticfilesystem::FileSystem>().find(|system| system.arn() == resource);
                match found {
                    Some(system) => of(seen(&system.data().policy, DocumentKind::Resource), Some(system.data().tags())),
                    None => of(Err(Gap::not_collected("elasticfilesystem:DescribeFileSystemPolicy").into()), None),
                }
            }
            // These have policies too, which are not read.
            ("s3" | "sqs" | "sns" | "lambda" | "events" | "logs" | "ssm", _) => {
                let gap = Gap { resource: Some(resource.to_owned()), ..Gap::not_collected("") };
                of(Err(gap.into()), None)
            }
            _ => of(Ok(None), None),
        }
    }

    /// The principal that somebody means: by its ARN (that of a session stands for its role), by its name where only one
    /// has it, by `service:CLUSTER/NAME` or a task's ARN the role of the tasks.
    pub fn principal(&self, text: &str) -> Result<Principal<'_>, NoPrincipal> {
        let not_found = || NoPrincipal::NotFound { text: text.to_owned(), nearest: self.nearest_principal(text) };
        let no_role = || NoPrincipal::NoRole { text: text.to_owned() };
        let definition = if let Some((cluster, name)) = text.strip_prefix("service:").and_then(|text| text.split_once('/')) {
            let end = format!("/{cluster}/{name}");
            let service = self.active_services().find(|service| service.data().service_arn.ends_with(&end)).ok_or_else(not_found)?;
            Some(service.task_definition())
        } else if text.starts_with("arn:") && text.contains(":ecs:") && text.contains(":task/") {
            let task = self.all::<Task>().find(|task| task.data().task_arn == text).ok_or_else(not_found)?;
            if let Some(over) = task.task_role_override() {
                return over.found().map(Principal::Role).ok_or_else(no_role);
            }
            Some(Some(task.task_definition()))
        } else {
            None
        };
        if let Some(definition) = definition {
            let role = definition.and_then(Link::found).and_then(Node::<'_, TaskDefinition>::task_role);
            return role.and_then(Link::found).map(Principal::Role).ok_or_else(no_role);
        }
        // The ARN of a session carries account and name of its role, and no path.
        let session = Arn::parse(text)
            .filter(|arn| arn.service == "sts")
            .and_then(|arn| Some((arn.account, arn.resource.strip_prefix("assumed-role/")?)));
        let found: Vec<Principal<'_>> = if let Some((account, session)) = session {
            let name = session.split('/').next().unwrap_or(session);
            let roles = self.all::<Role>().filter(|role| role.account().as_str() == account && role.role_name == name);
            roles.map(Principal::Role).collect()
        } else {
            self.principals().filter(|principal| principal.arn() == text || principal.name() == text).collect()
        };
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(not_found()),
            many => {
                let arns = many.iter().map(|principal| principal.arn().to_owned()).collect();
                Err(NoPrincipal::Ambiguous { text: text.to_owned(), arns })
            }
        }
    }

    fn nearest_principal(&self, text: &str) -> Option<String> {
        let name = text.rsplit('/').next().unwrap_or(text);
        let scored = self.principals().map(|principal| (strsim::jaro_winkler(name, principal.name()), principal.name()));
        let best = scored.filter(|(score, _)| *score > 0.7).max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)));
        best.map(|(_, name)| name.to_owned())
    }

    /// Every role and user that was read, in the order of the inventory.
    pub fn principals(&self) -> impl Iterator<Item = Principal<'_>> {
        self.all::<Role>().map(Principal::Role).chain(self.all::<User>().map(Principal::User))
    }
}

fn compiled(policy: &Policy) -> Attached {
    let version = policy.policy_version_list.iter().find(|version| version.is_default_version);
    // A boundary may be any managed policy: both kinds have one grammar.
    parsed(&policy.arn, DocumentKind::Identity, version.and_then(|version| version.document.as_ref()))
}

pub(crate) fn parsed(name: &str, kind: DocumentKind, document: Option<&PolicyDocument>) -> Attached {
    let document = match document.map(|document| &document.0) {
        Some(serde_json::Value::String(text)) => Document::from_text(kind, text),
        Some(value) => Document::from_json(kind, value),
        None => Document::from_json(kind, &serde_json::Value::Null),
    };
    Attached { name: name.into(), document: document.map(Arc::new).map_err(Arc::new) }
}

/// The unknown of a policy that does not read as one.
pub(crate) fn malformed(owner: &str, message: &str) -> Unknown {
    let gap = Gap {
        operation: Role::OPERATION.to_owned(),
        code: "MalformedPolicyDocument".to_owned(),
        message: message.to_owned(),
        resource: Some(owner.to_owned()),
        ..Gap::default()
    };
    Unknown { gap }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{ACCOUNT, Fixture, fixture, gap, policy};
    use plimsoll_iam::{Layer, Verdict};
    use plimsoll_model::Seen;
    use plimsoll_model::aws::iam::{AttachedPermissionsBoundary, AttachedPolicy, Policy, PolicyDetail, PolicyVersion, Role};
    use plimsoll_model::aws::organizations::{Account, Attachment, Organization, Parent, Policy as Control};
    use serde_json::{Value, json};

    use super::Principal;
    use crate::Estate;

    fn statement(effect: &str, action: &str, resource: &str) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": resource}]})
    }

    fn inline(document: Value) -> PolicyDetail {
        PolicyDetail { policy_name: "access".to_owned(), policy_document: Some(policy(document)) }
    }

    fn managed(name: &str, document: Value) -> Policy {
        Policy {
            arn: format!("arn:aws:iam::{ACCOUNT}:policy/{name}"),
            policy_name: name.to_owned(),
            policy_version_list: vec![PolicyVersion { is_default_version: true, document: Some(policy(document)), ..Default::default() }],
            ..Default::default()
        }
    }

    fn attached(name: &str) -> AttachedPolicy {
        AttachedPolicy { policy_arn: format!("arn:aws:iam::{ACCOUNT}:policy/{name}"), ..Default::default() }
    }

    /// Not in any organization, so that nothing but its own policies binds the role.
    fn alone(role: impl FnOnce(&mut Role)) -> Fixture {
        organization(|account| account.organization = Seen::Known(None)).role("web", role)
    }

    fn organization(change: impl FnOnce(&mut Account)) -> Fixture {
        let mut account = Account {
            id: ACCOUNT.to_owned(),
            organization: Seen::Known(Some(Organization {
                id: "o-1".to_owned(),
                feature_set: Some("ALL".to_owned()),
                master_account_id: Some("999999999999".to_owned()),
                ..Default::default()
            })),
            parents: Seen::Known(vec![Parent { id: "r-1".to_owned(), kind: "ROOT".to_owned() }]),
            policies: Seen::Known(Vec::new()),
        };
        change(&mut account);
        fixture().global_resource(account)
    }

    fn decide(account: Fixture, action: &str, resource: &str) -> Result<(Verdict, Vec<Layer>), crate::Unknown> {
        let inventory = account.build();
        let estate = Estate::new(&inventory);
        let role = estate.all::<Role>().find(|role| role.role_name == "web").unwrap();
        let (_, decision) = Principal::Role(role).decide(action, resource, &[])?;
        Ok((decision.verdict, decision.unread))
    }

    #[test]
    fn own_and_managed_policies_grant_and_a_boundary_narrows() {
        let bucket = "arn:aws:s3:::prices/a";
        let role = |role: &mut Role| {
            role.role_policy_list = vec![inline(statement("Allow", "sqs:SendMessage", "*"))];
            role.attached_managed_policies = vec![attached("reader")];
        };
        let account = || alone(role).global_resource(managed("reader", statement("Allow", "s3:GetObject", "arn:aws:s3:::prices/*")));
        // The policies of buckets are not read, and a Deny may stand there.
        assert_eq!(decide(account(), "s3:GetObject", bucket).unwrap(), (Verdict::Allowed, vec![Layer::Resource]));
        assert_eq!(decide(account(), "s3:PutObject", bucket).unwrap().0, Verdict::ImplicitlyDenied);
        let bounded = account().global_resource(managed("limit", statement("Allow", "sqs:*", "*"))).each::<Role>(|role| {
            let arn = Some(format!("arn:aws:iam::{ACCOUNT}:policy/limit"));
            role.permissions_boundary = Some(AttachedPermissionsBoundary { permissions_boundary_arn: arn, ..Default::default() });
        });
        assert_eq!(decide(bounded, "s3:GetObject", bucket).unwrap().0, Verdict::ImplicitlyDenied);
    }

    #[test]
    fn a_policy_that_was_not_read_leaves_open_what_it_may_grant_and_a_deny_stands() {
        let account = |document| {
            alone(move |role| {
                role.role_policy_list = vec![inline(document)];
                role.attached_managed_policies = vec![attached("gone")];
            })
            .with(|inventory| inventory.gaps.push(gap("iam:GetAccountAuthorizationDetails")))
        };
        assert!(decide(account(statement("Allow", "sqs:*", "*")), "s3:GetObject", "*").is_err());
        assert_eq!(decide(account(statement("Allow", "sqs:*", "*")), "sqs:SendMessage", "*").unwrap().0, Verdict::Allowed);
        assert_eq!(decide(account(statement("Deny", "s3:*", "*")), "s3:GetObject", "*").unwrap().0, Verdict::ExplicitlyDenied);
        let torn = alone(|role| role.role_policy_list = vec![inline(json!({"Statement": "none"}))]);
        assert_eq!(decide(torn, "s3:GetObject", "*").unwrap_err().gap.code, "MalformedPolicyDocument");
    }

    #[test]
    fn the_organization_binds_and_what_was_not_read_of_it_is_told() {
        let attachment = |target: &str, policy: &str| Attachment {
            target_id: target.to_owned(),
            policy_id: policy.to_owned(),
            kind: "SERVICE_CONTROL_POLICY".to_owned(),
        };
        let control = |id: &str, content: Seen<_>| Control {
            id: id.to_owned(),
            arn: id.to_owned(),
            name: id.to_owned(),
            content,
            ..Default::default()
        };
        let all = || Seen::Known(policy(statement("Allow", "*", "*")));
        let account = |content: Seen<_>| {
            organization(|account| {
                account.policies = Seen::Known(vec![attachment("r-1", "p-all"), attachment(ACCOUNT, "p-own")]);
            })
            .global_resource(control("p-all", all()))
            .global_resource(control("p-own", content))
            .role("web", |role| role.role_policy_list = vec![inline(statement("Allow", "*", "*"))])
        };
        assert_eq!(decide(account(all()), "ecs:RunTask", "*").unwrap(), (Verdict::Allowed, vec![]));
        let narrow = Seen::Known(policy(statement("Allow", "s3:*", "*")));
        assert_eq!(decide(account(narrow), "ecs:RunTask", "*").unwrap().0, Verdict::ImplicitlyDenied);
        let unread = account(gap("organizations:DescribePolicy").into());
        assert_eq!(decide(unread, "ecs:RunTask", "*").unwrap(), (Verdict::Allowed, vec![Layer::ServiceControl(0)]));
        let manager = account(Seen::Known(policy(statement("Deny", "*", "*")))).each::<Account>(|account| {
            if let Seen::Known(Some(organization)) = &mut account.organization {
                organization.master_account_id = Some(ACCOUNT.to_owned());
            }
        });
        assert_eq!(decide(manager, "ecs:RunTask", "*").unwrap().0, Verdict::Allowed);
    }

    #[test]
    fn a_role_is_assumed_only_where_its_trust_lets_in() {
        let assuming = || alone(|role| role.role_policy_list = vec![inline(statement("Allow", "sts:AssumeRole", "*"))]);
        let target = format!("arn:aws:iam::{ACCOUNT}:role/target");
        let trusting = |principal: Value| {
            let trust = json!({"Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]});
            assuming().role("target", |role| role.assume_role_policy_document = Some(policy(trust)))
        };
        let account = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
        assert_eq!(decide(trusting(account), "sts:AssumeRole", &target).unwrap().0, Verdict::Allowed);
        let service = json!({"Service": "ecs-tasks.amazonaws.com"});
        assert_eq!(decide(trusting(service), "sts:AssumeRole", &target).unwrap().0, Verdict::ImplicitlyDenied);
    }

    #[test]
    fn tags_of_the_caller_and_of_the_resource_meet_conditions() {
        let document = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}}]});
        let account = |team: &'static str| {
            let tag = |value: &str| plimsoll_model::aws::Tag { key: "team".to_owned(), value: value.to_owned() };
            let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
                "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]});
            alone(|role| {
                role.role_policy_list = vec![inline(document.clone())];
                role.tags = vec![tag("shop")];
            })
            .role("target", |role| {
                role.tags = vec![tag(team)];
                role.assume_role_policy_document = Some(policy(trust));
            })
        };
        let target = format!("arn:aws:iam::{ACCOUNT}:role/target");
        assert_eq!(decide(account("shop"), "sts:AssumeRole", &target).unwrap().0, Verdict::Allowed);
        assert_eq!(decide(account("bank"), "sts:AssumeRole", &target).unwrap().0, Verdict::ImplicitlyDenied);
    }
}
