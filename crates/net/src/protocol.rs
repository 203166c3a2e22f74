//! IP protocols, and what each has in place of ports.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::address::Family;
use crate::set::PortSet;

/// An IP protocol by its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u8);

impl Protocol {
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP of IPv4.
    pub const ICMP: Self = Self(1);
    /// ICMP of IPv6; rules for one ICMP never speak of the other.
    pub const ICMPV6: Self = Self(58);
    /// Stands for every protocol that no rule names: 255 is reserved and never on a wire.
    pub const OTHER: Self = Self(255);

    /// Parses `tcp`, `udp`, `icmp`, `icmpv6` or a number; `Some(None)` is `-1`, every protocol.
    pub fn parse(text: &str) -> Option<Option<Self>> {
        let text = text.trim();
        Some(Some(match text {
            "-1" | "all" => return Some(None),
            _ if text.eq_ignore_ascii_case("tcp") => Self::TCP,
            _ if text.eq_ignore_ascii_case("udp") => Self::UDP,
            _ if text.eq_ignore_ascii_case("icmp") => Self::ICMP,
            _ if text.eq_ignore_ascii_case("icmpv6") => Self::ICMPV6,
            _ => Self(text.parse().ok()?),
        }))
    }

    /// Whether it has ports.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP)
    }

    /// Whether it is ICMP of either family.
    pub const fn is_icmp(self) -> bool {
        matches!(self, Self::ICMP | Self::ICMPV6)
    }

    /// Whether it runs over a family: the two ICMPs have one each.
    pub fn runs_over(self, family: Family) -> bool {
        match self {
            Self::ICMP => family == Family::V4,
            Self::ICMPV6 => family == Family::V6,
            _ => true,
        }
    }

    /// The echo request of ICMP, and the reply to it, as slots: the one exchange that needs a way back.
    pub(crate) fn echo(self) -> Option<(PortSet, u16)> {
        match self {
            Self::ICMP => Some((icmp_slots(Some(8), None), 0)),
            Self::ICMPV6 => Some((icmp_slots(Some(128), None), 129 << 8)),
            _ => None,
        }
    }

    /// What a rule's `FromPort` and `ToPort` mean for it.
    pub(crate) fn slots(self, from: Option<i32>, to: Option<i32>) -> PortSet {
        if self.is_icmp() {
            let part = |value: Option<i32>| value.and_then(|value| u8::try_from(value).ok());
            return match (from, part(from)) {
                // A number that is no ICMP type matches no packet.
                (Some(0..), None) => PortSet::none(),
                (_, kind) => icmp_slots(kind, part(to)),
            };
        }
        if !self.has_ports() {
            return PortSet::all();
        }
        match (from, to) {
            (None | Some(-1), _) | (_, None | Some(-1)) => PortSet::all(),
            (Some(from), Some(to)) => {
                if from > to || to < 0 || from > i32::from(u16::MAX) {
                    return PortSet::none();
                }
                PortSet::range(u16::try_from(from).unwrap_or(0), u16::try_from(to).unwrap_or(u16::MAX))
            }
        }
    }
}

/// Types and codes of ICMP as slots `type << 8 | code`; `None` is any.
pub(crate) fn icmp_slots(kind: Option<u8>, code: Option<u8>) -> PortSet {
    let Some(kind) = kind else { return PortSet::all() };
    let first = u16::from(kind) << 8;
    match code {
        Some(code) => PortSet::one(first | u16::from(code)),
        None => PortSet::range(first, first | 255),
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TCP => f.write_str("tcp"),
            Self::UDP => f.write_str("udp"),
            Self::ICMP => f.write_str("icmp"),
            Self::ICMPV6 => f.write_str("icmpv6"),
            Self::OTHER => f.write_str("other"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A protocol in a question: a name, a number in text, or a number; `-1` is all.
pub(crate) fn deserialize_protocol<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Protocol>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Word {
        Number(i64),
        Text(String),
    }
    let text = match Word::deserialize(deserializer)? {
        Word::Number(number) => number.to_string(),
        Word::Text(text) => text,
    };
    Protocol::parse(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a protocol: tcp, udp, icmp, icmpv6, a number, or -1")))
}

#[cfg(test)]
mod tests {
    use super::{Protocol, icmp_slots};
    use crate::set::PortSet;

    #[test]
    fn names_and_numbers_are_the_same_protocol() {
        assert_eq!(Protocol::parse("tcp"), Protocol::parse("6"));
        assert_eq!(Protocol::parse("icmpv6"), Protocol::parse("58"));
        assert_eq!(Protocol::parse("-1"), Some(None));
        assert_eq!(Protocol::parse("256"), None);
    }

    #[test]
    fn ports_that_are_absent_or_minus_one_are_all_ports() {
        assert!(Protocol::TCP.slots(None, None).is_all());
        assert!(Protocol::UDP.slots(Some(-1), Some(-1)).is_all());
        assert_eq!(Protocol::TCP.slots(Some(0), Some(70000)), PortSet::all());
        assert!(Protocol::TCP.slots(Some(90), Some(80)).is_empty());
    }

    #[test]
    fn the_ports_of_icmp_are_type_and_code() {
        assert_eq!(Protocol::ICMP.slots(Some(3), Some(4)), icmp_slots(Some(3), Some(4)));
        assert_eq!(Protocol::ICMP.slots(Some(8), Some(-1)).ranges(), [(8 << 8, 8 << 8 | 255)]);
        assert!(Protocol::ICMP.slots(Some(-1), Some(-1)).is_all());
        assert!(Protocol::ICMP.slots(Some(300), Some(-1)).is_empty());
    }
}
