//! A store that counts what is asked of it, and keeps the answers of claims back, as a host that is paused does.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::SystemTime;

use bgt_detached::{
    Fault, FaultKind, HostId, HostRecord, Page, RunEvent, RunFilter, RunId, RunPage, RunRecord, Status, Store,
};
use bgt_store::{
    Adopt, Attempt, Beat, Bytes, Claim, Claimed, Enqueued, Heard, Held, JournalEntry, JournalStore, Lease,
    LeaseStore, NewHost, NewRun, Outcome, Requeue, Result, Retention, RunStore, SlotClaim, SlotLease,
    SlotRecord, SlotStore, StoreError,
};
use tokio::sync::Semaphore;

pub struct Watched {
    store: Arc<dyn Store>,
    pub claims: AtomicU32,
    /// The next claim that gets something is the last that happens.
    is_to_pause: AtomicBool,
    is_paused: AtomicBool,
    /// One permit for each claim that was made and whose answer is kept back.
    pub kept_back: Semaphore,
    goes_on: Semaphore,
    /// One permit for each end that was brought too late.
    pub refused: Semaphore,
    /// So many questions for a run fail first.
    pub faults: AtomicU32,
}

impl Watched {
    pub fn new(store: impl Store + 'static) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::new(store),
            claims: AtomicU32::new(0),
            is_to_pause: AtomicBool::new(false),
            is_paused: AtomicBool::new(false),
            kept_back: Semaphore::new(0),
            goes_on: Semaphore::new(0),
            refused: Semaphore::new(0),
            faults: AtomicU32::new(0),
        })
    }

    /// From the next claim that gets something on, the host hears nothing and says nothing.
    pub fn pause(&self) {
        self.is_to_pause.store(true, Ordering::SeqCst);
    }

    /// From now on the host says nothing and hears nothing; what it brings to an end it brings.
    pub fn fall_silent(&self) {
        self.is_paused.store(true, Ordering::SeqCst);
    }

    pub fn go_on(&self) {
        self.is_paused.store(false, Ordering::SeqCst);
        self.goes_on.close();
    }

    async fn wait(&self) {
        if self.is_paused.load(Ordering::SeqCst) {
            // Closed when it goes on.
            let _ = self.goes_on.acquire().await;
        }
    }
}

#[async_trait::async_trait]
impl RunStore for Watched {
    async fn enqueue(&self, runs: Vec<NewRun>) -> Result<Vec<Enqueued>> {
        self.store.enqueue(runs).await
    }
    async fn run(&self, id: RunId) -> Result<Option<RunRecord>> {
        let left = |left: u32| left.checked_sub(1);
        if self.faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
            return Err(StoreError::Fault(Fault::new(FaultKind::Full, "a test")));
        }
        self.store.run(id).await
    }
    async fn payload(&self, id: RunId) -> Result<Bytes> {
        self.store.payload(id).await
    }
    async fn result(&self, id: RunId) -> Result<Option<Bytes>> {
        self.store.result(id).await
    }
    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>> {
        self.store.attempts(id).await
    }
    async fn events(&self, id: RunId, after: u32, limit: usize) -> Result<Vec<RunEvent>> {
        self.store.events(id, after, limit).await
    }
    async fn list(&self, filter: RunFilter, page: Page) -> Result<RunPage> {
        self.store.list(filter, page).await
    }
    async fn count(&self, filter: RunFilter) -> Result<BTreeMap<Status, u64>> {
        self.store.count(filter).await
    }
    async fn request_cancel(&self, id: RunId) -> Result<RunRecord> {
        self.store.request_cancel(id).await
    }
    async fn end_queued(&self, id: RunId, outcome: Outcome) -> Result<RunRecord> {
        self.store.end_queued(id, outcome).await
    }
    async fn note(&self, id: RunId, text: &str) -> Result<()> {
        self.store.note(id, text).await
    }
    async fn prune(&self, retention: Retention, limit: usize) -> Result<Vec<RunId>> {
        self.store.prune(retention, limit).await
    }
}

#[async_trait::async_trait]
impl LeaseStore for Watched {
    async fn register(&self, host: NewHost) -> Result<HostId> {
        self.store.register(host).await
    }
    async fn heartbeat(&self, host: HostId, beats: Vec<Beat>) -> Result<Heard> {
        self.wait().await;
        self.store.heartbeat(host, beats).await
    }
    async fn retire(&self, host: HostId) -> Result<()> {
        self.store.retire(host).await
    }
    async fn hosts(&self) -> Result<Vec<HostRecord>> {
        self.store.hosts().await
    }
    async fn claim(&self, claim: Claim) -> Result<Claimed> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        let claimed = self.store.claim(claim).await;
        let has_some = claimed.as_ref().is_ok_and(|claimed| !claimed.runs.is_empty());
        if has_some && self.is_to_pause.swap(false, Ordering::SeqCst) {
            self.is_paused.store(true, Ordering::SeqCst);
            self.kept_back.add_permits(1);
            self.wait().await;
        }
        claimed
    }
    async fn next_due(&self, queue: &str) -> Result<Option<SystemTime>> {
        self.store.next_due(queue).await
    }
    async fn held(&self, host: HostId) -> Result<Vec<Held>> {
        self.store.held(host).await
    }
    async fn adopt(&self, adopt: Adopt) -> Result<Vec<Held>> {
        self.wait().await;
        self.store.adopt(adopt).await
    }
    async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<()> {
        let finished = self.store.finish(lease, outcome).await;
        if finished.as_ref().is_err_and(StoreError::is_fenced) {
            self.refused.add_permits(1);
        }
        finished
    }
    async fn requeue(&self, lease: Lease, requeue: Requeue) -> Result<Status> {
        self.store.requeue(lease, requeue).await
    }
}

#[async_trait::async_trait]
impl SlotStore for Watched {
    async fn claim_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        self.store.claim_slot(host, schedule, at).await
    }
    async fn adopt_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim> {
        self.store.adopt_slot(host, schedule, at).await
    }
    async fn finish_slot(&self, lease: SlotLease, outcome: Outcome) -> Result<()> {
        self.store.finish_slot(lease, outcome).await
    }
    async fn slots(&self, schedule: &str, limit: usize) -> Result<Vec<SlotRecord>> {
        self.store.slots(schedule, limit).await
    }
    async fn prune_slots(&self, schedule: &str, keep: u64) -> Result<u64> {
        self.store.prune_slots(schedule, keep).await
    }
    async fn erase_slots(&self, schedule: &str) -> Result<u64> {
        self.store.erase_slots(schedule).await
    }
}

#[async_trait::async_trait]
impl JournalStore for Watched {
    async fn record(&self, journal: &str, entries: Vec<JournalEntry>) -> Result<()> {
        self.store.record(journal, entries).await
    }
    async fn entry(&self, journal: &str, key: &str) -> Result<Option<JournalEntry>> {
        self.store.entry(journal, key).await
    }
    async fn entries(&self, journal: &str, after: Option<&str>, limit: usize) -> Result<Vec<JournalEntry>> {
        self.store.entries(journal, after, limit).await
    }
    async fn erase(&self, journal: &str) -> Result<u64> {
        self.store.erase(journal).await
    }
}
