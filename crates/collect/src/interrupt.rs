//! Ctrl-C flows in; every request in flight learns of it.

use std::sync::Arc;

use tokio::sync::watch;

/// Exit status of a process that a second Ctrl-C ends, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

/// Tells a running collection to stop. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Interrupt {
    sender: Arc<watch::Sender<bool>>,
}

impl Interrupt {
    /// One that comes only when [`trigger`](Self::trigger) is called.
    pub fn never() -> Self {
        Self { sender: Arc::new(watch::Sender::new(false)) }
    }

    /// One that comes with Ctrl-C or SIGTERM: the first stops collecting, a second Ctrl-C ends the process at once with status 130.
    ///
    /// Call it inside the runtime.
    pub fn on_ctrl_c() -> Self {
        let interrupt = Self::never();
        let ours = interrupt.clone();
        tokio::spawn(async move {
            asked_to_stop().await;
            ours.trigger();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(EXIT_INTERRUPTED);
            }
        });
        interrupt
    }

    /// Stops the collection.
    pub fn trigger(&self) {
        self.sender.send_replace(true);
    }

    /// Whether the collection was told to stop.
    pub fn is_triggered(&self) -> bool {
        *self.sender.borrow()
    }

    /// Waits until the collection is told to stop.
    pub(crate) async fn triggered(&self) {
        let mut receiver = self.sender.subscribe();
        if receiver.wait_for(|triggered| *triggered).await.is_err() {
            // The sender is ours, so this cannot be; nobody can interrupt any more.
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for the first signal to stop. A system that cannot listen is one where nothing is heard.
async fn asked_to_stop() {
    let control_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            return control_c.await;
        };
        tokio::select! {
            () = control_c => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    control_c.await;
}
