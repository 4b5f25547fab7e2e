//! What a store can do, by who asks: those who watch runs, those who work on them, schedules, batches.

use std::collections::BTreeMap;
use std::time::SystemTime;

use async_trait::async_trait;
use bgt_core::{RunId, Status};
use bytes::Bytes;

use crate::{
    Adopt, Attempt, Beat, Claim, Claimed, Enqueued, Heard, Held, HostId, HostRecord, JournalEntry, Lease,
    NewHost, NewRun, Outcome, Page, Requeue, Retention, RunEvent, RunFilter, RunPage, RunRecord, SlotClaim,
    SlotLease, SlotRecord, StoreError,
};

/// What a store answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Runs, as everybody may see and ask for them.
///
/// # Cancel safety
///
/// As with all traits here: a call whose future is dropped happens as a whole or not at all, then or a moment later. Enqueueing with the
/// same ids, finishing and requeueing with the same lease say whether it has, and do it if not.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Accepts runs: all of them or none. When this has returned they are not lost any more.
    ///
    /// A run whose id is known already is left as it is, as is an open run with the same unique key; the answer says
    /// so, in the order of `runs`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if a value makes no sense, before anything is written.
    async fn enqueue(&self, runs: Vec<NewRun>) -> Result<Vec<Enqueued>>;

    /// What is known of a run, if anything.
    ///
    /// # Errors
    ///
    /// A [`Fault`](crate::Fault), as in all calls of all traits here.
    async fn run(&self, id: RunId) -> Result<Option<RunRecord>>;

    /// What it was enqueued with.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    async fn payload(&self, id: RunId) -> Result<Bytes>;

    /// What it answered, if it did.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    async fn result(&self, id: RunId) -> Result<Option<Bytes>>;

    /// Its attempts, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    async fn attempts(&self, id: RunId) -> Result<Vec<Attempt>>;

    /// Its history: up to `limit` (1 to 1 000) events after number `after`, 0 for the first.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`]; [`StoreError::Invalid`] for the limit.
    async fn events(&self, id: RunId, after: u32, limit: usize) -> Result<Vec<RunEvent>>;

    /// A page of runs, the one that was accepted last first. Runs accepted while somebody turns pages do not move
    /// those that follow, and are not among them, whatever is forgotten meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the limit.
    async fn list(&self, filter: RunFilter, page: Page) -> Result<RunPage>;

    /// How many runs there are with each status; a status without runs is not listed.
    ///
    /// # Errors
    ///
    /// A fault.
    async fn count(&self, filter: RunFilter) -> Result<BTreeMap<Status, u64>>;

    /// Asks to stop a run: one that is queued is [`Cancelled`](Status::Cancelled) at once, the owner of one that is
    /// running hears of it with its next heartbeat and is expected to end it; nothing will start it again. One that is
    /// over stays as it is. Asking again is counted: it means that there is no more grace.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    async fn request_cancel(&self, id: RunId) -> Result<RunRecord>;

    /// Ends a run that is queued, without an attempt: it failed before it could start, was skipped, timed out in the
    /// queue. Saying the same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`]; [`StoreError::Held`] if it is running; [`StoreError::Transition`] if it is over.
    async fn end_queued(&self, id: RunId, outcome: Outcome) -> Result<RunRecord>;

    /// Adds a note to its history, also when it is over. Of more than 64 KiB the middle is left out.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    async fn note(&self, id: RunId, text: &str) -> Result<()>;

    /// Forgets runs that are over, those that ended first first, up to `limit` (1 to 1 000), and answers which. Call it
    /// until the answer is shorter than the limit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the limit.
    async fn prune(&self, retention: Retention, limit: usize) -> Result<Vec<RunId>>;
}

/// Hosts, and the leases that they hold on runs.
///
/// A host registers at its start, sends a heartbeat several times in the time of its lease, and claims runs. One
/// heartbeat keeps all that it holds, however many runs that are; to claim or adopt something counts as one too. When its
/// lease has run out nothing is taken from it as long as nobody wants it; once another host adopts what it held, every
/// write with the old leases is refused.
///
/// # Examples
///
/// A worker, in short:
///
/// ```
/// use bgt_store::{Adopt, Claim, LeaseStore, MemoryStore, NewHost, NewRun, Outcome, Requeue, RunStore, Status, Store};
/// use std::time::{Duration, SystemTime};
///
/// async fn work(store: &dyn Store) -> Result<(), bgt_store::StoreError> {
///     let host = store.register(NewHost::new("worker")).await?;
///     loop {
///         // With every round, and at least a few times in the time of a lease. `HostEnded` means that others have taken
///         // over: end the work, and register again. Of `Heard`, `cancel` names the runs to end.
///         store.heartbeat(host, vec![]).await?;
///         // What others left behind goes on where it was, in the same attempt; then what is due.
///         let mut held = store.adopt(Adopt::new(host, 10).queue("mail")).await?;
///         held.extend(store.claim(Claim::new(host, "mail", 10)).await?.runs);
///         if held.is_empty() {
///             break; // Or wait: for something to be enqueued here, for `next_due`, and a second at most for others.
///         }
///         for held in held {
///             match send(&held.payload) {
///                 Ok(()) => store.finish(held.lease, Outcome::succeeded()).await?,
///                 Err(error) if held.lease.attempt < 3 => {
///                     let later = SystemTime::now() + Duration::from_secs(30);
///                     let again = Requeue::after(Status::Failed).error(error).not_before(later);
///                     store.requeue(held.lease, again).await?;
///                 }
///                 Err(error) => store.finish(held.lease, Outcome::failed(error)).await?,
///             }
///         }
///     }
///     store.retire(host).await
/// }
/// # fn send(payload: &[u8]) -> Result<(), String> { if payload.is_empty() { Err("no address".into()) } else { Ok(()) } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let store = MemoryStore::new();
/// # let run = |payload: &'static str| NewRun::new("send", payload).queue("mail");
/// # let ids = store.enqueue(vec![run("a@b"), run("")]).await.unwrap();
/// # work(&store).await.unwrap();
/// # assert_eq!(store.run(ids[0].id).await.unwrap().unwrap().status, Status::Succeeded);
/// # assert_eq!(store.run(ids[1].id).await.unwrap().unwrap().status, Status::Queued);
/// # }
/// ```
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// A host starts. Its id is new: what an earlier start held is not its own, it can be adopted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for an empty name, or a lease outside of 100 ms to 24 h.
    async fn register(&self, host: NewHost) -> Result<HostId>;

    /// A host is still there, and says how far its runs have come.
    ///
    /// # Errors
    ///
    /// [`StoreError::HostEnded`] if another has taken over: all its work is to be ended. [`StoreError::UnknownHost`].
    async fn heartbeat(&self, host: HostId, beats: Vec<Beat>) -> Result<Heard>;

    /// A host ends: what it still holds can be adopted at once. Again is fine.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownHost`].
    async fn retire(&self, host: HostId) -> Result<()>;

    /// All hosts that have not ended, and the latest 1 000 that have, the latest start first.
    ///
    /// # Errors
    ///
    /// A fault.
    async fn hosts(&self) -> Result<Vec<HostRecord>>;

    /// Takes on runs of a queue that are due, the highest priority first, then in the order of acceptance, in which a
    /// requeued run keeps its place. No run is ever given to two. What was due stays due when the wall clock is set back.
    ///
    /// If the answer is lost (the future was dropped, the commit failed late) the runs are held all the same:
    /// [`held`](Self::held) tells.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the queue or the limit; [`StoreError::HostEnded`], [`StoreError::UnknownHost`].
    async fn claim(&self, claim: Claim) -> Result<Claimed>;

    /// When the first run that waits in a queue may start, by the wall clock: now, if one may; `None` if none waits. A look
    /// only, which costs no wait for the disk, is no sign of life and promises nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the queue.
    async fn next_due(&self, queue: &str) -> Result<Option<SystemTime>>;

    /// Everything that a host holds, in the order of acceptance.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownHost`].
    async fn held(&self, host: HostId) -> Result<Vec<Held>>;

    /// Takes over runs from other hosts that retired or whose lease is over, in the order of acceptance. The attempt is not
    /// ended by that, and keeps its number: who adopts finds out what became of it, and goes on, finishes or requeues
    /// it. The run may have been asked to stop before: look at its `cancel_requests`. All hosts whose lease is over are
    /// ended by this, whether they held something or not.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the limit; [`StoreError::HostEnded`], [`StoreError::UnknownHost`].
    async fn adopt(&self, adopt: Adopt) -> Result<Vec<Held>>;

    /// Ends a run for good. Saying the same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] if the lease is not the latest, or the run is not running any more: its history then has
    /// a note of what was brought too late. [`StoreError::Transition`] for [`Skipped`](Status::Skipped); [`StoreError::Invalid`] for a
    /// status that is not final; [`StoreError::UnknownRun`].
    async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<()>;

    /// Ends the attempt and queues the run again, in its old place among those of its priority; if somebody asked to stop it, it is
    /// [`Cancelled`](Status::Cancelled) instead. Answers where the run stands. Saying the same again changes nothing, as long as
    /// nobody else has changed the run since.
    ///
    /// # Errors
    ///
    /// As for [`finish`](Self::finish).
    async fn requeue(&self, lease: Lease, requeue: Requeue) -> Result<Status>;
}

/// Claims on the times at which schedules are due: each is fired by one host, whoever comes first.
///
/// # Examples
///
/// ```
/// use bgt_store::{HostId, LeaseStore, MemoryStore, NewHost, Outcome, SlotClaim, SlotStore, StoreError};
/// use std::time::{Duration, SystemTime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let (one, other) = (store.register(NewHost::new("one")).await?, store.register(NewHost::new("other")).await?);
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 3600);
/// if let SlotClaim::Won(lease) = store.claim_slot(one, "report", noon).await? {
///     // Fire, then:
///     store.finish_slot(lease, Outcome::succeeded()).await?;
/// }
/// assert!(matches!(store.claim_slot(other, "report", noon).await?, SlotClaim::Taken(_)));
/// # Ok(()) }
/// ```
#[async_trait]
pub trait SlotStore: Send + Sync {
    /// Wants to fire a slot. To be called before anything is started, so that a crash cannot fire it twice.
    ///
    /// `at` is the time at which the schedule was due, the same for every host, to the millisecond; not the time of the
    /// call.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the schedule's name; [`StoreError::HostEnded`], [`StoreError::UnknownHost`].
    async fn claim_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim>;

    /// Takes over a slot that was claimed and not finished by a host that retired or whose lease is over, and ends
    /// that host. One that was never claimed is claimed.
    ///
    /// # Errors
    ///
    /// As for [`claim_slot`](Self::claim_slot).
    async fn adopt_slot(&self, host: HostId, schedule: &str, at: SystemTime) -> Result<SlotClaim>;

    /// Says how it ended. Saying the same again changes nothing. A result is not kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::SlotFenced`] if another adopted it, it ended otherwise, or it is not known any more;
    /// [`StoreError::Invalid`] for a status that is not final.
    async fn finish_slot(&self, lease: SlotLease, outcome: Outcome) -> Result<()>;

    /// The slots that were claimed, up to `limit` (1 to 1 000), the latest first. The first is where the schedule stands.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the name or the limit.
    async fn slots(&self, schedule: &str, limit: usize) -> Result<Vec<SlotRecord>>;

    /// Forgets all finished slots but the latest `keep`, and answers how many. Slots up to the latest that was
    /// forgotten count as fired for good; one that lies in the future by the wall clock is not forgotten.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the name.
    async fn prune_slots(&self, schedule: &str, keep: u64) -> Result<u64>;

    /// Forgets a schedule as if it had never been, and answers how many slots it had. Another of that name may fire any
    /// slot again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the name.
    async fn erase_slots(&self, schedule: &str) -> Result<u64>;
}

/// Records of what a batch has behind it, by key, so that it can go on after a crash.
#[async_trait]
pub trait JournalStore: Send + Sync {
    /// Writes entries: all of them or none. An entry with a key that is there already replaces it, also if both
    /// are in one call.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] if a value makes no sense, before anything is written.
    async fn record(&self, journal: &str, entries: Vec<JournalEntry>) -> Result<()>;

    /// The entry under a key.
    ///
    /// # Errors
    ///
    /// A fault.
    async fn entry(&self, journal: &str, key: &str) -> Result<Option<JournalEntry>>;

    /// Up to `limit` (1 to 1 000) entries after a key, in the order of the bytes of their keys.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`] for the limit.
    async fn entries(&self, journal: &str, after: Option<&str>, limit: usize) -> Result<Vec<JournalEntry>>;

    /// Forgets a journal, and answers how many entries it had.
    ///
    /// # Errors
    ///
    /// A fault.
    async fn erase(&self, journal: &str) -> Result<u64>;
}

/// All of it. Whatever has the four traits is a store.
///
/// Names, of runs, queues, hosts, schedules and journals, keys and the values of labels have 1 to 512 bytes without NUL;
/// others are [`StoreError::Invalid`]. Times are kept to the millisecond.
pub trait Store: RunStore + LeaseStore + SlotStore + JournalStore {}

impl<S: RunStore + LeaseStore + SlotStore + JournalStore + ?Sized> Store for S {}
