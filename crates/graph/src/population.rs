//! What principals may do to resources of their own account. Principals as the policy engine takes them (`holder`) flow in;
//! decisions flow out. [`Principal::decide`] is for one question across accounts.

use plimsoll_iam::{
    Attached, Bulk, Caller, Context, Decision, DocumentKind, KeyState, Layer, Policies, Question, Request, Subject, Verdict,
};
use plimsoll_model::AccountId;
use plimsoll_model::aws::ecr::Repository;
use plimsoll_model::aws::kms::Key;

use crate::holder::{Holder, say};
use crate::permission::{malformed, parsed};
use crate::{Estate, Node, Principal, UNNAMED_RESOURCE, Unknown};

/// A principal, ready to be asked.
#[derive(Clone, Copy)]
pub struct Member<'e> {
    principal: Principal<'e>,
    holder: &'e Holder,
    caller: &'e Caller,
}

/// The policy of a key, compiled for many questions.
pub struct KeyPolicy<'e> {
    arn: &'e str,
    document: Option<Attached>,
}

/// A principal and a key of its account.
pub struct WithKey<'e> {
    member: Member<'e>,
    policies: Policies,
    arn: String,
}

impl<'e> Node<'e, Key> {
    /// Its policy with its grants, compiled.
    pub fn compiled_policy(self) -> Result<KeyPolicy<'e>, Unknown> {
        Ok(KeyPolicy { arn: &self.data().key_id, document: self.attached_policy()? })
    }
}

impl WithKey<'_> {
    /// How far the principal may do this with the key.
    pub fn may(&self, action: &str, keys: &[(&str, KeyState)]) -> Result<Leave, Unknown> {
        self.member.decide(&self.policies, action, &self.arn, keys)
    }
}

/// How far a principal may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Not at all.
    None,
    /// On conditions, with these keys.
    On(Vec<String>),
    /// Certainly.
    Certain,
}

impl Leave {
    /// Whether there is any.
    pub fn is_some(&self) -> bool {
        *self != Self::None
    }
}

impl From<Decision> for Leave {
    fn from(decision: Decision) -> Self {
        match decision.verdict {
            Verdict::Allowed => Self::Certain,
            Verdict::Conditional => {
                let mut keys: Vec<String> = decision.residual.iter().map(|atom| atom.key.to_lowercase().into_string()).collect();
                keys.sort_unstable();
                keys.dedup();
                Self::On(keys)
            }
            Verdict::ImplicitlyDenied | Verdict::ExplicitlyDenied => Self::None,
        }
    }
}

impl Estate<'_> {
    /// Every role and user that was read, but for those that AWS itself uses.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.principals().filter_map(|principal| {
            let holder = principal.holder()?;
            let caller = holder.caller().filter(|caller| !caller.is_service_linked())?;
            Some(Member { principal, holder, caller })
        })
    }

    /// How far whoever is allowed everything in an account may do this there: what the organization leaves of it. Unknown
    /// when the organization's policies were not read.
    pub fn organization_leaves(&self, account: &AccountId, action: &str, resource: &str, keys: &[(&str, KeyState)]) -> Option<Leave> {
        let controls = self.controls(account);
        let policies = Policies {
            scps: controls.scps.clone(),
            caller_manages: controls.manages,
            unread: vec![Layer::Identity],
            ..Policies::default()
        };
        let caller = format!("arn:aws:iam::{account}:role/{UNNAMED_RESOURCE}");
        let mut context = Context::open().with("aws:PrincipalAccount", KeyState::known(account.as_str()));
        say(&mut context, keys);
        let request = Request { context, ..Request::new(Caller::parse(&caller)?, action, resource) };
        let leave = plimsoll_iam::evaluate(&request, &policies).ok().map(Leave::from)?;
        (!controls.unread).then_some(leave)
    }

    /// Whether all policies of the organization over an account were read.
    pub fn organization_read(&self, account: &AccountId) -> bool {
        !self.controls(account).unread
    }

    /// How many of these principals may do this to each of these repositories of their account. The policies of the
    /// repositories, which are known, have their say.
    pub fn count_who_may(&self, members: &[Member<'_>], action: &str, repositories: &[Node<'_, Repository>]) -> Vec<usize> {
        let subjects: Vec<Subject> = members.iter().filter_map(|member| member.holder.subject(&[])).collect();
        let questions: Vec<Question> = repositories
            .iter()
            .map(|repository| {
                let arn = repository.data().repository_arn.as_str();
                let policy = repository.data().policy.known().ok().and_then(Option::as_ref);
                // A policy that says nothing of the action would only cost time.
                let says = policy.filter(|policy| {
                    policy.statements().map_or(true, |statements| statements.iter().any(|statement| statement.covers_action(action)))
                });
                Question {
                    resource_policy: says.map(|policy| parsed(arn, DocumentKind::Unaddressed, Some(policy))),
                    rcps: self.controls(repository.account()).rcps.clone(),
                    ..Question::new(action, arn)
                }
            })
            .collect();
        let answers = Bulk::new(&subjects).ask(&questions);
        let may = |subject: usize, question: usize| answers.get(subject, question).is_some_and(Verdict::is_possible);
        (0..questions.len()).map(|question| (0..subjects.len()).filter(|subject| may(*subject, question)).count()).collect()
    }
}

impl<'e> Member<'e> {
    /// The principal.
    pub fn principal(self) -> Principal<'e> {
        self.principal
    }

    /// Whether it administers its account (ADMIN of the catalogue).
    pub fn is_administrator(self) -> Result<bool, Unknown> {
        match self.principal {
            Principal::Role(role) => role.is_administrator(),
            Principal::User(user) => user.is_administrator(),
        }
    }

    /// Whether any of its own policies grants an action, on whatever resource and condition.
    pub fn is_granted(self, action: &str) -> bool {
        self.granting(action).next().is_some()
    }

    /// Whether it has policies that belong to it or to its groups alone.
    pub fn holds_own_policies(self) -> bool {
        self.holder.policies.identity.iter().any(|policy| !policy.name.starts_with("arn:"))
    }

    /// The managed policies that bind it, by ARN, those of its groups included.
    pub fn managed_policies(self) -> impl Iterator<Item = &'e str> {
        self.holder.policies.identity.iter().map(|policy| policy.name.as_str()).filter(|name| name.starts_with("arn:"))
    }

    /// Those of its own policies that grant an action: managed ones by ARN, others by name.
    pub fn granting(self, action: &str) -> impl Iterator<Item = &'e str> {
        self.documents(action).map(|policy| policy.name.as_str())
    }

    fn documents(self, action: &str) -> impl Iterator<Item = &'e Attached> {
        self.holder.policies.identity.iter().filter(move |policy| policy.document.as_ref().is_ok_and(|document| document.grants(action)))
    }

    /// How far it may do this to a resource of its account that has no policy of its own.
    pub fn may(self, action: &str, resource: &str, keys: &[(&str, KeyState)]) -> Result<Leave, Unknown> {
        self.decide(&self.holder.policies, action, resource, keys)
    }

    /// How far one of its policies alone would let it.
    pub fn may_by(self, policy: &str, action: &str, resource: &str, keys: &[(&str, KeyState)]) -> Result<Leave, Unknown> {
        let identity = self.documents(action).filter(|document| document.name == policy).cloned().collect();
        self.decide(&Policies { identity, ..Policies::default() }, action, resource, keys)
    }

    /// What it may do with a key of its account.
    pub fn with_key(self, key: &KeyPolicy<'_>) -> WithKey<'e> {
        let controls = self.principal.estate().controls(self.principal.account());
        let policies = Policies {
            resource: key.document.clone(),
            rcps: controls.rcps.clone(),
            resource_manages: controls.manages,
            ..self.holder.policies.clone()
        };
        WithKey { member: self, policies, arn: key.arn.to_owned() }
    }

    fn decide(self, policies: &Policies, action: &str, resource: &str, keys: &[(&str, KeyState)]) -> Result<Leave, Unknown> {
        let request = Request { context: self.holder.context(keys), ..Request::new(self.caller.clone(), action, resource) };
        let decision = plimsoll_iam::evaluate(&request, policies).map_err(|error| malformed(self.principal.arn(), &error.to_string()))?;
        Ok(decision.into())
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_fixture::{Fixture, fixture, policy};
    use plimsoll_model::aws::iam::PolicyDetail;
    use serde_json::{Value, json};

    use plimsoll_iam::KeyState;

    use super::Leave;
    use crate::Estate;

    fn role(document: Value) -> Fixture {
        let detail = PolicyDetail { policy_name: "access".to_owned(), policy_document: Some(policy(document)) };
        fixture().role("web", move |role| role.role_policy_list = vec![detail])
    }

    fn stop(condition: &Value) -> Value {
        json!({"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "ecs:StopTask", "Resource": "*", "Condition": condition}]})
    }

    #[test]
    fn a_principal_is_asked_about_requests_as_they_are_described() {
        let inventory = role(stop(&json!({"StringEquals": {"aws:ResourceTag/team": "shop"}}))).build();
        let estate = Estate::new(&inventory);
        let member = estate.members().next().unwrap();
        let may = |key| member.may("ecs:StopTask", "*", &[("aws:ResourceTag/team", key)]).unwrap();
        assert_eq!(may(KeyState::known("shop")), Leave::Certain);
        assert_eq!(may(KeyState::Absent), Leave::None);
        assert_eq!(may(KeyState::Unknown), Leave::On(vec!["aws:resourcetag/team".to_owned()]));
        assert!(member.is_granted("ECS:stoptask") && !member.is_granted("ecs:RunTask"));
    }

    #[test]
    fn a_policy_that_does_not_read_as_one_is_told() {
        let unread = |document: Value| {
            let inventory = role(document).build();
            let estate = Estate::new(&inventory);
            estate.members().next().unwrap().principal().unread()
        };
        assert_eq!(unread(stop(&json!({}))), None);
        let torn = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "stop", "Resource": "*"}]});
        assert_eq!(unread(torn).unwrap().gap.code, "MalformedPolicyDocument");
    }

    #[test]
    fn roles_of_aws_are_no_members() {
        let inventory = fixture()
            .role("web", |role| {
                role.arn = "arn:aws:iam::111111111111:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS".to_owned();
            })
            .build();
        assert_eq!(Estate::new(&inventory).members().count(), 0);
    }
}
