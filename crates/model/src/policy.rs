//! IAM policy documents as AWS returned them, and a tolerant reading of their statements.
//!
//! Grammar: IAM User Guide, "Grammar of the IAM JSON policy language". Evaluation is not done here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// A policy document as parsed JSON, exactly as AWS returned it; a text that is not JSON stays a JSON string.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PolicyDocument(pub Value);

/// Why a document cannot be read as a policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// The text was not JSON.
    #[error("the policy document is not JSON")]
    NotJson,
    /// The JSON has no statements where the grammar asks for them.
    #[error("the policy document has no readable Statement at {0}")]
    Statement(String),
}

/// Whom a statement names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principals {
    /// `"Principal": "*"` or `{"AWS": "*"}`.
    pub everyone: bool,
    /// Entries of `AWS`.
    pub aws: Vec<String>,
    /// Entries of `Service`.
    pub service: Vec<String>,
    /// Entries of `Federated`.
    pub federated: Vec<String>,
    /// Entries of `CanonicalUser`.
    pub canonical_user: Vec<String>,
}

/// One statement, its lists made uniform.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement<'a> {
    /// Position in the document, from 0.
    pub index: usize,
    /// The `Sid`, if any.
    pub sid: Option<&'a str>,
    /// Whether the `Effect` is Allow.
    pub allows: bool,
    /// `Principal`; `None` in identity policies.
    pub principals: Option<Principals>,
    /// Whether it has `NotPrincipal`.
    pub not_principal: bool,
    /// `Action`.
    pub actions: Vec<&'a str>,
    /// `NotAction`.
    pub not_actions: Vec<&'a str>,
    /// `Resource`.
    pub resources: Vec<&'a str>,
    /// `NotResource`.
    pub not_resources: Vec<&'a str>,
    /// `(operator, key, values)` of `Condition`, keys as written.
    pub conditions: Vec<(&'a str, &'a str, Vec<String>)>,
}

impl PolicyDocument {
    /// Takes the text of a document; what is not JSON is kept as text.
    pub fn from_text(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
    }

    /// The statements, in order.
    pub fn statements(&self) -> Result<Vec<Statement<'_>>, PolicyError> {
        let object = self.0.as_object().ok_or(PolicyError::NotJson)?;
        let list: Vec<&Value> = match object.get("Statement") {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(single @ Value::Object(_)) => vec![single],
            _ => return Err(PolicyError::Statement("$.Statement".to_owned())),
        };
        list.into_iter().enumerate().map(|(index, value)| statement(index, value)).collect()
    }
}

impl Statement<'_> {
    /// Whether the `Action` (or `NotAction`) element covers an action such as `kms:Decrypt`; case does not matter.
    pub fn covers_action(&self, action: &str) -> bool {
        if self.not_actions.is_empty() {
            self.actions.iter().any(|pattern| wildcard_match(&pattern.to_lowercase(), &action.to_lowercase()))
        } else {
            !self.not_actions.iter().any(|pattern| wildcard_match(&pattern.to_lowercase(), &action.to_lowercase()))
        }
    }

    /// Values of a condition key under any operator that `operator` accepts; keys compare without case.
    pub fn condition_values(&self, key: &str, operator: impl Fn(&str) -> bool) -> Vec<&str> {
        self.conditions
            .iter()
            .filter(|(op, name, _)| name.eq_ignore_ascii_case(key) && operator(op))
            .flat_map(|(_, _, values)| values.iter().map(String::as_str))
            .collect()
    }
}

fn statement(index: usize, value: &Value) -> Result<Statement<'_>, PolicyError> {
    let wrong = || PolicyError::Statement(format!("$.Statement[{index}]"));
    let object = value.as_object().ok_or_else(wrong)?;
    let allows = match object.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err(wrong()),
    };
    let list = |name: &str| -> Result<Vec<&str>, PolicyError> { object.get(name).map_or(Ok(Vec::new()), |v| strings(v).ok_or_else(wrong)) };
    let mut conditions = Vec::new();
    if let Some(condition) = object.get("Condition") {
        for (operator, keys) in condition.as_object().ok_or_else(wrong)? {
            for (key, values) in keys.as_object().ok_or_else(wrong)? {
                conditions.push((operator.as_str(), key.as_str(), scalars(values).ok_or_else(wrong)?));
            }
        }
    }
    Ok(Statement {
        index,
        sid: object.get("Sid").and_then(Value::as_str),
        allows,
        principals: object.get("Principal").map(|p| principals(p).ok_or_else(wrong)).transpose()?,
        not_principal: object.contains_key("NotPrincipal"),
        actions: list("Action")?,
        not_actions: list("NotAction")?,
        resources: list("Resource")?,
        not_resources: list("NotResource")?,
        conditions,
    })
}

fn principals(value: &Value) -> Option<Principals> {
    let mut found = Principals::default();
    match value {
        Value::String(text) if text == "*" => found.everyone = true,
        Value::Object(kinds) => {
            for (kind, names) in kinds {
                let names: Vec<String> = strings(names)?.into_iter().map(str::to_owned).collect();
                match kind.as_str() {
                    "AWS" => {
                        found.everyone |= names.iter().any(|name| name == "*");
                        found.aws = names;
                    }
                    "Service" => found.service = names,
                    "Federated" => found.federated = names,
                    "CanonicalUser" => found.canonical_user = names,
                    _ => return None,
                }
            }
        }
        _ => return None,
    }
    Some(found)
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn scalars(value: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Value::Array(items) => items.iter().map(one).collect(),
        single => Some(vec![one(single)?]),
    }
}

/// Matches `*` (any text) and `?` (one character), in time linear in text times stars.
pub fn wildcard_match(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut restart: Option<(usize, usize)> = None;
    while let Some(&letter) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                restart = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == letter => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star, from)) = restart else { return false };
                restart = Some((star, from + 1));
                p = star + 1;
                t = from + 1;
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|&c| c == '*'))
}

#[cfg(test)]
mod tests {
    use super::{PolicyDocument, PolicyError, wildcard_match};

    #[test]
    fn single_and_listed_forms_read_alike() {
        let one = PolicyDocument::from_text(r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}}"#);
        let many = PolicyDocument::from_text(
            r#"{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["kms:*"], "Resource": ["*"]}]}"#,
        );
        for document in [one, many] {
            let statements = document.statements().unwrap();
            assert!(statements[0].principals.as_ref().unwrap().everyone);
            assert!(statements[0].covers_action("KMS:Decrypt"));
        }
    }

    #[test]
    fn what_does_not_parse_is_an_error_and_not_an_empty_policy() {
        assert_eq!(PolicyDocument::from_text("{oops").statements(), Err(PolicyError::NotJson));
        for text in
            ["{}", r#"{"Statement": 3}"#, r#"{"Statement": [{"Effect": "Maybe"}]}"#, r#"{"Statement": [{"Effect": "Allow", "Action": 4}]}"#]
        {
            assert!(matches!(PolicyDocument::from_text(text).statements(), Err(PolicyError::Statement(_))), "{text}");
        }
    }

    #[test]
    fn wildcards_match_as_iam_does() {
        assert!(wildcard_match("kms:*crypt", "kms:decrypt"));
        assert!(wildcard_match("ecs:?istTasks", "ecs:ListTasks"));
        assert!(!wildcard_match("ecs:List", "ecs:ListTasks"));
        assert!(wildcard_match("*", ""));
        let stars = "*a".repeat(50);
        assert!(!wildcard_match(&stars, &"b".repeat(10_000)));
    }
}
