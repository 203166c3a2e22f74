//! Durations flow in; the passing of time flows out.
//!
//! In tests time passes when nothing else is left to do, so that minutes take milliseconds and every run is the same.
//! (Tokio's own paused clock is behind a feature that would make a second build of all SDK crates.)

use std::time::{Duration, Instant};

#[cfg(test)]
pub(crate) use paused::{Sleep, run};

/// The time.
pub(crate) fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = paused::now() {
        return now;
    }
    Instant::now()
}

/// Waits.
pub(crate) async fn sleep(time: Duration) {
    #[cfg(test)]
    if let Some(sleep) = paused::sleep(time) {
        return sleep.await;
    }
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod paused {
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::{Duration, Instant};

    thread_local! {
        static CLOCK: RefCell<Option<Clock>> = const { RefCell::new(None) };
    }

    struct Clock {
        now: Instant,
        /// Who is to be woken when, in the order in which they asked.
        timers: BTreeMap<(Instant, u64), Waker>,
        asked: u64,
    }

    /// Runs a future to its end on a clock that goes on when the future waits for nothing else.
    pub(crate) fn run<F: Future>(future: F) -> F::Output {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        CLOCK.set(Some(Clock { now: Instant::now(), timers: BTreeMap::new(), asked: 0 }));
        let mut future = pin!(future);
        let output = loop {
            if woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    break output;
                }
            } else {
                let next = with(|clock| {
                    let ((at, _), waker) = clock.timers.pop_first().expect("nothing will ever happen again");
                    clock.now = at;
                    waker
                });
                next.unwrap().wake();
            }
        };
        CLOCK.set(None);
        output
    }

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn with<T>(use_clock: impl FnOnce(&mut Clock) -> T) -> Option<T> {
        CLOCK.with_borrow_mut(|clock| clock.as_mut().map(use_clock))
    }

    pub(super) fn now() -> Option<Instant> {
        with(|clock| clock.now)
    }

    pub(super) fn sleep(time: Duration) -> Option<Timer> {
        with(|clock| {
            clock.asked += 1;
            Timer { key: (clock.now + time, clock.asked) }
        })
    }

    pub(super) struct Timer {
        key: (Instant, u64),
    }

    impl Future for Timer {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            with(|clock| {
                if clock.now >= self.key.0 {
                    return Poll::Ready(());
                }
                clock.timers.insert(self.key, context.waker().clone());
                Poll::Pending
            })
            .unwrap()
        }
    }

    impl Drop for Timer {
        fn drop(&mut self) {
            with(|clock| clock.timers.remove(&self.key));
        }
    }

    /// Lets the SDK wait on the same clock.
    #[derive(Debug)]
    pub(crate) struct Sleep;

    impl aws_smithy_async::rt::sleep::AsyncSleep for Sleep {
        fn sleep(&self, time: Duration) -> aws_smithy_async::rt::sleep::Sleep {
            aws_smithy_async::rt::sleep::Sleep::new(super::sleep(time))
        }
    }
}
