//! For tests: requests of real SDK clients flow in, canned answers in AWS's wire format flow out, and every request is
//! kept to be counted.
//!
//! The features that the SDK's own mocks need would make a second build of all SDK crates; this needs none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::guard::Guard;
use crate::statistics::Statistics;
use crate::wire::{Service, Wire};

/// A canned answer: HTTP status and body.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 200 with JSON, for ECS and KMS.
    Json(Value),
    /// 200 with the inside of the response element, for EC2, IAM and STS; with the whole document for S3.
    Xml(String),
    /// An error with this code, in the protocol's form.
    Error(&'static str),
    /// Any status, any body.
    Raw(u16, String),
    /// Nothing, ever.
    Silence,
}

/// Who asks, and where, as the signature of a request tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The access key id.
    pub(crate) key: String,
    /// The Region that the request is signed for.
    pub(crate) region: String,
}

impl Signed {
    fn of(authorization: Option<&str>) -> Self {
        let scope = authorization.and_then(|text| text.split_once("Credential=")).map_or("", |(_, rest)| rest);
        let mut parts = scope.split(['/', ',']);
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (key, _date, region) = (next(), next(), next());
        Self { key, region }
    }
}

type Rule = Arc<dyn Fn(&Value, &Signed) -> Answer + Send + Sync>;
type Throttling = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Answers requests by operation; what has no answer gets the error `NoAnswerInTest`.
#[derive(Clone, Default)]
pub(crate) struct Replay {
    rules: Arc<Mutex<BTreeMap<String, Rule>>>,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
    signed: Arc<Mutex<Vec<(String, Signed)>>>,
    failing_after: Arc<Mutex<Option<(usize, &'static str)>>>,
    throttling: Arc<Mutex<Option<Throttling>>>,
    pub(crate) statistics: Statistics,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replay")
    }
}

impl Replay {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Answers an operation (`ListTasks`) by its request: the JSON body, or the form's fields as an object of strings. The
    /// REST protocols name no operation: there it is method and path (`GET /clusters/shop`), and the request is the body
    /// with the query's parameters.
    pub(crate) fn on(self, operation: &str, answer: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Self {
        self.on_signed(operation, move |request, _| answer(request))
    }

    /// Answers an operation by its request and by who asks where.
    pub(crate) fn on_signed(self, operation: &str, answer: impl Fn(&Value, &Signed) -> Answer + Send + Sync + 'static) -> Self {
        self.rules.lock().unwrap().insert(operation.to_owned(), Arc::new(answer));
        self
    }

    /// Answers an operation with JSON.
    pub(crate) fn json(self, operation: &str, body: Value) -> Self {
        self.on(operation, move |_| Answer::Json(body.clone()))
    }

    /// Answers an operation with XML: the inside of `<OperationResult>` (IAM, STS) or of `<OperationResponse>` (EC2).
    pub(crate) fn xml(self, operation: &str, inside: &str) -> Self {
        let inside = inside.to_owned();
        self.on(operation, move |_| Answer::Xml(inside.clone()))
    }

    /// Answers an operation with an error.
    pub(crate) fn error(self, operation: &str, code: &'static str) -> Self {
        self.on(operation, move |_| Answer::Error(code))
    }

    /// The requests so far, as operation and body.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap().clone()
    }

    /// Who asked for what so far, and where.
    pub(crate) fn signed(&self) -> Vec<(String, Signed)> {
        self.signed.lock().unwrap().clone()
    }

    /// How often an operation was asked.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|(name, _)| name == operation).count()
    }

    /// Lets everything from the nth request on fail with an error.
    pub(crate) fn failing_after(self, requests: usize, code: &'static str) -> Self {
        *self.failing_after.lock().unwrap() = Some((requests, code));
        self
    }

    /// Throttles what the server cannot bear: asked with the operation when a request arrives, some time after it was sent.
    pub(crate) fn throttling(self, throttles: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        *self.throttling.lock().unwrap() = Some(Arc::new(throttles));
        self
    }

    /// How long the nth request is on its way: not always the same.
    fn travel(&self, number: usize) -> Duration {
        let far = self.throttling.lock().unwrap().is_some();
        if far { Duration::from_millis(5 + (number as u64 * 7) % 40) } else { Duration::ZERO }
    }

    /// Answers over HTTP on a port of this machine, as long as the test's runtime lives.
    pub(crate) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let replay = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(replay.clone().converse(stream));
            }
        });
        endpoint
    }

    async fn converse(self, mut stream: TcpStream) {
        let mut received = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap_or_default();
            received.extend_from_slice(&buffer[..read]);
            if read == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&received).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let header = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            };
            if body.len() < header("content-length").map_or(0, |length| length.parse().unwrap()) {
                continue;
            }
            let mut words = head.split(' ');
            let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            match self.answer(method, uri, header("x-amz-target"), header("authorization"), body) {
                None => std::future::pending().await,
                Some((status, body)) => {
                    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
            received.clear();
        }
    }

    fn answer(&self, method: &str, uri: &str, target: Option<&str>, authorization: Option<&str>, text: &str) -> Option<(u16, String)> {
        let mut is_rest = false;
        let (operation, body) = if let Some(operation) = target.and_then(|target| target.rsplit('.').next()) {
            (operation.to_owned(), serde_json::from_str(text).unwrap_or(Value::Null))
        } else {
            let fields = form(text);
            if let Some(action) = fields.get("Action").and_then(Value::as_str) {
                (action.to_owned(), Value::Object(fields))
            } else {
                is_rest = true;
                rest_request(method, uri, text)
            }
        };
        let signed = Signed::of(authorization);
        self.signed.lock().unwrap().push((operation.clone(), signed.clone()));
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push((operation.clone(), body.clone()));
            requests.len()
        };
        let rule = self.rules.lock().unwrap().get(&operation).cloned();
        let is_ec2 = body.get("Version").is_some_and(|version| version == "2016-11-15");
        let throttling = self.throttling.lock().unwrap().clone();
        let answer = match *self.failing_after.lock().unwrap() {
            _ if throttling.is_some_and(|throttles| throttles(&operation)) => Answer::Error("ThrottlingException"),
            Some((requests, code)) if number > requests => Answer::Error(code),
            _ => rule.map_or(Answer::Error("NoAnswerInTest"), |rule| rule(&body, &signed)),
        };
        match answer {
            Answer::Json(body) => Some((200, body.to_string())),
            Answer::Xml(document) if is_rest => Some((200, document)),
            Answer::Xml(inside) if is_ec2 => Some((200, format!("<{operation}Response>{inside}</{operation}Response>"))),
            Answer::Xml(inside) => {
                Some((200, format!("<{operation}Response><{operation}Result>{inside}</{operation}Result></{operation}Response>")))
            }
            Answer::Error(code) => {
                let message = format!("{code} in test");
                let body = if target.is_some() || is_rest {
                    json!({"__type": format!("com.amazonaws#{code}"), "message": message}).to_string()
                } else if is_ec2 {
                    format!("<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>")
                } else {
                    format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
                };
                Some((400, body))
            }
            Answer::Raw(status, body) => Some((status, body)),
            Answer::Silence => None,
        }
    }
}

/// What a session in a test starts from: quick retries, and the timeout of an attempt.
pub(crate) fn config(attempt: Duration) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(attempt * 4);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-3"))
        .credentials_provider(SharedCredentialsProvider::new(credentials()))
        .retry_config(retries())
        .timeout_config(timeouts.build())
        .time_source(SystemTimeSource::new())
        .build()
}

fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test")
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(8).with_initial_backoff(Duration::from_millis(1))
}

fn rest_request(method: &str, uri: &str, text: &str) -> (String, Value) {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut body: Value = serde_json::from_str(text).unwrap_or_else(|_| Value::Object(Map::new()));
    if let Value::Object(members) = &mut body {
        // S3's subresources have no value, and belong to the name: `GET /logs?policyStatus`.
        members.extend(form(query));
    }
    let subresource = if query.is_empty() || query.contains('=') { String::new() } else { format!("?{query}") };
    (format!("{method} {path}{subresource}"), body)
}

fn form(text: &str) -> Map<String, Value> {
    let decode = |part: &str| percent_encoding::percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), Value::String(decode(value)))).collect()
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let replay = self.clone();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let uri =
            request.uri().split_once("://").map_or(request.uri(), |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..])).to_owned();
        let method = request.method().to_owned();
        let header = |name: &str| request.headers().get(name).map(ToOwned::to_owned);
        let (target, authorization) = (header("x-amz-target"), header("authorization"));
        HttpConnectorFuture::new(async move {
            let travel = replay.travel(replay.requests.lock().unwrap().len());
            if !travel.is_zero() {
                crate::clock::sleep(travel).await;
            }
            let Some((status, body)) = replay.answer(&method, &uri, target.as_deref(), authorization.as_deref(), &body) else {
                return std::future::pending().await;
            };
            // A turn of the executor, so that what runs concurrently does.
            tokio::task::yield_now().await;
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
        })
    }
}

impl HttpClient for Replay {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl Replay {
    /// A client of a service without an SDK crate, whose requests are answered here.
    pub(crate) fn wire(&self, service: &'static Service) -> Wire {
        Wire::new(&self.sdk(), service, "eu-west-3", self.statistics.clone())
    }

    /// A configuration whose requests are answered here.
    pub(crate) fn sdk(&self) -> SdkConfig {
        let sdk = config(Duration::from_secs(5)).into_builder();
        sdk.http_client(self.clone()).identity_cache(IdentityCache::lazy().build()).build()
    }
}

macro_rules! clients {
    ($($service:ident: $sdk:ident;)*) => {
        impl Replay {
            $(
                /// A client with the guard, whose requests are answered here.
                pub(crate) fn $service(&self) -> $sdk::Client {
                    let config = $sdk::Config::builder()
                        .behavior_version(BehaviorVersion::latest())
                        .region(Region::new("eu-west-3"))
                        .credentials_provider(credentials())
                        .retry_config(retries())
                        .http_client(self.clone())
                        .interceptor(Guard::new())
                        .interceptor(self.statistics.clone());
                    $sdk::Client::from_conf(config.build())
                }
            )*
        }
    };
}

clients! {
    ec2: aws_sdk_ec2;
    ecs: aws_sdk_ecs;
    iam: aws_sdk_iam;
    kms: aws_sdk_kms;
}
