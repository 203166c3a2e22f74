//! Methods by which a caller raises itself: a node flows in; steps to an administrator, or the node as it would be after
//! the step, flow out.

use compact_str::{CompactString, format_compact};

use super::landscape::{Group, Landscape, ManagedPolicy, Principal, PrincipalKind};
use super::method::{How, On, method};
use super::node::{Grant, MaskCache, Node, mask};
use super::path::{Certainty, Edge, Gained};
use super::rows::{ROWS, Row};
use crate::context::KeyState;
use crate::document::Effect;
use crate::lint::Remark;
use crate::policies::{Attached, Policies};

/// The policy that gives everything, in every partition.
fn administrator_access(partition: &str) -> CompactString {
    format_compact!("arn:{partition}:iam::aws:policy/AdministratorAccess")
}

/// Managed policies worth attaching: they give everything.
pub(crate) fn worth_attaching(landscape: &Landscape, partition: &str) -> Vec<CompactString> {
    let attached = landscape.principals.iter().flat_map(|principal| &principal.attached);
    let in_groups = landscape.groups.iter().flat_map(|group| &group.attached);
    let wide = landscape.policies.iter().chain(attached).chain(in_groups).filter(|policy| gives_everything(&policy.policy));
    let mut arns: Vec<CompactString> = wide.map(|policy| policy.arn.clone()).collect();
    arns.push(administrator_access(partition));
    arns.sort_unstable();
    arns.dedup();
    arns
}

fn gives_everything(policy: &Attached) -> bool {
    policy.document.as_ref().is_ok_and(|document| document.lints.iter().any(|lint| lint.remark == Remark::Everything))
}

/// What the key `iam:PermissionsBoundary` says of a principal.
pub(crate) fn boundary_of(principal: &Principal) -> KeyState {
    match &principal.boundary {
        None => KeyState::Absent,
        Some(boundary) if boundary.name.starts_with("arn:") => KeyState::known(&boundary.name),
        Some(_) => KeyState::Unknown,
    }
}

/// A step of this method that takes these grants.
pub(crate) fn edge(row: &Row, from: &str, to: &str, gained: Gained, grants: Vec<Grant>, unverified: &[CompactString]) -> Option<Edge> {
    let mut depends_on: Vec<CompactString> =
        grants.iter().flat_map(|grant| grant.depends_on.iter().cloned()).chain(unverified.iter().cloned()).collect();
    depends_on.sort_unstable();
    depends_on.dedup();
    let certainty = grants.iter().map(Grant::certainty).max().unwrap_or(Certainty::Certain);
    let certainty = if unverified.is_empty() { certainty } else { Certainty::Conditional };
    Some(Edge {
        from: from.into(),
        to: to.into(),
        gained,
        method: method(row.id)?,
        permissions: grants.into_iter().map(|grant| grant.permission).collect(),
        certainty,
        depends_on,
    })
}

/// Steps by which a node gets any permission.
pub(crate) fn to_administrator(node: &Node, landscape: &Landscape, attachable: &[CompactString]) -> Vec<Edge> {
    let rows = ROWS.iter().filter(|row| matches!(row.how, How::Any | How::Attach) && node.mask & mask(row) == mask(row));
    let mut limited: Option<Option<Certainty>> = None;
    rows.filter_map(|row| {
        let principal = landscape.principals.get(node.principal)?;
        let grant = own_resources(row, principal, landscape).into_iter().find_map(|resource| {
            let (action, _) = row.needs.first()?;
            let boundary = ("iam:PermissionsBoundary", boundary_of(principal));
            if row.how == How::Any {
                return node.can(action, &resource, &[boundary]);
            }
            attachable
                .iter()
                .find_map(|policy| node.can(action, &resource, &[boundary.clone(), ("iam:PolicyARN", KeyState::known(policy))]))
        })?;
        // A boundary or an SCP may leave nothing of it.
        let after = (*limited.get_or_insert_with(|| node.with_everything().administers()))?;
        let unverified: &[CompactString] =
            if after == Certainty::Conditional { &[CompactString::const_new("what boundary and SCPs leave")] } else { &[] };
        edge(row, principal.arn(), principal.arn(), Gained::Administrator, vec![grant], unverified)
    })
    .collect()
}

/// The resources of the caller's own that a row asks about.
fn own_resources(row: &Row, principal: &Principal, landscape: &Landscape) -> Vec<CompactString> {
    let user = row.needs.iter().any(|(action, _)| matches!(*action, "iam:PutUserPolicy" | "iam:AttachUserPolicy"));
    let groups = || principal.groups.iter().filter_map(|group| landscape.groups.get(*group));
    match row.needs.first().map(|(_, on)| *on) {
        Some(On::Caller) if user == (principal.kind == PrincipalKind::User) => vec![principal.facts.arn.clone()],
        Some(On::CallerGroup) => groups().map(|group| group.arn.clone()).collect(),
        Some(On::CallerPolicy) => {
            let attached = principal.attached.iter().chain(groups().flat_map(|group| &group.attached));
            attached.filter(|policy| policy.is_customer_managed()).map(|policy| policy.arn.clone()).collect()
        }
        _ => Vec::new(),
    }
}

/// A node after a change, and the step that changes it.
pub(crate) struct Changed {
    pub(crate) policies: Policies,
    pub(crate) edge: Edge,
}

/// Steps by which a node comes by other policies.
pub(crate) fn changes(node: &Node, landscape: &Landscape) -> Vec<Changed> {
    let Some(principal) = landscape.principals.get(node.principal) else { return Vec::new() };
    let mut changes = Vec::new();
    // Most workloads have none of these permissions.
    if node.mask == 0 {
        return changes;
    }
    for row in ROWS.iter().filter(|row| !row.needs.is_empty() && node.mask & mask(row) == mask(row)) {
        match row.how {
            How::OlderVersion => older_versions(row, node, principal, &mut changes),
            How::JoinGroup if principal.kind == PrincipalKind::User => join_groups(row, node, principal, landscape, &mut changes),
            How::LoseBoundary if principal.kind == PrincipalKind::Role => lose_boundary(row, node, principal, &mut changes),
            How::LoseAttached | How::LoseInline if principal.kind == PrincipalKind::Role => lose_denies(row, node, principal, &mut changes),
            _ => {}
        }
    }
    changes
}

fn change(row: &Row, principal: &Principal, how: &'static str, grant: Grant, policies: Policies) -> Option<Changed> {
    let edge = edge(row, principal.arn(), principal.arn(), Gained::Changed(how), vec![grant], &[])?;
    Some(Changed { policies, edge })
}

fn older_versions(row: &Row, node: &Node, principal: &Principal, changes: &mut Vec<Changed>) {
    for policy in principal.attached.iter().filter(|policy| policy.is_customer_managed()) {
        let Some(grant) = node.can("iam:SetDefaultPolicyVersion", &policy.arn, &[]) else { continue };
        for older in policy.older.iter().filter(|older| older.document.is_ok()) {
            let mut policies = node.policies.clone();
            without(&mut policies, &policy.policy);
            policies.identity.push(older.clone());
            changes.extend(change(row, principal, "uses an older version of a policy", grant.clone(), policies));
        }
    }
}

fn join_groups(row: &Row, node: &Node, principal: &Principal, landscape: &Landscape, changes: &mut Vec<Changed>) {
    for (at, group) in landscape.groups.iter().enumerate() {
        if principal.groups.contains(&at) {
            continue;
        }
        if let Some(grant) = node.can("iam:AddUserToGroup", &group.arn, &[]) {
            let mut policies = node.policies.clone();
            policies.identity.extend(group_policies(group));
            changes.extend(change(row, principal, "joins a group", grant, policies));
        }
    }
}

fn group_policies(group: &Group) -> impl Iterator<Item = Attached> {
    let attached = group.attached.iter().map(|policy: &ManagedPolicy| &policy.policy);
    group.inline.iter().chain(attached).filter(|policy| policy.document.is_ok()).cloned()
}

fn lose_boundary(row: &Row, node: &Node, principal: &Principal, changes: &mut Vec<Changed>) {
    if principal.boundary.is_none() {
        return;
    }
    let Some((action, _)) = row.needs.first() else { return };
    let swaps = *action == "iam:PutRolePermissionsBoundary";
    let wide = administrator_access(node.partition());
    let asked = if swaps { KeyState::known(&wide) } else { boundary_of(principal) };
    if let Some(grant) = node.can(action, principal.arn(), &[("iam:PermissionsBoundary", asked)]) {
        let policies = Policies { boundary: None, ..node.policies.clone() };
        let how = if swaps { "swaps its boundary for a wide one" } else { "drops its boundary" };
        changes.extend(change(row, principal, how, grant, policies));
    }
}

fn lose_denies(row: &Row, node: &Node, principal: &Principal, changes: &mut Vec<Changed>) {
    let denies = |policy: &Attached| {
        policy.document.as_ref().is_ok_and(|document| document.statements.iter().any(|statement| statement.effect == Effect::Deny))
    };
    let boundary = ("iam:PermissionsBoundary", boundary_of(principal));
    if row.how == How::LoseInline {
        let inline: Vec<&Attached> = principal.inline.iter().filter(|policy| denies(policy)).collect();
        let grant = if inline.is_empty() { None } else { node.can("iam:DeleteRolePolicy", principal.arn(), &[boundary]) };
        if let Some(grant) = grant {
            let mut policies = node.policies.clone();
            for policy in inline {
                without(&mut policies, policy);
            }
            changes.extend(change(row, principal, "deletes inline policies that deny", grant, policies));
        }
        return;
    }
    let mut policies = node.policies.clone();
    let mut last = None;
    for policy in principal.attached.iter().filter(|policy| denies(&policy.policy)) {
        let arn = ("iam:PolicyARN", KeyState::known(&policy.arn));
        if let Some(grant) = node.can("iam:DetachRolePolicy", principal.arn(), &[boundary.clone(), arn]) {
            without(&mut policies, &policy.policy);
            last = Some(grant);
        }
    }
    if let Some(grant) = last {
        changes.extend(change(row, principal, "detaches policies that deny", grant, policies));
    }
}

/// Takes a policy away.
fn without(policies: &mut Policies, policy: &Attached) {
    let same = |other: &Attached| match (&other.document, &policy.document) {
        (Ok(one), Ok(other_document)) => std::sync::Arc::ptr_eq(one, other_document) && other.name == policy.name,
        _ => false,
    };
    if let Some(at) = policies.identity.iter().position(same) {
        policies.identity.remove(at);
    }
}

/// A node from a change.
pub(crate) fn changed_node(index: usize, node: &Node, changed: Changed, masks: &mut MaskCache) -> Node {
    let mask = masks.mask(&changed.policies);
    Node {
        principal: node.principal,
        caller: node.caller.clone(),
        policies: changed.policies,
        context: node.context.clone(),
        mask,
        change: Some((index, changed.edge)),
    }
}
