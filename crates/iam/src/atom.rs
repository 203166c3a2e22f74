//! Undecided conditions. Equal ones are one variable, and complementary ones are one variable said the other way round,
//! so that `Allow if k is a` and `Deny if k is not a` are seen to hang together.

use std::fmt;

use compact_str::CompactString;

use crate::condition::Condition;
use crate::document::{Effect, Statement};
use crate::evaluate::Literal;
use crate::operator::{Base, Quantifier};
use crate::policies::Layer;

/// A condition that could not be decided, and the statement that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Atom {
    /// Where the policy stands.
    pub layer: Layer,
    /// The policy's name.
    pub policy: CompactString,
    /// The statement's Sid, or its number as `#0`.
    pub statement: CompactString,
    /// What the statement does if the condition holds.
    pub effect: Effect,
    /// The operator as written; `Resource` for a resource pattern with an unknown variable.
    pub operator: CompactString,
    /// The condition key; empty for a resource pattern.
    pub key: CompactString,
    /// The values that it is compared with.
    pub values: Vec<CompactString>,
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operator, self.key)?;
        write!(f, " [{}]", self.values.join(", "))
    }
}

/// What a variable stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity<'p> {
    Condition {
        quantifier: Option<Quantifier>,
        base: Base,
        negated: bool,
        if_exists: bool,
        key: &'p str,
        values: Vec<&'p str>,
        variables: bool,
    },
    Resource {
        written: &'p [CompactString],
        lenient: bool,
    },
}

/// What a variable was found in.
#[derive(Clone, Copy)]
pub(crate) enum Source<'p> {
    Condition(&'p Condition),
    Resource(&'p Statement),
}

/// The undecided conditions of a request.
#[derive(Default)]
pub(crate) struct Atoms<'p> {
    identities: Vec<Identity<'p>>,
    /// The first place where each was met.
    places: Vec<(Layer, &'p CompactString, &'p Statement, Source<'p>)>,
}

impl<'p> Atoms<'p> {
    pub(crate) fn len(&self) -> usize {
        self.identities.len()
    }

    fn intern(&mut self, identity: Identity<'p>, place: (Layer, &'p CompactString, &'p Statement, Source<'p>)) -> usize {
        if let Some(known) = self.identities.iter().position(|other| *other == identity) {
            return known;
        }
        self.identities.push(identity);
        self.places.push(place);
        self.identities.len() - 1
    }

    pub(crate) fn condition(
        &mut self,
        layer: Layer,
        policy: &'p CompactString,
        statement: &'p Statement,
        condition: &'p Condition,
    ) -> Literal {
        let operator = condition.operator;
        let mut values: Vec<&str> = condition.written.iter().map(CompactString::as_str).collect();
        values.sort_unstable();
        values.dedup();
        let key = condition.lookup.as_str();
        let variables = condition.variables().next().is_some();
        let written = |quantifier, negated, if_exists| Identity::Condition {
            quantifier,
            base: operator.base,
            negated,
            if_exists,
            key,
            values: values.clone(),
            variables,
        };
        let (identity, negated) = match operator.quantifier {
            _ if operator.base == Base::Null => {
                let identity = Identity::Condition {
                    quantifier: None,
                    base: Base::Null,
                    negated: false,
                    if_exists: false,
                    key,
                    values: Vec::new(),
                    variables,
                };
                (identity, !condition.wants_null(true))
            }
            // A missing key fails the plain operator and passes its negation, so that they are each other's complement.
            None if operator.negated => (written(None, false, false), true),
            None => (written(None, false, operator.if_exists), false),
            Some(Quantifier::Any) => (written(operator.quantifier, operator.negated, operator.if_exists), false),
            // All values match unless any does not, and a missing key is on the right side of both.
            Some(Quantifier::All) => (written(Some(Quantifier::Any), !operator.negated, false), true),
        };
        let atom = self.intern(identity, (layer, policy, statement, Source::Condition(condition)));
        Literal { atom, negated }
    }

    pub(crate) fn resource(&mut self, layer: Layer, policy: &'p CompactString, statement: &'p Statement) -> Option<Literal> {
        let resources = statement.resources.as_ref()?;
        let lenient = (statement.effect == Effect::Allow) != resources.negated;
        let identity = Identity::Resource { written: &resources.written, lenient };
        let atom = self.intern(identity, (layer, policy, statement, Source::Resource(statement)));
        Some(Literal { atom, negated: resources.negated })
    }

    /// Where each was met first.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source<'p>> {
        self.places.iter().map(|(.., source)| *source)
    }

    /// Those that are in use, for a reader.
    pub(crate) fn residual(&self, used: impl Fn(usize) -> bool) -> Vec<Atom> {
        let in_use = self.places.iter().enumerate().filter(|(atom, _)| used(*atom));
        in_use
            .map(|(_, (layer, policy, statement, source))| {
                let (operator, key, values) = match source {
                    Source::Condition(condition) => {
                        (compact_str::format_compact!("{}", condition.operator), condition.key.clone(), condition.written.to_vec())
                    }
                    Source::Resource(statement) => {
                        let written = statement.resources.as_ref().map(|resources| resources.written.to_vec());
                        ("Resource".into(), CompactString::default(), written.unwrap_or_default())
                    }
                };
                Atom {
                    layer: *layer,
                    policy: (*policy).clone(),
                    statement: statement.label(),
                    effect: statement.effect,
                    operator,
                    key,
                    values,
                }
            })
            .collect()
    }
}
