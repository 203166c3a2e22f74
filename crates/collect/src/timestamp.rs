//! The SDK's instants flow in; the model's flow out.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

/// An instant in whole milliseconds: AWS gives seconds as binary fractions, whose tail means nothing.
pub(crate) fn timestamp(from: Option<DateTime>) -> Option<Timestamp> {
    let milliseconds = (from?.as_nanos() + 500_000).div_euclid(1_000_000);
    Timestamp::from_millisecond(i64::try_from(milliseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::timestamp;
    use aws_smithy_types::DateTime;

    #[test]
    fn instants_are_rounded_to_milliseconds() {
        assert_eq!(timestamp(Some(DateTime::from_secs_f64(1_700_000_000.123))).unwrap().to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(timestamp(Some(DateTime::from_secs(-1))).unwrap().to_string(), "1969-12-31T23:59:59Z");
        assert_eq!(timestamp(Some(DateTime::from_secs(i64::MAX))), None);
    }
}
