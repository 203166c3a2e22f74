//! Requests flow in; each flows out when there is a token for it. Throttled answers make tokens rarer, good ones let them
//! become more frequent again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// By what a throttled answer multiplies the rate, and by what another one does without a good one between them.
const LOWERING: f64 = 0.5;
const LOWERING_AGAIN: f64 = 0.25;
/// The least share of the rate that throttling leaves, and the least rate: a request in twenty seconds finds out soon
/// enough whether the server bears more.
const FLOOR: f64 = 1.0 / 256.0;
const LEAST: f64 = 0.05;
/// How long the way back from nothing to the full rate takes.
const RECOVERY: Duration = Duration::from_mins(1);
/// How long to sleep at most: the rate may rise in the meantime.
const NAP: Duration = Duration::from_secs(1);
/// What calculations may be off.
const TINY: f64 = 1e-6;

/// A token bucket whose rate follows what the server bears.
#[derive(Debug)]
pub(super) struct Bucket {
    full: Full,
    level: Mutex<Level>,
    /// Held by the request that is next: the others wait in the order in which they came.
    pub(super) turn: tokio::sync::Mutex<()>,
}

/// What the bucket may hold and regain at most.
#[derive(Clone, Copy, Debug)]
struct Full {
    capacity: f64,
    rate: f64,
}

#[derive(Debug)]
struct Level {
    tokens: f64,
    rate: f64,
    /// When tokens and rate were so.
    at: Instant,
    /// When throttling last lowered the rate.
    lowered: Option<Instant>,
    /// Whether nothing was answered but throttling since then: the rate stays where it is.
    refused: bool,
}

impl Bucket {
    /// One that spends a share of the server's bucket.
    pub(super) fn new(capacity: f64, rate: f64, share: f64) -> Self {
        let spent = rate * share;
        // AWS refills once a second. Who takes tokens as they trickle in is up to a second ahead of that.
        let capacity = (capacity * share).min(capacity - spent).max(1.0);
        let level = Level { tokens: capacity, rate: spent, at: clock::now(), lowered: None, refused: false };
        Self { full: Full { capacity, rate: spent }, level: Mutex::new(level), turn: tokio::sync::Mutex::new(()) }
    }

    /// Takes a token, or says how long to sleep before the next try.
    pub(super) fn take(&self) -> Result<(), Duration> {
        let mut level = self.level();
        level.wait(self.full).map_or(Ok(()), Err)?;
        level.tokens -= 1.0;
        Ok(())
    }

    /// Waits until there is a token, and leaves it there. Says how long that took.
    pub(super) async fn filled(&self) -> Duration {
        let mut waited = Duration::ZERO;
        loop {
            let Some(wait) = self.level().wait(self.full) else { return waited };
            clock::sleep(wait).await;
            waited += wait;
        }
    }

    /// The server answered a request that was sent then, or found it to be one too many. Says what the rate is now, if that
    /// lowers it.
    pub(super) fn answered(&self, sent: Instant, throttled: bool) -> Option<f64> {
        let mut level = self.level();
        // Requests that were on their way when the rate was lowered say nothing about the lower one.
        if level.lowered.is_some_and(|lowered| sent <= lowered) {
            return None;
        }
        level.settle(self.full);
        let again = std::mem::replace(&mut level.refused, throttled);
        if !throttled {
            return None;
        }
        let floor = (self.full.rate * FLOOR).max(LEAST).min(level.rate);
        level.rate = (level.rate * if again { LOWERING_AGAIN } else { LOWERING }).max(floor);
        level.tokens = 0.0;
        level.lowered = Some(level.at);
        Some(level.rate)
    }

    fn level(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Level {
    /// How long to sleep until there may be a token; `None` when there is one.
    fn wait(&mut self, full: Full) -> Option<Duration> {
        self.settle(full);
        let missing = 1.0 - TINY - self.tokens;
        (missing > 0.0).then(|| Duration::from_secs_f64((1.0 - self.tokens) / self.rate).clamp(Duration::from_millis(1), NAP))
    }

    /// Adds what came since the last time: tokens, and some of the rate that throttling took away.
    fn settle(&mut self, full: Full) {
        let now = clock::now();
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let recovered = if self.refused { 0.0 } else { passed / RECOVERY.as_secs_f64() * full.rate };
        let rate = (self.rate + recovered).min(full.rate);
        // What throttling leaves of the rate it leaves of the burst as well.
        let capacity = (full.capacity * rate / full.rate).max(1.0);
        self.tokens = (self.tokens + passed * f64::midpoint(self.rate, rate)).min(capacity);
        self.rate = rate;
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use crate::clock::{self, run, sleep};
    use std::time::Duration;

    /// How many requests go out in a time.
    async fn sent_in(bucket: &Bucket, time: Duration) -> usize {
        let end = clock::now() + time;
        let mut sent = 0;
        loop {
            match bucket.take() {
                Ok(()) => sent += 1,
                Err(wait) if clock::now() + wait <= end => sleep(wait).await,
                Err(_) => return sent,
            }
        }
    }

    #[test]
    fn a_share_is_spent_of_burst_and_rate() {
        run(async {
            let bucket = Bucket::new(100.0, 20.0, 0.5);
            assert_eq!(sent_in(&bucket, Duration::ZERO).await, 50);
            let sent = sent_in(&bucket, Duration::from_secs(10)).await;
            assert!((99..=100).contains(&sent), "{sent}");
            sleep(Duration::from_hours(1)).await;
            assert_eq!(sent_in(&bucket, Duration::ZERO).await, 50, "no more than the burst is saved up");
        });
    }

    #[test]
    fn the_whole_share_leaves_a_second_of_refill() {
        run(async {
            assert_eq!(sent_in(&Bucket::new(100.0, 20.0, 1.0), Duration::ZERO).await, 80);
            assert_eq!(sent_in(&Bucket::new(5.0, 5.0, 1.0), Duration::ZERO).await, 1);
            assert_eq!(sent_in(&Bucket::new(2.0, 2.0, 0.01), Duration::ZERO).await, 1, "one request is always possible");
        });
    }

    #[test]
    fn throttling_halves_the_rate_and_empties_the_bucket() {
        run(async {
            let bucket = Bucket::new(100.0, 20.0, 0.5);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(bucket.answered(clock::now(), true), Some(5.0));
            assert_eq!(bucket.take(), Err(Duration::from_millis(200)));
        });
    }

    #[test]
    fn one_burst_lowers_the_rate_once() {
        run(async {
            let bucket = Bucket::new(100.0, 20.0, 0.5);
            let sent = clock::now();
            sleep(Duration::from_millis(100)).await;
            assert!(bucket.answered(sent, true).is_some());
            for _ in 0..15 {
                assert_eq!(bucket.answered(sent, true), None);
            }
        });
    }

    #[test]
    fn the_rate_has_a_floor_and_comes_back_slowly() {
        run(async {
            let bucket = Bucket::new(100.0, 20.0, 0.5);
            let mut rate = None;
            for _ in 0..20 {
                sleep(Duration::from_secs(1)).await;
                rate = bucket.answered(clock::now(), true);
            }
            assert_eq!(rate, Some(0.05));
            assert!(sent_in(&bucket, Duration::from_mins(10)).await <= 30, "silence is no reason to go faster");
            assert_eq!(bucket.answered(clock::now(), false), None);
            let first = sent_in(&bucket, Duration::from_secs(10)).await;
            let second = sent_in(&bucket, Duration::from_secs(10)).await;
            assert!(first < second && second < 50, "{first}, {second}");
            sleep(Duration::from_mins(1)).await;
            assert_eq!(sent_in(&bucket, Duration::ZERO).await, 50);
        });
    }
}
