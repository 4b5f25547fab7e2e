//! The hold on a run that goes on by itself.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use bgt_core::{Error, ErrorKind, ErrorParts, Pattern, Report, RunId};
use bgt_log::{From, Log};
use tokio::sync::oneshot;

use crate::hub::{Hub, RuntimeGone};
use crate::{Snapshot, Subscription, Summary};

/// Looks at a run, and can stop it. Does not keep it alive. Clones look at the same run.
///
/// The log stays readable as long as anybody has one of these, also after the run.
#[derive(Clone)]
pub struct Watch {
    pub(crate) hub: Arc<Hub>,
}

impl Watch {
    /// The run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.hub.id
    }

    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.hub.name
    }

    /// Hears what happens, from this line on: what is held at once, and what follows as it comes.
    pub fn subscribe(&self, from: From) -> Subscription {
        Subscription::new(self.hub.clone(), from)
    }

    /// How the run is doing.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.hub.snapshot()
    }

    /// Asks the run to stop: politely, with its grace period, then by force. A second call skips the grace period. It
    /// returns at once; [`ended`](Self::ended) waits for the end.
    pub fn cancel(&self) {
        self.hub.cancel.cancel();
    }

    /// Its output alone.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.hub.log
    }

    /// Waits for the end, and says what came of it.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped, and the run goes on.
    pub async fn ended(&self) -> Arc<Summary> {
        self.hub.ended().await
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("run", &self.hub.id)
            .field("name", &self.hub.name)
            .finish_non_exhaustive()
    }
}

/// The hold on a streamed run: all that a [`Watch`] can do, and its output.
///
/// Awaiting it gives the task's output or an [`Error`], as with `bgt_simple::run`.
///
/// **Dropping it stops the run**, politely: with its grace period, then by force, in the background. To let it go on
/// by itself, [`release`](Self::release) it. Subscriptions and [`Watch`]es never keep a run alive.
#[must_use = "dropping a handle stops its run; release it to let the run go on"]
pub struct Handle<O> {
    watch: Watch,
    report: Option<oneshot::Receiver<Report<O>>>,
}

impl<O: Send + 'static> Handle<O> {
    pub(crate) fn new(watch: Watch, report: oneshot::Receiver<Report<O>>) -> Self {
        Self { watch, report: Some(report) }
    }

    /// Waits for the end, and answers the whole story.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the handle: the run is stopped. To wait without that, use [`Watch::ended`].
    pub async fn report(mut self) -> Report<O> {
        if let Some(report) = &mut self.report {
            if let Ok(report) = report.await {
                return report;
            }
        }
        // The runtime that the run was on is gone, and the run with it.
        let summary = self.watch.ended().await;
        let mut error = ErrorParts::new(summary.id, summary.name.clone(), RuntimeGone.into());
        (error.kind, error.pattern) = (ErrorKind::Cancelled, Pattern::Streaming);
        (error.attempt, error.elapsed) = (summary.attempts, summary.elapsed);
        let error = Error::new(error);
        let mut report = Report::new(summary.id, summary.name.clone(), summary.started_at, Err(error));
        (report.attempts, report.elapsed) = (summary.attempts, summary.elapsed);
        report
    }

    /// Lets the run go on by itself; nobody will hear of its output.
    pub fn release(mut self) -> Watch {
        self.report = None;
        self.watch.clone()
    }

    /// Another look at the run, which does not keep it alive.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl<O> Deref for Handle<O> {
    type Target = Watch;

    fn deref(&self) -> &Watch {
        &self.watch
    }
}

impl<O> Drop for Handle<O> {
    fn drop(&mut self) {
        let hub = &self.watch.hub;
        // A second request would skip the grace period of the first.
        if self.report.is_some() && hub.state().summary.is_none() && hub.cancel.reason().is_none() {
            hub.cancel.cancel();
        }
    }
}

impl<O: Send + 'static> IntoFuture for Handle<O> {
    type Output = Result<O, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.report().await.result })
    }
}

impl<O> fmt::Debug for Handle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.watch).finish()
    }
}
