//! Ways to run a script, and how often each was taken.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use bgt_process::Zygote;

use crate::Metrics;

/// How a script is kept apart from the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Isolation {
    /// A warm interpreter forks for each script. Linux; elsewhere it counts as [`Prestarted`](Self::Prestarted).
    Zygote,
    /// Interpreters that have done their imports wait, each for one script.
    Prestarted,
    /// Started from nothing, as without a pool.
    Cold,
}

impl Isolation {
    /// The best of this system.
    #[must_use]
    pub const fn best() -> Self {
        if Zygote::SUPPORTED { Self::Zygote } else { Self::Prestarted }
    }

    /// What it is on this system.
    pub(super) fn here(self) -> Self {
        if self == Self::Zygote { Self::best() } else { self }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zygote => "zygote",
            Self::Prestarted => "prestarted",
            Self::Cold => "cold",
        })
    }
}

/// How the last script was started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warmth {
    /// The way that was taken; before the first script, the way that is to be taken.
    pub isolation: Isolation,
    /// Why it was not the wanted one.
    pub why: Option<String>,
}

/// A pool of scripts at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ScriptMetrics {
    /// The places in which scripts run, and who waits for one.
    pub places: Metrics,
    /// How many scripts were started by each way.
    pub zygote: u64,
    /// See [`zygote`](Self::zygote).
    pub prestarted: u64,
    /// See [`zygote`](Self::zygote).
    pub cold: u64,
    /// How many interpreters were made warm.
    pub warmed: u64,
    /// How often that failed.
    pub not_warmed: u64,
}

#[derive(Debug)]
pub(super) struct Tally {
    started: [AtomicU64; 3],
    pub(super) warmed: AtomicU64,
    pub(super) not_warmed: AtomicU64,
    last: Mutex<Warmth>,
    warned: Mutex<HashSet<String>>,
}

impl Tally {
    pub(super) fn new(isolation: Isolation) -> Self {
        Self {
            started: Default::default(),
            warmed: AtomicU64::new(0),
            not_warmed: AtomicU64::new(0),
            last: Mutex::new(Warmth { isolation, why: None }),
            warned: Mutex::default(),
        }
    }

    pub(super) fn started(&self, isolation: Isolation, why: Option<&str>) {
        self.started[isolation as usize].fetch_add(1, Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let warmth = Warmth { isolation, why: why.map(str::to_owned) };
        if *last != warmth {
            match &warmth.why {
                // Once: in a mixed pool each other run has its reason.
                Some(why) if self.is_new(why) => {
                    tracing::warn!(%isolation, "scripts are not started as they were to be: {why}");
                }
                Some(_) => {}
                None => tracing::debug!(%isolation, "scripts are started"),
            }
            *last = warmth;
        }
    }

    fn is_new(&self, why: &str) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() >= 64 {
            warned.clear();
        }
        warned.insert(why.to_owned())
    }

    pub(super) fn last(&self) -> Warmth {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn metrics(&self, places: Metrics) -> ScriptMetrics {
        let [zygote, prestarted, cold] = [0, 1, 2].map(|way: usize| self.started[way].load(Relaxed));
        let (warmed, not_warmed) = (self.warmed.load(Relaxed), self.not_warmed.load(Relaxed));
        ScriptMetrics { places, zygote, prestarted, cold, warmed, not_warmed }
    }
}
