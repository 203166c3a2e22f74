//! Address ranges: which of them hold public addresses, and what several hold together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 ranges whose addresses are not routed on the internet.
const SPECIAL_IPV4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// IPv6 ranges whose addresses are not routed on the internet.
const SPECIAL_IPV6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::UNSPECIFIED, 96),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

/// The part of IPv6 that is given out as public addresses.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// The first and the last address of a range, as numbers.
pub(crate) type Span = (u128, u128);

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Bits of an address.
    fn width(self) -> u32 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// Every address.
    fn all(self) -> Span {
        (0, u128::MAX >> (128 - self.width()))
    }

    /// What may be missing in the whole internet: addresses that are not routed on it.
    pub(crate) fn beside_internet(self) -> Vec<Span> {
        match self {
            Self::V4 => SPECIAL_IPV4.iter().map(|&(address, length)| span(u128::from(address.to_bits()), length, self)).collect(),
            Self::V6 => {
                let (first, last) = span(GLOBAL_UNICAST.0.to_bits(), GLOBAL_UNICAST.1, self);
                vec![(0, first - 1), (last + 1, self.all().1)]
            }
        }
    }
}

/// A set of addresses of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Disjoint, not adjacent and ascending.
    ipv4: Vec<Span>,
    ipv6: Vec<Span>,
}

/// From ranges in CIDR notation and single addresses. What is no range counts as all addresses.
impl<S: AsRef<str>> FromIterator<S> for Ranges {
    fn from_iter<I: IntoIterator<Item = S>>(ranges: I) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for range in ranges {
            match parse(range.as_ref()) {
                Some((Family::V4, span)) => ipv4.push(span),
                Some((Family::V6, span)) => ipv6.push(span),
                None => {
                    ipv4.push(Family::V4.all());
                    ipv6.push(Family::V6.all());
                }
            }
        }
        Self { ipv4: united(ipv4), ipv6: united(ipv6) }
    }
}

impl Ranges {
    fn of(&self, family: Family) -> &[Span] {
        match family {
            Family::V4 => &self.ipv4,
            Family::V6 => &self.ipv6,
        }
    }

    /// Whether it holds no address.
    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }

    /// Whether it holds every address of another set.
    pub fn holds(&self, other: &Self) -> bool {
        [Family::V4, Family::V6].into_iter().all(|family| {
            other.of(family).iter().all(|&(first, last)| {
                let after = self.of(family).partition_point(|&(start, _)| start <= first);
                after.checked_sub(1).and_then(|at| self.of(family).get(at)).is_some_and(|&(_, end)| last <= end)
            })
        })
    }

    /// Whether they have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        [Family::V4, Family::V6].into_iter().any(|family| {
            other.of(family).iter().any(|&(first, last)| {
                let after = self.of(family).partition_point(|&(start, _)| start <= last);
                after.checked_sub(1).and_then(|at| self.of(family).get(at)).is_some_and(|&(_, end)| first <= end)
            })
        })
    }

    /// The addresses of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = |family| united(self.of(family).iter().chain(other.of(family)).copied().collect());
        Self { ipv4: both(Family::V4), ipv6: both(Family::V6) }
    }

    /// Whether it holds every public address of IPv4 or of IPv6.
    pub fn is_internet(&self) -> bool {
        [Family::V4, Family::V6].into_iter().any(|family| self.is_internet_of(family))
    }

    /// Whether it holds every public address of a family.
    pub fn is_internet_of(&self, family: Family) -> bool {
        let spans = self.of(family);
        !spans.is_empty() && united(family.beside_internet().into_iter().chain(spans.iter().copied()).collect()) == [family.all()]
    }

    /// Whether it holds at least as many addresses of a family as another set, which has some of that family.
    pub fn is_as_wide_as(&self, other: &Self) -> bool {
        [Family::V4, Family::V6].into_iter().any(|family| !other.of(family).is_empty() && self.count(family) >= other.count(family))
    }

    fn count(&self, family: Family) -> u128 {
        let sizes = self.of(family).iter().map(|&(first, last)| (last - first).saturating_add(1));
        sizes.fold(0, u128::saturating_add)
    }
}

/// The addresses of a range in CIDR notation, or a single one.
pub(crate) fn parse(range: &str) -> Option<(Family, Span)> {
    let (address, length) = range.split_once('/').map_or((range, None), |(address, length)| (address, Some(length)));
    let (family, bits) = match address.parse().ok()? {
        IpAddr::V4(address) => (Family::V4, u128::from(address.to_bits())),
        IpAddr::V6(address) => (Family::V6, address.to_bits()),
    };
    let length = match length {
        Some(length) => length.parse().ok().filter(|&length| length <= family.width())?,
        None => family.width(),
    };
    Some((family, span(bits, length, family)))
}

fn span(bits: u128, length: u32, family: Family) -> Span {
    let hosts = u128::MAX.checked_shr(128 - family.width() + length).unwrap_or(0);
    (bits & !hosts, bits | hosts)
}

/// The same addresses as disjoint spans in ascending order.
pub(crate) fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut disjoint: Vec<Span> = Vec::with_capacity(spans.len());
    for (first, last) in spans {
        match disjoint.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => disjoint.push((first, last)),
        }
    }
    disjoint
}

/// Whether a range in CIDR notation, or a single address, holds public addresses. What is no address counts as public.
pub fn is_public_range(range: &str) -> bool {
    let Some((family, (first, last))) = parse(range) else { return true };
    let within = |special: u128, length: u32| {
        let (start, end) = span(special, length, family);
        start <= first && last <= end
    };
    !match family {
        Family::V4 => SPECIAL_IPV4.iter().any(|&(address, length)| within(u128::from(address.to_bits()), length)),
        Family::V6 => SPECIAL_IPV6.iter().any(|&(address, length)| within(address.to_bits(), length)),
    }
}

/// Whether these ranges of IPv4 or of IPv6 together hold more addresses than one range with a prefix of this length. What
/// is no range counts as all.
pub fn exceed_prefix<S: AsRef<str>>(ranges: &[S], prefix: u32) -> bool {
    let ranges: Ranges = ranges.iter().collect();
    [Family::V4, Family::V6].into_iter().any(|family| {
        let width = family.width();
        ranges.count(family) > 1_u128 << (width - prefix.min(width).max(1))
    })
}

#[cfg(test)]
mod tests {
    use super::{Ranges, exceed_prefix, is_public_range};

    fn ranges(list: &[&str]) -> Ranges {
        list.iter().collect()
    }

    #[test]
    fn ranges_together_may_be_the_whole_internet() {
        let public_only =
            ["0.0.0.0/5", "8.0.0.0/7", "11.0.0.0/8", "12.0.0.0/6", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"];
        for all in [&["0.0.0.0/0"][..], &["::/0"], &["0.0.0.0/1", "128.0.0.0/1"], &["2000::/4", "3000::/4"], &public_only] {
            assert!(ranges(all).is_internet(), "{all:?}");
        }
        for part in [&["0.0.0.0/1"][..], &["0.0.0.0/1", "128.0.0.0/2"], &["::/1", "10.0.0.0/8"][..1], &["10.0.0.0/8"], &["2600::/12"], &[]]
        {
            assert_eq!(ranges(part).is_internet(), part == ["::/1"], "{part:?}");
        }
    }

    #[test]
    fn a_set_holds_what_its_ranges_hold_together() {
        let halves = ranges(&["10.0.0.0/17", "10.0.128.0/17"]);
        assert!(halves.holds(&ranges(&["10.0.0.0/16"])));
        assert!(!halves.holds(&ranges(&["10.0.0.0/15"])));
        assert!(!halves.holds(&ranges(&["10.0.0.0/16", "fd00::/8"])));
        assert!(halves.overlaps(&ranges(&["10.0.200.7"])));
        assert!(!halves.overlaps(&ranges(&["10.1.0.0/16", "fd00::/8"])));
        assert!(halves.is_as_wide_as(&ranges(&["192.168.0.0/16"])));
        assert!(!halves.is_as_wide_as(&ranges(&["192.168.0.0/15"])));
        assert!(!halves.is_as_wide_as(&ranges(&["fd00::/64"])));
        assert!(halves.and(&ranges(&["10.1.0.0/16"])).holds(&ranges(&["10.0.0.0/15"])));
        assert!(ranges(&["oops"]).holds(&ranges(&["0.0.0.0/0", "::/0"])));
    }

    #[test]
    fn ranges_add_up_and_what_one_holds_counts_once() {
        assert!(!exceed_prefix(&["52.0.0.0/8"], 8));
        assert!(!exceed_prefix(&["52.0.0.0/8", "52.1.0.0/16", "52.0.0.0/8"], 8));
        assert!(exceed_prefix(&["52.0.0.0/8", "8.8.8.8"], 8));
        assert!(!exceed_prefix(&["52.0.0.0/9", "54.0.0.0/9"], 8));
        assert!(exceed_prefix(&["2000::/7"], 8));
        assert!(!exceed_prefix(&["2600::/16", "52.0.0.0/8"], 8));
        for all in ["0.0.0.0/0", "::/0", "oops", "1.2.3.4/33"] {
            assert!(exceed_prefix(&[all], 8), "{all}");
        }
        assert!(!exceed_prefix::<&str>(&[], 8));
    }

    #[test]
    fn a_range_is_public_unless_a_special_one_holds_all_of_it() {
        for range in ["0.0.0.0/0", "::/0", "8.8.8.8/32", "8.8.8.8", "172.0.0.0/8", "10.0.0.0/7", "2600:1f18::1", "2000::/3", "0.0.0.0/1"] {
            assert!(is_public_range(range), "{range}");
        }
        for range in ["10.0.0.0/8", "10.1.2.3", "172.31.0.0/16", "192.168.1.0/24", "100.64.0.0/10", "fd00::/8", "fe80::1/64", "::1"] {
            assert!(!is_public_range(range), "{range}");
        }
    }

    #[test]
    fn what_is_no_range_counts_as_public() {
        assert!(is_public_range("anywhere"));
        assert!(is_public_range("10.0.0.0/99"));
    }
}
