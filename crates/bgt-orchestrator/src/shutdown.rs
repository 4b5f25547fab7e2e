//! One end for everything, in order, and never later than its deadline.
//!
//! Owns: what is stopped when, and how long each part may take. Never does: stop anything itself; each pattern knows how.

mod budget;

use std::fmt;
use std::time::Duration;

use bgt_core::{CancelReason, Pattern, RunInfo};
use tokio::time::{Instant, timeout_at};

use crate::Orchestrator;
use budget::Budget;

/// What runs on futures and handles of callers, and is stopped by its switch.
const SWITCHED: [Pattern; 3] = [Pattern::Simple, Pattern::Streaming, Pattern::Concurrent];
/// All that is waited for before pools are drained, as it may use them.
const BEFORE_POOLS: [Pattern; 4] =
    [Pattern::Simple, Pattern::Streaming, Pattern::Concurrent, Pattern::Periodic];

/// What came of a shutdown.
///
/// `{}` is a line for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutDown {
    /// Runs of this process that had not come to their end when the time was over. Detached runs are not among them: those were
    /// handed over.
    pub left: Vec<RunInfo>,
    /// Callers that still held something of a pool.
    pub callers_left: usize,
    /// Firings of schedules that were still at work.
    pub firings_left: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl ShutDown {
    /// Whether everything came to its end.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left.is_empty() && self.callers_left == 0 && self.firings_left == 0
    }
}

impl fmt::Display for ShutDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return write!(f, "everything came to its end within {:.1?}", self.elapsed);
        }
        write!(f, "after {:.1?} there were left: {} runs", self.elapsed, self.left.len())?;
        for run in &self.left {
            write!(f, ", {} ({})", run.name, run.pattern)?;
        }
        write!(f, "; {} callers of pools; {} firings", self.callers_left, self.firings_left)
    }
}

impl Orchestrator {
    /// Stops everything, in order, within this time:
    ///
    /// 1. Nothing new starts, by any door: runs are cancelled before they begin, schedules fire no more, batches start no more
    ///    of their tasks.
    /// 2. What is at work comes to its end, or is asked to stop, as [`AtShutdown`](crate::AtShutdown) says for its pattern. After
    ///    four tenths of the time all of it is asked, and after seven tenths ended by force.
    /// 3. Pools are drained, once nothing is left that may call them.
    /// 4. Detached runs are handed over: functions are queued again, programs under a shim go on. Nothing durable is lost.
    ///
    /// It takes no longer than there is to wait for. A second call with less time shortens the first: with
    /// [`Duration::ZERO`] everything is ended by force at once, and a second is given to that.
    ///
    /// It is meant to be awaited from outside of runs: one that awaits it is waited for itself, and asked to stop.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped nothing new starts all the same, and what was not asked to stop by then is not.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_orchestrator::{ErrorKind, Orchestrator, task_fn};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let bgt = Orchestrator::new();
    /// let work = tokio::spawn(bgt.simple(task_fn("work", |_cx| async { Ok(7) })).into_future());
    /// tokio::task::yield_now().await;
    /// let end = bgt.shutdown(Duration::from_secs(10)).await;
    /// assert!(end.is_clean(), "{end}");
    /// assert_eq!(work.await.unwrap().unwrap(), 7);
    ///
    /// let late = bgt.simple(task_fn("late", |_cx| async { Ok(()) })).await.unwrap_err();
    /// assert_eq!(late.kind(), ErrorKind::Cancelled);
    /// # }
    /// ```
    pub async fn shutdown(&self, within: Duration) -> ShutDown {
        let began = Instant::now();
        let budget = Budget::of(within);
        self.shared.switches.close();
        for pattern in SWITCHED {
            if budget.is_immediate || self.shared.stops_at_shutdown(pattern) {
                self.ask(pattern);
            }
        }
        #[cfg(feature = "periodic")]
        let stopping = {
            use bgt_periodic::Running;
            let stops = budget.is_immediate || self.shared.stops_at_shutdown(Pattern::Periodic);
            let running = if stops { Running::Cancel } else { Running::Finish };
            // From this call on nothing is fired; it is waited for with the rest.
            self.scheduler.stop(running, budget.forced)
        };
        #[cfg(not(feature = "periodic"))]
        let stopping = std::future::ready(());
        let (firings, ()) = tokio::join!(stopping, self.end_runs(&budget, began));

        #[cfg(feature = "pooled")]
        let callers_left = {
            let within = (began + budget.pools).saturating_duration_since(Instant::now());
            let drain = self.shared.pools.drain(within);
            timeout_at(began + budget.pools_at_most, drain)
                .await
                .unwrap_or_else(|_| self.count(&[Pattern::Pooled]))
        };
        #[cfg(not(feature = "pooled"))]
        let callers_left = 0;

        #[cfg(feature = "detached")]
        if let Some(detached) = &self.detached {
            let within = (began + budget.whole).saturating_duration_since(Instant::now());
            let _ = timeout_at(began + budget.whole, detached.shutdown(within)).await;
        }
        #[cfg(feature = "periodic")]
        let firings_left = firings.left;
        #[cfg(not(feature = "periodic"))]
        let ((), firings_left) = (firings, 0);
        let mut left = self.runs().active();
        left.retain(|run| run.pattern != Pattern::Detached);
        ShutDown { left, callers_left, firings_left, elapsed: began.elapsed() }
    }

    /// Waits for what runs, then asks it to stop, then ends it by force; no longer than that may take.
    async fn end_runs(&self, budget: &Budget, began: Instant) {
        let ended = |by: Duration| timeout_at(began + by, self.none_of(&BEFORE_POOLS));
        if ended(budget.asked).await.is_ok() {
            return;
        }
        SWITCHED.iter().for_each(|pattern| self.ask(*pattern));
        if ended(budget.forced).await.is_ok() {
            return;
        }
        SWITCHED.iter().for_each(|pattern| self.shared.switches.running(*pattern).force());
        let _ = ended(budget.given_up).await;
    }

    /// Asks those runs to stop, once: a second time would leave them no time.
    fn ask(&self, pattern: Pattern) {
        let switch = self.shared.switches.running(pattern);
        if switch.reason().is_none() {
            switch.cancel_because(CancelReason::Shutdown);
        }
    }

    fn count(&self, patterns: &[Pattern]) -> usize {
        self.runs().active().iter().filter(|run| patterns.contains(&run.pattern)).count()
    }

    /// Waits until nothing of these patterns runs. Cancel-safe.
    async fn none_of(&self, patterns: &[Pattern]) {
        loop {
            let mut ended = std::pin::pin!(self.shared.watcher.ended.notified());
            // Before the look: what ends between it and the wait is heard.
            ended.as_mut().enable();
            if self.count(patterns) == 0 {
                return;
            }
            ended.await;
        }
    }
}
