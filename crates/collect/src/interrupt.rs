//! Ctrl-C flows in; every request in flight learns of it.

use std::sync::Arc;

use tokio::sync::watch;

/// Exit status of a process that Ctrl-C ends, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

/// Tells a running collection to stop. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Interrupt {
    sender: Arc<watch::Sender<bool>>,
}

/// While this lives, an interrupt is waited for.
pub(crate) struct Attention {
    _receiver: watch::Receiver<bool>,
}

impl Interrupt {
    /// One that comes only when [`trigger`](Self::trigger) is called.
    pub fn never() -> Self {
        Self { sender: Arc::new(watch::Sender::new(false)) }
    }

    /// One that comes with Ctrl-C or SIGTERM. The first stops a collection; a second, or one while nothing is collected,
    /// ends the process at once with status 130.
    pub fn on_ctrl_c() -> Self {
        let interrupt = Self::never();
        let ours = interrupt.clone();
        // A thread of its own: it hears signals also after the collection's runtime is gone.
        let listener = std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || listen(&ours));
        if let Err(error) = listener {
            tracing::warn!(%error, "Ctrl-C will end the process without what was collected");
        }
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

    /// Declares that a collection listens.
    pub(crate) fn attention(&self) -> Attention {
        Attention { _receiver: self.sender.subscribe() }
    }
}

fn listen(interrupt: &Interrupt) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::warn!(%error, "Ctrl-C will end the process without what was collected");
            return;
        }
    };
    loop {
        runtime.block_on(asked_to_stop());
        if interrupt.is_triggered() || interrupt.sender.receiver_count() == 0 {
            std::process::exit(EXIT_INTERRUPTED);
        }
        interrupt.trigger();
    }
}

/// Waits for a signal to stop. A system that cannot listen is one where nothing is heard.
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
