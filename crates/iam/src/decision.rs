//! What came out of an evaluation, and how to say it.

use std::fmt;

use compact_str::CompactString;

use crate::atom::Atom;
use crate::document::Effect;
use crate::evaluate::Hit;
use crate::policies::{Layer, Request, Stack};

/// An answer. The order is that of what it lets happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// A Deny matches; no grant can change that.
    ExplicitlyDenied,
    /// Nothing denies, but not every layer that must allow does; a grant can change that.
    ImplicitlyDenied,
    /// It depends on conditions that could not be decided.
    Conditional,
    /// Certainly allowed.
    Allowed,
}

impl Verdict {
    /// As JSON writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExplicitlyDenied => "explicitly_denied",
            Self::ImplicitlyDenied => "implicitly_denied",
            Self::Conditional => "conditional",
            Self::Allowed => "allowed",
        }
    }

    /// Whether it is allowed, certainly or on conditions.
    pub fn is_possible(self) -> bool {
        self >= Self::Conditional
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExplicitlyDenied => "explicitly denied",
            Self::ImplicitlyDenied => "implicitly denied",
            Self::Conditional => "allowed on conditions",
            Self::Allowed => "allowed",
        })
    }
}

/// A statement that has a part in a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cited {
    /// Where the policy stands.
    pub layer: Layer,
    /// The policy's name.
    pub policy: CompactString,
    /// The statement's Sid, or its number as `#0`.
    pub statement: CompactString,
    /// What it does.
    pub effect: Effect,
    /// It matches the resource only because a `*` runs over colons, which AWS allows for and advises against.
    pub runs_over: bool,
}

impl From<&Hit<'_>> for Cited {
    fn from(hit: &Hit<'_>) -> Self {
        Self {
            layer: hit.layer,
            policy: hit.policy.clone(),
            statement: hit.statement.label(),
            effect: hit.statement.effect,
            runs_over: hit.runs_over,
        }
    }
}

impl fmt::Display for Cited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} {}, statement {}", self.effect, self.layer, self.policy, self.statement)?;
        if self.runs_over { f.write_str(" (only if * runs over colons)") } else { Ok(()) }
    }
}

/// An answer and what decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub verdict: Verdict,
    /// The answer if every undecided condition came out in the caller's favour.
    pub best: Verdict,
    /// The answer if every undecided condition came out against the caller.
    pub worst: Verdict,
    /// The layer that decides; for an implicit denial, the first that lacks an Allow.
    pub layer: Option<Layer>,
    /// The two or three statements that decide.
    pub statements: Vec<Cited>,
    /// For an implicit denial: the layers that lack an Allow.
    pub missing: Vec<Layer>,
    /// For a conditional answer: the conditions that could not be decided.
    pub residual: Vec<Atom>,
    /// Values that the sender of the request must choose for this answer; no values means: leave the key out.
    pub chosen: Vec<(CompactString, Vec<CompactString>)>,
    /// Layers that could not be read and were taken to allow.
    pub unread: Vec<Layer>,
}

impl Decision {
    /// A request that no policy can refuse.
    pub(crate) fn always() -> Self {
        Self::bare(Verdict::Allowed, &[])
    }

    /// A request for something that is no action.
    pub(crate) fn nothing_grants(stack: &Stack<'_>) -> Self {
        Self::bare(Verdict::ImplicitlyDenied, stack.unread)
    }

    fn bare(verdict: Verdict, unread: &[Layer]) -> Self {
        Self {
            verdict,
            best: verdict,
            worst: verdict,
            layer: None,
            statements: Vec::new(),
            missing: Vec::new(),
            residual: Vec::new(),
            chosen: Vec::new(),
            unread: unread.to_vec(),
        }
    }

    /// The answer in words, short enough for a ticket.
    pub fn explain<'d>(&'d self, request: &'d Request) -> Explanation<'d> {
        Explanation { decision: self, request }
    }
}

/// A decision in words: who, what, on what, the verdict, the statements that decide, and what would change it.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'d> {
    decision: &'d Decision,
    request: &'d Request,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decision, request } = self;
        writeln!(f, "{} {} on {}: {}", request.caller.text, request.action, request.resource, decision.verdict)?;
        for cited in decision.statements.iter().take(3) {
            writeln!(f, "  {cited}")?;
        }
        for (key, values) in &decision.chosen {
            match values.as_slice() {
                [] => writeln!(f, "  with {key} left out")?,
                values => writeln!(f, "  with {key} = {}", values.join(", "))?,
            }
        }
        for atom in decision.residual.iter().take(3) {
            writeln!(f, "  depends on {atom}, statement {} of {}", atom.statement, atom.policy)?;
        }
        if decision.residual.len() > 3 {
            writeln!(f, "  and on {} more conditions", decision.residual.len() - 3)?;
        }
        for layer in &decision.unread {
            match (layer, decision.verdict) {
                (Layer::Grants, _) => writeln!(f, "  {layer} could not be read and may allow it")?,
                (Layer::Resource, Verdict::ImplicitlyDenied) => writeln!(f, "  {layer} could not be read and may allow it or deny it")?,
                _ => writeln!(f, "  {layer} could not be read and is taken to allow")?,
            }
        }
        write!(f, "  to change it: ")?;
        match decision.verdict {
            Verdict::ExplicitlyDenied => f.write_str("narrow the Deny"),
            Verdict::ImplicitlyDenied if request.is_reserved_to_aws() => f.write_str("nothing does, AWS lets nobody else do this"),
            Verdict::ImplicitlyDenied if decision.missing.is_empty() => f.write_str("nothing grants it"),
            Verdict::ImplicitlyDenied => {
                f.write_str("allow it in ")?;
                for (index, layer) in decision.missing.iter().enumerate() {
                    write!(f, "{}{layer}", if index > 0 { " and " } else { "" })?;
                }
                Ok(())
            }
            Verdict::Conditional => f.write_str("settle the conditions above, or deny it"),
            Verdict::Allowed => match decision.statements.iter().find(|cited| Some(cited.layer) == decision.layer) {
                Some(cited) => write!(f, "narrow statement {} of {}, or deny it", cited.statement, cited.policy),
                None => f.write_str("deny it"),
            },
        }
    }
}
