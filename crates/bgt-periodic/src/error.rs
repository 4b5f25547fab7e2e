//! What is refused, and why.

use std::time::Duration;

/// A schedule that cannot be, or cannot be added.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A text that is no cron pattern.
    #[error(
        "cron pattern {pattern:?}: {reason}; expected `minute hour day month weekday`, six fields with seconds first, or a name such as @daily"
    )]
    Cron {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such time zone.
    #[error(
        "unknown time zone {zone:?}: use a name of the IANA database such as \"Europe/Berlin\", or \"UTC\""
    )]
    Zone {
        /// The name.
        zone: String,
    },
    /// The system does not say which time zone it is in.
    #[error("the system does not say which time zone it is in: name one with Schedule::zone, or set TZ")]
    LocalZone,
    /// An interval or a wait that is too short or too long.
    #[error("an interval of {interval:?}: use 1 ms to 100 years")]
    Interval {
        /// The interval.
        interval: Duration,
    },
    /// It would never fire.
    #[error("{schedule} never fires: {reason}")]
    NeverFires {
        /// The schedule in words.
        schedule: String,
        /// Why not.
        reason: &'static str,
    },
    /// A value of an option that makes no sense.
    #[error("{option} of {value}: use {expected}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A name that is none.
    #[error("a schedule cannot be called {name:?}: use 1 to 512 bytes without NUL")]
    Name {
        /// The name.
        name: String,
    },
    /// The name is taken.
    #[error("there is a schedule called {name:?} already: remove it first, or use another name")]
    Taken {
        /// The name.
        name: String,
    },
    /// What the engine, or a store, cannot do.
    #[error("{by} cannot do this: {what}; {instead}")]
    Unsupported {
        /// Who cannot.
        by: &'static str,
        /// What it cannot do.
        what: String,
        /// The way out.
        instead: &'static str,
    },
    /// The scheduler was stopped.
    #[error("the scheduler was stopped: add the schedule to a new one")]
    Stopped,
    /// The runtime that the scheduler was on was shut down.
    #[error("the runtime that this scheduler was on was shut down: make a new scheduler on one that lives")]
    RuntimeGone,
    /// The store has a fault.
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    #[error("the store does not say what has been fired")]
    Store {
        /// The fault.
        #[from]
        source: bgt_store::StoreError,
    },
}

/// A firing that was asked for and did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not run now: {reason}")]
#[non_exhaustive]
pub struct NotRun {
    /// Why not.
    pub reason: crate::Skipped,
}
