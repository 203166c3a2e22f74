//! What a search finds: steps from one principal to another, and paths of them.

use std::fmt;

use compact_str::CompactString;

use super::method::Method;
use crate::decision::Cited;

/// How sure a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// Every permission and every prerequisite is there.
    Certain,
    /// It depends on conditions or prerequisites that could not be verified.
    Conditional,
}

/// A permission that a step takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The action.
    pub action: CompactString,
    /// The ARN that it is asked on, or `*`.
    pub resource: CompactString,
    /// The statement that grants it.
    pub granted_by: Option<Cited>,
}

/// What a step leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gained {
    /// The permissions of another principal.
    Principal,
    /// Any permission, as the principal that the step leads to.
    Administrator,
    /// The same principal with other policies, in words.
    Changed(&'static str),
}

/// A step: from acting as one principal to acting as another, or as the same with more permissions.
#[derive(Clone, Debug)]
pub struct Edge {
    /// The ARN of the principal before.
    pub from: CompactString,
    /// The ARN of the principal after.
    pub to: CompactString,
    /// What is gained.
    pub gained: Gained,
    /// The method.
    pub method: &'static Method,
    /// The permissions that it takes.
    pub permissions: Vec<Permission>,
    /// How sure it is.
    pub certainty: Certainty,
    /// What could not be verified: condition keys and prerequisites.
    pub depends_on: Vec<CompactString>,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match self.gained {
            Gained::Principal => format!("acts as {}", self.to),
            Gained::Administrator => format!("gets any permission as {}", self.to),
            Gained::Changed(how) => format!("{how} as {}", self.to),
        };
        let permissions: Vec<&str> = self.permissions.iter().map(|permission| permission.action.as_str()).collect();
        write!(f, "{} {to}: {}", self.from, self.method.name)?;
        if !permissions.is_empty() {
            write!(f, " ({})", permissions.join(", "))?;
        }
        if !self.depends_on.is_empty() {
            write!(f, ", if {}", self.depends_on.join(", "))?;
        }
        Ok(())
    }
}

/// What to take away so that a path ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The position of the step that it ends.
    pub edge: usize,
    /// The ARN of the principal that loses it.
    pub principal: CompactString,
    /// What it loses; `None` where no permission is involved but a way to the credentials.
    pub permission: Option<Permission>,
    /// Whether no other path to an administrator is left to the first principal without it.
    pub ends_all: bool,
}

/// The shortest way from a principal to an administrator.
#[derive(Clone, Debug)]
pub struct Path {
    /// The position of the first principal in the landscape.
    pub start: usize,
    /// The steps, at least one.
    pub edges: Vec<Edge>,
    /// The position of the least sure step; among equals the one that takes the most permissions.
    pub weakest: usize,
    /// What to take away.
    pub cut: Cut,
}

impl Path {
    /// How sure the whole path is: as its weakest step.
    pub fn certainty(&self) -> Certainty {
        self.edges.iter().map(|edge| edge.certainty).max().unwrap_or(Certainty::Certain)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, edge) in self.edges.iter().enumerate() {
            writeln!(f, "{}. {edge}", number + 1)?;
        }
        match &self.cut.permission {
            Some(permission) => {
                write!(f, "to end it: take {} on {} from {}", permission.action, permission.resource, self.cut.principal)?;
                if let Some(cited) = &permission.granted_by {
                    write!(f, " ({cited})")?;
                }
                if self.cut.ends_all { Ok(()) } else { f.write_str("; other ways to an administrator remain") }
            }
            None => write!(f, "to end it: keep {} from the metadata service of its host", self.cut.principal),
        }
    }
}
