//! What a batch is asked to be.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bgt_core::{Cancel, Limits, Needs, Observer, Retry, Task};
use futures_core::Stream;
use tokio::runtime;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

#[cfg(doc)]
use crate::Item;
use crate::engine::{Engine, Live, Shared, Terms};
use crate::keyed::Keyed;
use crate::lane::Lane;
use crate::options::Options;
use crate::outbox::{Order, Outbox};
use crate::pace::Pace;
use crate::source::Source;
use crate::stopper::Stopper;
use crate::tally::Tally;
use crate::tasks::Tasks;
use crate::{BatchError, BatchReport, Halt, Handle, IntoItem};

/// Many tasks at once, under limits. Nothing happens, and nothing is pulled, until the answer is awaited or
/// [started](Batch::start).
///
/// Takes tasks, or [`Item`]s around them, from anything that can be iterated. What comes is pulled when there is a place
/// for it, so that a million tasks need no more memory than those that run, and an iterator without end is fine.
///
/// # Examples
///
/// ```
/// use bgt_concurrent::{batch, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_concurrent::BatchError> {
/// let squares = (0..100u64).map(|n| task_fn("square", move |_cx| async move { Ok(n * n) }));
/// let report = batch(squares).max_concurrent(8).await?;
/// assert_eq!(report.counts.succeeded, 100);
/// # Ok(()) }
/// ```
pub fn batch<I>(items: I) -> Batch<<I::Item as IntoItem>::Task>
where
    I: IntoIterator<IntoIter: Send + 'static>,
    I::Item: IntoItem,
{
    Batch::new(Source::iterator(items.into_iter()))
}

/// The same with items from a stream, which may take its time.
///
/// # Examples
///
/// ```
/// use bgt_concurrent::{batch_stream, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_concurrent::BatchError> {
/// let words = futures_util::stream::iter(["one", "two"]);
/// let tasks = futures_util::StreamExt::map(words, |word| task_fn(word, move |_cx| async move { Ok(word.len()) }));
/// assert_eq!(batch_stream(tasks).await?.counts.succeeded, 2);
/// # Ok(()) }
/// ```
pub fn batch_stream<S>(items: S) -> Batch<<S::Item as IntoItem>::Task>
where
    S: Stream<Item: IntoItem> + Send + 'static,
{
    Batch::new(Source::stream(items))
}

/// Many tasks that are about to run: awaiting it runs them and answers one [`BatchReport`], [`start`](Batch::start) gives
/// the results one by one.
///
/// A task that fails, panics or overruns disturbs no other. Every item that is pulled ends exactly once, in one final
/// status.
///
/// # Errors
///
/// Awaiting it answers a [`BatchError`] when the batch was refused before anything ran. What happens to the tasks is in
/// the report, which is no error: [`BatchReport::require_success`] makes one of it.
///
/// # Panics
///
/// Outside a tokio runtime.
///
/// # Cancel safety
///
/// Dropping the future ends the batch at once, without a grace period. To stop politely use [`cancel`](Batch::cancel).
#[must_use = "a batch does nothing until it is awaited or started"]
pub struct Batch<T> {
    source: Source<T>,
    options: Options,
}

/// How much runs, and when.
impl<T: Task + 'static> Batch<T> {
    fn new(source: Source<T>) -> Self {
        Self { source, options: Options::default() }
    }

    /// Sets how many tasks may run at once; as many as the machine has processors without this.
    pub fn max_concurrent(mut self, tasks: usize) -> Self {
        self.options.max_concurrent = Some(tasks);
        self
    }

    /// Sets the resources that tasks share, with each other and with whatever else has these limits. A task holds what it needs
    /// from when it is its turn to its end, also while it waits for its place, a gate or the start rate.
    pub fn limits(mut self, limits: &Limits) -> Self {
        self.options.limits = Some(limits.clone());
        self
    }

    /// Sets what each task needs of the [`limits`](Self::limits), unless its [`Item`] says otherwise. All of it is taken at
    /// once or not at all, first come, first served, without starving the large. A task whose needs can never be met is
    /// refused.
    pub fn needs(mut self, needs: Needs) -> Self {
        self.options.needs = needs;
        self
    }

    /// Sets how many tasks of one [`group`](Item::group), such as a host, may run at once.
    pub fn per_group(mut self, tasks: usize) -> Self {
        self.options.per_group = Some(tasks);
        self
    }

    /// Sets how many items may be pulled and wait for their needs, their group or the journal, beyond those that run: 1 024
    /// without this. It is how far a task can be found that may go ahead of others.
    pub fn lookahead(mut self, items: usize) -> Self {
        self.options.lookahead = items;
        self
    }

    /// Lets so many tasks start in this time, evenly spread; starts less than 2 ms apart, which no timer tells apart, come a few
    /// at once. Time that was not used is not saved up. Retries are not counted.
    pub fn start_rate(mut self, starts: u32, per: Duration) -> Self {
        self.options.start_rate = Some((starts, per));
        self
    }

    /// Keeps tasks from starting while the machine is too busy; each call adds a gate.
    #[cfg(feature = "gates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gates")))]
    pub fn gate(mut self, gate: crate::Gate) -> Self {
        self.options.gates.push(gate);
        self
    }

    /// Sets where the gates' readings come from: from somewhere else than this machine as a whole, such as a control
    /// group, or a device. Nothing starts before there is a first one. While the latest is `None`, one task at a time is let
    /// through; once the sender is gone, the last one stays.
    #[cfg(feature = "gates")]
    #[cfg_attr(docsrs, doc(cfg(feature = "gates")))]
    pub fn readings(mut self, readings: tokio::sync::watch::Receiver<Option<crate::Reading>>) -> Self {
        self.options.readings = Some(readings);
        self
    }
}

/// How long, how often, and what if not.
impl<T: Task + 'static> Batch<T> {
    /// Sets how long the whole may take: then nothing more starts, and what runs is stopped and has timed out.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Sets how long each task may take, attempts and the waits between them together, from when it starts to run.
    pub fn task_deadline(mut self, deadline: Duration) -> Self {
        self.options.task_deadline = Some(deadline);
        self
    }

    /// Sets how long one attempt of a task may take.
    pub fn attempt_deadline(mut self, deadline: Duration) -> Self {
        self.options.attempt_deadline = Some(deadline);
        self
    }

    /// Sets when a failed attempt is tried again; never without this. The task keeps its place and what it holds of the
    /// limits while it waits.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.options.retry = retry;
        self
    }

    /// Sets when the batch gives up; never without this.
    pub fn halt(mut self, halt: Halt) -> Self {
        self.options.halt = halt;
        self
    }

    /// Lets the batch be stopped from elsewhere; each call adds a switch. Nothing more starts then, and what runs is
    /// cancelled, with its grace period.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options.cancel.push(cancel.clone());
        self
    }

    /// Lets the batch be drained from elsewhere: when this switch is used, nothing more is started, and what runs comes to its
    /// end. Each call adds a switch. [`cancel`](Self::cancel) stops what runs, too.
    pub fn drain_on(mut self, drain: &Cancel) -> Self {
        self.options.drain.push(drain.clone());
        self
    }

    /// Remembers in a journal what is done, by the [`key`](Item::key) of each item, and skips what was done before: the
    /// same batch with the same journal goes on where an earlier one was cut off, also by kill −9 or a power cut.
    ///
    /// A task counts as done when its success is on disk, and its result is handed out only then. What failed, or was at work
    /// when the host died, runs again. Two items of this batch with the same key are the same work: the second waits for the
    /// first, and runs only if that did not succeed. Two batches at once with the same journal do not know of each other.
    /// An item without a key is refused.
    ///
    /// When the journal cannot be read or written, nothing more starts ([`Halted::Journal`](crate::Halted::Journal)). What
    /// ran by then has its result, and runs again the next time, as it could not be remembered.
    ///
    /// [`JournalStore::entries`](bgt_store::JournalStore::entries) lists what the journal knows, failures with their
    /// reasons, and [`JournalStore::erase`](bgt_store::JournalStore::erase) forgets it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_concurrent::{Item, MemoryStore, batch, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_concurrent::BatchError> {
    /// let journals = MemoryStore::new(); // or SqliteStore::open("journals.db").await?
    /// let convert = |video: &'static str| Item::new(task_fn("convert", |_cx| async { Ok(()) })).key(video);
    ///
    /// let report = batch(["a.mp4", "b.mp4"].map(convert)).journal(journals.clone(), "videos").await?;
    /// assert_eq!(report.counts.succeeded, 2);
    /// let report = batch(["a.mp4", "b.mp4", "c.mp4"].map(convert)).journal(journals, "videos").await?;
    /// assert_eq!((report.counts.already_done, report.counts.succeeded), (2, 1));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "journal")]
    #[cfg_attr(docsrs, doc(cfg(feature = "journal")))]
    pub fn journal(mut self, store: impl bgt_store::JournalStore + 'static, name: impl AsRef<str>) -> Self {
        self.options.journal = Some(crate::journal::Journal::new(Arc::new(store), name.as_ref()));
        self
    }
}

/// What is told to whom.
impl<T: Task + 'static> Batch<T> {
    /// Hands out results in the order of the input instead of as they come. What ends early waits for those before it, and
    /// takes a place of the [`buffer`](Self::buffer) meanwhile.
    pub fn in_order(mut self) -> Self {
        self.options.in_order = true;
        self
    }

    /// Sets how many results may wait to be read, beside those of the tasks that may run at once, before no more items are
    /// pulled: as many as may run at once, at least 64, and the [`lookahead`](Self::lookahead) without this. An item has its
    /// place from when it is pulled, so nothing is looked at further ahead than this allows. Of no effect where only the
    /// report is asked for.
    pub fn buffer(mut self, results: usize) -> Self {
        self.options.buffer = Some(results);
        self
    }

    /// Sets how many failures the report keeps; 100 without this. The others are counted.
    pub fn keep_failures(mut self, failures: usize) -> Self {
        self.options.keep_failures = failures;
        self
    }

    /// Says how many items there are, where the source cannot: for progress, nothing depends on it.
    pub fn total(mut self, items: u64) -> Self {
        self.options.total = Some(items);
        self
    }

    /// Adds somebody who is told what happens to each run: a registry such as [`Runs`](crate::Runs), metrics, a log.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.options.observers.push(observer);
        self
    }

    /// Shows a bar on stderr: how many are done, run and failed, how fast it goes and how long it will still take.
    /// Nothing where stderr is not a terminal.
    #[cfg(feature = "progress")]
    #[cfg_attr(docsrs, doc(cfg(feature = "progress")))]
    pub fn progress(mut self) -> Self {
        self.options.progress = true;
        self
    }
}

impl<T: Task + 'static> Batch<T> {
    /// Starts the batch, on the tokio runtime that this is called on, and hands out its results.
    ///
    /// # Errors
    ///
    /// [`BatchError`] when it is refused; nothing has run then, and nothing was pulled.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done starts nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_concurrent::{batch, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_concurrent::BatchError> {
    /// let squares = (0..5u64).map(|n| task_fn("square", move |_cx| async move { Ok(n * n) }));
    /// let mut results = batch(squares).in_order().start().await?;
    /// let mut found = Vec::new();
    /// while let Some(finished) = results.next().await {
    ///     found.extend(finished.report.result.ok());
    /// }
    /// assert_eq!(found, [0, 1, 4, 9, 16]);
    /// assert!(results.report().await.is_success());
    /// # Ok(()) }
    /// ```
    pub async fn start(self) -> Result<Handle<T::Output>, BatchError> {
        let order = if self.options.in_order { Order::AsGiven } else { Order::AsFinished };
        self.start_with(order).await
    }

    async fn start_with(self, order: Order) -> Result<Handle<T::Output>, BatchError> {
        let Self { source, options } = self;
        options.check()?;
        let deadline = options.deadline.and_then(|limit| Instant::now().checked_add(limit));
        let tasks = Tasks::new();
        let stopper = Stopper::new(options.switch(deadline, &tasks));
        #[cfg(feature = "gates")]
        let gates = options.gates()?;
        #[cfg(feature = "gates")]
        if let Some(gates) = &gates {
            stopper.unless_stopped(gates.first()).await.unwrap_or(Ok(()))?;
        }
        #[cfg(feature = "journal")]
        if let Some(journal) = &options.journal {
            let named = |source| BatchError::Journal { journal: journal.name().to_owned(), source };
            stopper.unless_stopped(journal.check()).await.unwrap_or(Ok(())).map_err(named)?;
        }
        let slots = options.slots();
        let ahead = options.waits_ahead().then(|| slots.saturating_add(options.lookahead));
        let room = (order != Order::Unread).then(|| match options.buffer {
            Some(results) => slots.saturating_add(results),
            None => ahead.unwrap_or(slots).saturating_add(slots.max(64)),
        });
        let semaphore = |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        let lanes = runtime::Handle::current().metrics().num_workers().clamp(1, slots);

        let shared = Arc::new(Shared {
            tally: Tally::new(lanes, options.keep_failures, options.total.or_else(|| source.left())),
            stopper,
            tasks,
            outbox: Outbox::new(order),
            #[cfg(feature = "progress")]
            bar: options.progress.then(crate::progress::Bar::on_stderr),
        });
        let engine = Arc::new(Engine {
            shared: shared.clone(),
            terms: Terms {
                task_deadline: options.task_deadline,
                attempt_deadline: options.attempt_deadline,
                retry: options.retry,
                observer: options
                    .observers
                    .into_iter()
                    .reduce(|earlier, later| Arc::new(vec![earlier, later])),
                limits: options.limits,
                needs: options.needs,
                halt: options.halt,
            },
            source: Mutex::new(source),
            slots: semaphore(slots),
            ahead: ahead.map(semaphore),
            room: room.map(semaphore),
            groups: options.per_group.map(Keyed::new),
            pace: options.start_rate.map(|(starts, per)| Pace::new(starts, per)),
            #[cfg(feature = "gates")]
            gates,
            #[cfg(feature = "journal")]
            journal: options.journal,
            live: AtomicUsize::new(0),
        });
        for drain in options.drain {
            shared.drained_by(drain);
        }
        #[cfg(feature = "progress")]
        if shared.bar.as_ref().is_some_and(|bar| !bar.is_hidden()) {
            shared.tasks.spawn(draw(shared.clone()));
        }
        // All of them before the first can be the last.
        let lanes: Vec<_> =
            (0..lanes).map(|number| (Live::new(&engine), Lane::new(&engine, number))).collect();
        lanes.into_iter().for_each(|(live, lane)| shared.tasks.spawn(lane.drive(live)));
        Ok(Handle::new(shared))
    }
}

#[cfg(feature = "progress")]
async fn draw<O: Send + 'static>(shared: Arc<Shared<O>>) {
    let mut ticks = tokio::time::interval(crate::progress::EVERY);
    loop {
        ticks.tick().await;
        if let Some(bar) = &shared.bar {
            bar.draw(&shared.tally.snapshot());
        }
    }
}

impl<T: Task + 'static> IntoFuture for Batch<T> {
    type Output = Result<BatchReport, BatchError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.start_with(Order::Unread).await?.report().await) })
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("max_concurrent", &self.options.max_concurrent)
            .field("deadline", &self.options.deadline)
            .field("halt", &self.options.halt)
            .finish_non_exhaustive()
    }
}
