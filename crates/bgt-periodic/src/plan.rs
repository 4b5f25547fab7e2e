//! When one schedule fires, and what becomes of each of its times. Pure: it is told the time, and answers what to do.
//!
//! Owns: the next slot, who runs and who waits. Every slot gets one answer: it is fired, stands behind one that is, or is
//! missed.
//! Never does: look at a clock, wait, run anything.

use std::collections::VecDeque;

use crate::trigger::{Clock, Trigger};
use crate::{Cause, Misfire, Overlap, Skipped};

/// How many firings may wait for their turn in all; catching up may put them there beyond what the overlap allows.
const WAITING: usize = 2000;

/// What a schedule's owner has decided, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) jitter: i64,
    pub(crate) tolerance: i64,
    pub(crate) overlap: Overlap,
    pub(crate) misfire: Misfire,
}

/// The plan of one schedule. `P` is a firing that waits for its turn.
#[derive(Debug)]
pub(crate) struct Plan<P> {
    trigger: Trigger,
    rules: Rules,
    /// The first slot that has no answer yet. Of a paused schedule it stays where it is.
    next: Option<i64>,
    /// Every slot up to here has its answer.
    done: i64,
    is_paused: bool,
    running: u32,
    waiting: VecDeque<P>,
}

/// Slots to come, to be looked at when nobody is kept waiting.
pub(crate) struct Preview {
    first: Option<i64>,
    trigger: Trigger,
    jitter: i64,
}

impl Preview {
    pub(crate) fn slots(&self) -> impl Iterator<Item = i64> {
        let slots = std::iter::successors(self.first, |slot| self.trigger.next_after(*slot));
        slots.map(|slot| slot.saturating_add(self.jitter))
    }
}

/// The answer to slots that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This one is to be fired, and stands for so many before it.
    Fire { slot: i64, cause: Cause, missed: u64 },
    /// So many are not fired; this is the latest of them.
    Missed { latest: i64, count: u64 },
}

/// The answer to a firing that would like to start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission<P> {
    /// It may.
    Run(P),
    /// It waits for its turn.
    Waits,
    /// What runs is to be stopped; it waits for that in the place of those given here.
    Replaces(VecDeque<P>),
    /// It may not.
    Skip(P, Skipped),
}

impl<P> Plan<P> {
    /// The plan of a schedule that has everything up to `done` behind it, by the clock of its trigger.
    pub(crate) fn new(trigger: Trigger, rules: Rules, done: i64) -> Self {
        let next = match trigger {
            Trigger::AfterCompletion { after } => done.checked_add(after),
            _ => trigger.next_after(done),
        };
        Self { trigger, rules, next, done, is_paused: false, running: 0, waiting: VecDeque::new() }
    }

    #[cfg(feature = "store")]
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn clock(&self) -> Clock {
        self.trigger.clock()
    }

    pub(crate) fn jitter(&self) -> i64 {
        self.rules.jitter
    }

    /// When to look again, by the trigger's clock.
    pub(crate) fn wakes_at(&self) -> Option<i64> {
        self.next.filter(|_| !self.is_paused).map(|slot| slot.saturating_add(self.rules.jitter))
    }

    /// Whether it was for a single time, and that has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.trigger, Trigger::At(_)) && self.next.is_none() && self.running == 0
    }

    /// The next slots, jitter included, as far as they are known. Of a paused schedule those that it would have if it went on
    /// now.
    pub(crate) fn preview(&self, now: i64) -> Preview {
        let passed = now.saturating_sub(self.rules.jitter);
        let first = match (&self.trigger, self.next) {
            (Trigger::AfterCompletion { .. }, next) => next,
            (trigger, Some(next)) if self.is_paused && next <= passed => trigger.next_after(passed),
            (trigger, next) => next.or_else(|| trigger.next_after(self.done)),
        };
        Preview { first, trigger: self.trigger.clone(), jitter: self.rules.jitter }
    }

    /// Answers all slots that are due. [`forward`](Self::forward) has to follow, which may take longer than the firings can
    /// wait.
    pub(crate) fn look(&mut self, now: i64, verdicts: &mut Vec<Verdict>) {
        let jitter = self.rules.jitter;
        let Some(first) = self.next.filter(|slot| !self.is_paused && slot.saturating_add(jitter) <= now)
        else {
            return;
        };
        let horizon = now.saturating_sub(jitter);
        let keep = match self.rules.misfire {
            Misfire::All { cap } => cap as usize + 1,
            _ => 1,
        };
        let mut due = self.trigger.due(first, horizon, keep);
        let Some(&latest) = due.latest.back() else { return };
        let lateness = horizon.saturating_sub(latest);
        let is_on_time = lateness <= self.rules.tolerance;
        let missed = |count, latest| Verdict::Missed { latest, count };
        let fire = |slot, cause, missed| Verdict::Fire { slot, cause, missed };
        match self.rules.misfire {
            Misfire::Skip if is_on_time => {
                if due.total > 1 {
                    verdicts.push(missed(due.total - 1, latest - 1));
                }
                verdicts.push(fire(latest, Cause::Scheduled, 0));
            }
            Misfire::Skip => verdicts.push(missed(due.total, latest)),
            Misfire::Once { .. } if is_on_time => {
                verdicts.push(fire(latest, Cause::Scheduled, due.total - 1));
            }
            Misfire::Once { grace } if lateness <= crate::nanos::of(grace) => {
                verdicts.push(fire(latest, Cause::CatchUp, due.total - 1));
            }
            Misfire::Once { .. } => verdicts.push(missed(due.total, latest)),
            Misfire::All { cap } => {
                let on_time = if is_on_time { due.latest.pop_back() } else { None };
                while due.latest.len() > cap as usize {
                    due.latest.pop_front();
                }
                let fired = due.latest.len() + usize::from(on_time.is_some());
                if due.total > fired as u64 {
                    let before = due.latest.front().copied().or(on_time).unwrap_or(latest) - 1;
                    verdicts.push(missed(due.total - fired as u64, before));
                }
                verdicts.extend(due.latest.iter().map(|slot| fire(*slot, Cause::CatchUp, 0)));
                verdicts.extend(on_time.map(|slot| fire(slot, Cause::Scheduled, 0)));
            }
        }
        (self.done, self.next) = (latest, None);
        if let Trigger::AfterCompletion { after } = self.trigger {
            // Nobody will come to an end: it is planned from here.
            if matches!(verdicts.last(), Some(Verdict::Missed { .. })) {
                self.next = now.checked_add(after);
            }
        }
    }

    /// Finds the next slot after a look.
    pub(crate) fn forward(&mut self) {
        if self.next.is_none() {
            self.next = self.trigger.next_after(self.done);
        }
    }

    /// May a firing start? One for a time that was missed waits for its turn, whatever the overlap; they come one after the
    /// other.
    pub(crate) fn admit(&mut self, firing: P, cause: Cause) -> Admission<P> {
        let limit = match self.rules.overlap {
            Overlap::Allow(n) => n,
            Overlap::Skip | Overlap::Queue(_) | Overlap::Replace => 1,
        };
        if self.running < limit {
            self.running += 1;
            return Admission::Run(firing);
        }
        let room = match (cause, self.rules.overlap) {
            (Cause::CatchUp | Cause::Recovered, _) => WAITING,
            (_, Overlap::Queue(n)) => n as usize,
            (_, Overlap::Replace) => {
                let replaced = std::mem::take(&mut self.waiting);
                self.waiting.push_back(firing);
                return Admission::Replaces(replaced);
            }
            (_, Overlap::Skip | Overlap::Allow(_)) => return Admission::Skip(firing, Skipped::Overlap),
        };
        if self.waiting.len() < room {
            self.waiting.push_back(firing);
            Admission::Waits
        } else {
            Admission::Skip(firing, Skipped::QueueFull)
        }
    }

    /// A firing has ended; the one whose turn it is now runs. Few schedules need to know when.
    pub(crate) fn ended(&mut self, now: impl FnOnce() -> i64) -> Option<P> {
        self.running = self.running.saturating_sub(1);
        let next = self.waiting.pop_front();
        self.running += u32::from(next.is_some());
        if let (Trigger::AfterCompletion { after }, 0) = (&self.trigger, self.running) {
            let now = now();
            (self.done, self.next) = (now, now.checked_add(*after));
        }
        next
    }

    /// One that was admitted does not start after all.
    pub(crate) fn withdraw(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(crate) fn running(&self) -> u32 {
        self.running
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes away those that wait.
    pub(crate) fn give_up_waiting(&mut self) -> VecDeque<P> {
        std::mem::take(&mut self.waiting)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    pub(crate) fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Goes on. Without catching up, the slots until now are as if they had never been; with it they are missed.
    pub(crate) fn resume(&mut self, now: i64, catches_up: bool) {
        if self.is_paused && !catches_up {
            match self.trigger {
                Trigger::At(at) if at.saturating_add(self.rules.jitter) <= now => {
                    (self.done, self.next) = (now, None);
                }
                _ => self.plan_from(now),
            }
        }
        self.is_paused = false;
    }

    /// Forgets what was planned, and plans what comes after this time: the clock was wrong before.
    pub(crate) fn plan_from(&mut self, now: i64) {
        // One whose jitter is still to come has not been yet.
        let passed = now.saturating_sub(self.rules.jitter);
        match self.trigger {
            Trigger::AfterCompletion { after } => {
                if self.next.is_some() {
                    self.next = now.checked_add(after);
                }
            }
            // What it is for has not come, wherever the clock was.
            Trigger::At(_) => {}
            _ => self.next = self.trigger.next_after(passed),
        }
        self.done = passed;
    }
}

#[cfg(test)]
mod tests;
