//! What checks of principals share: who is judged, and how the roles are told that one comes to act as. Principals and what
//! the escalation search found of them flow in, judgements flow out.

use plimsoll_graph::{Certainty, Estate, Principal, Reached, Unknown};
use plimsoll_model::{PathStep, Severity};
use serde_json::{Value, json};

use crate::check::{Failure, Judgement, Verdict, fail};
use crate::engine::Verdicts;
use crate::reading::{distinct, listed};

/// Judges every role and user.
pub(crate) fn each_principal<'e>(estate: &'e Estate<'e>, verdicts: &mut Verdicts<'e>, judge: impl Fn(Principal<'e>) -> Judgement) {
    for principal in estate.principals() {
        let judgement = judge(principal);
        match principal {
            Principal::Role(role) => verdicts.judge(role, judgement),
            Principal::User(user) => verdicts.judge(user, judgement),
        }
    }
}

/// Whether a principal is `user ci` or `role ci`.
pub(crate) fn called(principal: Principal<'_>) -> String {
    match principal {
        Principal::Role(role) => format!("role {}", role.name()),
        Principal::User(user) => format!("user {}", user.name()),
    }
}

/// A role that a principal comes to act as, and what that gains it.
pub(crate) struct Gain<'e> {
    pub(crate) role: Principal<'e>,
    pub(crate) reached: &'e Reached,
    administers: Option<Certainty>,
    escalates: bool,
}

impl<'e> Gain<'e> {
    fn of(estate: &'e Estate<'e>, reached: &'e Reached) -> Option<Self> {
        let role = estate.principal_at(reached.role)?;
        let administers = role.administers().ok().flatten();
        let escalates = matches!(role.escalates(), Ok(Some(_)));
        Some(Self { role, reached, administers, escalates })
    }

    /// What could not be verified; the gain is certain if there is none.
    fn doubts(&self) -> Vec<&'e str> {
        let plain = |what: &'e str| if what.starts_with("the SCP level") { "service control policies that were not read" } else { what };
        let mut doubts: Vec<&str> = distinct(self.reached.depends_on.iter().map(|what| plain(what)));
        if self.administers == Some(Certainty::Conditional) {
            doubts.push("the conditions of the role's own policies");
        }
        doubts
    }

    /// What the role is or may, after its name.
    fn told(&self) -> String {
        match &self.reached.surplus {
            _ if self.administers.is_some() => "is an administrator".to_owned(),
            _ if self.escalates => "can become an administrator".to_owned(),
            Some((action, resource)) => format!("may {action} on {resource}"),
            None => "may more".to_owned(),
        }
    }

    fn evidence(&self) -> Value {
        let permissions: Vec<Value> = self
            .reached
            .permissions
            .iter()
            .map(|permission| {
                let granted = permission.granted_by.as_ref();
                json!({
                    "action": permission.action.as_str(),
                    "resource": permission.resource.as_str(),
                    "policy": granted.map(|cited| cited.policy.as_str()),
                    "statement": granted.map(|cited| cited.statement.as_str()),
                })
            })
            .collect();
        json!({
            "roleArn": self.role.arn(),
            "administrator": self.administers.is_some(),
            "canEscalate": self.escalates,
            "rightGained": self.reached.surplus.as_ref().map(|(action, resource)| json!({"action": action.as_str(), "resource": resource.as_str()})),
            "permissions": permissions,
            "dependsOn": self.reached.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

/// A check of what principals come to act as.
pub(crate) struct Reach {
    /// What the places are called where it happens, in evidence.
    pub(crate) places: &'static str,
    /// The severity where a role is an administrator.
    pub(crate) of_administrators: Severity,
    /// How a principal comes to a role, from its actions: the sentence after the principal, up to the role.
    pub(crate) verb: &'static str,
    /// The sentence after the role, before the actions.
    pub(crate) tail: &'static str,
    /// The step of the path.
    pub(crate) via: &'static str,
}

impl Reach {
    /// Judges a principal by the roles that were found for it.
    pub(crate) fn judge<'e>(&self, principal: Principal<'e>, reached: Result<&'e [Reached], Unknown>) -> Judgement {
        if principal.is_service_linked() {
            return Ok(Verdict::NotApplicable);
        }
        let unread = match principal.administers() {
            Ok(Some(_)) => return Ok(Verdict::NotApplicable),
            Ok(None) => false,
            Err(_) => true,
        };
        let mut gains: Vec<Gain<'e>> = reached?.iter().filter_map(|reached| Gain::of(principal.estate(), reached)).collect();
        // First what weighs most, of that what is certain.
        let weight = |gain: &Gain<'_>| (gain.administers.is_none(), !gain.doubts().is_empty(), !gain.escalates);
        gains.sort_by_key(weight);
        let Some(first) = gains.first() else { return Ok(Verdict::Pass) };
        let mut doubts = first.doubts();
        if unread {
            doubts.push("what a policy of its own says that was not read");
        }
        let failure = self.failure(principal, first, &gains, &doubts);
        let failure = if first.administers.is_some() { failure.severity(self.of_administrators) } else { failure };
        if doubts.is_empty() { failure.verdict() } else { failure.possible().verdict() }
    }

    fn failure(&self, principal: Principal<'_>, first: &Gain<'_>, gains: &[Gain<'_>], doubts: &[&str]) -> Failure {
        let actions = distinct(first.reached.permissions.iter().map(|permission| permission.action.as_ref()));
        let more = match gains.len() {
            1 => String::new(),
            2 => " and another role".to_owned(),
            count => format!(" and {} more roles", count - 1),
        };
        let depends = if doubts.is_empty() { String::new() } else { format!("; not verified: {}", listed(doubts)) };
        let (Self { verb, tail, .. }, role) = (self, first.role.name());
        let (actions, gain) = (listed(&actions), first.told());
        let message = format!("{} {verb} {role}{more} {tail} ({actions}); {role} {gain}{depends}", called(principal));
        let mut statements: Vec<String> = gains
            .iter()
            .flat_map(|gain| &gain.reached.permissions)
            .filter_map(|permission| permission.granted_by.as_ref().map(ToString::to_string))
            .collect();
        statements.sort_unstable();
        statements.dedup();
        let mut places: Vec<&str> = gains.iter().flat_map(|gain| &gain.reached.places).map(AsRef::as_ref).collect();
        places.sort_unstable();
        places.dedup();
        let evidence = json!({
            "principal": principal.arn(),
            "statements": statements,
            "roles": gains.iter().map(Gain::evidence).collect::<Vec<_>>(),
            self.places: places,
        });
        let step = |arn: &str, via: &str| PathStep { arn: arn.to_owned(), via: via.to_owned() };
        let mut path = vec![step(principal.arn(), self.via)];
        path.extend(first.reached.places.first().map(|place| step(place, "runs as")));
        path.push(step(first.role.arn(), "is taken"));
        fail(message, evidence).path(path)
    }
}
