//! What the cases are written with.

use std::collections::HashSet;
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{RunId, Status};
use bytes::Bytes;

use super::Backend;
use crate::{
    Attempt, Claim, Held, HostId, ManualClock, NewHost, NewRun, Page, Result, RunEvent, RunEventKind,
    RunFilter, RunRecord, Store,
};

/// The lease of every host that [`Setup::host`] registers.
pub(super) const LEASE: Duration = Duration::from_secs(10);
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);

/// A store on a backend, and its clock.
pub(super) struct Setup {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: ManualClock,
}

impl Deref for Setup {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

impl Setup {
    pub(super) async fn of(backend: &dyn Backend) -> Self {
        Self { store: backend.open().await, clock: backend.clock() }
    }

    pub(super) async fn host(&self, name: &str) -> HostId {
        self.register(NewHost::new(name).lease(LEASE)).await.must("register a host")
    }

    /// Accepts one run, which must be new.
    pub(super) async fn accept(&self, run: NewRun) -> RunId {
        let id = run.id;
        let answer = self.enqueue(vec![run]).await.must("accept a run");
        assert!(
            answer.len() == 1 && answer[0].id == id && answer[0].is_new,
            "enqueueing a run with a new id must answer that it is new, and its id {id}: {answer:?}"
        );
        id
    }

    /// Everything that is due in a queue, up to 1 000.
    pub(super) async fn take(&self, host: HostId, queue: &str) -> Vec<Held> {
        self.claim(Claim::new(host, queue, 1000)).await.must("let a host claim runs").runs
    }

    /// A run of its own queue that the host has just taken on.
    pub(super) async fn running(&self, host: HostId, run: NewRun) -> Held {
        let queue = run.id.to_string();
        let id = self.accept(run.queue(queue.clone())).await;
        self.take(host, &queue).await.into_iter().find(|held| held.run.id == id).unwrap_or_else(|| {
            panic!("run {id}, the only one of queue {queue}, is due and must be given to who claims")
        })
    }

    pub(super) async fn known(&self, id: RunId) -> RunRecord {
        let found = self.run(id).await.must("read a run");
        found.unwrap_or_else(|| panic!("run {id} was accepted and must be known"))
    }

    pub(super) async fn status(&self, id: RunId) -> Status {
        self.known(id).await.status
    }

    /// All there is of a run, after checking that it fits together.
    pub(super) async fn snapshot(&self, id: RunId) -> Snapshot {
        let snapshot = self.found(id).await;
        snapshot.check();
        snapshot
    }

    /// All there is of a run.
    pub(super) async fn found(&self, id: RunId) -> Snapshot {
        Snapshot {
            run: self.known(id).await,
            payload: self.payload(id).await.must("read a payload"),
            result: self.result(id).await.must("read a result"),
            attempts: self.attempts(id).await.must("read attempts"),
            events: self.events(id, 0, 1000).await.must("read events"),
        }
    }

    /// All there is of all runs, the one that was accepted last first.
    pub(super) async fn everything(&self) -> Vec<Snapshot> {
        let mut all = Vec::new();
        for run in self.all(RunFilter::new(), 1000).await {
            all.push(self.snapshot(run.id).await);
        }
        all
    }

    /// A whole list, read in pages of this size.
    pub(super) async fn all(&self, filter: RunFilter, size: usize) -> Vec<RunRecord> {
        let (mut all, mut seen, mut page) = (Vec::new(), HashSet::new(), Page::first(size));
        loop {
            let found = self.list(filter.clone(), page).await.must("list runs");
            assert!(found.runs.len() <= size, "a page of {size} has {} runs", found.runs.len());
            for run in found.runs {
                assert!(seen.insert(run.id), "run {} is on two pages of {size}", run.id);
                all.push(run);
            }
            match found.next {
                Some(cursor) => page = Page::after(cursor, size),
                None => return all,
            }
        }
    }
}

/// All there is of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) run: RunRecord,
    pub(super) payload: Bytes,
    pub(super) result: Option<Bytes>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) events: Vec<RunEvent>,
}

impl Snapshot {
    /// What holds of every run at every time.
    fn check(&self) {
        let Self { run, attempts, events, .. } = self;
        let numbers: Vec<u32> = events.iter().map(|event| event.seq).collect();
        let wanted: Vec<u32> = (1..=run.events).collect();
        assert_eq!(numbers, wanted, "events must be numbered from 1 without a gap: {self:#?}");
        assert_eq!(events[0].kind, RunEventKind::Queued, "a history begins with `queued`: {self:#?}");
        let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
        let wanted: Vec<u32> = (1..=run.attempt).collect();
        assert_eq!(numbers, wanted, "attempts must be numbered from 1 without a gap: {self:#?}");
        let is_running = run.status == Status::Running;
        for attempt in attempts {
            let is_open = is_running && attempt.number == run.attempt;
            assert_eq!(attempt.ended_at.is_none(), is_open, "only a running attempt has no end: {self:#?}");
            assert_eq!(attempt.status.is_none(), is_open, "an attempt's end has a status: {self:#?}");
        }
        assert_eq!(run.owner.is_some(), is_running, "a run has an owner while it is running: {self:#?}");
        assert_eq!(run.ended_at.is_some(), run.status.is_final(), "a final run has an end: {self:#?}");
        let latest = attempts.last().map_or(0, |attempt| attempt.token);
        assert_eq!(run.token, latest, "a run has the token of its latest attempt: {self:#?}");
        let ends = events.iter().filter(|event| event.kind == RunEventKind::Ended).count();
        assert_eq!(ends, usize::from(run.status.is_final()), "a run ends exactly once: {self:#?}");
    }

    pub(super) fn kinds(&self) -> Vec<RunEventKind> {
        self.events.iter().map(|event| event.kind).collect()
    }
}

/// What a backend must be able to do.
pub(super) trait Must<T> {
    /// The value, or a panic that says what was expected of the backend.
    #[track_caller]
    fn must(self, what: &str) -> T;
}

impl<T> Must<T> for Result<T> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        self.unwrap_or_else(|error| panic!("the store must {what}, but answered: {error:?}"))
    }
}

/// The error with which a backend must answer.
#[track_caller]
pub(super) fn refusal<T: Debug>(answer: Result<T>, what: &str) -> crate::StoreError {
    match answer {
        Ok(value) => panic!("the store must refuse {what}, but answered {value:?}"),
        Err(error) => error,
    }
}

/// Demands an error of a certain form.
macro_rules! refused {
    ($answer:expr, $form:pat $(if $guard:expr)?, $($what:tt)+) => {{
        let what = format!($($what)+);
        match $crate::conformance::support::refusal($answer, &what) {
            $form $(if $guard)? => {}
            other => panic!("the store must refuse {what} with {}, but answered {other:?}", stringify!($form)),
        }
    }};
}
pub(super) use refused;
