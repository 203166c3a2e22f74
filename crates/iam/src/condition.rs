//! One condition: an operator, a key and the values it is compared with. A context flows in, a truth value flows out.

use std::cmp::Ordering;
use std::net::IpAddr;

use compact_str::CompactString;

use crate::arn::{self, ArnPattern};
use crate::case::fold_case;
use crate::context::{Context, ContextValue, KeyState, lowered};
use crate::operator::{Base, Operator, Quantifier};
use crate::text::{Syntax, Text};
use crate::tri::Tri;
use crate::value::{Decimal, Instant, Network, address, bytes, instant, truth};

/// One line of a `Condition` element.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) operator: Operator,
    /// As written.
    pub(crate) key: CompactString,
    /// In lower case.
    pub(crate) lookup: CompactString,
    /// As written.
    pub(crate) written: Box<[CompactString]>,
    values: Box<[Expected]>,
}

/// A value as its operator understands it.
#[derive(Clone, Debug)]
enum Expected {
    Text(Text),
    /// Without case.
    Folded(Text),
    Arn(ArnPattern),
    Number(Decimal),
    Instant(Instant),
    Truth(bool),
    Network(Network),
    Bytes(Vec<u8>),
    /// Not of the operator's kind: equals nothing.
    Nothing,
}

/// A value of the request as an operator understands it, read once for all the values it is compared with.
enum Given<'v> {
    Text(&'v str),
    Folded(String),
    Arn(Option<[&'v str; 6]>),
    Number(Option<Decimal>),
    Instant(Option<Instant>),
    Truth(Option<bool>),
    Address(Option<IpAddr>),
    Bytes(Option<Vec<u8>>),
}

impl Condition {
    pub(crate) fn new(operator: Operator, key: &str, written: Vec<CompactString>, variables: bool) -> Self {
        let variables = variables && operator.takes_variables();
        let values = written.iter().map(|text| expected(operator.base, text, variables)).collect();
        Self { operator, key: key.into(), lookup: lowered(key), written: written.into(), values }
    }

    /// Whether the condition holds in this context.
    pub(crate) fn evaluate(&self, context: &Context) -> Tri {
        let Operator { quantifier, base, negated, if_exists } = self.operator;
        let state = context.lookup(&self.lookup);
        let values: &[CompactString] = match state {
            KeyState::Chosen | KeyState::Unknown => return self.without_value(),
            KeyState::Absent => &[],
            KeyState::Known(ContextValue::One(value)) => std::slice::from_ref(value),
            KeyState::Known(ContextValue::Many(values)) => values,
        };
        if base == Base::Null {
            // AWS takes a multi-valued key without values for a missing one.
            return self.wants_null(values.is_empty()).into();
        }
        let single = matches!(state, KeyState::Known(ContextValue::One(_)));
        match (quantifier, single) {
            (_, false) if values.is_empty() => (match quantifier {
                Some(Quantifier::All) => true,
                Some(Quantifier::Any) => if_exists,
                None => if_exists || negated,
            })
            .into(),
            // One value where many are meant, or the reverse: what AWS makes of it is not documented.
            (Some(_), true) | (None, false) => Tri::Unknown,
            (Some(Quantifier::All), false) => Tri::all(values.iter().map(|value| self.matches(value, context).negated_if(negated))),
            (Some(Quantifier::Any), false) => Tri::any(values.iter().map(|value| self.matches(value, context).negated_if(negated))),
            (None, true) => Tri::any(values.iter().map(|value| self.matches(value, context))).negated_if(negated),
        }
    }

    /// The answer when the key's value is not known: few conditions hold or fail whatever it is.
    fn without_value(&self) -> Tri {
        if self.operator.base == Base::Null {
            return match (self.wants_null(true), self.wants_null(false)) {
                (true, true) => Tri::True,
                (false, false) => Tri::False,
                _ => Tri::Unknown,
            };
        }
        Tri::Unknown
    }

    /// For `Null`: whether it holds if the key is absent or not.
    pub(crate) fn wants_null(&self, absent: bool) -> bool {
        self.values.iter().any(|value| matches!(value, Expected::Truth(wanted) if *wanted == absent))
    }

    /// Whether any of the values matches this value of the key.
    fn matches(&self, value: &str, context: &Context) -> Tri {
        let given = given(self.operator.base, value);
        Tri::any(self.values.iter().map(|expected| compare(self.operator.base, &given, expected, context)))
    }

    /// The keys of the variables in its values, in lower case.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.values.iter().flat_map(|value| match value {
            Expected::Text(text) | Expected::Folded(text) => text.variables().map(CompactString::as_str).collect(),
            Expected::Arn(pattern) => pattern.variables(),
            _ => Vec::new(),
        })
    }

    /// Whether a value is not what its operator compares with.
    pub(crate) fn has_misfit(&self) -> bool {
        self.values.iter().any(|value| matches!(value, Expected::Nothing))
            || self.values.iter().any(|value| matches!(value, Expected::Arn(pattern) if pattern.is_short()))
    }
}

fn expected(base: Base, text: &str, variables: bool) -> Expected {
    let exact = Syntax { wildcards: false, variables };
    match base {
        Base::StringEquals => Expected::Text(Text::new(text, exact)),
        Base::StringEqualsIgnoreCase => Expected::Folded(fold(text, variables)),
        Base::StringLike => Expected::Text(Text::new(text, Syntax { wildcards: true, variables })),
        Base::ArnLike => Expected::Arn(ArnPattern::of_condition(text, variables)),
        Base::NumericEquals
        | Base::NumericLessThan
        | Base::NumericLessThanEquals
        | Base::NumericGreaterThan
        | Base::NumericGreaterThanEquals => Decimal::parse(text).map_or(Expected::Nothing, Expected::Number),
        Base::DateEquals | Base::DateLessThan | Base::DateLessThanEquals | Base::DateGreaterThan | Base::DateGreaterThanEquals => {
            instant(text).map_or(Expected::Nothing, Expected::Instant)
        }
        Base::Bool | Base::Null => truth(text).map_or(Expected::Nothing, Expected::Truth),
        Base::IpAddress => Network::parse(text).map_or(Expected::Nothing, Expected::Network),
        Base::BinaryEquals => bytes(text).map_or(Expected::Nothing, Expected::Bytes),
    }
}

/// Text without case. Variables keep their default's case out of it too; their values are folded when they are known.
fn fold(text: &str, variables: bool) -> Text {
    Text::new(&fold_case(text), Syntax { wildcards: false, variables })
}

fn given(base: Base, value: &str) -> Given<'_> {
    match base {
        Base::StringEquals | Base::StringLike => Given::Text(value),
        Base::StringEqualsIgnoreCase => Given::Folded(fold_case(value)),
        Base::ArnLike => Given::Arn(arn::split(value)),
        Base::NumericEquals
        | Base::NumericLessThan
        | Base::NumericLessThanEquals
        | Base::NumericGreaterThan
        | Base::NumericGreaterThanEquals => Given::Number(Decimal::parse(value)),
        Base::DateEquals | Base::DateLessThan | Base::DateLessThanEquals | Base::DateGreaterThan | Base::DateGreaterThanEquals => {
            Given::Instant(instant(value))
        }
        Base::Bool | Base::Null => Given::Truth(truth(value)),
        Base::IpAddress => Given::Address(address(value)),
        Base::BinaryEquals => Given::Bytes(bytes(value)),
    }
}

fn compare(base: Base, given: &Given<'_>, expected: &Expected, context: &Context) -> Tri {
    match (given, expected) {
        (Given::Text(value), Expected::Text(text)) => text.matches(value, context),
        (Given::Folded(value), Expected::Folded(text)) => text.matches_folded(value, context),
        (Given::Arn(Some(parts)), Expected::Arn(pattern)) => pattern.matches(parts, context),
        (Given::Number(Some(value)), Expected::Number(number)) => holds(base, value.compare(number)).into(),
        (Given::Instant(Some(value)), Expected::Instant(instant)) => holds(base, value.cmp(instant)).into(),
        (Given::Truth(Some(value)), Expected::Truth(truth)) => (value == truth).into(),
        (Given::Address(Some(value)), Expected::Network(network)) => network.contains(*value).into(),
        (Given::Bytes(Some(value)), Expected::Bytes(bytes)) => (value == bytes).into(),
        _ => Tri::False,
    }
}

fn holds(base: Base, order: Ordering) -> bool {
    match base {
        Base::NumericLessThan | Base::DateLessThan => order.is_lt(),
        Base::NumericLessThanEquals | Base::DateLessThanEquals => order.is_le(),
        Base::NumericGreaterThan | Base::DateGreaterThan => order.is_gt(),
        Base::NumericGreaterThanEquals | Base::DateGreaterThanEquals => order.is_ge(),
        _ => order.is_eq(),
    }
}
