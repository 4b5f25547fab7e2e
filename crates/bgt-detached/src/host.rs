//! One process that works on runs: what it holds, and the loops that keep it going.
//!
//! Owns: the identity of this start of the host, and the table of the runs that it holds.
//! Never does: decide what becomes of a run; `policy` does.

mod beat;
mod changes;
mod dispatch;
mod function;
mod lazy_log;
mod persist;
#[cfg(feature = "process")]
mod program;
mod prune;
mod relay;
mod work;
mod working;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bgt_core::{CancelReason, RunId};
use bgt_store::{HostId, NewHost, Store, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::DetachedError;
use crate::builder::Settings;
use crate::local::Local;
pub(crate) use changes::Changes;
pub(crate) use persist::blocking;
pub(crate) use working::Working;

pub(crate) struct Host {
    pub(crate) store: Arc<dyn Store>,
    /// Where runs leave what they leave behind.
    pub(crate) folder: PathBuf,
    pub(crate) settings: Settings,
    /// `None` for one that only asks and accepts.
    id: Mutex<Option<HostId>>,
    working: Mutex<HashMap<RunId, Arc<Working>>>,
    /// Held while runs are taken on, so that what is held and what is worked on can be compared.
    intake: tokio::sync::Mutex<()>,
    /// A claim or adoption whose answer was lost: something may be held that nobody works on.
    is_suspect: AtomicBool,
    wake: Notify,
    idle: Notify,
    pub(crate) changes: Changes,
    closing: watch::Sender<Closing>,
    /// Under which identity we were heard of too late.
    fenced: watch::Sender<Option<HostId>>,
    /// When this host last looked after itself.
    moved: Mutex<std::time::Instant>,
    /// Runs of this process alone.
    pub(crate) local: Local,
    #[cfg(feature = "process")]
    said: std::sync::Once,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closing {
    #[default]
    No,
    /// Takes nothing on; accepts still.
    Full,
    /// Takes nothing on, brings what it has to an end.
    Draining,
    /// Lets go of everything.
    Now,
}

impl Host {
    pub(crate) async fn start(
        store: Arc<dyn Store>,
        folder: PathBuf,
        settings: Settings,
    ) -> crate::Result<Arc<Self>> {
        let id = if settings.has_workers { Some(register(&*store, &settings).await?) } else { None };
        let host = Arc::new(Self {
            store,
            folder,
            settings,
            id: Mutex::new(id),
            working: Mutex::default(),
            intake: tokio::sync::Mutex::default(),
            is_suspect: AtomicBool::new(false),
            wake: Notify::new(),
            idle: Notify::new(),
            changes: Changes::default(),
            closing: watch::channel(Closing::No).0,
            fenced: watch::channel(None).0,
            moved: Mutex::new(std::time::Instant::now()),
            local: Local::default(),
            #[cfg(feature = "process")]
            said: std::sync::Once::new(),
        });
        if id.is_some() {
            beat::start(&host).map_err(DetachedError::Thread)?;
            tokio::spawn(beat::keep(host.clone()));
            tokio::spawn(dispatch::keep(host.clone()));
            tokio::spawn(prune::keep(host.clone()));
        }
        Ok(host)
    }

    /// Something may be there to be taken on.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn closing(&self) -> Closing {
        *self.closing.borrow()
    }

    /// Lets go of everything at once. What can outlive us does; the rest is dropped, and others find it.
    pub(crate) fn let_go(&self) {
        self.close(Closing::Now);
        self.local.end();
        for working in self.working().values() {
            working.end();
        }
    }

    /// Brings everything to an end, or hands it over, until the time is over.
    pub(crate) async fn drain(&self, grace: Duration) {
        let until = Instant::now().checked_add(grace);
        self.close(Closing::Draining);
        let all: Vec<_> = self.working().values().cloned().collect();
        for working in all {
            working.cancel.cancel_because(CancelReason::Shutdown);
            working.hand_over();
        }
        self.local.cancel();
        match until {
            Some(until) => drop(tokio::time::timeout_at(until, self.local.over()).await),
            None => self.local.over().await,
        }
        loop {
            let idle = self.idle.notified();
            let mut idle = std::pin::pin!(idle);
            idle.as_mut().enable();
            if self.working().is_empty() {
                break;
            }
            match until {
                Some(until) if tokio::time::timeout_at(until, idle.as_mut()).await.is_err() => break,
                Some(_) => {}
                None => idle.await,
            }
        }
        self.let_go();
        let Some(id) = self.id() else { return };
        // What is left can be taken over at once. A store that does not answer by then leaves that to the lease.
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let patience = left.unwrap_or(Duration::from_secs(5)).max(Duration::from_millis(100));
        match tokio::time::timeout(patience, self.store.retire(id)).await {
            Ok(Err(error)) => tracing::warn!(%error, "a host could not retire: others wait for its lease"),
            Err(_) => tracing::warn!("a host could not retire in time: others wait for its lease"),
            Ok(Ok(())) => {}
        }
    }

    pub(crate) fn working(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Working>>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self) -> Option<HostId> {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_moved(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = std::time::Instant::now();
    }

    fn moved(&self) -> std::time::Instant {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn close(&self, how: Closing) {
        self.closing.send_if_modified(|closing| {
            let more = how > *closing;
            *closing = how.max(*closing);
            more
        });
    }

    /// Others have taken over what we had: its work ends here, and we begin anew under another identity.
    async fn rejoin(self: &Arc<Self>, ended: HostId) {
        let _intake = self.intake.lock().await;
        if self.id() != Some(ended) {
            return;
        }
        tracing::warn!(host = %ended, "this host was not heard of in time, and others have taken over its runs");
        for working in self.working().drain() {
            working.1.end();
        }
        self.idle.notify_waiters();
        if self.closing() != Closing::No {
            return;
        }
        if let Some(id) = persist::persist(self, || register(&*self.store, &self.settings)).await {
            *self.id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
        }
        self.wake();
    }
}

async fn register(store: &dyn Store, settings: &Settings) -> Result<HostId, StoreError> {
    store.register(NewHost::new(&settings.name).lease(settings.lease)).await
}

/// How often a host says that it is there.
fn tick(lease: Duration) -> Duration {
    (lease / 5).clamp(Duration::from_millis(20), Duration::from_secs(1))
}

/// What can be wrong with the files of a run, told once more than once.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound)
}
