//! Whether one principal holds something that another lacks: a request that the one may make and the other may not.

use compact_str::{CompactString, format_compact};

use super::node::Node;
use crate::document::{ActionPattern, Effect};
use crate::glob::Glob;

/// The most requests that are tried.
const TRIED: usize = 256;

/// A request, as action and resource, that `holder` may make and `other` may not.
pub(crate) fn surplus(holder: &Node, other: &Node) -> Option<(CompactString, CompactString)> {
    let documents = holder.policies.identity.iter().filter_map(|policy| policy.document.as_ref().ok());
    let statements = documents.flat_map(|document| &document.statements).filter(|statement| statement.effect == Effect::Allow);
    let actions = statements.flat_map(|statement| {
        let named = statement.actions.patterns.iter().zip(&statement.actions.written);
        named.map(|(pattern, written)| match (statement.actions.negated, pattern) {
            // What is not listed is granted: some action that nobody lists.
            (true, _) | (false, ActionPattern::Every) => CompactString::const_new("plimsoll-unnamed:Unnamed"),
            (false, ActionPattern::Of { service, name: Glob::All }) => format_compact!("{service}:PlimsollUnnamed"),
            (false, ActionPattern::Of { .. }) => written.replace(['*', '?'], "x").into(),
        })
    });
    actions
        .flat_map(|action| {
            let resources = holder.examples(&action);
            resources.into_iter().map(move |resource| (action.clone(), resource))
        })
        .take(TRIED)
        .find(|(action, resource)| holder.verdict(action, resource).is_possible() && !other.verdict(action, resource).is_possible())
}
