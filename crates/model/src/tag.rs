//! Patterns over tags: text such as `team=payments-*` flows in, whether a resource's tags match flows out.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::policy::wildcard_match;

/// A tag to look for: `KEY`, whatever its value, or `KEY=VALUE`, where `*` and `?` in the value match any text and any
/// character. Keys compare without case, values exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPattern {
    key: String,
    value: Option<String>,
}

/// Text that is no tag pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no tag: write \"KEY\" or \"KEY=VALUE\"")]
pub struct TagPatternError(String);

impl TagPattern {
    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The pattern of the value; none, any value.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Whether a tag with this key and value is meant.
    pub fn matches(&self, key: &str, value: &str) -> bool {
        self.key.eq_ignore_ascii_case(key) && self.value.as_deref().is_none_or(|pattern| wildcard_match(pattern, value))
    }

    /// Whether one of these tags is meant.
    pub fn matches_any<'t>(&self, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> bool {
        tags.into_iter().any(|(key, value)| self.matches(key, value))
    }
}

impl FromStr for TagPattern {
    type Err = TagPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
        if key.trim().is_empty() {
            return Err(TagPatternError(text.to_owned()));
        }
        Ok(Self { key: key.trim().to_owned(), value: value.map(|value| value.trim().to_owned()) })
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

impl Serialize for TagPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TagPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TagPattern {
    fn schema_name() -> Cow<'static, str> {
        "TagPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A tag: \"KEY\", whatever its value, or \"KEY=VALUE\" with * and ? in the value.",
            "pattern": "^[^=]+(=.*)?$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TagPattern;

    fn pattern(text: &str) -> TagPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_alone_matches_every_value() {
        assert!(pattern("isolation").matches("Isolation", "strict"));
        assert!(!pattern("isolation").matches("isolated", "strict"));
    }

    #[test]
    fn a_value_may_hold_wildcards() {
        assert!(pattern("team=pay*").matches("team", "payments"));
        assert!(!pattern("team=pay").matches("team", "payments"));
        assert!(pattern("a=b=c").matches("a", "b=c"));
        assert!(pattern("team=").matches("team", ""));
    }

    #[test]
    fn one_tag_that_matches_is_enough() {
        let tags = [("a", "1"), ("b", "2")];
        assert!(pattern("b=2").matches_any(tags));
        assert!(!pattern("b=1").matches_any(tags));
    }

    #[test]
    fn text_without_key_is_no_pattern() {
        assert_eq!("=x".parse::<TagPattern>().unwrap_err().to_string(), "\"=x\" is no tag: write \"KEY\" or \"KEY=VALUE\"");
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        for text in ["key", "key=value*"] {
            assert_eq!(serde_json::to_string(&pattern(text)).unwrap(), format!("{text:?}"));
        }
    }
}
