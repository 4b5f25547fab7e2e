//! The one task that waits for all schedules of a scheduler.
//!
//! Owns: the wait, and the order of work when it is over: first everything that is due is started, then its next times are looked
//! for.
//! Never does: run a task, call anything of a user's, wait for a store.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::engine::{Alarm, Now};
use crate::entry::{Admitted, Entry, Pending};
use crate::heap::Wake;
use crate::plan::Verdict;
use crate::shared::Shared;
use crate::trigger::Clock;
use crate::{Cause, Skipped, burst, nanos};

const AFTER_A_PANIC: Duration = Duration::from_secs(1);
/// Further back than this, the clock was wrong before, and the plans made by it are too: as in Vixie cron. Within it, what
/// comes a second time is not fired a second time.
const CORRECTION: i64 = 3 * 3600 * 1_000_000_000;

/// Has everything driven until the scheduler is stopped or its runtime shut down. A panic in an engine is no reason to stop.
pub(crate) async fn drive(shared: Arc<Shared>) {
    let driven = Driven(shared);
    let shared = &driven.0;
    while let Err(error) = tokio::spawn(turns(shared.clone())).await {
        if !error.is_panic() {
            return;
        }
        tracing::error!("what waits for the schedules panicked; it goes on in {AFTER_A_PANIC:?}");
        tokio::time::sleep(AFTER_A_PANIC).await;
        let entries: Vec<_> = shared.board().entries.values().cloned().collect();
        for entry in entries {
            let alarm = entry.arm(&mut entry.state());
            if let Some(alarm) = alarm {
                shared.wake_at(&entry, alarm);
            }
        }
    }
}

/// Dropped with the runtime, if not before.
struct Driven(Arc<Shared>);

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.gone();
    }
}

async fn turns(shared: Arc<Shared>) {
    let mut turn = Turn::default();
    loop {
        let now = shared.engine.now();
        let Some(alarm) = turn.take(&shared, now).await else { return };
        tokio::select! {
            () = shared.engine.until(alarm) => {}
            () = shared.changed.notified() => {}
        }
    }
}

#[derive(Default)]
struct Turn {
    /// The latest time that the wall clock has shown.
    latest: Option<i64>,
}

impl Turn {
    /// Does what is to be done now, and answers when to look again; `None` when the scheduler was stopped.
    async fn take(&mut self, shared: &Arc<Shared>, now: Now) -> Option<Alarm> {
        let (wall, steady) = (Clock::Wall.read(now), Clock::Steady.read(now));
        self.see(shared, wall);
        let mut due = Vec::new();
        {
            let mut board = shared.board();
            if board.is_stopped {
                return None;
            }
            board.wall.take(wall, &mut due);
            board.steady.take(steady, &mut due);
        }
        let fired = burst::fire_all(shared, due, now).await;
        let alarms: Vec<_> = fired.into_iter().filter_map(|wake| next(shared, wake)).collect();
        let mut board = shared.board();
        let entries = board.entries.len();
        for (entry, clock, alarm) in alarms {
            board.heap(clock).push(entry, alarm, entries);
        }
        if board.is_stopped {
            return None;
        }
        Some(Alarm {
            wall: board.wall.first().map(nanos::to_wall),
            steady: board.steady.first().map(nanos::to_duration),
        })
    }

    /// Takes note of a wall clock that was set back, and of plans that it makes wrong.
    fn see(&mut self, shared: &Arc<Shared>, wall: i64) {
        let latest = *self.latest.get_or_insert(wall);
        self.latest = Some(latest.max(wall));
        if latest - wall <= CORRECTION {
            return;
        }
        self.latest = Some(wall);
        tracing::warn!("the clock was set back by {:?}: planning anew", nanos::to_duration(latest - wall));
        let entries: Vec<_> = shared.board().entries.values().cloned().collect();
        for entry in entries {
            let mut state = entry.state();
            if state.plan.clock() == Clock::Wall {
                state.plan.plan_from(wall);
                let alarm = entry.arm(&mut state);
                drop(state);
                if let Some(alarm) = alarm {
                    shared.wake_at(&entry, alarm);
                }
            }
        }
    }
}

/// What is worked with while schedules are fired, one after the other.
#[derive(Default)]
pub(crate) struct Desk {
    verdicts: Vec<Verdict>,
    admitted: Vec<Admitted>,
}

/// Starts what is due of one schedule.
pub(crate) fn fire(shared: &Arc<Shared>, wake: &Wake, now: Now, desk: &mut Desk) {
    let Wake { entry, alarm } = wake;
    let mut state = entry.state();
    if state.is_removed || !entry.is_armed(*alarm) {
        return;
    }
    let clock = state.plan.clock();
    state.plan.look(clock.read(now), &mut desk.verdicts);
    #[cfg(feature = "store")]
    let mut is_to_claim = false;
    for verdict in desk.verdicts.drain(..) {
        let past = &mut state.past;
        match verdict {
            Verdict::Missed { latest, count } => {
                tracing::warn!(schedule = %entry.name, "{count} times were missed");
                past.counts.misfires += count;
                let latest = on_the_wall(clock, latest, now);
                past.skipped(latest, Skipped::Missed, count, entry.schedule.history);
            }
            Verdict::Fire { slot, cause, missed } => {
                past.counts.misfires += missed;
                past.counts.misfires += u64::from(cause != Cause::Scheduled);
                let pending = Pending::new(on_the_wall(clock, slot, now), cause, missed);
                #[cfg(feature = "store")]
                if entry.is_stored {
                    is_to_claim |= state.claiming.is_none();
                    state.claiming.get_or_insert_default().push(pending);
                    continue;
                }
                // Nobody is to be told of one that is refused: there is no claim.
                desk.admitted.extend(entry.admit_to(&mut state, pending).0);
            }
        }
    }
    drop(state);
    for admitted in desk.admitted.drain(..) {
        shared.launch(entry, admitted);
    }
    #[cfg(feature = "store")]
    if is_to_claim {
        let claiming = crate::claims::dispatch(shared.busy(), entry.clone());
        drop(shared.runtime().spawn(claiming));
    }
}

/// When to look at it again.
fn next(shared: &Shared, Wake { entry, alarm }: Wake) -> Option<(Arc<Entry>, Clock, (i64, u64))> {
    let mut state = entry.state();
    if !entry.is_armed(alarm) {
        // An alarm that has been replaced.
        return None;
    }
    let (clock, alarm) = (state.plan.clock(), entry.arm(&mut state));
    drop(state);
    if alarm.is_none() {
        shared.forget_if_over(&entry);
    }
    Some((entry, clock, alarm?))
}

/// A time of this clock, as the wall clock shows it now.
fn on_the_wall(clock: Clock, time: i64, now: Now) -> SystemTime {
    match clock {
        Clock::Wall => nanos::to_wall(time),
        Clock::Steady => {
            let ago = Clock::Steady.read(now).saturating_sub(time);
            nanos::to_wall(Clock::Wall.read(now).saturating_sub(ago))
        }
    }
}
