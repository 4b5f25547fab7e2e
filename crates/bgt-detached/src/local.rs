//! Runs of this process alone: tracked, and not durable.

use std::fmt;
use std::sync::Arc;

use bgt_core::{Cancel, CancelReason, Observer, Pattern, RunId, Status, Task};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A run that was started with [`Detached::detach_local`](crate::Detached::detach_local): it ends with this process.
///
/// Dropping it changes nothing for the run.
#[derive(Clone)]
pub struct LocalRun {
    id: RunId,
    cancel: Cancel,
    status: watch::Receiver<Status>,
}

/// All of a host, to be ended with it.
#[derive(Debug, Default)]
pub(crate) struct Local {
    tasks: TaskTracker,
    cancel: Cancel,
    gone: CancellationToken,
}

impl Local {
    /// Asks all to stop, and those that are started later.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel_because(CancelReason::Shutdown);
    }

    /// Waits until all are over. Cancel-safe.
    pub(crate) async fn over(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Drops what is left.
    pub(crate) fn end(&self) {
        self.gone.cancel();
    }
}

impl LocalRun {
    pub(crate) fn start<T: Task + 'static>(task: T, all: &Local, observers: &[Arc<dyn Observer>]) -> Self {
        let (id, cancel) = (RunId::new(), Cancel::new());
        let (tell, status) = watch::channel(Status::Running);
        let run = bgt_simple::run(task).id(id).pattern(Pattern::Detached);
        let mut run = run.cancel(&cancel).cancel(&all.cancel);
        for observer in observers {
            run = run.observer(observer.clone());
        }
        let gone = all.gone.clone();
        all.tasks.spawn(async move {
            let status = tokio::select! {
                report = run.report() => report.status(),
                () = gone.cancelled() => Status::Lost,
            };
            let _ = tell.send(status);
        });
        Self { id, cancel, status }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Asks it to stop, politely; asked again, by force.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits until it is over. [`Lost`](Status::Lost) if its host let go of it, or its runtime was shut down, before.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the run goes on.
    pub async fn wait(&self) -> Status {
        let mut status = self.status.clone();
        status.wait_for(|status| status.is_final()).await.map_or(Status::Lost, |status| *status)
    }
}

impl fmt::Debug for LocalRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRun").field("id", &self.id).field("status", &self.status()).finish()
    }
}
