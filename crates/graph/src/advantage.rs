//! What a stolen role is worth to whoever holds others: roles flow in, the first right flows out that the one has and the
//! others lack, of those that matter: to administer the account or come to do so, to read secrets, to decrypt.

use std::collections::BTreeMap;

use plimsoll_iam::escalation::{Certainty, Path};
use plimsoll_iam::{KeyState, Verdict};
use plimsoll_model::Arn;
use plimsoll_model::aws::{secretsmanager, ssm};
use plimsoll_model::policy::PolicyDocument;
use rustc_hash::FxHashMap;

use crate::{Estate, Principal, Unknown};

/// The requests that read secrets, or what is encrypted.
const ACTIONS: [&str; 3] = ["secretsmanager:GetSecretValue", "ssm:GetParameters", "kms:Decrypt"];
/// More secrets, parameters or keys than this are variations of one another to a grant that covers many.
const TRIED: usize = 32;

/// Methods of the search that steal on the host.
const THEFTS: [&str; 2] = ["x-imds-instance-role", "x-ecs-agent-impersonation"];

/// A right that one role has and others lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advantage {
    /// It administers the account.
    Administrator(Certainty),
    /// It can become an administrator.
    Escalates(Certainty),
    /// It may do this to that.
    Request {
        /// The action.
        action: &'static str,
        /// An ARN, or `*` for any.
        resource: String,
        /// How sure it is.
        certainty: Certainty,
    },
}

impl Advantage {
    /// How sure it is that the one has it.
    pub fn certainty(&self) -> Certainty {
        match self {
            Self::Administrator(certainty) | Self::Escalates(certainty) | Self::Request { certainty, .. } => *certainty,
        }
    }
}

/// Requests that a role may make, with how sure that is.
type Requests = Vec<(&'static str, String, Certainty)>;

/// What was worked out once and is asked again.
pub struct Advantages<'e> {
    estate: &'e Estate<'e>,
    /// Secrets and keys whose own policy names a principal, by its ARN.
    named: FxHashMap<String, Vec<(&'static str, String)>>,
    requests: BTreeMap<usize, Result<Requests, Unknown>>,
    known: FxHashMap<(usize, Vec<usize>), Result<Option<Advantage>, Unknown>>,
}

impl<'e> Advantages<'e> {
    /// Reads the policies of secrets and keys.
    pub fn new(estate: &'e Estate<'e>) -> Self {
        let mut named: FxHashMap<String, Vec<(&'static str, String)>> = FxHashMap::default();
        let [secrets, _, keys] = ACTIONS;
        let mut read = |action: &'static str, arn: &str, document: Option<&PolicyDocument>| {
            let statements = document.and_then(|document| document.statements().ok()).unwrap_or_default();
            let principals = statements.into_iter().filter(|statement| statement.allows).filter_map(|statement| statement.principals);
            for principal in principals.flat_map(|principals| principals.aws) {
                named.entry(principal).or_default().push((action, arn.to_owned()));
            }
        };
        for secret in estate.all::<secretsmanager::Secret>() {
            read(secrets, &secret.arn(), secret.data().resource_policy.known().ok().and_then(Option::as_ref));
        }
        for key in estate.keys() {
            read(keys, &key.arn(), key.data().policy.known().ok().and_then(Option::as_ref));
        }
        Self { estate, named, requests: BTreeMap::new(), known: FxHashMap::default() }
    }

    /// The first right that a principal has and none of the others.
    ///
    /// # Errors
    ///
    /// A policy that was not read, where what was read shows no such right.
    pub fn of(&mut self, one: Principal<'e>, others: &[Principal<'e>]) -> Result<Option<Advantage>, Unknown> {
        let mut positions: Vec<usize> = others.iter().map(|other| other.position()).collect();
        positions.sort_unstable();
        let key = (one.position(), positions);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let found = self.find(one, others);
        self.known.insert(key, found.clone());
        found
    }

    fn find(&mut self, one: Principal<'e>, others: &[Principal<'e>]) -> Result<Option<Advantage>, Unknown> {
        let mut open: Option<Unknown> = None;
        let mut note = |unknown: Unknown| {
            open.get_or_insert(unknown);
        };
        for other in others {
            match other.administers() {
                // Nothing is lacking.
                Ok(Some(_)) => return Ok(None),
                Ok(None) => {}
                Err(unknown) => note(unknown),
            }
        }
        match one.administers() {
            Ok(Some(certainty)) => return Ok(Some(Advantage::Administrator(certainty))),
            Ok(None) => {}
            Err(unknown) => note(unknown),
        }
        match by_own_rights(one) {
            Ok(Some(path)) if others.iter().all(|other| !matches!(by_own_rights(*other), Ok(Some(_)))) => {
                return Ok(Some(Advantage::Escalates(path.certainty())));
            }
            Ok(_) => {}
            Err(unknown) => note(unknown),
        }
        match self.requests_of(one) {
            Ok(requests) => {
                for (action, resource, certainty) in requests {
                    let mut lacking = true;
                    for other in others {
                        match may(*other, action, &resource) {
                            Ok(answer) => lacking &= answer.is_none(),
                            Err(unknown) => {
                                lacking = false;
                                note(unknown);
                            }
                        }
                    }
                    if lacking {
                        return Ok(Some(Advantage::Request { action, resource, certainty }));
                    }
                }
            }
            Err(unknown) => note(unknown),
        }
        open.map_or(Ok(None), Err)
    }

    fn requests_of(&mut self, one: Principal<'e>) -> Result<Requests, Unknown> {
        if let Some(known) = self.requests.get(&one.position()) {
            return known.clone();
        }
        let found = self.find_requests(one);
        self.requests.insert(one.position(), found.clone());
        found
    }

    fn find_requests(&self, one: Principal<'e>) -> Result<Requests, Unknown> {
        let mut candidates: Vec<(&'static str, String)> = self.named.get(one.arn()).cloned().unwrap_or_default();
        for action in ACTIONS.into_iter().filter(|action| one.may_hold(action)) {
            candidates.extend(self.resources(one, action).into_iter().map(|resource| (action, resource)));
        }
        let mut requests = Requests::new();
        let mut open = None;
        for (action, resource) in candidates {
            match may(one, action, &resource) {
                Ok(Some(certainty)) => requests.push((action, resource, certainty)),
                Ok(None) => {}
                Err(unknown) => open = Some(unknown),
            }
        }
        match (requests.is_empty(), one.unread().or(open)) {
            (true, Some(unknown)) => Err(unknown),
            _ => Ok(requests),
        }
    }

    /// Resources to try an action on: those that its grants name, and where they name many, those that there are.
    fn resources(&self, one: Principal<'e>, action: &str) -> Vec<String> {
        let service = action.split(':').next().unwrap_or_default();
        let account = one.account().as_str();
        let mut named: Vec<String> = Vec::new();
        let mut many = false;
        for granted in one.granted() {
            many |= granted.all_resources_but || granted.resources.iter().any(|written| written.contains(['*', '?']));
            let examples = granted.examples(account);
            named.extend(examples.iter().filter(|arn| Arn::parse(arn).is_some_and(|arn| arn.service == service)).map(ToString::to_string));
            many |= examples.iter().any(|arn| arn == "*");
        }
        let own = one.account();
        match service {
            "kms" => {
                let keys = self.estate.keys().filter(|key| key.account() == own && many).take(TRIED);
                let there: Vec<String> = keys.map(|key| key.arn().into_owned()).collect();
                named.retain(|arn| arn.contains(":key/"));
                // Whether a policy of a key lets the account decide is known of keys that are.
                if there.is_empty() && many {
                    named.push("*".to_owned());
                }
                named.extend(there);
            }
            "secretsmanager" => {
                let secrets = self.estate.all::<secretsmanager::Secret>().filter(|secret| secret.account() == own && many);
                let there: Vec<String> = secrets.take(TRIED).map(|secret| secret.arn().into_owned()).collect();
                if many {
                    named.push("*".to_owned());
                }
                named.extend(there);
            }
            // A parameter may hold anything: only those that are kept secret count.
            _ => {
                let secret = |arn: &str| {
                    let parameter = self.estate.parameter(own, &region_of(arn), arn).found();
                    parameter.is_some_and(|parameter| parameter.data().kind == SECURE)
                };
                named.retain(|arn| secret(arn));
                let there = self.estate.all::<ssm::Parameter>().filter(|one| one.account() == own && one.data().kind == SECURE && many);
                named.extend(there.take(TRIED).map(|parameter| parameter.arn().into_owned()));
            }
        }
        named.sort_unstable();
        named.dedup();
        named.truncate(2 * TRIED);
        named
    }
}

/// The type of parameters that are encrypted.
const SECURE: &str = "SecureString";

fn region_of(arn: &str) -> plimsoll_model::Region {
    plimsoll_model::Region::new(Arn::parse(arn).map_or("", |arn| arn.region))
}

/// The way to an administrator, if it does not begin with a theft on the host: that is what is asked about.
fn by_own_rights(principal: Principal<'_>) -> Result<Option<&Path>, Unknown> {
    let theft = |path: &&Path| path.edges.first().is_some_and(|edge| THEFTS.contains(&edge.method.id.as_str()));
    Ok(principal.escalates()?.filter(|path| !theft(path)))
}

/// Whether a principal may do this to that, and how sure it is.
fn may(principal: Principal<'_>, action: &str, resource: &str) -> Result<Option<Certainty>, Unknown> {
    let context: [(&str, KeyState); 0] = [];
    let (_, decision) = principal.decide(action, resource, &context)?;
    Ok(match decision.verdict {
        Verdict::Allowed if decision.unread.is_empty() => Some(Certainty::Certain),
        Verdict::Allowed | Verdict::Conditional => Some(Certainty::Conditional),
        Verdict::ExplicitlyDenied | Verdict::ImplicitlyDenied => None,
    })
}

impl Principal<'_> {
    /// Whether it may speak for the agent of a container instance, and so be given the credentials of the tasks there:
    /// certainly, on conditions, or not.
    ///
    /// # Errors
    ///
    /// A policy that was not read, where the answer hangs on it.
    pub fn impersonates_agent(self, container_instance_arn: &str, cluster_arn: &str) -> Result<Option<Certainty>, Unknown> {
        let cluster = [("ecs:cluster", KeyState::known(cluster_arn))];
        let ask = |action: &str, resource: &str| -> Result<Option<Certainty>, Unknown> {
            let (_, decision) = self.decide(action, resource, &cluster)?;
            let certainty = if decision.verdict == Verdict::Allowed { Certainty::Certain } else { Certainty::Conditional };
            Ok(decision.verdict.is_possible().then_some(certainty))
        };
        let (Some(poll), Some(endpoint)) = (ask("ecs:Poll", container_instance_arn)?, ask("ecs:DiscoverPollEndpoint", "*")?) else {
            return Ok(None);
        };
        Ok(Some(poll.max(endpoint)))
    }
}
