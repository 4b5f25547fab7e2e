//! The runs that a server shows.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use bgt_core::RunId;

use crate::Watch;
use crate::sse::routes;

/// The streamed runs that a server shows. Clones are the same registry.
///
/// It holds [`Watch`]es, which keep no run alive: dropping a run's handle stops it here as elsewhere. Runs that are under
/// way are all listed; of those that are over the latest are kept with their logs, 100 by default. Which that are is looked
/// at whenever a run is added or they are listed.
///
/// # Examples
///
/// ```
/// use bgt_streaming::sse::Streams;
/// use bgt_streaming::{Context, start, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_streaming::Error> {
/// let streams = Streams::new().keep_finished(10);
/// let run = start(task_fn("answer", |_cx: Context| async { Ok(42) }));
/// streams.add(&run);
/// let id = run.id();
/// assert_eq!(run.await?, 42);
/// assert!(streams.get(id).unwrap().snapshot().status.is_final());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Mutex<State>>,
}

struct State {
    /// Those that were under way when they were last looked at.
    active: BTreeMap<RunId, Watch>,
    /// Those that are over, the one that ended first at the front.
    over: VecDeque<Watch>,
    keep: usize,
}

impl Default for Streams {
    fn default() -> Self {
        Self::new()
    }
}

impl Streams {
    /// One without runs.
    #[must_use]
    pub fn new() -> Self {
        let state = State { active: BTreeMap::new(), over: VecDeque::new(), keep: 100 };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// Sets how many of the runs that are over are kept, with as much of their output as they keep.
    #[must_use]
    pub fn keep_finished(self, runs: usize) -> Self {
        self.state().keep = runs;
        self
    }

    /// Shows a run: of a [`Handle`](crate::Handle), `streams.add(&handle)`. Again is fine.
    pub fn add(&self, run: &Watch) {
        let mut state = self.state();
        if state.over(run.id()).is_none() {
            state.active.insert(run.id(), run.clone());
        }
        state.settle();
    }

    /// Shows a run no longer. The run goes on, and so do the responses that show it.
    pub fn remove(&self, id: RunId) -> Option<Watch> {
        let mut state = self.state();
        let place = state.over.iter().position(|run| run.id() == id);
        place.and_then(|place| state.over.remove(place)).or_else(|| state.active.remove(&id))
    }

    /// The run of this id.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<Watch> {
        let state = self.state();
        state.active.get(&id).or_else(|| state.over(id)).cloned()
    }

    /// All runs, the newest first.
    #[must_use]
    pub fn list(&self) -> Vec<Watch> {
        let mut state = self.state();
        state.settle();
        let mut runs: Vec<_> = state.active.values().chain(&state.over).cloned().collect();
        drop(state);
        // Ids are in the order of time.
        runs.sort_unstable_by_key(|run| std::cmp::Reverse(run.id()));
        runs
    }

    /// The routes that show them and stop them: see [the module](crate::sse). Nest them where they belong, and put a layer
    /// around them that says who may use them.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    // Nothing of a caller's runs under the lock, and nothing in there is meant to panic.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn over(&self, id: RunId) -> Option<&Watch> {
        self.over.iter().find(|run| run.id() == id)
    }

    /// Takes account of the runs that have come to their end, and lets go of those that ended first.
    fn settle(&mut self) {
        let mut ended = Vec::new();
        self.active.retain(|_, run| {
            let summary = run.hub.state().summary.clone();
            ended.extend(summary.iter().map(|summary| (summary.started_at + summary.elapsed, run.clone())));
            summary.is_none()
        });
        ended.sort_by_key(|(at, _)| *at);
        self.over.extend(ended.into_iter().map(|(_, run)| run));
        let excess = self.over.len().saturating_sub(self.keep);
        self.over.drain(..excess);
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Streams")
            .field("active", &state.active.len())
            .field("over", &state.over.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, start, task_fn};

    #[tokio::test]
    async fn all_that_run_and_the_latest_that_ended_are_kept() {
        let streams = Streams::new().keep_finished(2);
        let waiting = start(task_fn("waits", |cx: Context| async move {
            cx.cancelled().await;
            Ok(())
        }));
        streams.add(&waiting);
        let mut ids = Vec::new();
        for _ in 0..4 {
            let run = start(task_fn("ends", |_: Context| async { Ok(()) }));
            streams.add(&run);
            streams.add(&run);
            ids.push(run.id());
            run.await.unwrap();
        }
        let listed: Vec<RunId> = streams.list().iter().map(Watch::id).collect();
        assert_eq!(listed.len(), 3);
        assert!(listed.contains(&waiting.id()) && listed.contains(&ids[2]) && listed.contains(&ids[3]));
        assert!(streams.get(ids[0]).is_none() && streams.get(ids[3]).is_some());
        streams.add(&streams.get(ids[3]).unwrap());
        assert_eq!(streams.list().len(), 3);
        assert!(streams.remove(ids[3]).is_some() && streams.remove(waiting.id()).is_some());
        assert_eq!(streams.list().len(), 1);
    }
}
