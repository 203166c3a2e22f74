//! Every attempt of every request flows through; how many there were, how many were throttled and how long they waited
//! flows out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use plimsoll_model::CallStatistics;

use crate::api::Operation;
use crate::guard;

/// Bytes of an error's body in which its code is looked for.
const ERROR_HEAD: usize = 4096;

/// Counts attempts and throttled answers by operation. All clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statistics {
    counts: Arc<Mutex<BTreeMap<String, Count>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    calls: u64,
    throttled: u64,
    /// Many waits are shorter than the millisecond that is told.
    waited: Duration,
}

impl Statistics {
    /// What was counted so far, by `service:Operation`.
    pub(crate) fn calls(&self) -> BTreeMap<String, CallStatistics> {
        let told = |count: &Count| CallStatistics {
            calls: count.calls,
            throttled: count.throttled,
            waited_ms: u64::try_from(count.waited.as_millis()).unwrap_or(u64::MAX),
            cached: 0,
        };
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(id, count)| (id.clone(), told(count))).collect()
    }

    /// A request waited for its turn.
    pub(crate) fn waited(&self, operation: &Operation, time: Duration) {
        self.add(operation.id(), |count| count.waited += time);
    }

    fn count(&self, config: &ConfigBag, count: impl FnOnce(&mut Count)) {
        if let Some(metadata) = config.load::<Metadata>() {
            let id = format!("{}:{}", guard::prefix(metadata.service()), metadata.name());
            self.add(id, count);
        }
    }

    fn add(&self, id: String, count: impl FnOnce(&mut Count)) {
        count(self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
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
        self.count(config, |count| count.calls += 1);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().is_some_and(is_throttled) {
            self.count(config, |count| count.throttled += 1);
        }
        Ok(())
    }
}

/// Whether an answer says "slow down". The error is of another type for each operation, so this reads the answer.
pub(crate) fn is_throttled(response: &HttpResponse) -> bool {
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
        assert_eq!(replay.statistics.calls()["kms:ListAliases"], CallStatistics { calls: 5, throttled: 4, cached: 0, waited_ms: 0 });
    }

    #[tokio::test]
    async fn ec2_and_iam_say_slow_down_in_xml() {
        let replay = Replay::new()
            .error("DescribeRegions", "RequestLimitExceeded")
            .error("GetUser", "Throttling")
            .error("ListAccessKeys", "AccessDenied");
        replay.ec2().describe_regions().send().await.unwrap_err();
        replay.iam().list_access_keys().send().await.unwrap_err();
        assert_eq!(replay.statistics.calls()["ec2:DescribeRegions"], CallStatistics { calls: 8, throttled: 8, cached: 0, waited_ms: 0 });
        assert_eq!(replay.statistics.calls()["iam:ListAccessKeys"], CallStatistics { calls: 1, throttled: 0, cached: 0, waited_ms: 0 });
    }
}
