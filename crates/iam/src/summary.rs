//! What a principal may do, in a table: its policies flow in; services with access levels, resources and conditions flow
//! out. A summary of what the identity policies grant and the other layers leave of it, not a decision on a request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use compact_str::CompactString;

use crate::actions::{AccessLevel, actions_of};
use crate::document::{Action, ActionPattern, Effect, Statement};
use crate::policies::{Attached, Layer, Policies};

/// What a principal may do with one service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceAccess {
    /// The service; `*` for every service.
    pub service: CompactString,
    /// The kinds of access; empty if the service is not in the table of actions.
    pub levels: BTreeSet<AccessLevel>,
    /// The actions as the policies write them.
    pub actions: BTreeSet<CompactString>,
    /// The resources as the policies write them; `not …` for what is left out.
    pub resources: BTreeSet<CompactString>,
    /// Operators and keys that every grant of these actions is bound to; empty if one is bound to none.
    pub conditions: BTreeSet<CompactString>,
    /// Denies that take something of it away, as `policy/statement`.
    pub limited_by: BTreeSet<CompactString>,
}

impl fmt::Display for ServiceAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels: Vec<String> = self.levels.iter().map(AccessLevel::to_string).collect();
        let list = |items: &BTreeSet<CompactString>| items.iter().map(CompactString::as_str).collect::<Vec<_>>().join(", ");
        write!(f, "{}: {} on {}", self.service, levels.join(", "), list(&self.resources))?;
        if !self.conditions.is_empty() {
            write!(f, " if {}", list(&self.conditions))?;
        }
        if !self.limited_by.is_empty() {
            write!(f, " limited by {}", list(&self.limited_by))?;
        }
        Ok(())
    }
}

/// One grant of a statement to a service.
struct Grant<'p> {
    statement: &'p Statement,
    levels: BTreeSet<AccessLevel>,
    actions: BTreeSet<CompactString>,
}

/// Summarises what the identity policies grant, service by service, as far as the boundary and the SCPs leave any action
/// of it. Malformed policies are left out: `evaluate` refuses a principal that has one.
pub fn summarize(policies: &Policies) -> Vec<ServiceAccess> {
    let mut services: BTreeMap<CompactString, Vec<Grant<'_>>> = BTreeMap::new();
    for statement in statements(&policies.identity).map(|(_, statement)| statement).filter(|statement| statement.effect == Effect::Allow) {
        for (service, grant) in grants(statement, policies) {
            services.entry(service).or_default().push(grant);
        }
    }
    let denies: Vec<(CompactString, &Statement)> =
        all_layers(policies).flat_map(statements).filter(|(_, statement)| statement.effect == Effect::Deny).collect();
    services.into_iter().map(|(service, grants)| access(service, &grants, &denies)).collect()
}

/// The statements of policies that can be read, each with the name of its policy.
pub(crate) fn statements_of(policies: &[Attached]) -> impl Iterator<Item = (&CompactString, &Statement)> {
    policies
        .iter()
        .filter_map(|policy| Some((policy, policy.document.as_ref().ok()?)))
        .flat_map(|(policy, document)| document.statements.iter().map(|statement| (&policy.name, statement)))
}

fn statements(policies: &[Attached]) -> impl Iterator<Item = (CompactString, &Statement)> {
    statements_of(policies).map(|(policy, statement)| (compact_str::format_compact!("{policy}/{}", statement.label()), statement))
}

fn all_layers(policies: &Policies) -> impl Iterator<Item = &[Attached]> {
    let boundary = policies.boundary.as_slice();
    std::iter::once(policies.identity.as_slice())
        .chain([boundary, policies.session.as_slice()])
        .chain(policies.scps.iter().map(Vec::as_slice))
}

/// What one statement grants, by service.
fn grants<'p>(statement: &'p Statement, policies: &Policies) -> Vec<(CompactString, Grant<'p>)> {
    if statement.actions.negated {
        let written = compact_str::format_compact!("not {}", statement.actions.written.join(", "));
        return vec![("*".into(), Grant { statement, levels: every_level(), actions: [written].into() })];
    }
    let mut grants: BTreeMap<CompactString, Grant<'p>> = BTreeMap::new();
    for (pattern, written) in statement.actions.patterns.iter().zip(&statement.actions.written) {
        let (service, levels) = match pattern {
            ActionPattern::Every => ("*".into(), every_level()),
            ActionPattern::Of { service, name } => {
                let matching = actions_of(service).iter().filter(|action| name.matches(action.name.to_ascii_lowercase().as_bytes()));
                let mut any = false;
                let levels: BTreeSet<AccessLevel> = matching
                    .inspect(|_| any = true)
                    .filter(|action| is_left(&Action { service: service.clone(), name: action.name.to_ascii_lowercase().into() }, policies))
                    .map(|action| action.level)
                    .collect();
                // Nothing is left of it, or it is an action that the table does not have.
                if any && levels.is_empty() {
                    continue;
                }
                (CompactString::new(service), levels)
            }
        };
        let grant = grants.entry(service).or_insert_with(|| Grant { statement, levels: BTreeSet::new(), actions: BTreeSet::new() });
        grant.levels.extend(levels);
        grant.actions.insert(written.clone());
    }
    grants.into_iter().collect()
}

fn every_level() -> BTreeSet<AccessLevel> {
    [AccessLevel::List, AccessLevel::Read, AccessLevel::Tagging, AccessLevel::Write, AccessLevel::PermissionsManagement].into()
}

/// Whether no layer refuses an action altogether: each has an Allow of it, and none a plain Deny.
pub(crate) fn is_left(action: &Action, policies: &Policies) -> bool {
    let unread = |layer| policies.unread.contains(&layer);
    let allows = |policies: &[Attached]| {
        statements_of(policies).any(|(_, statement)| statement.effect == Effect::Allow && statement.actions.match_action(action))
    };
    let denied = all_layers(policies)
        .flat_map(statements_of)
        .any(|(_, statement)| statement.effect == Effect::Deny && statement.is_plain() && statement.actions.match_action(action));
    let bounded = policies.boundary.is_none() || unread(Layer::Boundary) || allows(policies.boundary.as_slice());
    let controlled = policies.caller_manages
        || policies.scps.iter().enumerate().all(|(level, policies)| unread(Layer::ServiceControl(level)) || allows(policies));
    !denied && bounded && controlled
}

fn access(service: CompactString, grants: &[Grant<'_>], denies: &[(CompactString, &Statement)]) -> ServiceAccess {
    let mut access = ServiceAccess {
        levels: grants.iter().flat_map(|grant| grant.levels.iter().copied()).collect(),
        actions: grants.iter().flat_map(|grant| grant.actions.iter().cloned()).collect(),
        resources: BTreeSet::new(),
        conditions: BTreeSet::new(),
        limited_by: BTreeSet::new(),
        service,
    };
    for grant in grants {
        if let Some(resources) = &grant.statement.resources {
            let word = if resources.negated { "not " } else { "" };
            access.resources.extend(resources.written.iter().map(|text| compact_str::format_compact!("{word}{text}")));
        }
    }
    if grants.iter().all(|grant| !grant.statement.conditions.is_empty()) {
        let conditions = grants.iter().flat_map(|grant| grant.statement.conditions.iter());
        access.conditions = conditions.map(|condition| compact_str::format_compact!("{} {}", condition.operator, condition.key)).collect();
    }
    let touches = |statement: &Statement| {
        statement.actions.negated
            || access.service == "*"
            || statement.actions.patterns.iter().any(|pattern| match pattern {
                ActionPattern::Every => true,
                ActionPattern::Of { service, .. } => **service == *access.service,
            })
    };
    access.limited_by = denies.iter().filter(|(_, statement)| touches(statement)).map(|(name, _)| name.clone()).collect();
    access
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DocumentKind;
    use serde_json::json;

    fn policy(kind: DocumentKind, statement: &serde_json::Value) -> Attached {
        Attached::parse("p", kind, &json!({"Version": "2012-10-17", "Statement": statement}))
    }

    #[test]
    fn grants_are_told_by_service_and_level() {
        let statement = json!([
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::b/*"},
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            {"Sid": "No", "Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"},
        ]);
        let summary = summarize(&Policies { identity: vec![policy(DocumentKind::Identity, &statement)], ..Policies::default() });
        let lines: Vec<String> = summary.iter().map(ServiceAccess::to_string).collect();
        assert_eq!(lines, ["ecr: read on * if Bool aws:SecureTransport", "s3: read, write on arn:aws:s3:::b/* limited by p/No"]);
    }

    #[test]
    fn a_boundary_takes_away_what_it_does_not_allow() {
        let identity = vec![policy(DocumentKind::Identity, &json!({"Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*"}))];
        let boundary = Some(policy(DocumentKind::Boundary, &json!({"Effect": "Allow", "Action": "s3:List*", "Resource": "*"})));
        let summary = summarize(&Policies { identity, boundary, ..Policies::default() });
        assert_eq!(summary.len(), 1);
        assert_eq!(summary[0].service, "s3");
        assert!(!summary[0].levels.contains(&AccessLevel::Write));
    }
}
