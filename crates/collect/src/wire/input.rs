//! What to ask flows in; an HTTP request of the service's protocol flows out.

use std::fmt::Write;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::Protocol;

/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One request, before it is written in the protocol of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ask {
    /// `GET` or `POST`; of no meaning to the protocols that always post.
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Ask {
    /// The members of a request, by AWS's names: for awsJson and awsQuery.
    pub(crate) fn members(body: Value) -> Self {
        Self { method: "POST", path: "/".to_owned(), query: Vec::new(), headers: Vec::new(), body }
    }

    /// GET with these path segments: for restJson and restXml.
    pub(crate) fn get(segments: &[&str]) -> Self {
        Self { method: "GET", path: path(segments), query: Vec::new(), headers: Vec::new(), body: Value::Null }
    }

    /// POST with these path segments and a JSON body: for restJson.
    pub(crate) fn post(segments: &[&str], body: Value) -> Self {
        Self { method: "POST", path: path(segments), query: Vec::new(), headers: Vec::new(), body }
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The request for the page that a token stands for.
    pub(super) fn with_token(mut self, protocol: Protocol, name: &str, value: &str) -> Self {
        let in_query = matches!(protocol, Protocol::RestXml) || (protocol == Protocol::RestJson && self.method == "GET");
        if in_query {
            return self.query(name, value);
        }
        if !self.body.is_object() {
            self.body = Value::Object(Map::new());
        }
        if let Value::Object(members) = &mut self.body {
            members.insert(name.to_owned(), Value::String(value.to_owned()));
        }
        self
    }

    pub(super) fn into_request(self, protocol: Protocol, operation: &str) -> Result<HttpRequest, BoxError> {
        let (method, body, content_type, target) = match protocol {
            Protocol::Json(version, target) => {
                let members = if self.body.is_null() { Value::Object(Map::new()) } else { self.body };
                ("POST", members.to_string(), Some(format!("application/x-amz-json-{version}")), Some(format!("{target}.{operation}")))
            }
            Protocol::Query(version) => {
                let mut form = format!("Action={operation}&Version={version}");
                flatten(&mut form, "", &self.body)?;
                ("POST", form, Some("application/x-www-form-urlencoded".to_owned()), None)
            }
            Protocol::RestJson | Protocol::RestXml if self.body.is_null() => (self.method, String::new(), None, None),
            Protocol::RestJson | Protocol::RestXml => (self.method, self.body.to_string(), Some("application/json".to_owned()), None),
        };
        let mut uri = self.path;
        for (index, (name, value)) in self.query.iter().enumerate() {
            uri.push(if index == 0 { '?' } else { '&' });
            uri.extend(utf8_percent_encode(name, RESERVED));
            // S3's subresources, such as `?policyStatus`, have no value.
            if !value.is_empty() {
                uri.push('=');
                uri.extend(utf8_percent_encode(value, RESERVED));
            }
        }
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method)?;
        request.set_uri(uri)?;
        let headers = request.headers_mut();
        for (name, value) in [("content-type", content_type), ("x-amz-target", target)] {
            if let Some(value) = value {
                headers.try_insert(name, value)?;
            }
        }
        for (name, value) in self.headers {
            headers.try_insert(name, value)?;
        }
        Ok(request)
    }
}

fn path(segments: &[&str]) -> String {
    segments.iter().fold(String::new(), |mut path, segment| {
        path.push('/');
        path.extend(utf8_percent_encode(segment, RESERVED));
        path
    })
}

/// Members as a form has them: `Names.member.1=web`.
fn flatten(form: &mut String, name: &str, value: &Value) -> Result<(), BoxError> {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            let dot = if name.is_empty() { "" } else { "." };
            for (member, value) in members {
                flatten(form, &format!("{name}{dot}{member}"), value)?;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(form, &format!("{name}.member.{}", index + 1), item)?;
            }
        }
        Value::String(text) => write!(form, "&{}={}", utf8_percent_encode(name, RESERVED), utf8_percent_encode(text, RESERVED))?,
        other => write!(form, "&{}={other}", utf8_percent_encode(name, RESERVED))?,
    }
    Ok(())
}
