//! The times of a schedule, its slots. Pure: numbers on the clock that the trigger goes by.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cron::CronRule;
use crate::{Now, nanos};

/// The most slots that are counted one by one: of a second's pattern nearly three hours.
const COUNTED: u64 = 10_000;

/// Which clock a trigger goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Clock {
    /// The one on the wall, which is set.
    Wall,
    /// The one since boot, which counts sleep and cannot be set.
    Steady,
}

impl Clock {
    /// What it shows.
    pub(crate) fn read(self, now: Now) -> i64 {
        match self {
            Self::Wall => nanos::of_wall(now.wall),
            Self::Steady => nanos::of(now.steady),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    /// Every so often after the anchor, which is none itself.
    Every {
        every: i64,
        anchor: i64,
        clock: Clock,
    },
    /// So long after the last one has ended: who plans says when.
    AfterCompletion {
        after: i64,
    },
    At(i64),
    Cron(Arc<CronRule>),
}

/// Slots up to a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// The latest of them, oldest first.
    pub(crate) latest: VecDeque<i64>,
    /// How many there are in all; at least, when they are more than 10 000.
    pub(crate) total: u64,
}

impl Trigger {
    pub(crate) fn clock(&self) -> Clock {
        match self {
            Self::Every { clock, .. } => *clock,
            Self::AfterCompletion { .. } => Clock::Steady,
            Self::At(_) | Self::Cron(_) => Clock::Wall,
        }
    }

    /// The first slot after this time.
    pub(crate) fn next_after(&self, time: i64) -> Option<i64> {
        match self {
            Self::Every { every, anchor, .. } => {
                let passed = time.saturating_sub(*anchor).div_euclid(*every).max(0);
                anchor.checked_add((passed + 1).checked_mul(*every)?)
            }
            Self::AfterCompletion { .. } => None,
            Self::At(at) => (*at > time).then_some(*at),
            Self::Cron(rule) => rule.next_after(time),
        }
    }

    /// The slots from `first`, which is one, to `last`, and of them the latest `keep`, at least one.
    pub(crate) fn due(&self, first: i64, last: i64, keep: usize) -> Due {
        if first > last {
            return Due::default();
        }
        if let Self::Every { every, .. } = self {
            let more = (last - first) / every;
            let kept = more.min(i64::try_from(keep).unwrap_or(i64::MAX) - 1);
            let latest = (more - kept..=more).map(|n| first + n * every).collect();
            return Due { latest, total: more as u64 + 1 };
        }
        let mut due = self.count(first, last, keep);
        if due.total > COUNTED {
            // Too many to go through: from the end, in windows that grow until there are enough.
            let mut window = 60_000_000_000;
            loop {
                let from = last.saturating_sub(window).max(first);
                let found = self.next_after(from).filter(|slot| *slot <= last);
                let found = found.map(|slot| self.count(slot, last, keep)).unwrap_or_default();
                if found.latest.len() >= keep || from == first {
                    due.latest = found.latest;
                    break;
                }
                window = window.saturating_mul(2);
            }
        }
        due
    }

    fn count(&self, first: i64, last: i64, keep: usize) -> Due {
        let mut due = Due::default();
        let mut slot = Some(first);
        while let Some(this) = slot.filter(|slot| *slot <= last) {
            due.total += 1;
            due.latest.push_back(this);
            if due.latest.len() > keep {
                due.latest.pop_front();
            }
            if due.total > COUNTED {
                break;
            }
            slot = self.next_after(this);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    fn cron(pattern: &str) -> Trigger {
        Trigger::Cron(CronRule::shared(pattern, &Zone::named("Europe/Paris")).unwrap())
    }

    #[test]
    fn years_of_seconds_are_not_gone_through() {
        let each = cron("* * * * * *");
        let (first, last) = (SECOND * 1_700_000_000, SECOND * 2_000_000_000 + 5);
        let due = each.due(first, last, 3);
        assert!(due.total >= COUNTED);
        assert_eq!(due.latest, [last - 5 - 2 * SECOND, last - 5 - SECOND, last - 5]);
        // And where the last of them are far apart.
        let bursts = cron("* * 0 1 1 *");
        let due = bursts.due(first, SECOND * 1_790_000_000, 1);
        assert_eq!(due.latest.len(), 1);
        assert_eq!(
            due.latest[0],
            first.max(bursts.due(SECOND * 1_767_222_000, SECOND * 1_790_000_000, 1).latest[0])
        );
    }

    proptest! {
        #[test]
        fn an_interval_is_counted_as_if_one_by_one(
            every in 1..50i64, anchor in -100..100i64, from in -200..200i64, length in 0..500i64, keep in 1..20usize,
        ) {
            let trigger = Trigger::Every { every, anchor, clock: Clock::Steady };
            let first = trigger.next_after(from).unwrap();
            prop_assert!(first > from && (first - anchor) % every == 0 && first > anchor);
            prop_assert!(first - every <= from || first - every == anchor);
            let last = first + length;
            prop_assert_eq!(trigger.due(first, last, keep), trigger.count(first, last, keep));
        }
    }
}
