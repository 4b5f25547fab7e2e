//! Where a run's output goes while it runs.

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

/// Which stream a piece of output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Source {
    /// Standard output; also both streams when they were combined in one.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output as it was read: bytes, not lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it came from.
    pub source: Source,
    /// When it was read, by the wall clock.
    pub at: SystemTime,
    /// The bytes.
    pub bytes: Bytes,
}

/// The sink takes no more: its reader is gone, or its space is used up for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the output sink is closed")]
pub struct SinkClosed;

/// Takes a run's output as it comes. One a run.
///
/// While [`write`](Sink::write) waits, the run's pipes fill and the program waits too: that is how a sink pushes
/// back. A sink that must not slow the program drops what it cannot take, and counts it.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Takes one piece of output.
    ///
    /// # Errors
    ///
    /// [`SinkClosed`] when it takes no more. The run goes on, and stops offering.
    ///
    /// # Cancel safety
    ///
    /// A call may be dropped before it answers when the run is stopped; the piece then may or may not be taken.
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed>;
}
