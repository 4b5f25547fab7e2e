//! The store without a file.
//!
//! Owns: the records of one process, and the indexes that its queries need.
//! Never does: decide what may happen to a run; `rules` does.

mod journals;
mod leases;
mod runs;
mod slots;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Clock, Moment, SystemClock};
use state::State;

/// A store in memory: for tests, and where nothing needs to survive the process.
///
/// It passes the same suite as [`SqliteStore`](crate::SqliteStore), except for what is about restarts. It grows until it
/// is [pruned](crate::RunStore::prune). Clones are the same store; dropping the last one forgets everything.
///
/// # Examples
///
/// ```
/// use bgt_store::{MemoryStore, NewRun, RunStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_store::StoreError> {
/// let store = MemoryStore::new();
/// let id = store.enqueue(vec![NewRun::new("resize", "a.png")]).await?[0].id;
/// assert_eq!(store.payload(id).await?, "a.png");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// An empty store that is told the time by this clock.
    #[must_use]
    pub fn with_clock(clock: impl Clock + 'static) -> Self {
        Self { state: Arc::default(), clock: Arc::new(clock) }
    }

    /// The time is looked at under the lock, so that nobody who comes later has an earlier one.
    fn state_now(&self) -> (MutexGuard<'_, State>, Moment) {
        let state = self.state();
        let now = self.clock.now();
        (state, now)
    }

    // Nothing in there is meant to panic, and a clock that does has not changed anything.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("runs", &self.state().runs.len()).finish_non_exhaustive()
    }
}
