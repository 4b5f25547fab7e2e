//! The one registry of active and recent runs.
//!
//! Owns: what is known of each run in this process, bounded. It is an [`Observer`]: what it knows, it was told.
//! Never does: keep a run alive, store anything, wait.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{Event, EventKind, Observer, Pattern, Progress, RunId, Status};

/// What is known of a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunInfo {
    /// The run.
    pub id: RunId,
    /// The task's name.
    pub name: Arc<str>,
    /// The pattern that runs it.
    pub pattern: Pattern,
    /// Where it stands.
    pub status: Status,
    /// The latest attempt, counted from 1; 0 before the first.
    pub attempt: u32,
    /// The process id of the latest program that it started.
    pub pid: Option<u32>,
    /// How far it says it has come.
    pub progress: Option<Progress>,
    /// When it was taken up, by the wall clock.
    pub started_at: SystemTime,
    /// When it ended, by the wall clock.
    pub ended_at: Option<SystemTime>,
}

impl RunInfo {
    /// How long it took, once it is over. By the wall clock: a clock step shows.
    #[must_use]
    pub fn elapsed(&self) -> Option<Duration> {
        self.ended_at?.duration_since(self.started_at).ok()
    }
}

/// The registry of active and recent runs. Clones are the same registry.
///
/// Active runs are all listed; of those that are over, the most recent are kept, 1 000 by default.
///
/// # Examples
///
/// ```
/// use bgt_core::{Event, EventKind, Observer, Pattern, RunId, Runs, Status};
///
/// let runs = Runs::new();
/// let id = RunId::new();
/// runs.event(&Event::new(id, "resize".into(), Pattern::Simple, EventKind::Started));
/// assert_eq!(runs.active().len(), 1);
/// runs.event(&Event::new(id, "resize".into(), Pattern::Simple, EventKind::Ended { status: Status::Succeeded }));
/// assert_eq!(runs.get(id).unwrap().status, Status::Succeeded);
/// ```
#[derive(Clone)]
pub struct Runs {
    shared: Arc<Mutex<State>>,
}

struct State {
    active: HashMap<RunId, RunInfo>,
    recent: VecDeque<RunInfo>,
    keep: usize,
}

impl Default for Runs {
    fn default() -> Self {
        Self::new()
    }
}

impl Runs {
    /// A registry that keeps the 1 000 most recent runs that are over.
    #[must_use]
    pub fn new() -> Self {
        Self::keeping(1000)
    }

    /// A registry that keeps so many runs that are over.
    #[must_use]
    pub fn keeping(keep: usize) -> Self {
        let state = State { active: HashMap::new(), recent: VecDeque::new(), keep };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// The runs that are not over, oldest first.
    #[must_use]
    pub fn active(&self) -> Vec<RunInfo> {
        let mut active: Vec<_> = self.state().active.values().cloned().collect();
        active.sort_by_key(|run| (run.started_at, run.id));
        active
    }

    /// The runs that are over and still known, the latest first.
    #[must_use]
    pub fn recent(&self) -> Vec<RunInfo> {
        self.state().recent.iter().rev().cloned().collect()
    }

    /// What is known of a run, if anything.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<RunInfo> {
        let state = self.state();
        state.active.get(&id).or_else(|| state.recent.iter().rev().find(|run| run.id == id)).cloned()
    }

    // Nothing in here panics while it holds the lock; were it to, a registry of the past is no reason to fail.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Runs {
    fn event(&self, event: &Event) {
        let mut state = self.state();
        let state = &mut *state;
        if matches!(event.kind, EventKind::Started) {
            let info = RunInfo {
                id: event.run,
                name: event.name.clone(),
                pattern: event.pattern,
                status: Status::Queued,
                attempt: 0,
                pid: None,
                progress: None,
                started_at: event.at,
                ended_at: None,
            };
            state.active.insert(event.run, info);
            return;
        }
        let Some(info) = state.active.get_mut(&event.run) else { return };
        match &event.kind {
            EventKind::AttemptStarted { attempt } => {
                info.attempt = *attempt;
                info.status = Status::Running;
            }
            EventKind::Spawned { pid } => info.pid = Some(*pid),
            EventKind::Progress(progress) => info.progress = Some(progress.clone()),
            EventKind::Retrying { .. } => info.status = Status::Queued,
            EventKind::Ended { status } => {
                info.status = *status;
                info.ended_at = Some(event.at);
                if let Some(info) = state.active.remove(&event.run) {
                    state.recent.push_back(info);
                }
                while state.recent.len() > state.keep {
                    state.recent.pop_front();
                }
            }
            EventKind::Started | EventKind::Stopping { .. } => {}
        }
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Runs")
            .field("active", &state.active.len())
            .field("recent", &state.recent.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(runs: &Runs, id: RunId, kind: EventKind) {
        runs.event(&Event::new(id, "t".into(), Pattern::Simple, kind));
    }

    #[test]
    fn a_run_is_followed_from_start_to_end() {
        let (runs, id) = (Runs::new(), RunId::new());
        send(&runs, id, EventKind::Started);
        send(&runs, id, EventKind::AttemptStarted { attempt: 1 });
        send(&runs, id, EventKind::Spawned { pid: 7 });
        send(&runs, id, EventKind::Progress(Progress::percent(5.0)));
        let info = runs.get(id).unwrap();
        assert_eq!((info.status, info.attempt, info.pid), (Status::Running, 1, Some(7)));
        assert_eq!(info.progress, Some(Progress::percent(5.0)));
        send(&runs, id, EventKind::Ended { status: Status::TimedOut });
        assert!(runs.active().is_empty());
        assert!(runs.recent()[0].elapsed().is_some());
    }

    #[test]
    fn what_is_over_is_bounded_and_the_latest_stay() {
        let runs = Runs::keeping(2);
        let ids: Vec<RunId> = (0..5).map(|_| RunId::new()).collect();
        for id in &ids {
            send(&runs, *id, EventKind::Started);
            send(&runs, *id, EventKind::Ended { status: Status::Succeeded });
        }
        let kept: Vec<RunId> = runs.recent().iter().map(|run| run.id).collect();
        assert_eq!(kept, [ids[4], ids[3]]);
        assert_eq!(runs.get(ids[0]), None);
    }
}
