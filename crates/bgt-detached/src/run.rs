//! One run, by its id.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Progress, RunId, Status};
use bgt_log::From;
use bgt_store::{Attempt, RunEvent, RunRecord};
use serde::de::DeserializeOwned;

use crate::host::Host;
use crate::{DetachedError, Output, ProgramEnd, Result};

/// Other hosts announce nothing: how often to look for what they did, at first and at most.
const FIRST: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(500);

/// A detached run: where it stands, what it printed, what became of it. It makes no difference which host works on it, or
/// whether it was accepted before this process was started.
///
/// Dropping it changes nothing for the run. It does keep its host's records open.
#[derive(Clone)]
pub struct Run {
    host: Arc<Host>,
    id: RunId,
}

impl Run {
    pub(crate) fn new(host: Arc<Host>, id: RunId) -> Self {
        Self { host, id }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// Everything that is known of it.
    ///
    /// # Errors
    ///
    /// [`DetachedError::UnknownRun`]; a fault of the records, as with all calls here.
    pub async fn record(&self) -> Result<RunRecord> {
        self.host.store.run(self.id).await?.ok_or(DetachedError::UnknownRun(self.id))
    }

    /// Where it stands.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    pub async fn status(&self) -> Result<Status> {
        Ok(self.record().await?.status)
    }

    /// How far it said it had come, about a second ago at most.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    pub async fn progress(&self) -> Result<Option<Progress>> {
        Ok(self.record().await?.progress)
    }

    /// Its attempts, in order.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    pub async fn attempts(&self) -> Result<Vec<Attempt>> {
        Ok(self.host.store.attempts(self.id).await?)
    }

    /// Its history: up to `limit` (1 to 1 000) events after number `after`, 0 for the first.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record), and for a limit that makes no sense.
    pub async fn history(&self, after: u32, limit: usize) -> Result<Vec<RunEvent>> {
        Ok(self.host.store.events(self.id, after, limit).await?)
    }

    /// Asks to stop it: politely, with its grace period; asked again, by force. The wish is on disk when this has answered: a
    /// run that is queued is over, and one that is running is stopped by whichever host holds it, also by one that is yet to
    /// be started. A run that is over stays as it is.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    pub async fn cancel(&self) -> Result<Status> {
        let record = self.host.store.request_cancel(self.id).await?;
        let working = self.host.working().get(&self.id).cloned();
        if let Some(working) = working {
            working.ask(record.cancel_requests);
        }
        self.host.changes.tell(self.id);
        Ok(record.status)
    }

    /// Waits until it is over. Of another host's runs it is heard within half a second.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the run goes on.
    pub async fn wait(&self) -> Result<RunRecord> {
        self.until(|run| run.status.is_final()).await
    }

    /// Waits until this can be said of it.
    pub(crate) async fn until(&self, is_it: impl Fn(&RunRecord) -> bool) -> Result<RunRecord> {
        let news = self.host.changes.of(self.id);
        let mut pause = FIRST;
        loop {
            let told = news.told.notified();
            let mut told = std::pin::pin!(told);
            // Before the look: what happens between it and the wait is heard.
            told.as_mut().enable();
            let record = self.record().await?;
            if is_it(&record) {
                return Ok(record);
            }
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LOOK),
            }
        }
    }

    /// What a function answered.
    ///
    /// # Errors
    ///
    /// [`DetachedError::NoResult`] if it has not answered; [`DetachedError::Json`] if it has answered something else; as for
    /// [`record`](Self::record).
    pub async fn result<T: DeserializeOwned>(&self) -> Result<T> {
        let record = self.record().await?;
        let found = self.host.store.result(self.id).await?;
        let found = found.ok_or(DetachedError::NoResult { run: self.id, status: record.status })?;
        serde_json::from_slice(&found).map_err(|source| DetachedError::Json {
            what: "the answer",
            function: record.name,
            source,
        })
    }

    /// How a program ended: its exact exit, whoever was there to see it.
    ///
    /// # Errors
    ///
    /// As for [`result`](Self::result).
    pub async fn program_end(&self) -> Result<ProgramEnd> {
        self.result().await
    }

    /// Its output, from there on: of the latest attempt, as far as it is kept, and as it comes. Ends with the attempt.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    pub async fn output(&self, from: From) -> Result<Output> {
        let attempt = self.record().await?.attempt.max(1);
        Ok(self.output_of(attempt, from))
    }

    /// The output of one of its attempts, counted from 1. One that has not begun is waited for.
    pub fn output_of(&self, attempt: u32, from: From) -> Output {
        Output::new(self.clone(), attempt, from)
    }

    pub(crate) fn folder(&self, attempt: u32) -> crate::attempt::folder::Folder {
        crate::attempt::folder::Folder::of(&self.host.folder, self.id, attempt)
    }

    /// Waits until an attempt is over.
    pub(crate) fn attempt_over(&self, attempt: u32) -> impl Future<Output = Result<()>> + Send + use<> {
        let run = self.clone();
        async move {
            let is_over = |run: &RunRecord| {
                run.status.is_final()
                    || run.attempt > attempt
                    || run.attempt == attempt && run.status == Status::Queued
            };
            run.until(is_over).await.map(drop)
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Run").field(&self.id).finish()
    }
}
