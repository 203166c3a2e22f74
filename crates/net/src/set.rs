//! Sets of addresses and ports as sorted, disjoint, inclusive ranges. Everything the engine computes is made of these.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a set is made of: something countable with a first and a last value.
pub trait Point: Copy + Ord + fmt::Debug {
    /// The first value.
    const FIRST: Self;
    /// The last value.
    const LAST: Self;
    /// The value after this one; `None` after the last.
    fn after(self) -> Option<Self>;
    /// The value before this one; `None` before the first.
    fn before(self) -> Option<Self>;
}

macro_rules! points {
    ($($type:ty)*) => {$(
        impl Point for $type {
            const FIRST: Self = <$type>::MIN;
            const LAST: Self = <$type>::MAX;

            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }

            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )*};
}

points!(u16 u128);

/// A set of values: ranges in order, both ends included, none touching the next.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Set<T> {
    ranges: Vec<(T, T)>,
}

/// Ports of TCP and UDP, or `type << 8 | code` of ICMP.
pub type PortSet = Set<u16>;

/// Addresses of both families; see [`crate::Family`] for how they lie side by side.
pub type CidrSet = Set<u128>;

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self { ranges: Vec::new() }
    }
}

impl<T: Point> Set<T> {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything.
    pub fn all() -> Self {
        Self::range(T::FIRST, T::LAST)
    }

    /// One value.
    pub fn one(value: T) -> Self {
        Self::range(value, value)
    }

    /// A range, both ends included; nothing when they are the wrong way round.
    pub fn range(first: T, last: T) -> Self {
        Self { ranges: if first <= last { vec![(first, last)] } else { Vec::new() } }
    }

    /// The union of ranges in any order; those with their ends the wrong way round hold nothing.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut ranges: Vec<(T, T)> = ranges.into_iter().filter(|(first, last)| first <= last).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for range in ranges {
            push(&mut merged, range);
        }
        Self { ranges: merged }
    }

    /// Its ranges, in order.
    pub fn ranges(&self) -> &[(T, T)] {
        &self.ranges
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether it holds every value there is.
    pub fn is_all(&self) -> bool {
        matches!(self.ranges.as_slice(), [(first, last)] if *first == T::FIRST && *last == T::LAST)
    }

    /// The smallest value.
    pub fn first(&self) -> Option<T> {
        self.ranges.first().map(|range| range.0)
    }

    /// Whether it holds a value.
    pub fn contains(&self, value: T) -> bool {
        let at = self.ranges.partition_point(|range| range.1 < value);
        self.ranges.get(at).is_some_and(|range| range.0 <= value)
    }

    /// Whether some value is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (few, many) = if self.ranges.len() <= other.ranges.len() { (self, other) } else { (other, self) };
        few.ranges.iter().any(|&(first, last)| {
            let at = many.ranges.partition_point(|range| range.1 < first);
            many.ranges.get(at).is_some_and(|range| range.0 <= last)
        })
    }

    /// Whether all of it is in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.ranges.iter().all(|&(first, last)| {
            let at = other.ranges.partition_point(|range| range.1 < first);
            other.ranges.get(at).is_some_and(|range| range.0 <= first && last <= range.1)
        })
    }

    /// What is in both.
    pub fn intersect(&self, other: &Self) -> Self {
        let (few, many) = if self.ranges.len() <= other.ranges.len() { (self, other) } else { (other, self) };
        let mut out = Vec::new();
        // A few ranges against many: seek instead of walking through all of the many.
        if many.ranges.len() > few.ranges.len().saturating_mul(16) {
            for &(first, last) in &few.ranges {
                let at = many.ranges.partition_point(|range| range.1 < first);
                let met = many.ranges.iter().skip(at).take_while(|range| range.0 <= last);
                out.extend(met.map(|range| (range.0.max(first), range.1.min(last))));
            }
            return Self { ranges: out };
        }
        let (mut a, mut b) = (few.ranges.iter().peekable(), many.ranges.iter().peekable());
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let (first, last) = (x.0.max(y.0), x.1.min(y.1));
            if first <= last {
                out.push((first, last));
            }
            if x.1 < y.1 {
                a.next();
            } else {
                b.next();
            }
        }
        Self { ranges: out }
    }

    /// What is in either.
    pub fn union(&self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        if other.is_empty() {
            return self.clone();
        }
        let mut out = Vec::with_capacity(self.ranges.len() + other.ranges.len());
        let (mut a, mut b) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        loop {
            let next = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x.0 <= y.0 => a.next(),
                (Some(_) | None, Some(_)) => b.next(),
                (Some(_), None) => a.next(),
                (None, None) => break,
            };
            if let Some(&range) = next {
                push(&mut out, range);
            }
        }
        Self { ranges: out }
    }

    /// The union of many: one sort, however many there are.
    pub fn union_of<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self
    where
        T: 'a,
    {
        Self::from_ranges(sets.into_iter().flat_map(|set| set.ranges.iter().copied()))
    }

    /// What is in this one and not in the other.
    pub fn minus(&self, other: &Self) -> Self {
        if other.is_empty() || self.is_empty() {
            return self.clone();
        }
        let mut out = Vec::new();
        let mut at = other.ranges.partition_point(|range| self.first().is_some_and(|first| range.1 < first));
        for &(first, last) in &self.ranges {
            let mut from = Some(first);
            while let (Some(start), Some(cut)) = (from, other.ranges.get(at)) {
                if cut.1 < start {
                    at += 1;
                } else if cut.0 > last {
                    break;
                } else {
                    if let Some(before) = cut.0.before().filter(|before| *before >= start) {
                        out.push((start, before));
                    }
                    from = cut.1.after().filter(|after| *after <= last);
                }
            }
            if let Some(start) = from {
                out.push((start, last));
            }
        }
        Self { ranges: out }
    }

    /// Everything else.
    pub fn complement(&self) -> Self {
        Self::all().minus(self)
    }
}

/// Adds a range that begins no earlier than the last one, joining the two when they touch.
fn push<T: Point>(ranges: &mut Vec<(T, T)>, range: (T, T)) {
    match ranges.last_mut() {
        Some(last) if last.1.after().is_none_or(|after| range.0 <= after) => last.1 = last.1.max(range.1),
        _ => ranges.push(range),
    }
}

impl<T: Point> FromIterator<(T, T)> for Set<T> {
    fn from_iter<I: IntoIterator<Item = (T, T)>>(ranges: I) -> Self {
        Self::from_ranges(ranges)
    }
}

impl PortSet {
    /// Its ranges as people write them: `443`, `8000-8010`.
    pub fn words(&self) -> Vec<String> {
        let word = |&(first, last): &(u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
        self.ranges().iter().map(word).collect()
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() { f.write_str("all") } else { f.write_str(&self.words().join(",")) }
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PortSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::{PortSet, Set};

    #[test]
    fn ranges_that_touch_become_one() {
        assert_eq!(PortSet::from_ranges([(5, 9), (1, 2), (3, 4), (12, 11)]).ranges(), [(1, 9)]);
    }

    #[test]
    fn the_ends_of_the_space_are_values_like_any_other() {
        let ends: PortSet = [(0, 0), (u16::MAX, u16::MAX)].into_iter().collect();
        assert_eq!(ends.complement().ranges(), [(1, u16::MAX - 1)]);
        assert_eq!(ends.complement().complement(), ends);
        assert!(PortSet::all().minus(&PortSet::all()).is_empty());
        assert!(Set::<u128>::all().is_all());
    }

    #[test]
    fn one_against_many_is_the_same_as_many_against_one() {
        let many: PortSet = (0..1000).map(|n| (n * 3, n * 3 + 1)).collect();
        let few = PortSet::range(10, 20);
        assert_eq!(many.intersect(&few).ranges(), [(10, 10), (12, 13), (15, 16), (18, 19)]);
        assert_eq!(few.intersect(&many), many.intersect(&few));
    }

    #[test]
    fn words_are_what_people_write() {
        assert_eq!(PortSet::from_ranges([(443, 443), (8000, 8010)]).to_string(), "443,8000-8010");
        assert_eq!(PortSet::all().to_string(), "all");
    }
}
