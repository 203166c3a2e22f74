//! Condition operators: a base, and what `Not`, `…IfExists` and the set operators make of it.

use std::fmt;

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    /// `ArnEquals` and `ArnLike` are one.
    ArnLike,
    NumericEquals,
    NumericLessThan,
    NumericLessThanEquals,
    NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals,
    DateLessThan,
    DateLessThanEquals,
    DateGreaterThan,
    DateGreaterThanEquals,
    Bool,
    IpAddress,
    BinaryEquals,
    Null,
}

/// How the values of a multi-valued key are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Quantifier {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// A condition operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Operator {
    pub(crate) quantifier: Option<Quantifier>,
    pub(crate) base: Base,
    pub(crate) negated: bool,
    pub(crate) if_exists: bool,
}

/// Every operator by its name in lower case, without prefix and suffix.
const NAMES: [(&str, Base, bool); 27] = [
    ("stringequals", Base::StringEquals, false),
    ("stringnotequals", Base::StringEquals, true),
    ("stringequalsignorecase", Base::StringEqualsIgnoreCase, false),
    ("stringnotequalsignorecase", Base::StringEqualsIgnoreCase, true),
    ("stringlike", Base::StringLike, false),
    ("stringnotlike", Base::StringLike, true),
    ("arnequals", Base::ArnLike, false),
    ("arnnotequals", Base::ArnLike, true),
    ("arnlike", Base::ArnLike, false),
    ("arnnotlike", Base::ArnLike, true),
    ("numericequals", Base::NumericEquals, false),
    ("numericnotequals", Base::NumericEquals, true),
    ("numericlessthan", Base::NumericLessThan, false),
    ("numericlessthanequals", Base::NumericLessThanEquals, false),
    ("numericgreaterthan", Base::NumericGreaterThan, false),
    ("numericgreaterthanequals", Base::NumericGreaterThanEquals, false),
    ("dateequals", Base::DateEquals, false),
    ("datenotequals", Base::DateEquals, true),
    ("datelessthan", Base::DateLessThan, false),
    ("datelessthanequals", Base::DateLessThanEquals, false),
    ("dategreaterthan", Base::DateGreaterThan, false),
    ("dategreaterthanequals", Base::DateGreaterThanEquals, false),
    ("bool", Base::Bool, false),
    ("ipaddress", Base::IpAddress, false),
    ("notipaddress", Base::IpAddress, true),
    ("binaryequals", Base::BinaryEquals, false),
    ("null", Base::Null, false),
];

impl Operator {
    /// Reads an operator's name, in any case; `None` if there is no such operator.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let (quantifier, rest) = if let Some(rest) = lower.strip_prefix("forallvalues:") {
            (Some(Quantifier::All), rest)
        } else if let Some(rest) = lower.strip_prefix("foranyvalue:") {
            (Some(Quantifier::Any), rest)
        } else {
            (None, &*lower)
        };
        let (rest, if_exists) = rest.strip_suffix("ifexists").map_or((rest, false), |rest| (rest, true));
        let (_, base, negated) = NAMES.iter().find(|(name, ..)| *name == rest)?;
        if *base == Base::Null && if_exists {
            return None;
        }
        Some(Self { quantifier, base: *base, negated: *negated, if_exists })
    }

    /// Whether values of this operator may hold variables.
    pub(crate) fn takes_variables(self) -> bool {
        matches!(self.base, Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike | Base::ArnLike)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quantifier {
            Some(Quantifier::All) => f.write_str("ForAllValues:")?,
            Some(Quantifier::Any) => f.write_str("ForAnyValue:")?,
            None => {}
        }
        f.write_str(match (self.base, self.negated) {
            (Base::StringEquals, false) => "StringEquals",
            (Base::StringEquals, true) => "StringNotEquals",
            (Base::StringEqualsIgnoreCase, false) => "StringEqualsIgnoreCase",
            (Base::StringEqualsIgnoreCase, true) => "StringNotEqualsIgnoreCase",
            (Base::StringLike, false) => "StringLike",
            (Base::StringLike, true) => "StringNotLike",
            (Base::ArnLike, false) => "ArnLike",
            (Base::ArnLike, true) => "ArnNotLike",
            (Base::NumericEquals, false) => "NumericEquals",
            (Base::NumericEquals, true) => "NumericNotEquals",
            (Base::NumericLessThan, _) => "NumericLessThan",
            (Base::NumericLessThanEquals, _) => "NumericLessThanEquals",
            (Base::NumericGreaterThan, _) => "NumericGreaterThan",
            (Base::NumericGreaterThanEquals, _) => "NumericGreaterThanEquals",
            (Base::DateEquals, false) => "DateEquals",
            (Base::DateEquals, true) => "DateNotEquals",
            (Base::DateLessThan, _) => "DateLessThan",
            (Base::DateLessThanEquals, _) => "DateLessThanEquals",
            (Base::DateGreaterThan, _) => "DateGreaterThan",
            (Base::DateGreaterThanEquals, _) => "DateGreaterThanEquals",
            (Base::Bool, _) => "Bool",
            (Base::IpAddress, false) => "IpAddress",
            (Base::IpAddress, true) => "NotIpAddress",
            (Base::BinaryEquals, _) => "BinaryEquals",
            (Base::Null, _) => "Null",
        })?;
        if self.if_exists { f.write_str("IfExists") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_any_case_is_read_and_written_in_its_own() {
        for name in ["StringNotEqualsIgnoreCaseIfExists", "ForAllValues:ArnLike", "NotIpAddress", "Null", "DateLessThanEquals"] {
            assert_eq!(Operator::parse(&name.to_uppercase()).unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_is_no_operator_is_refused() {
        for name in ["", "NullIfExists", "NumericNotLessThan", "StringEqualsIf", "ForAll:Bool"] {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }
}
