//! Requests flow in; they flow out at a rate that leaves the account's other tools their part of AWS's request quotas.
//!
//! AWS keeps token buckets for each account, Region, service and class of requests: `quotas.json` has what it publishes
//! about them. A [`Budget`] keeps a bucket beside each of these, smaller by the [`Share`] that may be spent. The [`Meter`]
//! makes every attempt take a token, retries included. A throttled answer halves the bucket's rate, which recovers
//! slowly once answers are good again: whoever shares the quota with us may have spent it.

mod bucket;
mod meter;
mod quotas;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plimsoll_model::{AccountId, Region};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::api::Operation;
use crate::clock;
use crate::statistics::Statistics;
use bucket::Bucket;
pub(crate) use meter::{Meter, OutOfPatience, Patience};
pub use quotas::{Quota, quotas, services_without_quotas};

/// The share of AWS's request quotas that may be spent: above 0, at most 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(f64);

/// Why something is no [`Share`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use a number above 0 and at most 1, such as 0.5 for half of AWS's request quotas")]
pub struct NoShare;

impl Share {
    /// Takes a number above 0 and at most 1.
    pub fn new(share: f64) -> Result<Self, NoShare> {
        if share > 0.0 && share <= 1.0 { Ok(Self(share)) } else { Err(NoShare) }
    }
}

impl Default for Share {
    /// Half.
    fn default() -> Self {
        Self(0.5)
    }
}

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        text.trim().parse().map_err(|_| NoShare).and_then(Self::new)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What one run may spend, everywhere. All clones spend together.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    share: Share,
    statistics: Statistics,
    buckets: Arc<Mutex<BTreeMap<Place, Arc<Bucket>>>>,
}

/// What AWS keeps a bucket for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    account: AccountId,
    region: Region,
    service: &'static str,
    /// The class, or the operation where each has a bucket of its own.
    class: String,
}

impl Budget {
    /// Tells the statistics how long requests waited.
    pub(crate) fn new(share: Share, statistics: Statistics) -> Self {
        Self { share, statistics, buckets: Arc::default() }
    }

    /// For tests that do not wait: far more than AWS gives.
    #[cfg(test)]
    pub(crate) fn boundless() -> Self {
        Self::new(Share(1e6), Statistics::default())
    }

    /// What may be spent in an account's Region.
    pub(crate) fn for_place(&self, account: &AccountId, region: &Region) -> Allowance {
        Allowance { budget: self.clone(), account: account.clone(), region: region.clone(), known: Mutex::default() }
    }

    fn bucket(&self, account: &AccountId, region: &Region, operation: &Operation) -> Arc<Bucket> {
        let quota = quotas::quota(operation.service, operation.name);
        let class = if quota.each { operation.name.to_owned() } else { quota.class };
        let place = Place { account: account.clone(), region: region.clone(), service: operation.service, class };
        let mut buckets = locked(&self.buckets);
        let bucket = buckets.entry(place).or_insert_with(|| Arc::new(Bucket::new(quota.capacity, quota.rate, self.share.0)));
        Arc::clone(bucket)
    }
}

/// What may be spent in one account's Region.
#[derive(Debug)]
pub(crate) struct Allowance {
    budget: Budget,
    account: AccountId,
    region: Region,
    known: Mutex<BTreeMap<(&'static str, &'static str), Arc<Bucket>>>,
}

impl Allowance {
    /// Waits for a token and a permit. `None` when there will be no more permits.
    ///
    /// The token is taken once there is a permit to use it with; else tokens of long ago would be spent all at once. Who
    /// waits for a token holds no permit, so that a slow class of requests does not keep the others from going on.
    pub(crate) async fn admit<'p>(&self, operation: &Operation, permits: &'p Semaphore) -> Option<(SemaphorePermit<'p>, Arc<Ticket>)> {
        let bucket = self.bucket(operation);
        let mut waited = Duration::ZERO;
        let permit = {
            // The time of those behind the next one is its time too: it counts once.
            let _turn = bucket.turn.lock().await;
            loop {
                waited += bucket.filled().await;
                let permit = permits.acquire().await.ok()?;
                // Retries do not queue: one may have been quicker.
                if bucket.take().is_ok() {
                    break permit;
                }
            }
        };
        let ticket = Ticket { bucket, operation: *operation, statistics: self.budget.statistics.clone(), state: Mutex::default() };
        ticket.waited(waited);
        Some((permit, Arc::new(ticket)))
    }

    fn bucket(&self, operation: &Operation) -> Arc<Bucket> {
        let mut known = locked(&self.known);
        let bucket =
            known.entry((operation.service, operation.name)).or_insert_with(|| self.budget.bucket(&self.account, &self.region, operation));
        Arc::clone(bucket)
    }
}

/// What a request pays with: the first attempt is paid, each retry takes a token when it comes.
#[derive(Debug)]
pub(crate) struct Ticket {
    bucket: Arc<Bucket>,
    operation: Operation,
    statistics: Statistics,
    state: Mutex<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts {
    first_is_gone: bool,
    sending: Duration,
}

impl Ticket {
    /// Sends a request with this ticket.
    pub(crate) async fn spend<F: Future>(self: Arc<Self>, request: F) -> F::Output {
        meter::TICKET.scope(Some(self), request).await
    }

    /// How long all attempts so far were on their way.
    fn sending(&self) -> Duration {
        locked(&self.state).sending
    }

    /// Waits for the token of the next attempt.
    async fn pay(&self) {
        if !std::mem::replace(&mut locked(&self.state).first_is_gone, true) {
            return;
        }
        let came = clock::now();
        while let Err(wait) = self.bucket.take() {
            clock::sleep(wait).await;
        }
        self.waited(clock::now() - came);
    }

    /// An attempt is over: it was throttled or not, or there was no answer.
    fn sent(&self, at: std::time::Instant, throttled: Option<bool>) {
        locked(&self.state).sending += clock::now() - at;
        if let Some(rate) = throttled.and_then(|throttled| self.bucket.answered(at, throttled)) {
            tracing::debug!(service = self.operation.service, operation = self.operation.name, rate, "throttled: going slower");
        }
    }

    fn waited(&self, time: Duration) {
        if !time.is_zero() {
            self.statistics.waited(&self.operation, time);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
