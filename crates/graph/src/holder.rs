//! Principals as the policy engine takes them. What binds each flows in once, equal documents shared; the same questions
//! to many flow through, verdicts flow out. Principals of one class get one answer, so that thousands of roles with few
//! different policies cost as much as these.

use plimsoll_iam::{
    Attached, Bulk, Caller, Context, Decision, DocumentKind, KeyState, Layer, Library, Policies, PrincipalFacts, Question, Request,
    Subject, Verdict, evaluate,
};
use plimsoll_model::aws::iam::{AttachedPermissionsBoundary, AttachedPolicy, Group, PolicyDetail};
use plimsoll_model::policy::PolicyDocument;
use plimsoll_model::{AccountId, Region};
use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::permission::{Principal, malformed};
use crate::{Estate, Node, Unknown};

/// All principals, by their position: roles first, then users, each in the order of the inventory.
#[derive(Debug, Default)]
pub(crate) struct Holders(Vec<Holder>);

/// What binds a principal and what is known of its requests.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) policies: Policies,
    pub(crate) facts: PrincipalFacts,
    /// Which of its own policies was not read.
    pub(crate) unread: Option<Unknown>,
    /// How many of its identity policies are inline policies of its own; they come first.
    pub(crate) inline: usize,
    caller: Option<Caller>,
    /// Of its requests on resources of its own account.
    context: Context,
    class: usize,
}

/// Groups by account and name.
type Groups<'e> = FxHashMap<(&'e AccountId, &'e str), Node<'e, Group>>;

/// Collects what is attached to a principal.
struct Binding<'b, 'e> {
    estate: &'e Estate<'e>,
    account: &'e AccountId,
    groups: &'b Groups<'e>,
    library: &'b mut Library,
    policies: Policies,
    unread: Option<Unknown>,
}

impl Holders {
    pub(crate) fn new<'e>(estate: &'e Estate<'e>) -> Self {
        let groups: Groups<'e> = estate.all::<Group>().map(|group| ((group.account(), group.data().group_name.as_str()), group)).collect();
        let mut library = Library::default();
        let mut holders: Vec<Holder> = estate.principals().map(|principal| Holder::new(principal, &groups, &mut library)).collect();
        let (positions, subjects): (Vec<usize>, Vec<Subject>) =
            holders.iter().enumerate().filter_map(|(position, holder)| Some((position, holder.subject(&[])?))).unzip();
        let classes = Bulk::new(&subjects).classes();
        let alone = classes.iter().max().map_or(0, |class| class + 1);
        for (holder, class) in holders.iter_mut().zip(alone..) {
            holder.class = class;
        }
        for (position, class) in positions.into_iter().zip(classes) {
            if let Some(holder) = holders.get_mut(position) {
                holder.class = class;
            }
        }
        Self(holders)
    }
}

impl Holder {
    fn new<'e>(principal: Principal<'e>, groups: &Groups<'e>, library: &mut Library) -> Self {
        let (estate, account) = (principal.estate(), principal.account());
        let mut binding = Binding { estate, account, groups, library, policies: Policies::default(), unread: None };
        let inline = match principal {
            Principal::Role(role) => {
                let role = role.data();
                binding.add("", &role.role_policy_list, &role.attached_managed_policies);
                binding.bound(role.permissions_boundary.as_ref());
                role.role_policy_list.len()
            }
            Principal::User(user) => {
                let user = user.data();
                binding.add("", &user.user_policy_list, &user.attached_managed_policies);
                for name in &user.group_list {
                    binding.join(name);
                }
                binding.bound(user.permissions_boundary.as_ref());
                user.user_policy_list.len()
            }
        };
        let Binding { mut policies, unread, .. } = binding;
        let controls = estate.controls(account);
        // No SCP binds the account that manages the organization.
        if !controls.manages {
            policies.scps.clone_from(&controls.scps);
            if controls.unread {
                policies.unread.push(Layer::ServiceControl(0));
            }
        }
        let facts = principal.facts();
        let organization = facts.organization.as_ref().and_then(Option::as_deref);
        let context = Context::of_principal(&facts).on_account(account.as_str(), organization, None);
        Self { policies, facts, unread, inline, caller: Caller::parse(principal.arn()), context, class: 0 }
    }

    pub(crate) fn subject(&self, keys: &[(&str, KeyState)]) -> Option<Subject> {
        Some(Subject { caller: self.caller()?.clone(), policies: self.policies.clone(), context: self.context(keys) })
    }

    /// Whom its requests come from; `None` when its ARN is not one of a principal.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// What is known of a request of its own on a resource of its account, with what these keys say of it.
    pub(crate) fn context(&self, keys: &[(&str, KeyState)]) -> Context {
        let mut context = self.context.clone();
        say(&mut context, keys);
        context
    }
}

/// Says more of a request; a key that ends in a slash or colon stands for all that begin so.
pub(crate) fn say(context: &mut Context, keys: &[(&str, KeyState)]) {
    for (key, state) in keys {
        if key.ends_with(['/', ':']) { context.set_family(key, state.clone()) } else { context.set(key, state.clone()) }
    }
}

impl Binding<'_, '_> {
    fn add(&mut self, group: &str, inline: &[PolicyDetail], attached: &[AttachedPolicy]) {
        for policy in inline {
            let name = if group.is_empty() { policy.policy_name.clone() } else { format!("{} of group {group}", policy.policy_name) };
            let document = compile(self.library, &name, policy.policy_document.as_ref());
            self.policies.identity.push(document);
        }
        for policy in attached {
            match self.estate.managed_policy(self.account, &policy.policy_arn) {
                Ok(policy) => self.policies.identity.push(policy),
                Err(unknown) => self.unread = Some(unknown),
            }
        }
    }

    fn join(&mut self, name: &str) {
        match self.groups.get(&(self.account, name)) {
            Some(group) => self.add(name, &group.data().group_policy_list, &group.data().attached_managed_policies),
            None => self.unread = Some(self.estate.missing::<Group>(self.account, &Region::global(), name).into_unknown::<Group>()),
        }
    }

    fn bound(&mut self, boundary: Option<&AttachedPermissionsBoundary>) {
        let Some(arn) = boundary.and_then(|boundary| boundary.permissions_boundary_arn.as_deref()) else { return };
        match self.estate.managed_policy(self.account, arn) {
            Ok(policy) => self.policies.boundary = Some(policy),
            Err(_) => self.policies.unread.push(Layer::Boundary),
        }
    }
}

fn compile(library: &mut Library, name: &str, document: Option<&PolicyDocument>) -> Attached {
    match document.map(|document| &document.0) {
        Some(Value::String(text)) => library.from_text(name, DocumentKind::Identity, text),
        Some(value) => library.from_json(name, DocumentKind::Identity, value),
        None => library.from_json(name, DocumentKind::Identity, &Value::Null),
    }
}

impl<'e> Principal<'e> {
    pub(crate) fn holder(self) -> Option<&'e Holder> {
        self.estate().holders().0.get(self.position())
    }

    /// The number of its class: principals with one number get the same answers, save for what resources' own policies say.
    pub fn class(self) -> usize {
        self.holder().map_or(usize::MAX, |holder| holder.class)
    }

    /// What stands in the way of saying that it may not do something: a policy of its own that was not read, or one that
    /// is malformed.
    pub fn unread(self) -> Option<Unknown> {
        let holder = self.holder()?;
        if holder.caller.is_none() {
            return Some(malformed(self.arn(), "its ARN is not one of a principal"));
        }
        let Policies { identity, boundary, scps, .. } = &holder.policies;
        let broken =
            identity.iter().chain(boundary).chain(scps.iter().flatten()).find_map(|policy| Some((policy, policy.document.as_ref().err()?)));
        let broken = broken.map(|(policy, error)| malformed(self.arn(), &format!("policy {} is malformed: {error}", policy.name)));
        broken.or_else(|| holder.unread.clone())
    }

    /// Whether one of its own policies allows the action on something, whatever the conditions and whatever else denies it.
    pub fn may_hold(self, action: &str) -> bool {
        let policies = self.holder().into_iter().flat_map(|holder| &holder.policies.identity);
        policies.filter_map(|policy| policy.document.as_ref().ok()).any(|document| document.grants(action))
    }

    /// The names of its own policies and of those of its groups.
    pub fn policy_names(self) -> Vec<String> {
        let policies = self.holder().into_iter().flat_map(|holder| &holder.policies.identity);
        policies.map(|policy| policy.name.to_string()).collect()
    }

    /// What its policies grant it, statement by statement.
    pub fn granted(self) -> Vec<plimsoll_iam::Granted> {
        self.holder().map(|holder| plimsoll_iam::granted(&holder.policies)).unwrap_or_default()
    }

    /// The answer to a question, with what decides it. `keys` says more of the request; a key that ends in a slash or colon
    /// stands for all that begin so.
    ///
    /// # Errors
    ///
    /// A malformed policy. One that was not read is told by [`Principal::unread`].
    pub fn answer(self, question: &Question, keys: &[(&str, KeyState)]) -> Result<(Request, Decision), Unknown> {
        let subject = self.holder().and_then(|holder| holder.subject(keys));
        let subject = subject.ok_or_else(|| malformed(self.arn(), "its ARN is not one of a principal"))?;
        let request = question.request(&subject);
        let policies = Policies { resource: question.resource_policy.clone(), rcps: self.rcps(question), ..subject.policies };
        let decision = evaluate(&request, &policies).map_err(|error| malformed(self.arn(), &error.to_string()))?;
        Ok((request, decision))
    }

    /// The RCPs over the resource that a question is about.
    fn rcps(self, question: &Question) -> Vec<Vec<Attached>> {
        let account = question.resource_account.as_deref().map_or_else(|| self.account().clone(), AccountId::new);
        let controls = self.estate().controls(&account);
        if controls.manages { Vec::new() } else { controls.rcps.clone() }
    }
}

impl Estate<'_> {
    pub(crate) fn holders(&self) -> &Holders {
        self.holders.get_or_init(|| Holders::new(self))
    }

    /// Which of the questions each of these principals of one account may be answered with yes, certainly or on conditions:
    /// positions and verdicts. For `keys` see [`Principal::answer`].
    pub fn ask(&self, principals: &[Principal<'_>], questions: &[Question], keys: &[(&str, KeyState)]) -> Vec<Vec<(usize, Verdict)>> {
        let (positions, subjects): (Vec<usize>, Vec<Subject>) =
            principals.iter().enumerate().filter_map(|(position, principal)| Some((position, principal.holder()?.subject(keys)?))).unzip();
        let Some(first) = principals.first() else { return Vec::new() };
        let questions: Vec<Question> =
            questions.iter().map(|question| Question { rcps: first.rcps(question), ..question.clone() }).collect();
        let answers = Bulk::new(&subjects).ask(&questions);
        let mut possible = vec![Vec::new(); principals.len()];
        for (subject, position) in positions.into_iter().enumerate() {
            if let Some(list) = possible.get_mut(position) {
                let verdicts = (0..questions.len()).filter_map(|question| Some((question, answers.get(subject, question)?)));
                list.extend(verdicts.filter(|(_, verdict)| verdict.is_possible()));
            }
        }
        possible
    }
}
