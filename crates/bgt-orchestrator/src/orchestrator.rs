//! The one object.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bgt_core::{Limits, Needs, RunInfo, Runs};

use crate::shared::Shared;
use crate::{Events, Limited, OrchestratorBuilder, RunQuery};

/// Every pattern through one object. Clones are the same orchestrator.
///
/// Dropping it stops nothing: a run belongs to the future or handle that its door answered.
/// [`shutdown`](Self::shutdown) stops all of them, in order.
///
/// Schedules are its own: they stop with the last of its clones and of their handles. So are the interpreters that
/// `pooled` keeps warm: they end with the last of its clones.
#[derive(Clone)]
#[doc(alias = "TaskOrchestrator")]
pub struct Orchestrator {
    pub(crate) shared: Arc<Shared>,
    #[cfg(feature = "periodic")]
    pub(crate) scheduler: bgt_periodic::Scheduler,
    #[cfg(feature = "detached")]
    pub(crate) detached: Option<bgt_detached::Detached>,
    /// Made when the first program is [`pooled`](Self::pooled).
    #[cfg(all(feature = "pooled", feature = "process"))]
    pub(crate) scripts: Arc<std::sync::OnceLock<bgt_pool::ScriptPool>>,
}

impl Default for Orchestrator {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl Orchestrator {
    /// An orchestrator that keeps what it knows in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An orchestrator that is made otherwise: with shared limits, stores, named pools, rules for its shutdown.
    pub fn builder() -> OrchestratorBuilder {
        OrchestratorBuilder::default()
    }

    /// The active and recent runs of all patterns. [`find`](Self::find) looks for some of them.
    #[must_use]
    pub fn runs(&self) -> &Runs {
        &self.shared.watcher.runs
    }

    /// The runs of the [list](Self::runs) that are asked for, the latest start first.
    #[must_use]
    pub fn find(&self, query: &RunQuery) -> Vec<RunInfo> {
        let runs = self.runs();
        // In this order: a run that ends between the two looks is in both, the other way round it would be in none.
        let mut known: HashMap<_, _> = runs.active().into_iter().map(|run| (run.id, run)).collect();
        known.extend(runs.recent().into_iter().map(|run| (run.id, run)));
        query.choose(known.into_values())
    }

    /// Everything that happens from now on to any run of any pattern, in one stream.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.watcher.listen()
    }

    /// A task that takes so much of the shared [limits](OrchestratorBuilder::limits) while it runs, by whichever door. For
    /// batches there is their own `needs`, which waits before it takes a place.
    ///
    /// A need that can never be met is an error of the run, before the task is started.
    pub fn needing<T>(&self, needs: Needs, task: T) -> Limited<T> {
        Limited::new(task, self.limits(), needs)
    }

    /// The limits that all share; empty if none were given.
    pub fn limits(&self) -> Limits {
        self.shared.limits.clone().unwrap_or_default()
    }
}

impl fmt::Debug for Orchestrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orchestrator")
            .field("runs", self.runs())
            .field("limits", &self.shared.limits)
            .finish_non_exhaustive()
    }
}
