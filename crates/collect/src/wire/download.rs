//! A URL that a service gave flows in; the few bytes behind it flow out, never more than was asked for.
//!
//! Sent without a signature and without credentials: such URLs carry their own. Redirects are not followed.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_smithy_runtime::client::orchestrator::operation::Operation as SdkOperation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use plimsoll_model::Gap;

use super::bound::{Bound, NoRetryOfTooLong};
use super::{Wire, WireError, endpoint, output};
use crate::api::{Api, Operation};

/// Stands for the request itself, which is no operation of AWS: hosts behind such URLs may be silent when AWS is not.
const DOWNLOAD: Operation =
    Operation { service: "download", name: "GET", permission: "none:None", why: "what a URL that AWS gave stands for" };

/// How long a download may take: these are kilobytes.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Attempts for one download, the first included.
const DOWNLOAD_ATTEMPTS: u32 = 2;

impl Wire {
    /// Fetches what a URL stands for, at most `limit` bytes of it. A failure counts as one of `operation`, which gave the URL.
    pub(crate) async fn download(
        &self,
        api: &Api,
        operation: &'static Operation,
        resource: &str,
        url: &str,
        limit: u64,
    ) -> Result<Vec<u8>, Gap> {
        let answer = api.call_on(&DOWNLOAD, resource, self.get(url, limit)).await;
        answer.map_err(|gap| Gap { operation: operation.id(), ..gap })
    }

    async fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>, SdkError<WireError, HttpResponse>> {
        let (base, path) = self.split(url).map_err(SdkError::construction_failure)?;
        let attempt = self.sdk.timeout_config().and_then(TimeoutConfig::operation_attempt_timeout);
        let attempt = attempt.unwrap_or(DOWNLOAD_TIMEOUT).min(DOWNLOAD_TIMEOUT);
        let timeouts = self.sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let timeouts = timeouts.operation_attempt_timeout(attempt).operation_timeout(attempt * DOWNLOAD_ATTEMPTS);
        let retries = self.sdk.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let mut builder = SdkOperation::builder()
            .service_name("download")
            .operation_name("GET")
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&base)
            .no_auth()
            .standard_retry(&retries.with_max_attempts(DOWNLOAD_ATTEMPTS))
            .timeout_config(timeouts.build())
            .retry_classifier(TransientErrorClassifier::<WireError>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(NoRetryOfTooLong)
            .interceptor(Bound::new(limit));
        if let Some(client) = self.sdk.http_client() {
            builder = builder.http_client(client);
        }
        if let Some(sleep) = self.sdk.sleep_impl() {
            builder = builder.sleep_impl(sleep);
        }
        if let Some(time) = self.sdk.time_source() {
            builder = builder.time_source(time);
        }
        let operation = builder
            .serializer(|path: String| {
                let mut request = HttpRequest::new(SdkBody::empty());
                request.set_method("GET")?;
                request.set_uri(path)?;
                Ok(request)
            })
            .deserializer(|response: &HttpResponse| {
                let body = response.body().bytes().unwrap_or_default();
                if response.status().is_success() {
                    Ok(body.to_vec())
                } else {
                    Err(OrchestratorError::operation(output::error(response, body)))
                }
            })
            .build();
        operation.invoke(path).await
    }

    /// Scheme with host, and path with query, of a URL that may be asked. Plain HTTP is for endpoints of one's own.
    fn split(&self, url: &str) -> Result<(String, String), BoxError> {
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
        let is_allowed = scheme == "https" || (scheme == "http" && endpoint::configured(&self.sdk, self.service).is_some());
        if !is_allowed {
            return Err("the URL is not of HTTPS".into());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok((format!("{scheme}://{host}"), format!("{slash}{path}")))
    }
}
