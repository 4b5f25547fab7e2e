//! The handle of a pool, and how callers get in.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bgt_core::{Cancel, CancelReason, Context, Pattern, Task, TaskError};
use bgt_simple::Run;
use deadpool::managed::{
    Manager, Metrics as ObjectMetrics, Object, Pool as Objects, PoolError as ObjectsError, RecycleError,
    RecycleResult, TimeoutType, Timeouts,
};
use tokio::time::timeout;

use super::item::{Item, now};
use super::lease::{Held, Lease};
use super::run::Leased;
use super::yard::{Taken, Yard};
use super::{Managed, Metrics, PoolBuilder, Retired};
use crate::PoolError;

/// A pool of resources that are kept warm. Clones are the same pool.
///
/// Callers are served in the order in which they came. How many there may be, how long they serve and who may wait is
/// said to the [builder](Pool::builder).
///
/// A pool belongs to the tokio runtime in which it was built: there its resources are made and looked after.
///
/// # Dropping
///
/// Dropping the last clone ends the pool: what is idle is dropped at once, what is in use when its lease ends. To wait
/// for that there is [`drain`](Pool::drain).
///
/// # Examples
///
/// ```
/// use bgt_pool::{Pool, factory};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let connect = factory(|| async { Ok::<_, std::io::Error>(String::from("a connection")) });
/// let pool = Pool::builder(connect).name("db").size(4).min_idle(1).build()?;
///
/// let rows = pool
///     .run(|connection, _cx| async move { Ok(connection.len()) })
///     .deadline(Duration::from_secs(1))
///     .await?;
/// assert_eq!(rows, 12);
/// assert_eq!(pool.metrics().served, 1);
/// # Ok(()) }
/// ```
pub struct Pool<M: Managed> {
    pub(super) inner: Arc<Inner<M>>,
}

pub(super) struct Inner<M: Managed> {
    objects: Objects<Warm<M>>,
    yard: Arc<Yard<M>>,
    /// Stops the runs of [`Pool::run`] when a drain has waited long enough.
    cancel: Cancel,
}

/// What came of [`Pool::drain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many callers were still there at the end: their leases last on, and their resources end with those.
    pub left: usize,
}

impl<M: Managed> Pool<M> {
    /// A pool of what this manager makes: a [`factory`](crate::factory), or any manager of `deadpool`.
    pub fn builder(manager: M) -> PoolBuilder<M> {
        PoolBuilder::new(manager)
    }

    pub(super) fn new(objects: Objects<Warm<M>>, yard: Arc<Yard<M>>) -> Self {
        Self { inner: Arc::new(Inner { objects, yard, cancel: Cancel::new() }) }
    }

    /// The pool's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.yard.settings.name
    }

    /// Works with a resource as a run, to be awaited: the deadline covers the wait for the resource, each retry gets
    /// another one, a panic is an error. What it answers is given deadline, retries and cancellation as any
    /// [`Run`] is.
    ///
    /// The resource goes back when the function answers `Ok`. When it answers an error, panics, is cancelled or
    /// dropped, the resource is retired, because nobody knows in which state it was left. A function that knows better
    /// says so before it answers its error, with [`Lease::release`].
    ///
    /// # Errors
    ///
    /// Awaiting it answers what the function answers, or a [`PoolError`] as the cause when there was no resource to be
    /// had: see [`acquire`](Self::acquire).
    ///
    /// # Examples
    ///
    /// ```
    /// # use bgt_pool::{Pool, PoolError, Retired, TaskError, factory};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let pool = Pool::builder(factory(|| async { Ok::<_, std::io::Error>(7) })).build()?;
    /// let failed = pool.run(|_seven, _cx| async move { Err::<(), _>(TaskError::msg("half way through")) }).await;
    /// assert!(failed.is_err());
    /// assert_eq!(pool.metrics().retired(Retired::Abandoned), 1);
    /// # Ok(()) }
    /// ```
    pub fn run<'a, F, Fut, T>(&self, work: F) -> Run<'a, Leased<M, F>>
    where
        F: Fn(Lease<M>, Context) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T, TaskError>> + Send + 'a,
        T: Send + 'static,
    {
        let run = bgt_simple::run(Leased { pool: self.clone(), work });
        let run = run.pattern(Pattern::Pooled).cancel(&self.inner.cancel);
        self.observed(run)
    }

    /// Lets the pool's observers hear of a run.
    pub(crate) fn observed<'a, T: Task + 'a>(&self, run: Run<'a, T>) -> Run<'a, T> {
        match &self.inner.yard.settings.observer {
            Some(observer) => run.observer(observer.clone()),
            None => run,
        }
    }

    /// Waits for a resource. [`Lease::release`] gives it back; dropping the lease retires it.
    ///
    /// # Errors
    ///
    /// [`QueueFull`](PoolError::QueueFull) at once when as many wait as may wait,
    /// [`QueueDeadline`](PoolError::QueueDeadline) when that took too long, and what was wrong when a resource could not
    /// be made.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: a dropped call leaves the queue, and a resource that was being made for it goes to the next one.
    pub async fn acquire(&self) -> Result<Lease<M>, PoolError> {
        let yard = &*self.inner.yard;
        if yard.is_draining() {
            return Err(yard.closed());
        }
        let mut at_once = pin!(self.inner.objects.timeout_get(&AT_ONCE));
        match now(at_once.as_mut()).await {
            Some(Ok(object)) => {
                let held = Held::new(object);
                // Nobody had counted this caller yet: a drain that began meanwhile may not have seen it.
                if yard.is_draining() {
                    return Err(yard.closed());
                }
                yard.counters.served.add();
                Ok(Lease::new(held))
            }
            Some(Err(ObjectsError::Timeout(TimeoutType::Wait))) => self.queue().await,
            Some(Err(error)) => Err(self.error(error)),
            // Its turn has come, but the resource is being made or looked at.
            None => self.wait(0, at_once).await,
        }
    }

    async fn queue(&self) -> Result<Lease<M>, PoolError> {
        let _queued = Queued::enter(&self.inner.yard)?;
        self.wait(1, self.inner.objects.timeout_get(&NO_LIMIT)).await
    }

    /// `queued` is 1 for a caller who counts as one in the queue.
    async fn wait(
        &self,
        queued: usize,
        get: impl Future<Output = Result<Object<Warm<M>>, ObjectsError<PoolError>>>,
    ) -> Result<Lease<M>, PoolError> {
        let yard = &*self.inner.yard;
        // A drain waits for this one, and then for its lease.
        let _caller = Caller::enter(yard)?;
        let held = Held::new(self.limited(queued, get).await?.map_err(|error| self.error(error))?);
        yard.counters.served.add();
        Ok(Lease::new(held))
    }

    fn error(&self, error: ObjectsError<PoolError>) -> PoolError {
        match error {
            ObjectsError::Backend(error) => error,
            _ => self.inner.yard.closed(),
        }
    }

    async fn limited<F: Future>(&self, queued: usize, waiting: F) -> Result<F::Output, PoolError> {
        let settings = &self.inner.yard.settings;
        let Some(limit) = settings.queue_deadline else { return Ok(waiting.await) };
        timeout(limit, waiting).await.map_err(|_| {
            self.inner.yard.counters.gave_up.add();
            let depth = self.inner.yard.queued.load(Ordering::Acquire).saturating_sub(queued);
            PoolError::QueueDeadline { pool: settings.name.clone(), limit, depth }
        })
    }

    /// Waits until as many resources are idle as are to be kept so ([`min_idle`](PoolBuilder::min_idle)).
    ///
    /// # Errors
    ///
    /// [`CrashLoop`](PoolError::CrashLoop) when several in a row could not be made, [`Closed`](PoolError::Closed) when
    /// the pool is shut down meanwhile.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn warm(&self) -> Result<(), PoolError> {
        self.inner.yard.warm().await
    }

    /// The pool at this moment.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let yard = &self.inner.yard;
        let counters = &yard.counters;
        let ending = yard.ending.load(Ordering::Acquire);
        Metrics {
            size: yard.settings.size,
            live: yard.live.load(Ordering::Acquire).saturating_sub(ending),
            ending,
            in_use: yard.in_use.load(Ordering::Acquire),
            idle: yard.idle(),
            making: yard.making(),
            queued: yard.queued.load(Ordering::Acquire),
            made: counters.made.get(),
            not_made: counters.not_made.get(),
            served: counters.served.get(),
            refused: counters.refused.get(),
            gave_up: counters.gave_up.get(),
            retired: counters.retired(),
        }
    }

    /// Shuts the pool down: refuses new callers, serves those who wait and lets those who work finish, and then ends
    /// the resources. What is not done within this time is asked to stop (runs of [`run`](Self::run), which have 100 ms
    /// more) or left behind (leases of [`acquire`](Self::acquire)).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the pool closed to new callers, and the rest as it is.
    pub async fn drain(&self, within: Duration) -> Drained {
        let yard = &self.inner.yard;
        if timeout(within, yard.callers_gone()).await.is_err() {
            self.inner.cancel.cancel_because(CancelReason::Shutdown);
            let _ = timeout(LAST_WORD, yard.callers_gone()).await;
        }
        let left = yard.callers();
        self.inner.close();
        let _ = timeout(LAST_WORD, yard.makers_gone()).await;
        Drained { left }
    }

    /// Gives those who are left in a pool that was drained the time to go, and counts them again.
    #[cfg(feature = "process")]
    pub(crate) async fn callers_gone(&self) -> Drained {
        let yard = &self.inner.yard;
        let _ = timeout(LAST_WORD, yard.callers_gone()).await;
        Drained { left: yard.callers() }
    }

    /// Waits until nothing is being made any more, in a pool that was drained.
    #[cfg(feature = "process")]
    pub(crate) async fn makers_gone(&self) {
        self.inner.yard.makers_gone().await;
    }
}

impl<M: Managed> Inner<M> {
    fn close(&self) {
        self.yard.close();
        // Not by `close` alone: that drops them within deadpool's lock.
        for item in self.objects.retain(|_, _| false).removed {
            item.retire(Retired::Drained);
        }
        self.objects.close();
    }
}

impl<M: Managed> Drop for Inner<M> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<M: Managed> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<M: Managed> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.name()).field("metrics", &self.metrics()).finish()
    }
}

/// How long a drain waits for those it has asked to stop.
const LAST_WORD: Duration = Duration::from_millis(100);

const NO_LIMIT: Timeouts = Timeouts::new();
const AT_ONCE: Timeouts = Timeouts::wait_millis(0);

/// The manager that `deadpool` sees: it makes nothing itself.
pub(super) struct Warm<M: Managed> {
    pub(super) yard: Arc<Yard<M>>,
}

impl<M: Managed> Manager for Warm<M> {
    type Type = Box<Item<M>>;
    type Error = PoolError;

    async fn create(&self) -> Result<Box<Item<M>>, PoolError> {
        loop {
            let mut item = match self.yard.take()? {
                Taken::Ready(item) => item,
                Taken::Later(mut waiting) => match waiting.item().await? {
                    fresh if fresh.uses == 0 => return Ok(fresh),
                    item => item,
                },
            };
            match item.check(None).await {
                Ok(()) => return Ok(item),
                Err(why) => item.refuse(why),
            }
        }
    }

    async fn recycle(&self, item: &mut Box<Item<M>>, metrics: &ObjectMetrics) -> RecycleResult<PoolError> {
        item.check(metrics.recycled).await.map_err(|why| {
            item.note(&why);
            RecycleError::message("it is not fit to be handed out again")
        })
    }
}

/// Somebody who waits, until this is dropped.
struct Caller<'a, M: Managed>(&'a Yard<M>);

impl<'a, M: Managed> Caller<'a, M> {
    fn enter(yard: &'a Yard<M>) -> Result<Self, PoolError> {
        yard.enter().map(|()| Self(yard))
    }
}

impl<M: Managed> Drop for Caller<'_, M> {
    fn drop(&mut self) {
        self.0.exit();
    }
}

/// A place in the queue, given up when dropped.
struct Queued<'a, M: Managed>(&'a Yard<M>);

impl<'a, M: Managed> Queued<'a, M> {
    fn enter(yard: &'a Yard<M>) -> Result<Self, PoolError> {
        let depth = yard.queued.fetch_add(1, Ordering::AcqRel);
        let place = Self(yard);
        if depth < yard.settings.queue {
            return Ok(place);
        }
        yard.counters.refused.add();
        Err(PoolError::QueueFull { pool: yard.settings.name.clone(), depth })
    }
}

impl<M: Managed> Drop for Queued<'_, M> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::AcqRel);
    }
}
