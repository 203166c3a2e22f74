//! Three-valued logic: what an undecided condition leaves of a verdict.

/// A truth value in strong Kleene logic, ordered false < unknown < true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tri {
    /// Certainly not.
    False,
    /// Depends on something that is not known.
    Unknown,
    /// Certainly.
    True,
}

impl Tri {
    /// Both.
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// Either.
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// The opposite; unknown stays unknown.
    #[expect(clippy::should_implement_trait, reason = "`and`, `or` and `not` belong together")]
    pub fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }

    /// The opposite if `negated`.
    pub(crate) fn negated_if(self, negated: bool) -> Self {
        if negated { self.not() } else { self }
    }

    /// True if any is true, false if all are false.
    pub(crate) fn any(values: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::False;
        for value in values {
            sum = sum.or(value);
            if sum == Self::True {
                break;
            }
        }
        sum
    }

    /// True if all are true, false if any is false.
    pub(crate) fn all(values: impl IntoIterator<Item = Self>) -> Self {
        let mut product = Self::True;
        for value in values {
            product = product.and(value);
            if product == Self::False {
                break;
            }
        }
        product
    }
}

impl From<bool> for Tri {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

#[cfg(test)]
mod tests {
    use super::Tri::{False, True, Unknown};
    use super::*;

    #[test]
    fn unknown_gives_way_to_what_decides() {
        assert_eq!(Unknown.and(False), False);
        assert_eq!(Unknown.or(True), True);
        assert_eq!(Unknown.not(), Unknown);
        assert_eq!(Tri::any([False, Unknown]), Unknown);
        assert_eq!(Tri::all([True, Unknown]), Unknown);
        assert_eq!(Tri::all([]), True);
        assert_eq!(Tri::any([]), False);
    }
}
