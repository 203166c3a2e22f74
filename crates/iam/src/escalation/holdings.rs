//! Whether one principal holds something that another lacks: a request that the one may make and the other may not.

use std::sync::Arc;

use compact_str::{CompactString, format_compact};

use super::node::{Node, example};
use crate::document::{ActionPattern, Actions, Effect, Resources, Statement};
use crate::glob::Glob;
use crate::policies::{Attached, Layer};

/// The most requests that are tried.
const TRIED: usize = 2048;

/// A request, as action and resource, that `holder` may make and `other` may not. Tried are examples of what the one is
/// granted, and of what the other is denied.
pub(crate) fn surplus(holder: &Node, other: &Node) -> Option<(CompactString, CompactString)> {
    if holds_all_of(other, holder) { None } else { tried(holder, other) }
}

fn tried(holder: &Node, other: &Node) -> Option<(CompactString, CompactString)> {
    let grants = statements(holder, Effect::Allow);
    let denials = statements(other, Effect::Deny);
    let mut actions: Vec<CompactString> = grants.iter().chain(&denials).flat_map(|statement| named(&statement.actions)).collect();
    actions.sort_unstable();
    actions.dedup();
    // A boundary of the one may leave only some resources of what it is granted.
    let resources = grants.iter().chain(&denials).filter_map(|statement| statement.resources.as_ref());
    let mut named_resources: Vec<CompactString> =
        resources.flat_map(|resources| &resources.written).filter_map(|written| example(written, holder.account())).collect();
    named_resources.sort_unstable();
    named_resources.dedup();
    actions
        .iter()
        .flat_map(|action| {
            holder.examples(action).into_iter().chain(named_resources.iter().cloned()).map(move |resource| (action, resource))
        })
        .take(TRIED)
        .find(|(action, resource)| holder.verdict(action, resource).is_possible() && !other.verdict(action, resource).is_possible())
        .map(|(action, resource)| (action.clone(), resource))
}

/// Whether one principal certainly holds all that another does, as their statements show without trying any request: each
/// Allow of the other lies within an unconditional one of the first, and nothing limits the first more than the other.
pub(crate) fn holds_all_of(one: &Node, other: &Node) -> bool {
    let (wide, narrow) = (&one.policies, &other.policies);
    if wide.boundary.is_some() || narrow.unread.contains(&Layer::Identity) || one.account() != other.account() {
        return false;
    }
    if !wide.caller_manages && !is_bound_alike(&wide.scps, &narrow.scps) {
        return false;
    }
    let own: Vec<&Statement> = of_identity(one).collect();
    let allows = |granted: &Statement| {
        granted.actions.patterns.iter().all(|pattern| {
            let asked = (!granted.actions.negated).then_some(pattern);
            own.iter().any(|statement| statement.effect == Effect::Allow && contains(statement, granted, asked))
        })
    };
    let denies = |granted: &Statement| {
        own.iter().any(|statement| {
            statement.effect == Effect::Deny && (granted.actions.negated || may_meet(&statement.actions, &granted.actions))
        })
    };
    of_identity(other).filter(|statement| statement.effect == Effect::Allow).all(|granted| allows(granted) && !denies(granted))
}

fn of_identity(node: &Node) -> impl Iterator<Item = &Statement> {
    node.policies.identity.iter().filter_map(|policy| policy.document.as_ref().ok()).flat_map(|document| &document.statements)
}

/// Whether two principals are under the same SCPs, and none of these asks who somebody is.
fn is_bound_alike(one: &[Vec<Attached>], other: &[Vec<Attached>]) -> bool {
    let same = |one: &Attached, other: &Attached| match (&one.document, &other.document) {
        (Ok(one), Ok(other)) => Arc::ptr_eq(one, other) && one.statements.iter().all(|statement| !statement.keys().any(is_of_principal)),
        _ => false,
    };
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other)))
}

/// Whether a condition key, in lower case, tells principals of one account apart.
pub(crate) fn is_of_principal(key: &str) -> bool {
    key.starts_with("aws:principal") || matches!(key, "aws:username" | "aws:userid" | "aws:multifactorauthpresent")
}

/// Whether an unconditional Allow covers one action pattern of another Allow, or all of it, on all its resources.
fn contains(wide: &Statement, granted: &Statement, asked: Option<&ActionPattern>) -> bool {
    if !wide.conditions.is_empty() {
        return false;
    }
    let actions = match asked {
        _ if wide.actions.is_every() => true,
        None => wide.actions.negated && wide.actions.patterns == granted.actions.patterns,
        Some(ActionPattern::Every) => false,
        Some(ActionPattern::Of { service, .. }) if wide.actions.negated => wide.actions.patterns.iter().all(|excluded| match excluded {
            ActionPattern::Every => false,
            ActionPattern::Of { service: other, .. } => other != service,
        }),
        Some(pattern @ ActionPattern::Of { service, .. }) => wide.actions.patterns.iter().any(|covering| match covering {
            ActionPattern::Of { service: other, name: Glob::All } => other == service,
            covering => covering == pattern,
        }),
    };
    let resources = match (&wide.resources, &granted.resources) {
        (Some(wide), _) if wide.is_every() => true,
        (Some(wide), Some(granted)) => !wide.negated && !granted.negated && granted.written.iter().all(|one| is_within(one, wide)),
        _ => false,
    };
    actions && resources
}

/// Whether a resource pattern lies within one of these: it is the same, or begins as one that ends in its only `*`.
fn is_within(written: &CompactString, wide: &Resources) -> bool {
    wide.written.iter().any(|pattern| {
        let start = pattern.strip_suffix('*').filter(|start| !start.contains(['*', '?', '$']));
        (pattern == written && !pattern.contains('$')) || start.is_some_and(|start| written.starts_with(start))
    })
}

/// Whether two action elements may mean a common action.
fn may_meet(one: &Actions, other: &Actions) -> bool {
    fn service(pattern: &ActionPattern) -> Option<&str> {
        match pattern {
            ActionPattern::Every => None,
            ActionPattern::Of { service, .. } => Some(&**service),
        }
    }
    one.negated
        || one.patterns.iter().any(|pattern| {
            let own = service(pattern);
            other.patterns.iter().any(|other| own.is_none() || service(other).is_none_or(|service| Some(service) == own))
        })
}

/// A surplus as the policies of its holder write it, wildcards and all.
pub(crate) fn as_written(holder: &Node, (action, resource): (CompactString, CompactString)) -> (CompactString, CompactString) {
    let grants = statements(holder, Effect::Allow);
    let pattern = grants.iter().find_map(|statement| {
        let actions = &statement.actions;
        let (_, written) = named(actions).zip(&actions.written).find(|(named, _)| *named == action)?;
        Some(if actions.negated { CompactString::const_new("any action but a few") } else { CompactString::new(written) })
    });
    let resources = grants.iter().filter_map(|statement| statement.resources.as_ref()).flat_map(|resources| &resources.written);
    let mut of_pattern = resources.filter(|written| example(written, holder.account()).as_ref() == Some(&resource));
    let all = resource.ends_with(":plimsoll-unnamed").then(|| CompactString::const_new("*"));
    let resource = of_pattern.next().map(CompactString::new).or(all).unwrap_or(resource);
    (pattern.unwrap_or(action), resource)
}

/// The statements of a node's own layers with this effect.
fn statements(node: &Node, effect: Effect) -> Vec<&Statement> {
    let policies = &node.policies;
    let attached = policies.identity.iter().chain(&policies.boundary).chain(policies.scps.iter().flatten());
    let documents = attached.filter_map(|policy| policy.document.as_ref().ok());
    documents.flat_map(|document| &document.statements).filter(|statement| statement.effect == effect).collect()
}

/// An action for each pattern.
fn named(actions: &Actions) -> impl Iterator<Item = CompactString> {
    actions.patterns.iter().zip(&actions.written).map(|(pattern, written)| match (actions.negated, pattern) {
        // What is not listed is covered: some action that nobody lists.
        (true, _) | (false, ActionPattern::Every) => CompactString::const_new("plimsoll-unnamed:Unnamed"),
        (false, ActionPattern::Of { service, name: Glob::All }) => format_compact!("{service}:PlimsollUnnamed"),
        (false, ActionPattern::Of { .. }) => written.replace(['*', '?'], "x").into(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::document::DocumentKind;
    use crate::escalation::node::MaskCache;
    use crate::escalation::{Principal, PrincipalKind};

    fn node(name: &str, statements: &[Value]) -> Node {
        let mut principal = Principal::new(PrincipalKind::Role, &format!("arn:aws:iam::111122223333:role/{name}"));
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        principal.inline.push(Attached::parse("own", DocumentKind::Identity, &document));
        Node::new(0, &principal, principal.policies(&[]), &mut MaskCache::default()).unwrap().unwrap()
    }

    fn allow(action: &str, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    #[test]
    fn a_wide_grant_holds_all_of_narrow_ones() {
        let narrow = node("app", &[allow("s3:Get*", "arn:aws:s3:::app-1/*"), allow("sqs:SendMessage", "*")]);
        let power = json!({"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"});
        assert!(holds_all_of(&node("power", std::slice::from_ref(&power)), &narrow));
        assert!(holds_all_of(&node("some", &[allow("s3:*", "arn:aws:s3:::app-*"), allow("sqs:*", "*")]), &narrow));
        assert!(!holds_all_of(&node("less", &[allow("s3:*", "arn:aws:s3:::web-*"), allow("sqs:*", "*")]), &narrow));
        let denied = json!({"Effect": "Deny", "Action": "sqs:*", "Resource": "*"});
        assert!(!holds_all_of(&node("denied", &[power.clone(), denied]), &narrow));
        assert!(holds_all_of(&node("aside", &[power, json!({"Effect": "Deny", "Action": "ec2:*", "Resource": "*"})]), &narrow));
        assert!(!holds_all_of(&narrow, &node("power", &[allow("*", "*")])));
    }

    fn statement() -> impl Strategy<Value = Value> {
        let action = prop::sample::select(vec!["*", "s3:*", "s3:Get*", "s3:GetObject", "iam:*", "sqs:SendMessage"]);
        let resource =
            prop::sample::select(vec!["*", "arn:aws:s3:::app-*", "arn:aws:s3:::app-1/*", "arn:aws:s3:::app-1/key", "arn:aws:s3:::*/key"]);
        let conditional = prop::bool::weighted(0.2);
        (prop::bool::weighted(0.8), prop::bool::weighted(0.8), action, resource, conditional).prop_map(
            |(allows, listed, action, resource, conditional)| {
                let mut statement = json!({"Effect": if allows { "Allow" } else { "Deny" }, "Resource": resource});
                statement[if listed { "Action" } else { "NotAction" }] = json!(action);
                if conditional {
                    statement["Condition"] = json!({"StringEquals": {"aws:PrincipalType": "User"}});
                }
                statement
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whoever_holds_all_of_another_lacks_no_request_of_it(
            one in prop::collection::vec(statement(), 1..4),
            other in prop::collection::vec(statement(), 1..4),
        ) {
            let (one, other) = (node("one", &one), node("other", &other));
            if holds_all_of(&one, &other) {
                prop_assert_eq!(tried(&other, &one), None);
            }
        }
    }
}
