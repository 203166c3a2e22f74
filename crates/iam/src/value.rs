//! What condition values mean besides text: decimal numbers, instants, addresses, bytes, truth. Text flows in; `None`
//! where it is not of the kind, and then nothing matches it.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A decimal number of any length, kept as digits: a float would equate numbers that differ.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    negative: bool,
    /// Without leading zeros.
    whole: Box<[u8]>,
    /// Without trailing zeros.
    fraction: Box<[u8]>,
}

impl Decimal {
    /// Reads `[+-]digits[.digits]`, with an exponent of at most three digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) if exponent.len() <= 4 => (mantissa, exponent.parse::<i32>().ok()?),
            Some(_) => return None,
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let point = i64::try_from(whole.len()).ok()? + i64::from(exponent);
        let mut all = vec![b'0'; usize::try_from(-point).unwrap_or(0)];
        all.extend(whole.bytes().chain(fraction.bytes()));
        let point = usize::try_from(point).unwrap_or(0);
        all.resize(all.len().max(point), b'0');
        let fraction = all.split_off(point);
        let leading = all.iter().take_while(|digit| **digit == b'0').count();
        let kept = fraction.len() - fraction.iter().rev().take_while(|digit| **digit == b'0').count();
        let whole: Box<[u8]> = all.into_iter().skip(leading).collect();
        let fraction: Box<[u8]> = fraction.into_iter().take(kept).collect();
        Some(Self { negative: negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction })
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let magnitude = self
            .whole
            .len()
            .cmp(&other.whole.len())
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.fraction.cmp(&other.fraction));
        match (self.negative, other.negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

/// Seconds since 1970 in UTC, with the fraction in nanoseconds.
pub(crate) type Instant = (i64, u32);

/// Reads an instant: a W3C date (<https://www.w3.org/TR/NOTE-datetime>) or seconds since 1970.
pub(crate) fn instant(text: &str) -> Option<Instant> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let epoch = digits.len() != 4 || text.len() != digits.len();
    if epoch && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return seconds(text);
    }
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = fixed(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| fixed(part, 2))?;
    let day = parts.next().map_or(Some(1), |part| fixed(part, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let midnight = days_before(year, month, day) * 86_400;
    let Some(time) = time else { return Some((midnight, 0)) };
    let (seconds, nanoseconds) = time_of_day(time)?;
    Some((midnight + seconds, nanoseconds))
}

fn seconds(text: &str) -> Option<Instant> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i64 = whole.parse().ok()?;
    let nanoseconds = nanoseconds(fraction)?;
    if text.starts_with('-') && nanoseconds > 0 {
        return Some((whole.checked_sub(1)?, 1_000_000_000 - nanoseconds));
    }
    Some((whole, nanoseconds))
}

fn nanoseconds(fraction: &str) -> Option<u32> {
    if fraction.bytes().any(|byte| !byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<9.9}").parse().ok()
}

/// `hh:mm[:ss[.s]]` and the zone: `Z` or `±hh:mm`. Without a zone the time is UTC.
fn time_of_day(text: &str) -> Option<(i64, u32)> {
    let (clock, offset) = if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        (clock, 0)
    } else if let Some(at) = text.rfind(['+', '-']) {
        let (clock, zone) = text.split_at_checked(at)?;
        let sign = if zone.starts_with('-') { -1 } else { 1 };
        let zone = zone.get(1..)?;
        let (hours, minutes) = zone.split_once(':').or_else(|| zone.split_at_checked(2))?;
        (clock, sign * (fixed(hours, 2)? * 3600 + fixed(minutes, 2)? * 60))
    } else {
        (text, 0)
    };
    let mut parts = clock.split(':');
    let hours = fixed(parts.next()?, 2)?;
    let minutes = fixed(parts.next()?, 2)?;
    let (seconds, fraction) = match parts.next() {
        Some(part) => part.split_once('.').unwrap_or((part, "")),
        None => ("00", ""),
    };
    let seconds = fixed(seconds, 2)?;
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    Some((hours * 3600 + minutes * 60 + seconds - offset, nanoseconds(fraction)?))
}

fn fixed(text: &str, digits: usize) -> Option<i64> {
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let earlier = year - 1;
    let years = earlier * 365 + earlier.div_euclid(4) - earlier.div_euclid(100) + earlier.div_euclid(400);
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1 - 719_162
}

/// A range of addresses: the family and bits of the address, and how many of the bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads CIDR notation or one address; host bits are ignored later.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) if prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                (address, Some(prefix.parse().ok()?))
            }
            Some(_) => return None,
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// Whether the address is in the range; the families never mix.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (difference, host) = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u128::from(own.to_bits() ^ other.to_bits()), 32 - self.prefix),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits(), 128 - self.prefix),
            _ => return false,
        };
        difference.checked_shr(host).unwrap_or(0) == 0
    }
}

/// Reads one address.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok()
}

/// Reads base64, padded or not.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, LENIENT).decode(text.trim()).ok()
}

/// Reads `true` or `false` in any case.
pub(crate) fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(a: &str, b: &str) -> Ordering {
        Decimal::parse(a).unwrap().compare(&Decimal::parse(b).unwrap())
    }

    #[test]
    fn numbers_compare_by_value_at_any_length() {
        assert_eq!(order("9", "10"), Ordering::Less);
        assert_eq!(order("12.5", "12.50"), Ordering::Equal);
        assert_eq!(order("-1", "0"), Ordering::Less);
        assert_eq!(order("-0", "0.0"), Ordering::Equal);
        assert_eq!(order("9007199254740993", "9007199254740992"), Ordering::Greater);
        assert_eq!(order("1e3", "1000"), Ordering::Equal);
        assert_eq!(order("15e-1", "1.5"), Ordering::Equal);
        for text in ["", "ten", "10abc", ".", "-", "1e99999"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn written_dates_and_epoch_seconds_are_the_same_instants() {
        assert_eq!(instant("2024-07-01T00:00:00Z"), instant("1719792000"));
        assert_eq!(instant("2024-07-01"), instant("1719792000"));
        assert_eq!(instant("2024-02-29T12:00:00+02:00"), instant("2024-02-29T10:00Z"));
        assert_eq!(instant("1970-01-01"), Some((0, 0)));
        assert_eq!(instant("1969-12-31T23:59:59Z"), instant("-1"));
        assert_eq!(instant("2023-12-31T23:59:59.500Z"), Some((1_704_067_199, 500_000_000)));
        assert_eq!(instant("2024"), instant("2024-01-01"));
        for text in ["", "2023-02-29", "2024-13-01", "yesterday", "2024-01-01T25:00Z", "2024-1-1"] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_holds_its_family_only() {
        let holds = |network: &str, text: &str| Network::parse(network).unwrap().contains(address(text).unwrap());
        assert!(holds("10.0.1.5/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("2001:DB8:0::1", "2001:db8::1"));
        assert!(Network::parse("10.0.0.0/33").is_none());
        assert!(Network::parse("10.0.0.0/+8").is_none());
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        assert_eq!(bytes("QQ=="), bytes("QQ"));
        assert_eq!(bytes("&"), None);
    }
}
