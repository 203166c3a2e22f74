//! Which of the secrets and parameters that exist a role may read, and which of them task definitions name.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_graph::{Estate, Node, Principal};
use plimsoll_iam::Question;
use plimsoll_model::aws::ecs::TaskDefinition;
use plimsoll_model::aws::secretsmanager::Secret;
use plimsoll_model::aws::ssm::Parameter;
use plimsoll_model::{AccountId, Arn};

use crate::grants::{Grant, Holdings, plain_keys};

/// The action that shows a secret.
const READ_SECRET: &str = "secretsmanager:GetSecretValue";
/// The actions that show a parameter.
const READ_PARAMETER: [&str; 2] = ["ssm:GetParameter", "ssm:GetParameters"];

/// What roles may read of the secrets and `SecureString` parameters of their accounts, whatever these are tagged.
pub(crate) struct Vault {
    holdings: Holdings,
}

impl Vault {
    /// Asks for every secret and parameter.
    pub(crate) fn open<'e>(estate: &'e Estate<'e>, principals: impl Iterator<Item = Principal<'e>>) -> Self {
        let mut kept: BTreeMap<&AccountId, Vec<(&str, &str)>> = BTreeMap::new();
        for secret in estate.all::<Secret>() {
            kept.entry(secret.account()).or_default().push((READ_SECRET, secret.data().arn.as_str()));
        }
        for parameter in estate.all::<Parameter>().filter(|parameter| parameter.kind == "SecureString") {
            let of_account = kept.entry(parameter.account()).or_default();
            of_account.extend(READ_PARAMETER.map(|action| (action, parameter.data().arn.as_str())));
        }
        let questions = |account: &AccountId| {
            let kept = kept.get(account).into_iter().flatten();
            kept.map(|(action, arn)| Question::new(action, arn)).collect()
        };
        let actions = [READ_SECRET, READ_PARAMETER[0], READ_PARAMETER[1]];
        Self { holdings: Holdings::of_questions(estate, principals, &actions, questions, plain_keys()) }
    }

    /// ARNs of what a role may read, each once.
    pub(crate) fn arns(&self, principal: Principal<'_>) -> BTreeSet<&str> {
        self.holdings.of(principal).iter().map(|question| question.resource.as_str()).collect()
    }

    /// The same by these actions only.
    pub(crate) fn arns_by(&self, principal: Principal<'_>, actions: &[&str]) -> BTreeSet<&str> {
        let held = self.holdings.of(principal).iter().filter(|question| actions.contains(&question.action.as_str()));
        held.map(|question| question.resource.as_str()).collect()
    }

    /// The grants that a test holds for.
    pub(crate) fn grants_where(&self, principal: Principal<'_>, test: impl Fn(&Question) -> bool) -> Vec<Grant> {
        self.holdings.grants(principal, test)
    }

    /// Names of what a role may read, each once.
    pub(crate) fn of(&self, principal: Principal<'_>) -> Vec<&str> {
        self.arns(principal).into_iter().map(name).collect()
    }

    /// The grants of the first few.
    pub(crate) fn grants(&self, principal: Principal<'_>, most: usize) -> Vec<Grant> {
        self.holdings.first_grants(principal, most)
    }
}

/// The name in the ARN of a secret, without the characters that Secrets Manager adds, or of a parameter.
pub(crate) fn name(arn: &str) -> &str {
    let Some(parsed) = Arn::parse(arn) else { return arn };
    match parsed.resource.strip_prefix("secret:") {
        Some(name) => name.len().checked_sub(7).and_then(|end| name.get(..end)).unwrap_or(name),
        None => parsed.resource.strip_prefix("parameter").unwrap_or(parsed.resource),
    }
}

/// ARNs of the secrets and parameters that task definitions name.
pub(crate) fn referenced<'e>(definitions: &[Node<'e, TaskDefinition>]) -> BTreeSet<&'e str> {
    let mut found = BTreeSet::new();
    for definition in definitions {
        for one in definition.data().secret_uses() {
            let secret = one.secret().and_then(|reference| definition.secret(reference).found());
            let parameter = one.parameter().and_then(|reference| definition.parameter(reference).found());
            found.extend(secret.map(|secret| secret.data().arn.as_str()));
            found.extend(parameter.map(|parameter| parameter.data().arn.as_str()));
        }
    }
    found
}
