//! What identity policies grant, statement by statement: policies flow in, the actions that boundary and SCPs leave of
//! each Allow flow out, with the resources as they are written and ARNs to try the grants on.

use compact_str::CompactString;

use crate::actions::actions_of;
use crate::document::{Action, ActionPattern, Effect, Statement};
use crate::escalation::example;
use crate::policies::Policies;
use crate::summary::{is_left, statements_of};

/// What one statement of an identity policy grants.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The policy's name or ARN.
    pub policy: CompactString,
    /// The statement: its Sid, or its number counted from zero.
    pub statement: CompactString,
    /// Its action patterns, of which something is left.
    pub actions: Vec<GrantedAction>,
    /// Its resources as they are written.
    pub resources: Vec<CompactString>,
    /// The resources are those that it leaves out.
    pub all_resources_but: bool,
    /// It is bound to conditions.
    pub is_conditional: bool,
}

/// An action pattern and what it stands for.
#[derive(Clone, Debug)]
pub struct GrantedAction {
    /// As it is written; a list of what is left out begins with `not `.
    pub written: CompactString,
    /// The actions that it matches, `service:Name`; the pattern itself where the table of actions does not have them.
    pub names: Vec<CompactString>,
}

impl Granted {
    /// ARNs to try the grant on, one for each of its resources; `*` for a statement on all resources or all but some. What
    /// is written with variables gives none.
    pub fn examples(&self, account: &str) -> Vec<CompactString> {
        if self.all_resources_but || self.resources.iter().any(|resource| resource == "*") {
            return vec!["*".into()];
        }
        self.resources.iter().filter_map(|resource| example(resource, account)).collect()
    }
}

/// What the identity policies grant. What a conditional Deny or one of single resources takes away is still in it, and so
/// is what a condition may refuse: `evaluate` decides on one action and resource. Malformed policies are left out.
pub fn granted(policies: &Policies) -> Vec<Granted> {
    let allows = statements_of(&policies.identity).filter(|(_, statement)| statement.effect == Effect::Allow);
    allows.map(|(policy, statement)| grant(policy.clone(), statement, policies)).filter(|granted| !granted.actions.is_empty()).collect()
}

fn grant(policy: CompactString, statement: &Statement, policies: &Policies) -> Granted {
    let actions = if statement.actions.negated {
        let written = compact_str::format_compact!("not {}", statement.actions.written.join(", "));
        vec![GrantedAction { written, names: vec!["*".into()] }]
    } else {
        let patterns = statement.actions.patterns.iter().zip(&statement.actions.written);
        patterns.filter_map(|(pattern, written)| action(pattern, written, policies)).collect()
    };
    Granted {
        policy,
        statement: statement.label(),
        actions,
        resources: statement.resources.iter().flat_map(|resources| resources.written.iter().cloned()).collect(),
        all_resources_but: statement.resources.as_ref().is_some_and(|resources| resources.negated),
        is_conditional: !statement.conditions.is_empty(),
    }
}

fn action(pattern: &ActionPattern, written: &CompactString, policies: &Policies) -> Option<GrantedAction> {
    let ActionPattern::Of { service, name } = pattern else {
        return Some(GrantedAction { written: written.clone(), names: vec!["*".into()] });
    };
    let mut any = false;
    let names: Vec<CompactString> = actions_of(service)
        .iter()
        .map(|known| (known.name, Action { service: service.clone(), name: known.name.to_ascii_lowercase().into() }))
        .filter(|(_, action)| name.matches(action.name.as_bytes()))
        .inspect(|_| any = true)
        .filter(|(_, action)| is_left(action, policies))
        .map(|(known, _)| compact_str::format_compact!("{service}:{known}"))
        .collect();
    match (any, names.is_empty()) {
        // Nothing is left of it.
        (true, true) => None,
        (true, false) => Some(GrantedAction { written: written.clone(), names }),
        (false, _) => Some(GrantedAction { written: written.clone(), names: vec![written.clone()] }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::document::DocumentKind;
    use crate::policies::Attached;

    fn policies(statement: &Value, boundary: Option<&Value>) -> Policies {
        let parsed = |kind, statement: &Value| Attached::parse("p", kind, &json!({"Version": "2012-10-17", "Statement": statement}));
        let boundary = boundary.map(|statement| parsed(DocumentKind::Boundary, statement));
        Policies { identity: vec![parsed(DocumentKind::Identity, statement)], boundary, ..Policies::default() }
    }

    #[test]
    fn patterns_are_told_with_the_actions_that_are_left_of_them() {
        let statement = json!({"Effect": "Allow", "Action": ["ecr:Put*", "sqs:SendMessage", "new:Thing"], "Resource": "*"});
        let boundary = json!({"Effect": "Allow", "Action": ["ecr:PutImage", "new:*"], "Resource": "*"});
        let granted = granted(&policies(&statement, Some(&boundary)));
        let names: Vec<_> = granted[0].actions.iter().map(|action| action.names.join(" ")).collect();
        assert_eq!(names, ["ecr:PutImage", "new:Thing"]);
        assert_eq!((granted[0].policy.as_str(), granted[0].statement.as_str(), granted[0].is_conditional), ("p", "#0", false));
    }

    #[test]
    fn every_action_but_some_is_every_action() {
        let granted = granted(&policies(&json!({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:s3:::a"}), None));
        assert_eq!(granted[0].actions[0].names, ["*"]);
        assert!(granted[0].all_resources_but);
        assert_eq!(granted[0].examples("1"), ["*"]);
    }

    #[test]
    fn each_resource_gives_an_arn_that_it_matches() {
        let resources = json!(["arn:aws:s3:::a/*", "arn:aws:s3:::${aws:username}"]);
        let granted = granted(&policies(&json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}), None));
        assert_eq!(granted[0].examples("1"), ["arn:aws:s3:::a/x"]);
    }
}
