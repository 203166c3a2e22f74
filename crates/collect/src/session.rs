//! [`Settings`] flow in; SDK clients flow out, one for each service and Region, all of them guarded and counted.
//!
//! Credentials, profiles and endpoints are what `aws-config` finds, as every AWS tool does.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_types::service_config::ServiceConfigKey;

use crate::Settings;
use crate::budget::{Budget, Meter, Patience, Share};
use crate::guard::Guard;
use crate::statistics::Statistics;
use crate::wire::{Service, Wire};

/// Attempts for one request, the first included.
const MAX_ATTEMPTS: u32 = 8;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many times the timeout of one attempt a request may take with all its retries.
const OPERATION_TIMEOUT_FACTOR: u32 = 4;
/// Attempts for the first request, which finds out whether anybody is there.
const FIRST_MAX_ATTEMPTS: u32 = 3;
/// The services whose answers the cache keeps, by their name in configuration files.
const CACHED_SERVICES: &[&str] = &["ECS", "ECR"];
/// How long the first request waits for an answer to begin.
const FIRST_READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take to get credentials, with all retries.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_mins(1);

/// Credentials, endpoints and limits; gives out clients.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    sdk: SdkConfig,
    statistics: Statistics,
    profile: Option<String>,
    role: Option<String>,
    budget: Budget,
}

macro_rules! clients {
    ($($service:ident: $sdk:ident;)*) => {$(
        /// A client in a Region.
        pub(crate) fn $service(&self, region: &str) -> $sdk::Client {
            let config = $sdk::config::Builder::from(&self.sdk)
                .region(Region::new(region.to_owned()))
                .interceptor(Guard::new())
                .interceptor(self.statistics.clone());
            $sdk::Client::from_conf(config.build())
        }
    )*};
}

impl Session {
    /// Resolves what the environment, the profile and the settings say. Nothing is sent but what the Region's
    /// resolution asks of instance metadata.
    pub(crate) async fn load(settings: &Settings) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client())
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
            .timeout_config(timeouts(settings.timeout));
        if let Ok(name) = AppName::new("plimsoll") {
            loader = loader.app_name(name);
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        let mut sdk = loader.load().await;
        if let Some(profile) = &settings.profile {
            // The default chain prefers keys in the environment even to a profile that was asked for by name.
            let mut provider = ProviderConfig::without_region().with_region(sdk.region().cloned());
            if let Some(client) = sdk.http_client() {
                provider = provider.with_http_client(client);
            }
            let provider = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile).build();
            sdk = sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
        }
        Self { profile: settings.profile.clone(), ..Self::new(sdk).spending(settings.api_budget) }
    }

    /// Takes a configuration as it is, but for its timeouts: they are the meter's, which does not count an attempt's wait
    /// for its turn.
    pub(crate) fn new(sdk: SdkConfig) -> Self {
        let timeouts = sdk.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
        let patience = Patience { attempt: timeouts.operation_attempt_timeout(), request: timeouts.operation_timeout() };
        let mut of_connections = TimeoutConfig::builder();
        of_connections.set_connect_timeout(timeouts.connect_timeout()).set_read_timeout(timeouts.read_timeout());
        let meter = Meter::new(sdk.http_client().unwrap_or_else(http_client), patience);
        let sdk = sdk.into_builder().http_client(meter).timeout_config(of_connections.build());
        // Answers are read whole, within the timeout of an attempt.
        let sdk = sdk.stalled_stream_protection(StalledStreamProtectionConfig::disabled()).build();
        let statistics = Statistics::default();
        let budget = Budget::new(Share::default(), statistics.clone());
        Self { sdk, statistics, budget, profile: None, role: None }
    }

    /// Spends another share of AWS's request quotas.
    pub(crate) fn spending(self, share: Share) -> Self {
        Self { budget: Budget::new(share, self.statistics.clone()), ..self }
    }

    /// The same as a role. Nothing is sent until something is asked; credentials are renewed before they expire.
    pub(crate) async fn assume(&self, role: &str, external_id: Option<&str>, region: &str) -> Self {
        let mut builder =
            AssumeRoleProvider::builder(role).session_name("plimsoll").region(Region::new(region.to_owned())).configure(&self.sdk);
        if let Some(id) = external_id {
            builder = builder.external_id(id);
        }
        let provider = SharedCredentialsProvider::new(builder.build().await);
        // One cache for the clients of all services and Regions, so that the role is assumed once.
        let identities = IdentityCache::lazy().load_timeout(CREDENTIALS_TIMEOUT).build();
        let sdk = self.sdk.clone().into_builder().credentials_provider(provider).identity_cache(identities).build();
        Self { sdk, role: Some(role.to_owned()), ..self.clone() }
    }

    /// The profile that was asked for by name.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The role that is assumed.
    pub(crate) fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// The Region that environment or profile name.
    pub(crate) fn region(&self) -> Option<&str> {
        self.sdk.region().map(Region::as_ref)
    }

    /// Whether all services are reached at one place, so that a Region's name tells nothing about its endpoint.
    pub(crate) fn has_endpoint(&self) -> bool {
        self.sdk.endpoint_url().is_some()
    }

    /// Where the services whose answers are cached are reached, if not at AWS's own endpoints.
    pub(crate) fn endpoint(&self) -> Option<String> {
        let own = CACHED_SERVICES.iter().filter_map(|service| {
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
            self.sdk.service_config()?.load_config(key)
        });
        let all: BTreeSet<String> = own.chain(self.sdk.endpoint_url().map(ToOwned::to_owned)).collect();
        (!all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join(" "))
    }

    /// Requests so far.
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// What may be spent, by all sessions that are derived from this one together.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A session that gives up soon, for the first request: who does not answer that will not answer the others.
    pub(crate) fn impatient(&self) -> Self {
        let timeouts = self.sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let read = self.sdk.timeout_config().and_then(TimeoutConfig::read_timeout).unwrap_or(FIRST_READ_TIMEOUT);
        let retries = self.sdk.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let sdk = self.sdk.clone().into_builder();
        let sdk = sdk
            .retry_config(retries.with_max_attempts(FIRST_MAX_ATTEMPTS))
            .timeout_config(timeouts.read_timeout(read.min(FIRST_READ_TIMEOUT)).build());
        Self { sdk: sdk.build(), ..self.clone() }
    }

    /// A client in a Region of a service that has no SDK crate here.
    pub(crate) fn wire(&self, service: &'static Service, region: &str) -> Wire {
        Wire::new(&self.sdk, service, region, self.statistics.clone())
    }

    clients! {
        ec2: aws_sdk_ec2;
        ecs: aws_sdk_ecs;
        iam: aws_sdk_iam;
        kms: aws_sdk_kms;
        sts: aws_sdk_sts;
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(attempt))
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt.saturating_mul(OPERATION_TIMEOUT_FACTOR))
        .build()
}

/// One client, so that system certificates are read once. It is the SDK's default in all else, proxies included.
pub(crate) fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}
