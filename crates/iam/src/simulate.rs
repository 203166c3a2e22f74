//! Self-contained questions: a JSON object with a request, its complete context and every policy flows in, one of four
//! answers flows out.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::context::Context;
use crate::decision::{Decision, Verdict};
use crate::document::DocumentKind;
use crate::evaluate::evaluate;
use crate::policies::{Attached, Policies, Request};
use crate::principal::Caller;

/// A question that holds all that its answer needs.
#[derive(Clone, Debug, Deserialize)]
pub struct Simulation {
    /// Who asks: an ARN, a service's host name, `*` for nobody in particular.
    pub principal: CompactString,
    /// What is asked for.
    pub action: CompactString,
    /// The ARN that it is asked on, or `*`.
    pub resource: CompactString,
    /// The account that owns the resource; the principal's if it is not said.
    #[serde(default)]
    pub resource_account: Option<CompactString>,
    /// The condition keys; one that is not there is absent.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// Policies of the principal.
    #[serde(default)]
    pub identity_policies: Vec<Value>,
    /// The permission boundary.
    #[serde(default)]
    pub permission_boundary: Option<Value>,
    /// The session policy.
    #[serde(default)]
    pub session_policy: Option<Value>,
    /// SCPs, level by level from the root.
    #[serde(default)]
    pub scps: Vec<Vec<Value>>,
    /// RCPs, level by level from the root.
    #[serde(default)]
    pub rcps: Vec<Vec<Value>>,
    /// The resource's policy.
    #[serde(default)]
    pub resource_policy: Option<Value>,
}

/// The answer to a [`Simulation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Allowed.
    Allowed,
    /// Nothing grants it.
    ImplicitlyDenied,
    /// A Deny matches.
    ExplicitlyDenied,
    /// The question cannot be answered: a malformed policy, or a principal or context that cannot be read.
    Error,
}

impl Outcome {
    /// The answer as it is written in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitlyDenied => "implicitly_denied",
            Self::ExplicitlyDenied => "explicitly_denied",
            Self::Error => "error",
        }
    }
}

/// What became of a question.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The answer.
    pub outcome: Outcome,
    /// The request and what decides it; `Err` says what is wrong with the question.
    pub decision: Result<(Request, Decision), String>,
}

/// Answers a question written as JSON. Unlike a [`Simulation`] that was read by other means, it is refused when a key
/// occurs twice anywhere in it.
pub fn simulate(text: &str) -> Simulated {
    let refused = |problem: String| Simulated { outcome: Outcome::Error, decision: Err(problem) };
    let value = match crate::json::parse_around(text) {
        Ok(value) => value,
        Err(error) => return refused(error.to_string()),
    };
    match serde_json::from_value::<Simulation>(value) {
        Ok(simulation) => simulation.run(),
        Err(error) => refused(error.to_string()),
    }
}

impl Simulation {
    /// Reads a question from a line of JSON: an object with the question under `input`, or the question itself, each with
    /// an `id` beside it. The id comes back whatever the question is worth, so that its answer can be told apart.
    pub fn from_line(line: &str) -> (Value, Result<Self, String>) {
        let mut members = match crate::json::parse(line) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return (Value::Null, Err("the line is no JSON object".to_owned())),
            // A key that occurs twice makes the question void, and not its id.
            Err(error) => {
                let lenient: Option<Value> = serde_json::from_str(line).ok();
                let id = lenient.and_then(|value| value.get("id").cloned()).unwrap_or_default();
                return (id, Err(error.to_string()));
            }
        };
        let id = members.remove("id").unwrap_or_default();
        let input = members.remove("input").unwrap_or(Value::Object(members));
        (id, serde_json::from_value(input).map_err(|error| error.to_string()))
    }

    /// The request and the policies of the question.
    ///
    /// # Errors
    ///
    /// A principal or context value that cannot be read, in words.
    pub fn into_parts(self) -> Result<(Request, Policies), String> {
        let caller = Caller::parse(&self.principal).ok_or_else(|| format!("{} is no principal", self.principal))?;
        let context = Context::from_json(&self.context).map_err(|key| format!("the value of {key} cannot be read"))?;
        let one = |name: &str, kind, value: Option<Value>| value.map(|value| Attached::parse(name, kind, &value));
        let numbered = |name: &str, kind, values: Vec<Value>| -> Vec<Attached> {
            values.iter().enumerate().map(|(index, value)| Attached::parse(&format!("{name}[{index}]"), kind, value)).collect()
        };
        let levels = |name: &str, kind, levels: Vec<Vec<Value>>| -> Vec<Vec<Attached>> {
            levels.into_iter().enumerate().map(|(level, values)| numbered(&format!("{name}[{level}]"), kind, values)).collect()
        };
        let policies = Policies {
            identity: numbered("identity_policies", DocumentKind::Identity, self.identity_policies),
            boundary: one("permission_boundary", DocumentKind::Boundary, self.permission_boundary),
            session: one("session_policy", DocumentKind::Session, self.session_policy).into_iter().collect(),
            scps: levels("scps", DocumentKind::ServiceControl, self.scps),
            rcps: levels("rcps", DocumentKind::ResourceControl, self.rcps),
            resource: one("resource_policy", resource_kind(&self.action, &self.resource), self.resource_policy),
            ..Policies::default()
        };
        let request = Request { caller, action: self.action, resource: self.resource, resource_account: self.resource_account, context };
        Ok((request, policies))
    }

    /// Answers the question.
    pub fn run(self) -> Simulated {
        let (request, policies) = match self.into_parts() {
            Ok(parts) => parts,
            Err(problem) => return Simulated { outcome: Outcome::Error, decision: Err(problem) },
        };
        match evaluate(&request, &policies) {
            Err(malformed) => Simulated { outcome: Outcome::Error, decision: Err(malformed.to_string()) },
            Ok(decision) => {
                // What is left open in a complete context is left open by AWS's documentation: never guess an Allow.
                let outcome = match decision.worst {
                    Verdict::Allowed => Outcome::Allowed,
                    Verdict::ExplicitlyDenied => Outcome::ExplicitlyDenied,
                    Verdict::ImplicitlyDenied | Verdict::Conditional => Outcome::ImplicitlyDenied,
                };
                Simulated { outcome, decision: Ok((request, decision)) }
            }
        }
    }
}

/// What kind of policy the resource of a request carries.
fn resource_kind(action: &str, resource: &str) -> DocumentKind {
    let of = crate::arn::split(resource);
    match of {
        Some([_, _, "iam", _, _, id]) if id.starts_with("role/") && action.to_ascii_lowercase().starts_with("sts:") => DocumentKind::Trust,
        Some([_, _, "ecr", ..]) => DocumentKind::Unaddressed,
        _ => DocumentKind::Resource,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_occurs_twice_is_an_error_with_its_place() {
        let policy = r#"{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
        let text =
            format!(r#"{{"principal": "111122223333", "action": "s3:GetObject", "resource": "*", "identity_policies": [{policy}]}}"#);
        let simulated = simulate(&text);
        assert_eq!(simulated.outcome, Outcome::Error);
        assert!(simulated.decision.unwrap_err().starts_with("$.identity_policies[0].Statement[0].Effect"));
    }

    #[test]
    fn what_is_no_question_is_an_error() {
        for text in ["", "{}", "[]", r#"{"principal": "nobody", "action": "s3:GetObject", "resource": "*"}"#] {
            assert_eq!(simulate(text).outcome, Outcome::Error, "{text}");
        }
    }
}
