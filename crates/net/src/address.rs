//! Addresses as numbers: CIDR text flows in, ranges flow out, and back again.
//!
//! Both families share one number line, so that one set holds both. IPv4 lies where IPv6 maps it, in `::ffff:0:0/96`,
//! and IPv6 begins at `0:0:0:1::`: nothing below that is ever routed (the unspecified address, loopback, mapped
//! addresses), and the gap keeps the families from touching.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize, Serializer};

use crate::set::CidrSet;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl From<Family> for u8 {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => 4,
            Family::V6 => 6,
        }
    }
}

impl TryFrom<u8> for Family {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            4 => Ok(Self::V4),
            6 => Ok(Self::V6),
            _ => Err("an address family is 4 or 6"),
        }
    }
}

const V4_FIRST: u128 = 0xffff_0000_0000;
const V4_LAST: u128 = 0xffff_ffff_ffff;
const V6_FIRST: u128 = 1 << 64;

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The first and the last address.
    pub(crate) const fn range(self) -> (u128, u128) {
        match self {
            Self::V4 => (V4_FIRST, V4_LAST),
            Self::V6 => (V6_FIRST, u128::MAX),
        }
    }

    /// All its addresses.
    pub fn addresses(self) -> CidrSet {
        let (first, last) = self.range();
        CidrSet::range(first, last)
    }

    /// The family of an address.
    pub(crate) const fn of(address: u128) -> Self {
        if address <= V4_LAST { Self::V4 } else { Self::V6 }
    }

    /// The globally routed addresses: "the internet" as a source or destination.
    pub fn internet(self) -> CidrSet {
        match self {
            Self::V4 => {
                const NOT: [&str; 8] = [
                    "0.0.0.0/8",
                    "10.0.0.0/8",
                    "100.64.0.0/10",
                    "127.0.0.0/8",
                    "169.254.0.0/16",
                    "172.16.0.0/12",
                    "192.168.0.0/16",
                    "224.0.0.0/3",
                ];
                self.addresses().minus(&NOT.iter().filter_map(|cidr| cidr_range(cidr)).collect())
            }
            Self::V6 => cidr_range("2000::/3").into_iter().collect(),
        }
    }
}

impl CidrSet {
    /// The internet in both families.
    pub fn internet() -> Self {
        Family::V4.internet().union(&Family::V6.internet())
    }

    /// Parses one CIDR or address; host bits beyond the prefix are dropped, as AWS does. `None` when it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = cidr_range(text)?;
        Some(Self::range(first, last))
    }

    /// The fewest CIDRs that make it up, in order, IPv4 first.
    pub fn cidrs(&self) -> Vec<Cidr> {
        let mut out = Vec::new();
        for family in Family::BOTH {
            let (low, _) = family.range();
            for &(first, last) in self.intersect(&family.addresses()).ranges() {
                // `::/0` begins below the line that separates the families.
                let mut at = if family == Family::V6 && first == low && last >= 2 * low - 1 { 0 } else { first };
                while at <= last {
                    let by_alignment = if at == 0 { 128 } else { at.trailing_zeros() };
                    let span = last - at;
                    let by_span = if span == u128::MAX { 128 } else { (span + 1).ilog2() };
                    let bits = by_alignment.min(by_span);
                    out.push(Cidr { family, first: at, bits });
                    let Some(next) = 1_u128.checked_shl(bits).and_then(|size| at.checked_add(size)) else { break };
                    at = next;
                }
            }
        }
        out
    }

    /// The same as people write it: everything that is globally routed is `0.0.0.0/0`, for 51 CIDRs that leave out the
    /// private ones say no more.
    pub fn words(&self) -> Vec<String> {
        let mut out = Vec::new();
        for family in Family::BOTH {
            let part = self.of_family(family);
            if !part.is_empty() && family.internet().is_subset(&part) {
                out.push(if family == Family::V4 { "0.0.0.0/0" } else { "::/0" }.to_owned());
            } else {
                out.extend(part.cidrs().iter().map(ToString::to_string));
            }
        }
        out
    }

    /// The part of it in one family.
    pub fn of_family(&self, family: Family) -> Self {
        let (first, last) = family.range();
        if self.ranges().iter().all(|range| first <= range.0 && range.1 <= last) {
            self.clone()
        } else {
            self.intersect(&family.addresses())
        }
    }
}

/// A block of addresses, as [`CidrSet::cidrs`] tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    family: Family,
    first: u128,
    bits: u32,
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = if self.family == Family::V4 { 32 } else { 128 };
        write!(f, "{}/{}", address_word(self.first), length - self.bits.min(length))
    }
}

/// The address that a number stands for.
pub(crate) fn ip(number: u128) -> IpAddr {
    if (V4_FIRST..=V4_LAST).contains(&number) {
        IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(number - V4_FIRST).unwrap_or_default()))
    } else {
        IpAddr::V6(Ipv6Addr::from_bits(number))
    }
}

/// An address as people write it.
pub(crate) fn address_word(number: u128) -> String {
    ip(number).to_string()
}

/// The number of an address.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => V4_FIRST | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(address.to_bits(), |v4| V4_FIRST | u128::from(v4.to_bits())),
    }
}

/// The number of an address in text.
pub(crate) fn parse_address(text: &str) -> Option<u128> {
    text.parse().ok().map(number)
}

/// First and last address of a CIDR or of a single address, host bits dropped. `None` when the text is neither. A block
/// of IPv6 that lies below the routed space gives an empty range.
pub(crate) fn cidr_range(text: &str) -> Option<(u128, u128)> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let host = 32_u32.checked_sub(length.unwrap_or(32))?;
            let mask = 1_u128.checked_shl(host)? - 1;
            let first = V4_FIRST | (u128::from(address.to_bits()) & !mask);
            Some((first, first | mask))
        }
        IpAddr::V6(address) => {
            let host = 128_u32.checked_sub(length.unwrap_or(128))?;
            let mask = 1_u128.checked_shl(host).map_or(u128::MAX, |size| size - 1);
            let first = address.to_bits() & !mask;
            Some(((first).max(V6_FIRST), first | mask))
        }
    }
}

impl fmt::Display for CidrSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

impl fmt::Debug for CidrSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for CidrSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::{CidrSet, Family};

    fn set(cidrs: &[&str]) -> CidrSet {
        CidrSet::union_of(cidrs.iter().map(|cidr| CidrSet::parse(cidr).unwrap()).collect::<Vec<_>>().iter())
    }

    #[test]
    fn what_is_parsed_is_printed_again() {
        for cidr in ["0.0.0.0/0", "::/0", "10.0.0.0/16", "203.0.113.7/32", "2600:1f18::/32", "2001:db8::7/128", "255.255.255.255/32"] {
            assert_eq!(CidrSet::parse(cidr).unwrap().to_string(), cidr);
        }
    }

    #[test]
    fn host_bits_are_dropped() {
        assert_eq!(CidrSet::parse("10.0.3.7/16").unwrap().to_string(), "10.0.0.0/16");
    }

    #[test]
    fn nonsense_is_not_a_cidr() {
        for text in ["", "/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "sg-1", "1.2.3.4/8/9"] {
            assert_eq!(CidrSet::parse(text), None, "{text}");
        }
    }

    #[test]
    fn two_halves_are_the_whole() {
        assert_eq!(set(&["0.0.0.0/1", "128.0.0.0/1"]), Family::V4.addresses());
        assert_eq!(set(&["0.0.0.0/0", "::/0"]).to_string(), "0.0.0.0/0, ::/0");
    }

    #[test]
    fn the_internet_has_no_private_addresses() {
        let internet = CidrSet::internet();
        for private in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "127.0.0.1",
            "0.1.2.3",
            "224.0.0.1",
            "fc00::1",
            "::1",
        ] {
            assert!(!CidrSet::parse(private).unwrap().overlaps(&internet), "{private}");
        }
        for public in ["203.0.113.7", "198.18.0.1", "2001:db8::7", "172.32.0.1", "1.0.0.0"] {
            assert!(CidrSet::parse(public).unwrap().is_subset(&internet), "{public}");
        }
    }
}
