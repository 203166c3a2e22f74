//! Strict JSON: text flows in, a value flows out in which nothing was dropped. `serde_json` alone keeps the last of two
//! equal keys, and a reader who saw the first one would be deceived.

use std::cell::RefCell;
use std::fmt;

use percent_encoding::percent_decode_str;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::PolicyError;

/// The largest document that is read, in bytes.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 32;

/// Reads a policy document from text: JSON, or JSON percent-encoded as the IAM API returns it.
pub(crate) fn parse(text: &str) -> Result<Value, PolicyError> {
    read(text, MAX_DEPTH)
}

/// Reads JSON in which documents stand some levels deep; each is held to its own limits later.
pub(crate) fn parse_around(text: &str) -> Result<Value, PolicyError> {
    /// Lists of levels of documents in an object.
    const AROUND: usize = 4;
    read(text, MAX_DEPTH + AROUND)
}

fn read(text: &str, deepest: usize) -> Result<Value, PolicyError> {
    if text.len() > MAX_BYTES {
        return Err(PolicyError::new("$", format!("longer than {MAX_BYTES} bytes")));
    }
    let decoded;
    let text = if text.trim_start().starts_with('%') {
        decoded =
            percent_decode_str(text.trim()).decode_utf8().map_err(|_| PolicyError::new("$", "percent-encoded text that is not UTF-8"))?;
        &*decoded
    } else {
        text
    };
    let path = RefCell::new(Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { path: &path, deepest }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| PolicyError::new(render(&path.borrow()), error.to_string()))
}

/// Checks the limits on a value that was parsed elsewhere.
pub(crate) fn check_limits(value: &Value) -> Result<(), PolicyError> {
    let mut bytes = 0_usize;
    let mut open = vec![(value, 1_usize)];
    while let Some((value, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(PolicyError::new("$", format!("nested deeper than {MAX_DEPTH}")));
        }
        bytes += match value {
            Value::String(text) => text.len() + 2,
            Value::Array(items) => {
                open.extend(items.iter().map(|item| (item, depth + 1)));
                2
            }
            Value::Object(members) => {
                open.extend(members.values().map(|member| (member, depth + 1)));
                members.keys().map(|key| key.len() + 4).sum()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => 4,
        };
        if bytes > MAX_BYTES {
            return Err(PolicyError::new("$", format!("longer than {MAX_BYTES} bytes")));
        }
    }
    Ok(())
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

fn render(path: &[Step]) -> String {
    path.iter().fold("$".to_owned(), |mut text, step| {
        match step {
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => {
                text.push('[');
                text.push_str(&index.to_string());
                text.push(']');
            }
        }
        text
    })
}

/// Where reading stands; left as it is when reading fails, so that the error can say where.
#[derive(Clone, Copy)]
struct Strict<'p> {
    path: &'p RefCell<Vec<Step>>,
    deepest: usize,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.path.borrow().len() >= self.deepest {
            return Err(D::Error::custom(format!("nested deeper than {}", self.deepest)));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            self.path.borrow_mut().push(Step::Index(items.len()));
            let item = access.next_element_seed(self)?;
            self.path.borrow_mut().pop();
            match item {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.path.borrow_mut().push(Step::Key(key.clone()));
            if members.contains_key(&key) {
                return Err(A::Error::custom("this key occurs twice"));
            }
            let value = access.next_value_seed(self)?;
            self.path.borrow_mut().pop();
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_occurs_twice_is_refused_with_its_place() {
        let error = parse(r#"{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}"#).unwrap_err();
        assert_eq!(error.path, "$.Statement[0].Effect");
    }

    #[test]
    fn percent_encoded_text_is_decoded() {
        let value = parse("%7B%22Version%22%3A%222012-10-17%22%7D").unwrap();
        assert_eq!(value, serde_json::json!({"Version": "2012-10-17"}));
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused_whichever_way_it_comes() {
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        assert!(parse(&deep).unwrap_err().problem.contains("deeper"));
        let value: Value = serde_json::from_str(&deep).unwrap();
        assert!(check_limits(&value).is_err());
        let just = format!("{}{}", "[".repeat(32), "]".repeat(32));
        let value = parse(&just).unwrap();
        assert!(check_limits(&value).is_ok());
    }

    #[test]
    fn a_document_beyond_ten_megabytes_is_refused() {
        let long = format!("\"{}\"", "x".repeat(MAX_BYTES));
        assert!(parse(&long).is_err());
        assert!(check_limits(&Value::String("x".repeat(MAX_BYTES))).is_err());
    }

    #[test]
    fn what_follows_the_document_is_refused() {
        assert!(parse("{} {}").is_err());
    }
}
