//! What a role is granted beyond what its use takes: a principal and the actions of a baseline flow in, the statements
//! that go beyond flow out, each tried on the policy engine.

use std::rc::Rc;

use plimsoll_graph::Principal;
use plimsoll_iam::{Granted, Question};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use crate::grants::{Doubt, Grant};

/// Actions and resources of a statement that are tried before it counts as taken away by other policies.
const TRIED: usize = 64;
/// Actions that are named in evidence.
const SHOWN: usize = 20;

/// A statement that goes beyond a baseline.
#[derive(Clone, Debug)]
pub(crate) struct Excess {
    policy: String,
    statement: String,
    /// The patterns as they are written.
    pub(crate) actions: Vec<String>,
    resources: Vec<String>,
    doubt: Doubt,
}

impl Excess {
    pub(crate) fn evidence(&self) -> Value {
        json!({
            "policy": self.policy,
            "statement": self.statement,
            "Action": self.actions.iter().take(SHOWN).collect::<Vec<_>>(),
            "Resource": self.resources.iter().take(SHOWN).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn doubt(&self) -> &Doubt {
        &self.doubt
    }
}

/// The statements of a principal that grant an action for which `is_needed` does not hold.
pub(crate) fn excess(principal: Principal<'_>, is_needed: &dyn Fn(&Granted, &str) -> bool) -> Vec<Excess> {
    principal.granted().iter().filter_map(|granted| beyond(principal, granted, is_needed)).collect()
}

fn beyond(principal: Principal<'_>, granted: &Granted, is_needed: &dyn Fn(&Granted, &str) -> bool) -> Option<Excess> {
    let mut actions = Vec::new();
    let mut doubts: Vec<Doubt> = Vec::new();
    let examples = granted.examples(principal.account().as_str());
    for action in &granted.actions {
        let extra: Vec<&str> = action.names.iter().map(AsRef::<str>::as_ref).filter(|name| !is_needed(granted, name)).collect();
        if extra.is_empty() {
            continue;
        }
        let doubt = if examples.is_empty() {
            // Its resources depend on who asks.
            Some(Doubt { depends_on: vec!["the variables of its resources".to_owned()], unread: Vec::new() })
        } else {
            let tried = extra.iter().flat_map(|name| examples.iter().map(move |example| (*name, example.as_str()))).take(TRIED);
            tried.into_iter().find_map(|(name, example)| allowed(principal, name, example))
        };
        if let Some(doubt) = doubt {
            // A pattern of which only a part is too much is told by that part.
            let whole = extra.len() == action.names.len();
            let told = extra.iter().take(SHOWN).map(|name| (*name).to_owned());
            actions.extend(if whole { vec![action.written.to_string()] } else { told.collect() });
            doubts.push(doubt);
        }
    }
    let doubt = doubts.into_iter().min_by_key(|doubt| (doubt.depends_on.len(), doubt.unread.len()))?;
    let not = if granted.all_resources_but { "not " } else { "" };
    Some(Excess {
        policy: granted.policy.to_string(),
        statement: granted.statement.to_string(),
        actions,
        resources: granted.resources.iter().map(|resource| format!("{not}{resource}")).collect(),
        doubt,
    })
}

/// Whether other policies leave it, and what the answer rests on.
fn allowed(principal: Principal<'_>, action: &str, resource: &str) -> Option<Doubt> {
    let action = if action == "*" { "plimsoll-unnamed:Unnamed".to_owned() } else { action.replace(['*', '?'], "x") };
    let question = Question::new(&action, resource);
    // A key answers by its own policy too; what counts is what the role is granted.
    let question = Question { resource_policy: crate::grants::key_policy(principal, resource), ..question };
    Some(Grant::of(principal, &question, &[]).ok()??.doubt().clone())
}

/// The statements of roles beyond one baseline: roles whose policies are equal, names and all, are looked at once.
#[derive(Default)]
pub(crate) struct ExcessCache(FxHashMap<(usize, Vec<String>), Rc<[Excess]>>);

impl ExcessCache {
    pub(crate) fn of(&mut self, principal: Principal<'_>, is_needed: &dyn Fn(&Granted, &str) -> bool) -> Rc<[Excess]> {
        let key = (principal.class(), principal.policy_names());
        Rc::clone(self.0.entry(key).or_insert_with(|| excess(principal, is_needed).into()))
    }
}

/// What leaves all of these in doubt.
pub(crate) fn common_doubt(excess: &[Excess]) -> Doubt {
    let least = excess.iter().map(Excess::doubt).min_by_key(|doubt| (doubt.depends_on.len(), doubt.unread.len()));
    least.cloned().unwrap_or_default()
}

/// Their actions, each once.
pub(crate) fn actions(excess: &[Excess]) -> Vec<&str> {
    crate::reading::distinct(excess.iter().flat_map(|one| &one.actions).map(String::as_str))
}
