//! What is valid in a document but hardly meant. A compiled document flows in, remarks flow out.

use std::fmt;

use compact_str::CompactString;

use crate::actions::{self, actions_of};
use crate::condition::Condition;
use crate::document::{ActionPattern, Actions, Document, DocumentKind, Effect, ResourcePattern, Statement};
use crate::glob::Glob;
use crate::operator::{Base, Quantifier};
use crate::principal::Entry;
use crate::text::Text;

/// A remark on a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The statement's Sid, or its number as `#0`; empty for the document.
    pub statement: CompactString,
    /// What is odd.
    pub remark: Remark,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.statement.is_empty() { write!(f, "{}", self.remark) } else { write!(f, "{}: {}", self.statement, self.remark) }
    }
}

/// What is odd in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// No statement of a document that is there to grant allows anything.
    GrantsNothing,
    /// `Allow` with `NotAction` grants every other action, of services that do not exist yet too.
    AllowNotAction,
    /// `Allow` with `NotResource` grants on every other resource.
    AllowNotResource,
    /// `Allow` of all actions of a service on all resources.
    WholeService(CompactString),
    /// `Allow` of `*` on `*`.
    Everything,
    /// A principal that was deleted: its id matches nobody.
    DeletedPrincipal(CompactString),
    /// A principal that names nobody: principals take no partial wildcards.
    NoSuchPrincipal(CompactString),
    /// Every principal in the element names nobody.
    NamesNobody,
    /// `Allow` under `ForAllValues` without `Null: false`: holds for a request without the key.
    HoldsWithoutKey(CompactString),
    /// `Allow` to everybody without a condition.
    Public,
    /// An action of this service takes no resource, so that an ARN grants nothing.
    ResourceOnResourceless(CompactString),
    /// A multi-valued key under a plain operator: what AWS makes of it is not documented.
    ManyValuesPlain(CompactString),
    /// A single-valued key under a set operator.
    OneValueQuantified(CompactString),
    /// Matches no action that its service has, as far as the table of actions knows.
    UnknownAction(CompactString),
    /// Fewer parts than an ARN has: matches at best where a `*` runs over colons.
    ShortArn(CompactString),
    /// A variable before the resource part of an ARN stays text.
    VariableInHead(CompactString),
    /// `${…}` under a version without variables stays text.
    VariableInOldVersion,
    /// A condition value that its operator cannot read: matches nothing.
    UnreadableValue(CompactString),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GrantsNothing => f.write_str("grants nothing"),
            Self::AllowNotAction => f.write_str("Allow with NotAction grants every action that is not listed"),
            Self::AllowNotResource => f.write_str("Allow with NotResource grants on every resource that is not listed"),
            Self::WholeService(service) => write!(f, "grants all of {service} on all resources"),
            Self::Everything => f.write_str("grants all actions on all resources"),
            Self::DeletedPrincipal(id) => write!(f, "{id} is a deleted principal and matches nobody"),
            Self::NoSuchPrincipal(text) => write!(f, "{text} names nobody: principals take no partial wildcards"),
            Self::NamesNobody => f.write_str("names nobody"),
            Self::HoldsWithoutKey(key) => write!(f, "ForAllValues holds when {key} is missing: add Null with false"),
            Self::Public => f.write_str("grants to everybody under no condition"),
            Self::ResourceOnResourceless(action) => write!(f, "{action} takes no resource: only Resource \"*\" grants it"),
            Self::ManyValuesPlain(key) => write!(f, "{key} has many values: use ForAnyValue or ForAllValues"),
            Self::OneValueQuantified(key) => write!(f, "{key} has one value: ForAnyValue and ForAllValues are for many"),
            Self::UnknownAction(text) => write!(f, "{text} matches no known action"),
            Self::ShortArn(text) => write!(f, "{text} has fewer than six parts"),
            Self::VariableInHead(text) => write!(f, "{text}: a variable counts after the fifth colon only"),
            Self::VariableInOldVersion => f.write_str("variables are text without Version 2012-10-17"),
            Self::UnreadableValue(key) => write!(f, "a value for {key} is not of the operator's kind and matches nothing"),
        }
    }
}

/// Multi-valued keys, in lower case; a name ending in `/` stands for what follows.
const MULTI_VALUED: [&str; 8] = [
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "dynamodb:attributes",
    "dynamodb:leadingkeys",
    "kms:grantoperations",
];

/// Single-valued keys that are often quantified, in lower case.
const SINGLE_VALUED: [&str; 12] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "iam:passedtoservice",
];

pub(crate) fn lints(document: &Document, variables: bool) -> Vec<Lint> {
    let mut lints = Vec::new();
    let grants = matches!(document.kind, DocumentKind::Identity | DocumentKind::Resource | DocumentKind::Unaddressed | DocumentKind::Trust);
    if grants && document.statements.is_empty() {
        lints.push(Lint { statement: "".into(), remark: Remark::GrantsNothing });
    }
    for statement in &document.statements {
        let mut remarks = Vec::new();
        if statement.effect == Effect::Allow {
            allows(document.kind, statement, &mut remarks);
        }
        unknown_actions(statement, &mut remarks);
        principals(statement, &mut remarks);
        resources(statement, variables, &mut remarks);
        for condition in &statement.conditions {
            keys(condition, &mut remarks);
            if !variables && condition.operator.takes_variables() && condition.written.iter().any(|text| text.contains("${")) {
                remarks.push(Remark::VariableInOldVersion);
            }
        }
        remarks.dedup();
        lints.extend(remarks.into_iter().map(|remark| Lint { statement: statement.label(), remark }));
    }
    lints
}

fn allows(kind: DocumentKind, statement: &Statement, remarks: &mut Vec<Remark>) {
    let control = matches!(kind, DocumentKind::ServiceControl | DocumentKind::ResourceControl | DocumentKind::Endpoint);
    if statement.actions.negated {
        remarks.push(Remark::AllowNotAction);
    }
    if statement.resources.as_ref().is_some_and(|resources| resources.negated) {
        remarks.push(Remark::AllowNotResource);
    }
    if !control && kind != DocumentKind::Trust && statement.is_plain() && statement.principals.is_none() {
        for pattern in &statement.actions.patterns {
            match pattern {
                _ if statement.actions.negated => {}
                ActionPattern::Every => remarks.push(Remark::Everything),
                ActionPattern::Of { service, name: Glob::All } => remarks.push(Remark::WholeService(CompactString::new(service))),
                ActionPattern::Of { .. } => {}
            }
        }
    }
    if let Some(principals) = &statement.principals
        && kind != DocumentKind::ResourceControl
        && kind != DocumentKind::Endpoint
        && !principals.negated
        && principals.entries.contains(&Entry::Everyone)
        && statement.conditions.is_empty()
    {
        remarks.push(Remark::Public);
    }
    for condition in &statement.conditions {
        if condition.operator.quantifier == Some(Quantifier::All) && condition.operator.base != Base::Null && !present(statement, condition)
        {
            remarks.push(Remark::HoldsWithoutKey(condition.key.clone()));
        }
    }
    resourceless(&statement.actions, statement, remarks);
}

/// Whether another condition asks for the key to be there.
fn present(statement: &Statement, condition: &Condition) -> bool {
    statement
        .conditions
        .iter()
        .any(|other| other.operator.base == Base::Null && other.lookup == condition.lookup && !other.wants_null(true))
}

fn resourceless(actions: &Actions, statement: &Statement, remarks: &mut Vec<Remark>) {
    let Some(resources) = &statement.resources else { return };
    if actions.negated || resources.negated || resources.patterns.contains(&ResourcePattern::Every) {
        return;
    }
    for pattern in &actions.patterns {
        if let ActionPattern::Of { service, name: Glob::Literal(name) } = pattern
            && let Some(known) = std::str::from_utf8(name).ok().and_then(|name| actions::find(service, name))
            && !known.takes_resource
        {
            remarks.push(Remark::ResourceOnResourceless(compact_str::format_compact!("{service}:{}", known.name)));
        }
    }
}

/// Patterns that match no action of their service: a slip of the pen, or newer than the table.
fn unknown_actions(statement: &Statement, remarks: &mut Vec<Remark>) {
    for (pattern, written) in statement.actions.patterns.iter().zip(&statement.actions.written) {
        let known = match pattern {
            ActionPattern::Every | ActionPattern::Of { name: Glob::All, .. } => true,
            ActionPattern::Of { service, name: Glob::Literal(name) } => {
                std::str::from_utf8(name).is_ok_and(|name| actions::find(service, name).is_some())
            }
            ActionPattern::Of { service, name } => {
                actions_of(service).iter().any(|action| name.matches(action.name.to_ascii_lowercase().as_bytes()))
            }
        };
        if !known {
            remarks.push(Remark::UnknownAction(written.clone()));
        }
    }
}

fn principals(statement: &Statement, remarks: &mut Vec<Remark>) {
    let Some(principals) = &statement.principals else { return };
    for entry in &principals.entries {
        match entry {
            Entry::Deleted(id) => remarks.push(Remark::DeletedPrincipal(id.clone())),
            Entry::Nobody(text) => remarks.push(Remark::NoSuchPrincipal(text.clone())),
            _ => {}
        }
    }
    if principals.is_empty() {
        remarks.push(Remark::NamesNobody);
    }
}

fn resources(statement: &Statement, variables: bool, remarks: &mut Vec<Remark>) {
    let Some(resources) = &statement.resources else { return };
    for (pattern, written) in resources.patterns.iter().zip(&resources.written) {
        if let ResourcePattern::Arn(pattern) = pattern {
            if pattern.is_short() {
                remarks.push(Remark::ShortArn(written.clone()));
            }
            if pattern.parts().contains(&Text::Never) {
                remarks.push(Remark::VariableInHead(written.clone()));
            }
        }
        if !variables && written.contains("${") {
            remarks.push(Remark::VariableInOldVersion);
        }
    }
}

fn keys(condition: &Condition, remarks: &mut Vec<Remark>) {
    let key = condition.lookup.as_str();
    let null = condition.operator.base == Base::Null;
    match condition.operator.quantifier {
        None if !null && MULTI_VALUED.binary_search(&key).is_ok() => remarks.push(Remark::ManyValuesPlain(condition.key.clone())),
        Some(_) if SINGLE_VALUED.binary_search(&key).is_ok() => remarks.push(Remark::OneValueQuantified(condition.key.clone())),
        _ => {}
    }
    if condition.has_misfit() {
        remarks.push(Remark::UnreadableValue(condition.key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn remarks(statement: &serde_json::Value) -> Vec<Remark> {
        let document = Document::from_json(DocumentKind::Identity, &json!({"Version": "2012-10-17", "Statement": statement})).unwrap();
        document.lints.into_iter().map(|lint| lint.remark).collect()
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(MULTI_VALUED.is_sorted() && SINGLE_VALUED.is_sorted());
    }

    #[test]
    fn wide_grants_are_remarked() {
        assert_eq!(remarks(&json!({"Effect": "Allow", "Action": "*", "Resource": "*"})), [Remark::Everything]);
        assert_eq!(remarks(&json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})), [Remark::WholeService("s3".into())]);
        assert_eq!(remarks(&json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})), [Remark::AllowNotAction]);
        assert_eq!(remarks(&json!({"Effect": "Deny", "Action": "*", "Resource": "*"})), []);
    }

    #[test]
    fn for_all_values_is_a_hole_unless_the_key_must_be_there() {
        let allow = |condition: serde_json::Value| {
            remarks(&json!({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Condition": condition}))
        };
        assert_eq!(allow(json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}})), [Remark::HoldsWithoutKey("aws:TagKeys".into())]);
        assert_eq!(allow(json!({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:tagkeys": "false"}})), []);
        assert_eq!(allow(json!({"StringEquals": {"aws:TagKeys": "a"}})), [Remark::ManyValuesPlain("aws:TagKeys".into())]);
    }

    #[test]
    fn an_arn_for_an_action_without_resources_grants_nothing() {
        let remarks =
            remarks(&json!({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "arn:aws:ecr:us-east-1:1:repository/x"}));
        assert_eq!(remarks, [Remark::ResourceOnResourceless("ecr:GetAuthorizationToken".into())]);
    }

    #[test]
    fn an_action_that_no_service_has_is_remarked() {
        let actions = ["s3:GetObjekt", "s3:Get*", "s3:Fetch*"];
        let remarks = remarks(&json!({"Effect": "Allow", "Action": actions, "Resource": "*"}));
        assert_eq!(remarks, [Remark::UnknownAction("s3:GetObjekt".into()), Remark::UnknownAction("s3:Fetch*".into())]);
    }

    #[test]
    fn a_deleted_principal_is_remarked() {
        let document = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "AROAEXAMPLEID1234567"}, "Action": "sts:AssumeRole"}});
        let document = Document::from_json(DocumentKind::Trust, &document).unwrap();
        let remarks: Vec<_> = document.lints.into_iter().map(|lint| lint.remark).collect();
        assert_eq!(remarks, [Remark::DeletedPrincipal("AROAEXAMPLEID1234567".into()), Remark::NamesNobody]);
    }
}
