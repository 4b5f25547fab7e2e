//! What is known of the work.

use std::sync::Arc;
use std::time::Duration;

use bgt_core::Pattern;

use super::Reason;

/// What is known of the work that is to be run. Without a word it is one task of unknown length, whose result is
/// waited for, once.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "requirements do nothing until somebody is asked"]
pub struct Requirements {
    pub(crate) task: Option<Arc<str>>,
    pub(crate) expected: Option<Duration>,
    pub(crate) watched: bool,
    pub(crate) tasks: usize,
    pub(crate) result_needed: bool,
    pub(crate) recurring: bool,
    pub(crate) frequent: bool,
    pub(crate) per_minute: Option<f64>,
}

impl Default for Requirements {
    fn default() -> Self {
        Self::new()
    }
}

impl Requirements {
    /// What takes longer is better watched.
    pub const LONG: Duration = Duration::from_secs(60);

    /// So many starts a minute are still no reason to keep anything warm.
    pub const FREQUENT: f64 = 10.0;

    /// One task, once, waited for.
    pub const fn new() -> Self {
        Self {
            task: None,
            expected: None,
            watched: false,
            tasks: 1,
            result_needed: true,
            recurring: false,
            frequent: false,
            per_minute: None,
        }
    }

    /// Names the task, so that [`Orchestrator::recommend`](crate::Orchestrator::recommend) finds its earlier runs: the name
    /// that runs of it have in the list, for a program its file name.
    pub fn task(mut self, name: impl Into<Arc<str>>) -> Self {
        self.task = Some(name.into());
        self
    }

    /// Sets how long one run is expected to take.
    pub const fn expected(mut self, duration: Duration) -> Self {
        self.expected = Some(duration);
        self
    }

    /// Its output or its progress is watched while it runs.
    #[doc(alias = "streaming")]
    pub const fn watched(mut self) -> Self {
        self.watched = true;
        self
    }

    /// Sets how many tasks there are to run at the same time; 0 is taken for 1.
    pub const fn tasks(mut self, tasks: usize) -> Self {
        self.tasks = tasks;
        self
    }

    /// Nobody waits for the result.
    #[doc(alias = "fire_and_forget")]
    pub const fn result_not_needed(mut self) -> Self {
        self.result_needed = false;
        self
    }

    /// It is to run again and again, at times.
    pub const fn recurring(mut self) -> Self {
        self.recurring = true;
        self
    }

    /// It is called all the time: more than ten times a minute.
    pub const fn high_frequency(mut self) -> Self {
        self.frequent = true;
        self
    }

    /// Sets how often it is called; more than ten times a minute is a high frequency.
    pub const fn per_minute(mut self, calls: f64) -> Self {
        self.per_minute = Some(calls);
        self
    }

    /// Why this pattern is needed; nothing if it is not.
    pub(super) fn ask_for(&self, pattern: Pattern) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut because = |is_so: bool, reason: Reason| {
            if is_so {
                reasons.push(reason);
            }
        };
        match pattern {
            Pattern::Periodic => because(self.recurring, Reason::Recurring),
            Pattern::Streaming => {
                because(self.watched, Reason::Watched);
                if let Some(expected) = self.expected {
                    because(expected > Self::LONG, Reason::Long { expected });
                }
            }
            Pattern::Concurrent => because(self.tasks > 1, Reason::Many { tasks: self.tasks }),
            Pattern::Detached => because(!self.result_needed, Reason::NobodyWaits),
            Pattern::Pooled => {
                because(self.frequent, Reason::Frequent);
                if let Some(per_minute) = self.per_minute {
                    because(per_minute > Self::FREQUENT, Reason::PerMinute { per_minute });
                }
            }
            Pattern::Simple => {}
        }
        reasons
    }
}
