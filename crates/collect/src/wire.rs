//! Requests as JSON flow in; typed answers flow out, of services that have no SDK crate here.
//!
//! Of most services around the containers plimsoll reads a handful of operations, and the model already has AWS's own
//! JSON names. So one client speaks the four plain AWS protocols over the SDK's own runtime: signing, credentials,
//! retries, timeouts, connections and interceptors are the SDK's; only reading and writing the bodies is done here.
//! `docs/decisions/0007-wire-client.md` tells what the SDK crates would cost.

mod bound;
mod download;
mod endpoint;
mod input;
mod output;
#[cfg(test)]
mod tests;
mod xml;

use std::fmt::Debug;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::sigv4::{self, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::user_agent::{ApiMetadata, UserAgentInterceptor};
use aws_smithy_runtime::client::orchestrator::operation::Operation as SdkOperation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::{Region as SdkRegion, SigningRegion};
use plimsoll_model::Gap;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub(crate) use input::Ask;
pub(crate) use output::WireError;

use bound::{Bound, NoRetryOfTooLong};

use crate::api::{Api, Operation};
use crate::guard::Guard;
use crate::statistics::Statistics;

/// A service as its endpoints know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// The prefix of its IAM actions, as in its [`Operation`]s: `elasticloadbalancing`.
    pub(crate) prefix: &'static str,
    /// The SDK's id, of which `AWS_ENDPOINT_URL_…` and the profile's `services` section are made: `Elastic Load Balancing v2`.
    pub(crate) id: &'static str,
    /// What stands before the Region in the host's name: `api.ecr`.
    pub(crate) host: &'static str,
    /// The same for FIPS 140 endpoints.
    pub(crate) fips_host: &'static str,
    /// The name that requests are signed for.
    pub(crate) signing_name: &'static str,
    /// How requests and answers are written.
    pub(crate) protocol: Protocol,
    /// Where it answers.
    pub(crate) reach: Reach,
}

/// The protocols of AWS, as the Smithy specification names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// awsJson1_0 and awsJson1_1: the version, and what stands before the operation in `X-Amz-Target`.
    Json(&'static str, &'static str),
    /// awsQuery: the version of the API.
    Query(&'static str),
    /// restJson1.
    RestJson,
    /// restXml.
    RestXml,
}

/// Where a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// In each Region for itself.
    Regional,
    /// In one Region of each partition: us-east-1, cn-northwest-1, us-gov-west-1.
    Partition,
}

/// How a listing goes on: where the token stands in an answer, and where in the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The member of the answer.
    pub(crate) answer: &'static str,
    /// The member of the request, or the parameter of its query.
    pub(crate) request: &'static str,
}

impl Token {
    /// `nextToken` both ways.
    pub(crate) const NEXT: Self = Self { answer: "nextToken", request: "nextToken" };
    /// `NextToken` both ways.
    pub(crate) const NEXT_CAPITAL: Self = Self { answer: "NextToken", request: "NextToken" };
    /// `NextMarker`, then `Marker`: Elastic Load Balancing.
    pub(crate) const MARKER: Self = Self { answer: "NextMarker", request: "Marker" };
}

/// A client of one service in one Region. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    service: &'static Service,
    sdk: SdkConfig,
    region: String,
    host_prefix: String,
    statistics: Statistics,
    /// Bytes that an answer may have.
    limit: u64,
}

/// Bytes that an answer may have: more than any page of AWS.
const ANSWER_LIMIT: u64 = 64 << 20;

impl Wire {
    pub(crate) fn new(sdk: &SdkConfig, service: &'static Service, region: &str, statistics: Statistics) -> Self {
        let (region, host_prefix) = (service.region(region).to_owned(), String::new());
        Self { service, sdk: sdk.clone(), region, host_prefix, statistics, limit: ANSWER_LIMIT }
    }

    /// The same client, whose answers may have so many bytes.
    pub(crate) fn with_limit(&self, limit: u64) -> Self {
        Self { limit, ..self.clone() }
    }

    /// Asks at a host whose name begins with an account, as S3 Control wants it; an endpoint of one's own is asked as it is.
    pub(crate) fn for_account(self, account: &str) -> Self {
        Self { host_prefix: format!("{account}."), ..self }
    }

    /// Sends a request that is about no single resource.
    pub(crate) async fn ask<O>(&self, api: &Api, operation: &'static Operation, ask: Ask) -> Result<O, Gap>
    where
        O: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static,
    {
        api.call(operation, self.send(operation, None, ask)).await.map(|page: output::Page<O>| page.value)
    }

    /// Sends a request about one resource, which the gap then names.
    pub(crate) async fn ask_on<O>(&self, api: &Api, operation: &'static Operation, resource: &str, ask: Ask) -> Result<O, Gap>
    where
        O: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static,
    {
        api.call_on(operation, resource, self.send(operation, None, ask)).await.map(|page: output::Page<O>| page.value)
    }

    /// Reads a listing to its end. Pages that came before a failure have been handed to `each`; the caller records the
    /// gap. A listing whose token repeats ends there: it would never end by itself.
    pub(crate) async fn pages<O>(
        &self,
        api: &Api,
        operation: &'static Operation,
        token: Token,
        ask: Ask,
        each: impl FnMut(O) + Send,
    ) -> Result<(), Gap>
    where
        O: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static,
    {
        self.pages_up_to(api, operation, token, usize::MAX, ask, each).await.map(|_| ())
    }

    /// Like [`Wire::pages`], but ends after so many pages. Answers whether that was all.
    pub(crate) async fn pages_up_to<O>(
        &self,
        api: &Api,
        operation: &'static Operation,
        token: Token,
        limit: usize,
        ask: Ask,
        mut each: impl FnMut(O) + Send,
    ) -> Result<bool, Gap>
    where
        O: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static,
    {
        let mut next: Option<String> = None;
        for _ in 0..limit {
            let request = match &next {
                Some(value) => ask.clone().with_token(self.service.protocol, token.request, value),
                None => ask.clone(),
            };
            let page: output::Page<O> = api.call(operation, self.send(operation, Some(token.answer), request)).await?;
            each(page.value);
            match page.next {
                Some(value) if next.as_ref() != Some(&value) => next = Some(value),
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn send<O>(
        &self,
        operation: &'static Operation,
        token: Option<&'static str>,
        ask: Ask,
    ) -> Result<output::Page<O>, SdkError<WireError, HttpResponse>>
    where
        O: DeserializeOwned + JsonSchema + Debug + Send + Sync + 'static,
    {
        let Service { protocol, prefix, .. } = *self.service;
        let name = operation.name;
        let url = match endpoint::url(&self.sdk, self.service, &self.region, &self.host_prefix).await {
            Ok(url) => url,
            Err(error) => return Err(SdkError::construction_failure(error)),
        };
        let mut builder = SdkOperation::builder()
            .service_name(prefix)
            .operation_name(name)
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&url)
            .standard_retry(&self.sdk.retry_config().cloned().unwrap_or_else(RetryConfig::standard))
            .timeout_config(self.sdk.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            // Answers are read whole, within the timeout of an attempt.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_classifier(TransientErrorClassifier::<WireError>::new())
            .retry_classifier(AwsErrorCodeClassifier::<WireError>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(NoRetryOfTooLong)
            .interceptor(Bound::new(self.limit))
            .interceptor(Guard::new())
            .interceptor(self.statistics.clone())
            .interceptor(RequestInfoInterceptor::new())
            .interceptor(UserAgentInterceptor::new())
            .runtime_plugin(self.signing());
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
            .serializer(move |ask: Ask| ask.into_request(protocol, name))
            .deserializer(move |response: &HttpResponse| output::read::<O>(protocol, name, token, response))
            .build();
        operation.invoke(ask).await
    }

    /// Who signs, and what for.
    fn signing(&self) -> StaticRuntimePlugin {
        let service = self.service;
        // S3 signs paths as they are sent, and the hash of the body with them.
        let is_s3 = service.signing_name == "s3";
        let mut options = SigningOptions::default();
        options.double_uri_encode = !is_s3;
        options.normalize_uri_path = !is_s3;
        options.content_sha256_header = is_s3;
        let mut config = Layer::new("wire");
        config.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(SdkRegion::new(self.region.clone()))),
            name: Some(SigningName::from_static(service.signing_name)),
            signing_options: options,
            ..SigV4OperationSigningConfig::default()
        });
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(ApiMetadata::new(service.prefix, env!("CARGO_PKG_VERSION")));
        if let Some(name) = self.sdk.app_name() {
            config.store_put(name.clone());
        }
        let mut components = RuntimeComponentsBuilder::new("wire");
        components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(StaticAuthSchemeOptionResolver::new(vec![
            sigv4::SCHEME_ID,
        ]))));
        components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
        if let Some(provider) = self.sdk.credentials_provider() {
            components.set_identity_resolver(sigv4::SCHEME_ID, provider);
        }
        components.set_identity_cache(self.sdk.identity_cache());
        StaticRuntimePlugin::new().with_config(config.freeze()).with_runtime_components(components)
    }
}

impl Service {
    /// The Region whose endpoint answers for a Region.
    fn region<'a>(&self, region: &'a str) -> &'a str {
        match (self.reach, plimsoll_model::partition_of(region)) {
            (Reach::Partition, "aws-cn") => "cn-northwest-1",
            (Reach::Partition, "aws-us-gov") => "us-gov-west-1",
            (Reach::Partition, "aws") => "us-east-1",
            // The other partitions have one Region, or this one leads.
            (Reach::Regional | Reach::Partition, _) => region,
        }
    }
}
