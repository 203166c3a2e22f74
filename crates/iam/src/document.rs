//! A policy document, compiled: what its statements match. `parse` builds it, `evaluate` asks it.

use std::fmt;

use compact_str::CompactString;
use serde_json::Value;

use crate::arn::ArnPattern;
use crate::condition::Condition;
use crate::context::Context;
use crate::error::PolicyError;
use crate::glob::Glob;
use crate::lint::Lint;
use crate::principal::{Caller, NamedBy, Principals};
use crate::tri::Tri;

/// What a document is attached to, which decides what it may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKind {
    /// Attached to a user, group or role, inline or managed.
    Identity,
    /// A permission boundary.
    Boundary,
    /// Passed along when a session was made.
    Session,
    /// A service control policy.
    ServiceControl,
    /// A resource control policy.
    ResourceControl,
    /// Attached to a resource.
    Resource,
    /// Attached to a resource of a service whose policies name no resource, such as an ECR repository.
    Unaddressed,
    /// The trust policy of a role.
    Trust,
    /// Attached to a VPC endpoint.
    Endpoint,
}

/// Whether a statement grants or refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses, whatever else grants.
    Deny,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        })
    }
}

/// A policy document that is valid for its kind.
#[derive(Clone, Debug)]
pub struct Document {
    /// What it is attached to.
    pub kind: DocumentKind,
    /// What is valid in it but hardly meant.
    pub lints: Vec<Lint>,
    pub(crate) statements: Vec<Statement>,
}

impl Document {
    /// Reads a document from text: JSON, or JSON percent-encoded as the IAM API returns it.
    ///
    /// # Errors
    ///
    /// Text that is not JSON, a key that occurs twice, more than 10 MB or 32 levels, and whatever [`Document::from_json`]
    /// refuses.
    pub fn from_text(kind: DocumentKind, text: &str) -> Result<Self, PolicyError> {
        crate::parse::document(kind, &crate::json::parse(text)?)
    }

    /// Reads a document from a JSON value.
    ///
    /// # Errors
    ///
    /// Anything that AWS would not store as a policy of this kind: unknown elements, operators and versions, a missing
    /// element, a wrong type; with the JSON path.
    pub fn from_json(kind: DocumentKind, value: &Value) -> Result<Self, PolicyError> {
        crate::json::check_limits(value)?;
        crate::parse::document(kind, value)
    }

    /// How many statements it has.
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }

    /// Whether any statement grants an action such as `ecs:RunTask`, on whatever resource and condition.
    pub fn grants(&self, action: &str) -> bool {
        let Some(action) = Action::parse(action) else { return false };
        self.statements.iter().any(|statement| statement.effect == Effect::Allow && statement.actions.match_action(&action))
    }

    /// Whether any statement grants anything.
    pub fn grants_something(&self) -> bool {
        self.statements.iter().any(|statement| statement.effect == Effect::Allow)
    }
}

/// A compiled statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: Option<CompactString>,
    pub(crate) index: usize,
    pub(crate) effect: Effect,
    pub(crate) principals: Option<Principals>,
    pub(crate) actions: Actions,
    /// `None` where the document's kind has no resources: it is the one that the document is attached to.
    pub(crate) resources: Option<Resources>,
    pub(crate) conditions: Box<[Condition]>,
}

/// An `Action` or `NotAction` element.
#[derive(Clone, Debug)]
pub(crate) struct Actions {
    pub(crate) negated: bool,
    pub(crate) patterns: Box<[ActionPattern]>,
    pub(crate) written: Box<[CompactString]>,
}

/// One action pattern, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ActionPattern {
    Every,
    Of { service: Box<str>, name: Glob },
}

/// A `Resource` or `NotResource` element.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    pub(crate) negated: bool,
    pub(crate) patterns: Box<[ResourcePattern]>,
    pub(crate) written: Box<[CompactString]>,
}

/// One resource pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourcePattern {
    Every,
    Arn(ArnPattern),
}

/// An action, split and in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) service: Box<str>,
    pub(crate) name: Box<str>,
}

impl Action {
    /// Reads `service:name`; `None` without a colon.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (service, name) = text.split_once(':')?;
        Some(Self { service: service.to_ascii_lowercase().into(), name: name.to_ascii_lowercase().into() })
    }
}

impl Actions {
    pub(crate) fn match_action(&self, action: &Action) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(action)) != self.negated
    }

    /// Whether it is `Action: "*"`.
    pub(crate) fn is_every(&self) -> bool {
        !self.negated && self.patterns.contains(&ActionPattern::Every)
    }
}

impl ActionPattern {
    pub(crate) fn matches(&self, action: &Action) -> bool {
        match self {
            Self::Every => true,
            Self::Of { service, name } => *service == action.service && name.matches(action.name.as_bytes()),
        }
    }
}

/// A resource as it is asked for: `*`, or an ARN with its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'r> {
    pub(crate) text: &'r str,
    pub(crate) parts: Option<[&'r str; 6]>,
}

impl<'r> Asked<'r> {
    pub(crate) fn new(text: &'r str) -> Self {
        Self { text, parts: crate::arn::split(text) }
    }
}

impl Resources {
    /// Whether the element covers the resource. `lenient`: a `*` that ends a part may run over colons, so that what
    /// matches is rather too much than too little; the second answer tells whether it did.
    pub(crate) fn match_resource(&self, asked: &Asked<'_>, lenient: bool, context: &Context) -> (Tri, bool) {
        let mut listed = Tri::False;
        let mut runs_over = false;
        for pattern in &self.patterns {
            let (holds, over) = match (pattern, &asked.parts) {
                (ResourcePattern::Every, _) => (Tri::True, false),
                (ResourcePattern::Arn(_), None) => (Tri::False, false),
                (ResourcePattern::Arn(pattern), Some(parts)) if lenient => {
                    let found = pattern.matches_loosely(parts, asked.text, context);
                    (found.holds, found.runs_over)
                }
                (ResourcePattern::Arn(pattern), Some(parts)) => (pattern.matches(parts, context), false),
            };
            if holds > listed {
                listed = holds;
                runs_over = over;
            }
            if listed == Tri::True && !runs_over {
                break;
            }
        }
        (listed.negated_if(self.negated), runs_over && !self.negated)
    }

    /// Whether it is `Resource: "*"`.
    pub(crate) fn is_every(&self) -> bool {
        !self.negated && self.patterns.contains(&ResourcePattern::Every)
    }

    /// The keys of the variables in its patterns.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().flat_map(|pattern| if let ResourcePattern::Arn(pattern) = pattern { pattern.variables() } else { Vec::new() })
    }
}

impl Statement {
    /// How the statement names the caller; `Everyone` where its kind of document names nobody.
    pub(crate) fn reach(&self, caller: &Caller, bounded: bool) -> Option<NamedBy> {
        match &self.principals {
            Some(principals) => principals.reach(caller, self.effect == Effect::Deny, bounded),
            None => Some(NamedBy::Everyone),
        }
    }

    /// Whether it covers the resource, and whether only by a `*` that runs over colons.
    pub(crate) fn match_resource(&self, asked: &Asked<'_>, context: &Context) -> (Tri, bool) {
        match &self.resources {
            Some(resources) => {
                // For posture an Allow rather covers too much, and a Deny rather too little.
                let lenient = (self.effect == Effect::Allow) != resources.negated;
                resources.match_resource(asked, lenient, context)
            }
            None => (Tri::True, false),
        }
    }

    /// Whether it covers every resource under no condition.
    pub(crate) fn is_plain(&self) -> bool {
        self.conditions.is_empty() && self.resources.as_ref().is_none_or(Resources::is_every)
    }

    /// What to call it: its Sid, or its number counted from zero.
    pub(crate) fn label(&self) -> CompactString {
        self.sid.clone().unwrap_or_else(|| compact_str::format_compact!("#{}", self.index))
    }

    /// The condition keys that its answer depends on, in lower case.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.iter().flat_map(Resources::variables);
        let conditions =
            self.conditions.iter().flat_map(|condition| std::iter::once(condition.lookup.as_str()).chain(condition.variables()));
        resources.chain(conditions)
    }
}
