//! What becomes of times that have to wait for the store. Pure.
//!
//! A time that waits is answered when the store answers, as one is that is noticed then: by the misfire policy.

use std::collections::VecDeque;

use crate::Misfire;
use crate::entry::Pending;
use crate::plan::Rules;
use crate::{Cause, nanos};

/// Times of one schedule that wait to be claimed, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Overdue(VecDeque<Pending>);

/// What came of those that waited.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// Of no use any more.
    pub(crate) given_up: Vec<Pending>,
    /// How many were at their time when they began to wait, and are not any more.
    pub(crate) misfires: u64,
}

impl Passed {
    /// It is not at its time any more.
    fn miss(&mut self, pending: &mut Pending) {
        self.misfires += u64::from(pending.cause == Cause::Scheduled);
        pending.cause = Cause::CatchUp;
    }

    fn give_up(&mut self, pending: Option<Pending>) {
        if let Some(mut pending) = pending {
            self.miss(&mut pending);
            self.given_up.push(pending);
        }
    }
}

impl Overdue {
    pub(crate) fn push(&mut self, pending: Pending) {
        self.0.push_back(pending);
    }

    /// The next one that is to be claimed at this time by the wall clock. Those that are of no use any more are taken out;
    /// those that a later one stands for are counted by it.
    pub(crate) fn next(&mut self, now: i64, rules: &Rules, passed: &mut Passed) -> Option<&Pending> {
        if let Misfire::All { cap } = rules.misfire {
            // One may be at its time, beside those that are made up for.
            while self.0.len() > cap as usize + 1 {
                passed.give_up(self.0.pop_front());
            }
        }
        loop {
            let others = self.0.len().saturating_sub(1);
            let first = self.0.front_mut()?;
            let due = nanos::of_wall(first.scheduled_at).saturating_add(rules.jitter);
            let lateness = now.saturating_sub(due);
            let is_late = lateness > rules.tolerance;
            let is_of_use = match rules.misfire {
                Misfire::Skip => !is_late,
                Misfire::Once { .. } if others > 0 => {
                    passed.miss(first);
                    let missed = first.missed + 1;
                    self.0.pop_front();
                    if let Some(first) = self.0.front_mut() {
                        first.missed += missed;
                    }
                    continue;
                }
                Misfire::Once { grace } => !is_late || lateness <= nanos::of(grace),
                Misfire::All { .. } => true,
            };
            if is_of_use {
                if is_late {
                    passed.miss(first);
                }
                return self.0.front();
            }
            passed.give_up(self.0.pop_front());
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Pending> {
        self.0.pop_front()
    }

    pub(crate) fn take(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.0).into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Overlap;

    fn waiting(times: &[i64]) -> Overdue {
        let pending = |at: &i64| Pending::new(nanos::to_wall(*at * 1000), Cause::Scheduled, 0);
        Overdue(times.iter().map(pending).collect())
    }

    /// The order in which they are claimed, each with its cause and how many it stands for; and those that are given up.
    fn claimed(mut overdue: Overdue, now: i64, misfire: Misfire) -> (Vec<(i64, Cause, u64)>, Vec<i64>) {
        let rules = Rules { jitter: 2000, tolerance: 5000, overlap: Overlap::Skip, misfire };
        let at = |pending: &Pending| nanos::of_wall(pending.scheduled_at) / 1000;
        let (mut claimed, mut passed) = (Vec::new(), Passed::default());
        while let Some(next) = overdue.next(now * 1000, &rules, &mut passed) {
            claimed.push((at(next), next.cause, next.missed));
            overdue.pop();
        }
        let at_their_time = claimed.iter().filter(|(_, cause, _)| *cause == Cause::Scheduled).count();
        assert_eq!(passed.misfires, 3 - at_their_time as u64, "{misfire:?} at {now}");
        (claimed, passed.given_up.iter().map(at).collect())
    }

    #[test]
    fn the_policy_is_that_of_the_moment_when_the_store_answers() {
        use Cause::{CatchUp, Scheduled};
        let times = [10, 20, 30];
        let once = |micros| Misfire::Once { grace: Duration::from_micros(micros) };
        for (misfire, now, expected, given_up) in [
            (Misfire::Skip, 37, vec![(30, Scheduled, 0)], vec![10, 20]),
            (Misfire::Skip, 38, vec![], vec![10, 20, 30]),
            (once(9), 37, vec![(30, Scheduled, 2)], vec![]),
            (once(9), 41, vec![(30, CatchUp, 2)], vec![]),
            (once(9), 42, vec![], vec![30]),
            (Misfire::All { cap: 1 }, 37, vec![(20, CatchUp, 0), (30, Scheduled, 0)], vec![10]),
            (Misfire::All { cap: 9 }, 90, vec![(10, CatchUp, 0), (20, CatchUp, 0), (30, CatchUp, 0)], vec![]),
        ] {
            assert_eq!(claimed(waiting(&times), now, misfire), (expected, given_up), "{misfire:?} at {now}");
        }
    }
}
