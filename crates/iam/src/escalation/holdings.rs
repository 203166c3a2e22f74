//! Whether one principal holds something that another lacks: a request that the one may make and the other may not.

use compact_str::{CompactString, format_compact};

use super::node::{Node, example};
use crate::document::{ActionPattern, Actions, Effect, Statement};
use crate::glob::Glob;

/// The most requests that are tried.
const TRIED: usize = 2048;

/// A request, as action and resource, that `holder` may make and `other` may not. Tried are examples of what the one is
/// granted, and of what the other is denied.
pub(crate) fn surplus(holder: &Node, other: &Node) -> Option<(CompactString, CompactString)> {
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
