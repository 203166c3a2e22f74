//! HTTP answers flow in; typed values, the token of the next page, or the error that AWS tells flow out.
//!
//! XML knows no numbers, truths or lists, and AWS's JSON has instants as seconds: the JSON Schema of the type that is read
//! says what a value is meant to be.

use std::any::TypeId;
use std::collections::HashMap;
use std::error::Error;
use std::fmt::{self, Debug, Display};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Protocol, xml};

/// `$ref`s within `$ref`s that are followed.
const MAX_REFERENCES: usize = 8;

/// A value, and the token of what comes after it.
#[derive(Debug)]
pub(crate) struct Page<O> {
    pub(crate) value: O,
    pub(crate) next: Option<String>,
}

/// The error that a service told, with its code and message.
#[derive(Clone, Debug, Default)]
pub(crate) struct WireError {
    metadata: ErrorMetadata,
}

impl Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.metadata, f)
    }
}

impl Error for WireError {}

impl ProvideErrorMetadata for WireError {
    fn meta(&self) -> &ErrorMetadata {
        &self.metadata
    }
}

/// Reads an answer.
pub(super) fn read<O>(
    protocol: Protocol,
    operation: &str,
    token: Option<&str>,
    response: &HttpResponse,
) -> Result<Page<O>, OrchestratorError<WireError>>
where
    O: DeserializeOwned + JsonSchema + 'static,
{
    let malformed = |what: String| OrchestratorError::other(what);
    let body = response.body().bytes().unwrap_or_default();
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(error(response, body)));
    }
    let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    let mut answer = match protocol {
        // S3 answers with the policy itself.
        Protocol::RestXml if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?
        }
        Protocol::RestXml => xml::read(text).map_err(|error| malformed(error.into_owned()))?.1,
        Protocol::Query(_) => {
            let (root, mut content) = xml::read(text).map_err(|error| malformed(error.into_owned()))?;
            if root != format!("{operation}Response") {
                return Err(malformed(format!("the answer is <{root}>")));
            }
            // EC2 answers without the element in between.
            content.get_mut(format!("{operation}Result")).map(Value::take).unwrap_or(content)
        }
        Protocol::Json(..) | Protocol::RestJson => serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?,
    };
    if answer.as_str().is_some_and(|text| text.trim().is_empty()) {
        answer = Value::Object(Map::new());
    }
    if !answer.is_object() {
        return Err(malformed("the answer is no structure".to_owned()));
    }
    let next = token.and_then(|token| answer.get(token)).and_then(Value::as_str).filter(|token| !token.is_empty()).map(ToOwned::to_owned);
    Shape::root(schema::<O>().as_value()).fit(&mut answer);
    let value = serde_json::from_value(answer).map_err(|error| malformed(error.to_string()))?;
    Ok(Page { value, next })
}

/// The schema of a type, made once: a scan reads thousands of answers of a few dozen types.
fn schema<O: JsonSchema + 'static>() -> Arc<Schema> {
    static SCHEMAS: LazyLock<Mutex<HashMap<TypeId, Arc<Schema>>>> = LazyLock::new(Mutex::default);
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = schemas.entry(TypeId::of::<O>()).or_insert_with(|| Arc::new(SchemaGenerator::default().into_root_schema_for::<O>()));
    Arc::clone(made)
}

/// The error that an answer tells, in JSON or XML.
pub(super) fn error(response: &HttpResponse, body: &[u8]) -> WireError {
    let text = String::from_utf8_lossy(body);
    let content = if text.trim_start().starts_with('<') {
        xml::read(&text).map(|(_, content)| content).unwrap_or_default()
    } else {
        serde_json::from_str(&text).unwrap_or_default()
    };
    // <ErrorResponse><Error>…, EC2's <Response><Errors><Error>…, or S3's <Error>….
    let content = content.get("Error").or_else(|| content.pointer("/Errors/Error")).unwrap_or(&content);
    let member = |names: &[&str]| names.iter().find_map(|name| content.get(name)?.as_str());
    let header = response.headers().get("x-amzn-errortype");
    let code = header.or_else(|| member(&["__type", "Code", "code", "ErrorCode"]));
    // `com.amazonaws.ecr#RepositoryNotFoundException:http://…`
    let code = code.map(|code| code.rsplit('#').next().unwrap_or(code)).map(|code| code.split(':').next().unwrap_or(code));
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        metadata = metadata.code(code);
    }
    if let Some(message) = member(&["message", "Message", "errorMessage"]) {
        metadata = metadata.message(message);
    }
    WireError { metadata: metadata.build() }
}

/// A part of a JSON Schema, with the whole for its references.
#[derive(Clone, Copy)]
struct Shape<'s> {
    root: &'s Value,
    schema: &'s Value,
}

impl<'s> Shape<'s> {
    fn root(root: &'s Value) -> Self {
        Self { root, schema: root }
    }

    fn at(self, schema: &'s Value) -> Self {
        Self { schema, ..self }.resolved()
    }

    /// What stands behind references, and behind "this or null".
    fn resolved(mut self) -> Self {
        for _ in 0..MAX_REFERENCES {
            if let Some(reference) = self.schema.get("$ref").and_then(Value::as_str) {
                let Some(target) = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) else { return self };
                self.schema = target;
            } else if let Some(options) = self.schema.get("anyOf").and_then(Value::as_array) {
                let some = options.iter().find(|option| option.get("type").is_none_or(|kind| kind != "null"));
                let Some(some) = some.filter(|_| options.len() == 2) else { return self };
                self.schema = some;
            } else {
                return self;
            }
        }
        self
    }

    fn is(self, name: &str) -> bool {
        match self.schema.get("type") {
            Some(Value::String(kind)) => kind == name,
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == name),
            _ => false,
        }
    }

    fn property(self, name: &str) -> Option<Self> {
        self.schema.get("properties")?.get(name).map(|schema| self.at(schema))
    }

    /// Makes a value what the schema says it is, as far as its meaning is plain. Members that are null are as good as absent.
    fn fit(self, value: &mut Value) {
        if self.is("array") {
            return self.fit_list(value);
        }
        match value {
            Value::Object(members) => {
                members.retain(|_, member| !member.is_null());
                let others = self.schema.get("additionalProperties").filter(|schema| schema.is_object()).map(|schema| self.at(schema));
                for (name, member) in members.iter_mut() {
                    if let Some(shape) = self.property(name).or(others) {
                        shape.fit(member);
                    }
                }
            }
            Value::String(text) => {
                if let Some(meant) = self.meant(text) {
                    *value = meant;
                }
            }
            Value::Number(seconds) if self.schema.get("format").is_some_and(|format| format == "date-time") => {
                if let Some(instant) = seconds.as_f64().and_then(instant) {
                    *value = Value::String(instant);
                }
            }
            _ => {}
        }
    }

    /// Lists of XML: an element with one kind of children, or a child that repeats.
    fn fit_list(self, value: &mut Value) {
        let item = self.schema.get("items").map(|schema| self.at(schema));
        match value {
            Value::Array(_) => {}
            Value::String(text) if text.trim().is_empty() => *value = Value::Array(Vec::new()),
            Value::Object(members) => {
                let wraps = members.len() == 1 && members.keys().all(|name| item.is_none_or(|item| item.property(name).is_none()));
                let inner = if wraps { members.values_mut().next().map(Value::take).unwrap_or_default() } else { value.take() };
                *value = if inner.is_array() { inner } else { Value::Array(vec![inner]) };
            }
            _ => *value = Value::Array(vec![value.take()]),
        }
        if let (Value::Array(items), Some(shape)) = (value, item) {
            for item in items {
                shape.fit(item);
            }
        }
    }

    fn meant(self, text: &str) -> Option<Value> {
        if self.is("string") {
            return None;
        }
        if self.is("boolean") {
            return text.parse().ok().map(Value::Bool);
        }
        if self.is("integer") {
            return text.parse::<i64>().ok().map(Value::from);
        }
        if self.is("number") {
            return text.parse::<f64>().ok().map(Value::from);
        }
        // `<Attributes/>` is a structure in which nothing is set.
        (text.trim().is_empty() && self.schema.get("properties").is_some()).then(|| Value::Object(Map::new()))
    }
}

/// Seconds since 1970 in RFC 3339, in whole milliseconds: AWS's binary fractions mean nothing beyond.
fn instant(seconds: f64) -> Option<String> {
    let milliseconds = (seconds * 1000.0).round();
    // Beyond this a double has no milliseconds, and jiff no instants.
    if milliseconds.abs() > 3.0e14 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole, and bounded above")]
    Timestamp::from_millisecond(milliseconds as i64).ok().map(|instant| instant.to_string())
}
