//! What a pool is asked to be.

use std::fmt;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use bgt_core::Observer;
use deadpool::managed::Pool as Objects;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::breaker::Failure;
#[cfg(feature = "process")]
use super::item::Place;
use super::policy::Limits;
use super::pool::Warm;
use super::yard::{Settings, Yard};
use super::{Backoff, Managed, Pool, keeper};
use crate::BuildError;

/// A pool that is about to be, made by [`Pool::builder`]. Nothing is made before [`build`](Self::build).
#[must_use = "a builder does nothing until it builds"]
pub struct PoolBuilder<M: Managed> {
    manager: M,
    settings: Settings<M::Type>,
    nudge: Arc<Notify>,
}

impl<M: Managed> PoolBuilder<M> {
    pub(super) fn new(manager: M) -> Self {
        let settings = Settings {
            name: Arc::from("pool"),
            size: available_parallelism().map_or(4, usize::from),
            min_idle: 0,
            queue: 1024,
            queue_deadline: None,
            create_deadline: Duration::from_secs(30),
            check_deadline: Duration::from_secs(5),
            limits: Limits { max_age: None, max_uses: None, idle_timeout: None, jitter: 0.2 },
            backoff: Backoff::default(),
            broken: None,
            worn: None,
            parting: None,
            observer: None,
        };
        Self { manager, settings, nudge: Arc::new(Notify::new()) }
    }

    /// Sets the name: of the pool in errors and logs, and of its runs.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Sets how many resources there may be; as many as there are processors without this. While one is being replaced
    /// there may be one more.
    pub fn size(mut self, size: usize) -> Self {
        self.settings.size = size;
        self
    }

    /// Sets how many resources wait for somebody at any time, as far as the size allows; none without this. They are
    /// made as soon as the pool is built: [`Pool::warm`] waits for them.
    pub fn min_idle(mut self, resources: usize) -> Self {
        self.settings.min_idle = resources;
        self
    }

    /// Sets how many callers may wait for their turn; 1024 without this. The next one is refused at once.
    pub fn queue(mut self, callers: usize) -> Self {
        self.settings.queue = callers;
        self
    }

    /// Sets how long a caller waits for a resource; as long as it likes without this.
    pub fn queue_deadline(mut self, limit: Duration) -> Self {
        self.settings.queue_deadline = Some(limit);
        self
    }

    /// Sets how long making a resource may take; 30 s without this.
    pub fn create_deadline(mut self, limit: Duration) -> Self {
        self.settings.create_deadline = limit;
        self
    }

    /// Sets how long the manager may look at a resource (`recycle`) before it is handed out again; 5 s without this. One
    /// that takes longer is retired.
    pub fn check_deadline(mut self, limit: Duration) -> Self {
        self.settings.check_deadline = limit;
        self
    }

    /// Sets how old a resource may become. Another one is made first, and the old one goes when it is there, one at a
    /// time; until then it is handed out as before.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.settings.limits.max_age = Some(age);
        self
    }

    /// Sets about how often a resource may be used; it goes as with [`max_age`](Self::max_age).
    pub fn max_uses(mut self, uses: u64) -> Self {
        self.settings.limits.max_uses = Some(uses);
        self
    }

    /// Sets by which share, from 0 to 1, chance may shorten the age and the uses of each resource, so that those that were
    /// made together do not go together; 0.2 without this.
    pub fn jitter(mut self, share: f64) -> Self {
        self.settings.limits.jitter = share;
        self
    }

    /// Sets after how long without use a resource is retired; never without this. As many as
    /// [`min_idle`](Self::min_idle) says are kept.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.limits.idle_timeout = Some(limit);
        self
    }

    /// Sets how the pool waits when resources cannot be made, or fail at once.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// Adds a look at a resource, quick and without waiting, that says whether it is broken: whenever it changes hands,
    /// and while it is idle when [the keeper](Self::min_idle) passes by. A look that panics has found it broken.
    pub fn broken(mut self, broken: impl Fn(&M::Type) -> bool + Send + Sync + 'static) -> Self {
        self.settings.broken = Some(Box::new(move |resource| {
            let failure = || Failure { what: "it was found broken".to_owned(), tail: String::new() };
            broken(resource).then(failure)
        }));
        self
    }

    /// Adds a look at a resource, quick and without waiting, that says whether it has served enough; it goes as with
    /// [`max_age`](Self::max_age). A look that panics has found it broken.
    pub fn worn(mut self, worn: impl Fn(&M::Type) -> bool + Send + Sync + 'static) -> Self {
        self.settings.worn = Some(Box::new(worn));
        self
    }

    /// Adds somebody who is told what happens to the runs of [`Pool::run`].
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observer = Some(match self.settings.observer.take() {
            Some(earlier) => Arc::new(vec![earlier, observer]),
            None => observer,
        });
        self
    }

    /// For a manager that knows when to look after the pool.
    #[cfg(feature = "process")]
    pub(crate) fn nudged_by(mut self, nudge: Arc<Notify>) -> Self {
        self.nudge = nudge;
        self
    }

    /// For resources that take their time to go: they are given their place, to keep until they are gone.
    #[cfg(feature = "process")]
    pub(crate) fn parting(mut self, parting: fn(M::Type, Place)) -> Self {
        self.settings.parting = Some(parting);
        self
    }

    #[cfg(feature = "process")]
    pub(crate) fn manager_mut(&mut self) -> &mut M {
        &mut self.manager
    }

    /// As [`broken`](Self::broken), with what is wrong and the last lines that it printed, and [`worn`](Self::worn).
    #[cfg(feature = "process")]
    pub(crate) fn looked_at(
        mut self,
        broken: impl Fn(&M::Type) -> Option<(String, String)> + Send + Sync + 'static,
        worn: impl Fn(&M::Type) -> bool + Send + Sync + 'static,
    ) -> Self {
        let broken = move |resource: &M::Type| broken(resource).map(|(what, tail)| Failure { what, tail });
        self.settings.broken = Some(Box::new(broken));
        self.worn(worn)
    }

    /// Builds the pool, and starts making what is to be idle.
    ///
    /// # Errors
    ///
    /// [`BuildError`] that names the setting that cannot be, or the missing runtime.
    pub fn build(self) -> Result<Pool<M>, BuildError> {
        self.check()?;
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let size = self.settings.size;
        let yard = Arc::new(Yard::new(self.manager, self.settings, self.nudge, runtime.clone()));
        let objects = Objects::builder(Warm { yard: yard.clone() }).max_size(size).build();
        let objects = objects.unwrap_or_else(|_| unreachable!("no time limits were set that need a runtime"));
        drop(runtime.spawn(keeper::keep(yard.clone(), objects.weak())));
        Ok(Pool::new(objects, yard))
    }

    fn check(&self) -> Result<(), BuildError> {
        let Settings { size, min_idle, limits, .. } = &self.settings;
        if *size == 0 {
            return Err(BuildError::NoSize);
        }
        if min_idle > size {
            return Err(BuildError::MinIdle { min_idle: *min_idle, size: *size });
        }
        if !(0.0..=1.0).contains(&limits.jitter) {
            return Err(BuildError::Jitter { jitter: limits.jitter });
        }
        let zeros = [
            ("max_age", limits.max_age == Some(Duration::ZERO)),
            ("max_uses", limits.max_uses == Some(0)),
            ("idle_timeout", limits.idle_timeout == Some(Duration::ZERO)),
            ("create_deadline", self.settings.create_deadline.is_zero()),
            ("queue_deadline", self.settings.queue_deadline == Some(Duration::ZERO)),
        ];
        match zeros.into_iter().find(|(_, zero)| *zero) {
            Some((what, _)) => Err(BuildError::Zero { what }),
            None => Ok(()),
        }
    }
}

impl<M: Managed> fmt::Debug for PoolBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { name, size, min_idle, queue, queue_deadline, limits, backoff, .. } = &self.settings;
        f.debug_struct("PoolBuilder")
            .field("name", name)
            .field("size", size)
            .field("min_idle", min_idle)
            .field("queue", queue)
            .field("queue_deadline", queue_deadline)
            .field("limits", limits)
            .field("backoff", backoff)
            .finish_non_exhaustive()
    }
}
