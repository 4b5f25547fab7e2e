//! The one registry of active and recent runs.
//!
//! Owns: what is known of each run in this process, bounded. It is an [`Observer`]: what it knows, it was told, and
//! a status moves only by the table of [`Status`].
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
/// Active runs are all listed; of those that are over, the most recent are kept, 1 000 by default. An event that
/// makes no sense where its run stands changes nothing: one of a run that is over, a second start, a step that
/// [`Status`] does not have.
///
/// # Examples
///
/// ```
/// use bgt_core::{Event, EventKind, Observer, Pattern, RunId, Runs, Status};
///
/// let runs = Runs::new();
/// let id = RunId::new();
/// let send = |kind| runs.event(&Event::new(id, "resize".into(), Pattern::Simple, kind));
/// send(EventKind::Started);
/// send(EventKind::AttemptStarted { attempt: 1 });
/// assert_eq!(runs.active().len(), 1);
/// send(EventKind::Ended { status: Status::Succeeded });
/// assert_eq!(runs.get(id).unwrap().status, Status::Succeeded);
/// ```
#[derive(Clone)]
pub struct Runs {
    shared: Arc<Mutex<State>>,
}

struct State {
    runs: HashMap<RunId, RunInfo>,
    // Those of them that are over, oldest first.
    over: VecDeque<RunId>,
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
        let state = State { runs: HashMap::new(), over: VecDeque::new(), keep };
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// The runs that are not over, oldest first.
    #[must_use]
    pub fn active(&self) -> Vec<RunInfo> {
        let state = self.state();
        let mut active: Vec<_> = state.runs.values().filter(|run| !run.status.is_final()).cloned().collect();
        drop(state);
        active.sort_by_key(|run| (run.started_at, run.id));
        active
    }

    /// The runs that are over and still known, the latest first.
    #[must_use]
    pub fn recent(&self) -> Vec<RunInfo> {
        let state = self.state();
        state.over.iter().rev().map(|id| state.runs[id].clone()).collect()
    }

    /// What is known of a run, if anything.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<RunInfo> {
        self.state().runs.get(&id).cloned()
    }

    // Nothing in here panics while it holds the lock; were it to, a registry of the past is no reason to fail.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunInfo {
    fn queued(event: &Event) -> Self {
        Self {
            id: event.run,
            name: event.name.clone(),
            pattern: event.pattern,
            status: Status::Queued,
            attempt: 0,
            pid: None,
            progress: None,
            started_at: event.at,
            ended_at: None,
        }
    }

    /// Goes there if the table has that step, and says whether it did.
    fn advance(&mut self, next: Status) -> bool {
        self.status.advance(next).map(|next| self.status = next).is_ok()
    }
}

impl Observer for Runs {
    fn event(&self, event: &Event) {
        let mut state = self.state();
        let State { runs, over, keep } = &mut *state;
        if matches!(event.kind, EventKind::Started) {
            runs.entry(event.run).or_insert_with(|| RunInfo::queued(event));
            return;
        }
        let Some(info) = runs.get_mut(&event.run).filter(|info| !info.status.is_final()) else { return };
        match &event.kind {
            EventKind::AttemptStarted { attempt } => {
                if info.advance(Status::Running) {
                    info.attempt = *attempt;
                }
            }
            EventKind::Spawned { pid } => info.pid = Some(*pid),
            EventKind::Progress(progress) => info.progress = Some(progress.clone()),
            EventKind::Retrying { .. } => {
                info.advance(Status::Queued);
            }
            EventKind::Ended { status } => {
                if status.is_final() && info.advance(*status) {
                    info.ended_at = Some(event.at);
                    over.push_back(event.run);
                    if over.len() > *keep {
                        over.pop_front().and_then(|oldest| runs.remove(&oldest));
                    }
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
            .field("active", &(state.runs.len() - state.over.len()))
            .field("recent", &state.over.len())
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
            send(&runs, *id, EventKind::AttemptStarted { attempt: 1 });
            send(&runs, *id, EventKind::Ended { status: Status::Succeeded });
        }
        let kept: Vec<RunId> = runs.recent().iter().map(|run| run.id).collect();
        assert_eq!(kept, [ids[4], ids[3]]);
        assert_eq!(runs.get(ids[0]), None);
    }

    #[test]
    fn what_makes_no_sense_where_a_run_stands_changes_nothing() {
        let (runs, id) = (Runs::new(), RunId::new());
        let nonsense = |kinds: Vec<EventKind>| {
            let before = runs.get(id);
            for kind in kinds {
                send(&runs, id, kind.clone());
                assert_eq!(runs.get(id), before, "{kind:?}");
            }
        };
        let (attempt_two, progress) =
            (EventKind::AttemptStarted { attempt: 2 }, EventKind::Progress(Progress::count(1)));
        let ended = |status| EventKind::Ended { status };
        nonsense(vec![attempt_two.clone(), progress.clone(), ended(Status::Succeeded)]);
        send(&runs, id, EventKind::Started);
        nonsense(vec![ended(Status::Succeeded), ended(Status::Running)]);
        send(&runs, id, EventKind::AttemptStarted { attempt: 1 });
        nonsense(vec![
            EventKind::Started,
            attempt_two.clone(),
            ended(Status::Skipped),
            ended(Status::Queued),
        ]);
        send(&runs, id, ended(Status::Lost));
        let retrying =
            EventKind::Retrying { attempt: 1, kind: crate::ErrorKind::Failed, after: Duration::ZERO };
        let spawned = EventKind::Spawned { pid: 7 };
        nonsense(vec![
            EventKind::Started,
            attempt_two,
            spawned,
            progress,
            retrying,
            ended(Status::Succeeded),
        ]);
        assert_eq!((runs.active().len(), runs.recent().len()), (0, 1));
    }

    #[test]
    fn a_run_refused_before_its_first_attempt_has_failed() {
        let (runs, id) = (Runs::new(), RunId::new());
        send(&runs, id, EventKind::Started);
        send(&runs, id, EventKind::Ended { status: Status::Failed });
        assert_eq!(runs.recent()[0].status, Status::Failed);
    }
}
