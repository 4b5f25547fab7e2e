//! What a subscriber hears. Plain data.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::{RunId, Status};
use bgt_log::{Gap, Line};

use crate::ProgressInfo;

/// What a subscriber hears of a run.
///
/// Lines have numbers and come each once, in order. Progress and status are the latest at the moment of reading: who
/// reads slowly hears fewer of them, and never an old one after a new one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The next line of output.
    Line(Line),
    /// Lines that are not held any more.
    Gap(Gap),
    /// How far the run has come.
    Progress(ProgressInfo),
    /// Where the run stands, until it is over.
    Status {
        /// Queued or running.
        status: Status,
        /// The latest attempt, counted from 1; 0 before the first.
        attempt: u32,
    },
    /// The run is over, and this is the last event.
    End(Arc<Summary>),
}

/// What came of a run, for everybody who watched it. Its output is with the [`Handle`](crate::Handle).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The run.
    pub id: RunId,
    /// The task's name.
    pub name: Arc<str>,
    /// Its final status.
    pub status: Status,
    /// How many attempts were started.
    pub attempts: u32,
    /// When it was started, by the wall clock.
    pub started_at: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// What went wrong, with causes and the last lines of stderr.
    pub error: Option<Arc<str>>,
    /// How many lines it wrote.
    pub lines: u64,
    /// How many bytes it wrote.
    pub bytes: u64,
}

/// How a run is doing, at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The run.
    pub id: RunId,
    /// The task's name.
    pub name: Arc<str>,
    /// Where it stands.
    pub status: Status,
    /// The latest attempt, counted from 1; 0 before the first.
    pub attempt: u32,
    /// The process id of the latest program that it started.
    pub pid: Option<u32>,
    /// How far it has come.
    pub progress: Option<ProgressInfo>,
    /// How many lines it has written.
    pub lines: u64,
    /// How many bytes it has written, without a line that has not ended yet.
    pub bytes: u64,
    /// The number of the first line that is held.
    pub first_held: u64,
    /// Lines a second, over the latest seconds.
    pub lines_per_second: f64,
    /// Bytes a second, over the latest seconds.
    pub bytes_per_second: f64,
    /// When it was started, by the wall clock.
    pub started_at: SystemTime,
    /// How long it has been running, or ran.
    pub elapsed: Duration,
    /// Whether it was asked to stop.
    pub is_stopping: bool,
}
