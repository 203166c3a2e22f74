//! Address ranges: which of them hold public addresses.

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

/// Whether a range in CIDR notation, or a single address, holds public addresses. What is no address counts as public.
pub fn is_public_range(range: &str) -> bool {
    let (address, length) = range.split_once('/').map_or((range, None), |(address, length)| (address, Some(length)));
    let length = |most: u32| length.map_or(Some(most), |length| length.parse().ok().filter(|&length| length <= most));
    let within = match address.parse() {
        Ok(IpAddr::V4(address)) => length(32).map(|length| {
            let bits = u128::from(address.to_bits());
            SPECIAL_IPV4.iter().any(|(special, shorter)| holds(u128::from(special.to_bits()), *shorter, bits, length, 32))
        }),
        Ok(IpAddr::V6(address)) => length(128).map(|length| {
            let bits = address.to_bits();
            SPECIAL_IPV6.iter().any(|(special, shorter)| holds(special.to_bits(), *shorter, bits, length, 128))
        }),
        Err(_) => None,
    };
    within != Some(true)
}

/// Whether these ranges of IPv4 or of IPv6 together hold more addresses than one range with a prefix of this length. What
/// is no range counts as all.
pub fn exceed_prefix<S: AsRef<str>>(ranges: &[S], prefix: u32) -> bool {
    let mut parsed: Vec<(u128, u32, u32)> = Vec::new();
    for range in ranges {
        let (address, length) = range.as_ref().split_once('/').map_or((range.as_ref(), None), |(address, length)| (address, Some(length)));
        let (bits, width) = match address.parse() {
            Ok(IpAddr::V4(address)) => (u128::from(address.to_bits()), 32),
            Ok(IpAddr::V6(address)) => (address.to_bits(), 128),
            Err(_) => return true,
        };
        match length.map_or(Some(width), |length| length.parse().ok().filter(|&length| length <= width)) {
            Some(0) | None => return true,
            Some(length) => parsed.push((bits, length, width)),
        }
    }
    // The widest first: what lies in one of them adds nothing.
    parsed.sort_by_key(|&(bits, length, width)| (width, length, bits));
    let mut distinct: Vec<(u128, u32, u32)> = Vec::new();
    for (bits, length, width) in parsed {
        if !distinct.iter().any(|&(outer, shorter, of)| of == width && holds(outer, shorter, bits, length, width)) {
            distinct.push((bits, length, width));
        }
    }
    [32, 128].into_iter().any(|width: u32| {
        let sizes = distinct.iter().filter(|&&(_, _, of)| of == width).map(|&(_, length, _)| 1_u128 << (width - length));
        sizes.fold(0_u128, u128::saturating_add) > 1_u128 << (width - prefix.min(width).max(1))
    })
}

/// Whether the range of the first address and length holds all of the second.
fn holds(outer: u128, outer_length: u32, inner: u128, inner_length: u32, width: u32) -> bool {
    outer_length <= inner_length && (outer ^ inner) >> (width - outer_length) == 0
}

#[cfg(test)]
mod tests {
    use super::{exceed_prefix, is_public_range};

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
