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

/// All that is waited for before pools are drained, as it may use them. Of detached runs, those of this process alone.
const BEFORE_POOLS: [Pattern; 5] =
    [Pattern::Simple, Pattern::Streaming, Pattern::Concurrent, Pattern::Periodic, Pattern::Detached];

/// What came of a shutdown.
///
/// `{}` is a line for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutDown {
    /// Runs of this process that had not come to their end when the time was over: firings of schedules and functions that were
    /// executed with `wait(false)` too. What is in the records of detached runs is not among them: that was handed over.
    pub left: Vec<RunInfo>,
    /// Callers that still hold something of a pool.
    pub callers_left: usize,
    /// How long it took.
    pub elapsed: Duration,
}

impl ShutDown {
    /// Whether everything came to its end.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.left.is_empty() && self.callers_left == 0
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
        write!(f, "; {} callers of pools", self.callers_left)
    }
}

impl Orchestrator {
    /// Stops everything, in order, within this time:
    ///
    /// 1. Nothing new starts, by any door: runs are cancelled before they begin, also those that were made before and are awaited
    ///    only now; schedules fire no more, batches start no more of their tasks, and what is detached is accepted and waits for
    ///    the next host.
    /// 2. What is at work comes to its end, or is asked to stop, as [`AtShutdown`](crate::AtShutdown) says for its pattern. After
    ///    four tenths of the time all of it is asked, and after seven tenths ended by force.
    /// 3. Pools are drained, once nothing is left that may call them.
    /// 4. Detached runs are handed over: functions are asked to stop and queued again, programs under a shim go on. A program
    ///    without one cannot outlive this process: it is asked to stop, and its run says so. Nothing durable is lost.
    ///
    /// It takes no longer than there is to wait for. A second call with less time shortens the first: with
    /// [`Duration::ZERO`], or anything below 10 ms, everything is ended by force at once, and a second is given to that.
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
        self.close();
        for pattern in Pattern::ALL {
            if budget.is_immediate || self.shared.stops_at_shutdown(pattern) {
                self.ask(pattern);
            }
        }
        self.end_runs(&budget, began).await;
        #[cfg(feature = "periodic")]
        {
            // What is kept in a store is told that this host goes on with none of it.
            let by = began + budget.given_up;
            let left = by.saturating_duration_since(Instant::now());
            self.scheduler.stop(bgt_periodic::Running::Finish, left).await;
        }
        #[cfg(feature = "pooled")]
        let callers_left = {
            let is_over = budget.is_immediate || self.shared.stops_at_shutdown(Pattern::Pooled);
            let by = if is_over { Instant::now() } else { began + budget.pools };
            let drain = self.shared.pools.drain(by.saturating_duration_since(Instant::now()));
            timeout_at(began + budget.pools_at_most, drain)
                .await
                .unwrap_or_else(|_| self.unfinished(&[Pattern::Pooled]).len())
        };
        #[cfg(not(feature = "pooled"))]
        let callers_left = 0;
        #[cfg(feature = "detached")]
        if let Some(detached) = &self.detached {
            let left = (began + budget.whole).saturating_duration_since(Instant::now());
            let _ = timeout_at(began + budget.whole, detached.shutdown(left)).await;
        }
        ShutDown { left: self.unfinished(&Pattern::ALL), callers_left, elapsed: began.elapsed() }
    }

    /// Lets nothing more start, by any door.
    fn close(&self) {
        self.shared.switches.close();
        #[cfg(feature = "periodic")]
        drop(self.scheduler.stop(bgt_periodic::Running::Finish, Duration::ZERO));
        #[cfg(feature = "detached")]
        if let Some(detached) = &self.detached {
            detached.rest();
        }
    }

    /// Waits for what runs, then asks it to stop, then ends it by force; no longer than that may take.
    async fn end_runs(&self, budget: &Budget, began: Instant) {
        let ended = |by: Duration| timeout_at(began + by, self.none_of(&BEFORE_POOLS));
        if ended(budget.asked).await.is_ok() {
            return;
        }
        BEFORE_POOLS.iter().for_each(|pattern| self.ask(*pattern));
        if ended(budget.forced).await.is_ok() {
            return;
        }
        BEFORE_POOLS.iter().for_each(|pattern| self.force(*pattern));
        let _ = ended(budget.given_up).await;
    }

    /// Asks those runs to stop, once: a second time would leave them no time.
    fn ask(&self, pattern: Pattern) {
        let switch = self.shared.switches.of(pattern);
        if switch.reason().is_none() {
            switch.cancel_because(CancelReason::Shutdown);
            self.stop_firings(pattern);
        }
    }

    fn force(&self, pattern: Pattern) {
        self.shared.switches.of(pattern).force();
        self.stop_firings(pattern);
    }

    /// Firings have switches of their own: the first use asks, the second leaves no time.
    fn stop_firings(&self, pattern: Pattern) {
        #[cfg(feature = "periodic")]
        if pattern == Pattern::Periodic {
            drop(self.scheduler.stop(bgt_periodic::Running::Cancel, Duration::ZERO));
        }
        #[cfg(not(feature = "periodic"))]
        let _ = pattern;
    }

    /// The runs of these patterns that are at work, without those that others take over.
    fn unfinished(&self, patterns: &[Pattern]) -> Vec<RunInfo> {
        let mut active = self.runs().active();
        active.retain(|run| {
            patterns.contains(&run.pattern)
                && (run.pattern != Pattern::Detached || self.shared.locals.has(run.id))
        });
        active
    }

    /// Waits until nothing of these patterns runs. Cancel-safe.
    async fn none_of(&self, patterns: &[Pattern]) {
        loop {
            let mut ended = std::pin::pin!(self.shared.watcher.ended.notified());
            // Before the look: what ends between it and the wait is heard.
            ended.as_mut().enable();
            let is_accepted = patterns.contains(&Pattern::Detached) && !self.shared.locals.is_empty();
            if !is_accepted && self.unfinished(patterns).is_empty() {
                return;
            }
            ended.await;
        }
    }
}
