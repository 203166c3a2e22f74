//! Every attempt of every request flows through; how many there were, and how many were throttled, flows out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use plimsoll_model::CallStatistics;

use crate::guard;

/// Bytes of an error's body in which its code is looked for.
const ERROR_HEAD: usize = 4096;

/// Counts attempts and throttled answers by operation. All clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    calls: Arc<Mutex<BTreeMap<String, CallStatistics>>>,
}

impl Statistics {
    /// What was counted so far, by `service:Operation`.
    pub(crate) fn calls(&self) -> BTreeMap<String, CallStatistics> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, config: &ConfigBag, count: impl FnOnce(&mut CallStatistics)) {
        if let Some(metadata) = config.load::<Metadata>() {
            let id = format!("{}:{}", guard::prefix(metadata.service()), metadata.name());
            count(self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
        }
    }
}

impl Intercept for Statistics {
    fn name(&self) -> &'static str {
        "CallStatistics"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.count(config, |statistics| statistics.calls += 1);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().is_some_and(is_throttled) {
            self.count(config, |statistics| statistics.throttled += 1);
        }
        Ok(())
    }
}

/// Whether an answer says "slow down". The error is of another type for each operation, so this reads the answer.
fn is_throttled(response: &HttpResponse) -> bool {
    let status = response.status();
    if status.as_u16() == 429 {
        return true;
    }
    if status.is_success() {
        return false;
    }
    let header = response.headers().get("x-amzn-errortype").unwrap_or_default();
    let body = response.body().bytes().unwrap_or_default();
    let head = String::from_utf8_lossy(body.get(..ERROR_HEAD).unwrap_or(body));
    [header, after(&head, "<Code>"), after(&head, "\"__type\"")].into_iter().any(|code| {
        // A namespace, quotes or a link may surround the code.
        code.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| THROTTLING_CODES.contains(&word))
    })
}

/// The next words behind a mark: enough for an error code.
fn after<'a>(text: &'a str, mark: &str) -> &'a str {
    let rest = text.split_once(mark).map_or("", |(_, rest)| rest);
    rest.split(['<', ',', '}']).next().unwrap_or_default()
}

/// The codes that the SDK's own retries take for throttling.
const THROTTLING_CODES: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

#[cfg(test)]
mod tests {
    use crate::api::Api;
    use crate::replay::{Answer, Replay};
    use plimsoll_model::CallStatistics;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn a_throttling_burst_is_retried_and_counted() {
        let asked = AtomicU64::new(0);
        let burst = move |_: &serde_json::Value| match asked.fetch_add(1, Ordering::Relaxed) {
            0..4 => Answer::Error("ThrottlingException"),
            _ => Answer::Json(serde_json::json!({"Aliases": [], "Truncated": false})),
        };
        let replay = Replay::new().on("ListAliases", burst);
        let api = Api::in_test();
        api.call(&crate::kms::LIST_ALIASES, replay.kms().list_aliases().send()).await.unwrap();
        assert_eq!(replay.statistics.calls()["kms:ListAliases"], CallStatistics { calls: 5, throttled: 4, cached: 0 });
    }

    #[tokio::test]
    async fn ec2_and_iam_say_slow_down_in_xml() {
        let replay = Replay::new()
            .error("DescribeRegions", "RequestLimitExceeded")
            .error("GetUser", "Throttling")
            .error("ListAccessKeys", "AccessDenied");
        replay.ec2().describe_regions().send().await.unwrap_err();
        replay.iam().list_access_keys().send().await.unwrap_err();
        assert_eq!(replay.statistics.calls()["ec2:DescribeRegions"], CallStatistics { calls: 8, throttled: 8, cached: 0 });
        assert_eq!(replay.statistics.calls()["iam:ListAccessKeys"], CallStatistics { calls: 1, throttled: 0, cached: 0 });
    }
}
