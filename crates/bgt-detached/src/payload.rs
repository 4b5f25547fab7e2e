//! A job as it is kept in the records.

use std::time::{Duration, SystemTime};

use bgt_core::Retry;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a run is to do, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) what: What,
    pub(crate) retry: Retry,
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_deadline: Option<Duration>,
    #[serde(default)]
    pub(crate) rerun_lost: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    #[cfg(feature = "process")]
    Program {
        command: Box<bgt_simple::StoredCommand>,
    },
    Call {
        function: String,
        args: Box<RawValue>,
    },
}

impl Payload {
    /// How long there is until the deadline of the whole run; `None` without one.
    pub(crate) fn remaining(&self, created: SystemTime, now: SystemTime) -> Option<Duration> {
        let deadline = created.checked_add(self.deadline?)?;
        Some(deadline.duration_since(now).unwrap_or_default())
    }

    /// How long an attempt that begins now may take.
    pub(crate) fn allowed(&self, created: SystemTime, now: SystemTime) -> Option<Duration> {
        match (self.remaining(created, now), self.attempt_deadline) {
            (Some(whole), Some(attempt)) => Some(whole.min(attempt)),
            (whole, attempt) => whole.or(attempt),
        }
    }

    /// Whether it may be done again when nobody knows what became of it.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.rerun_lost || matches!(self.what, What::Call { .. })
    }
}
