//! How the time of a shutdown is shared out. Pure.

use std::time::Duration;

/// What is given to an end by force when there is no time at all.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What is not enough to ask anybody.
const NO_TIME: Duration = Duration::from_millis(10);

/// Points in time, counted from the begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "pooled", feature = "detached")),
    allow(dead_code, reason = "some parts are for patterns that are not compiled in")
)]
pub(super) struct Budget {
    /// Whether there is no time to wait for anything.
    pub(super) is_immediate: bool,
    /// All that still runs is asked to stop.
    pub(super) asked: Duration,
    /// What still runs is ended by force.
    pub(super) forced: Duration,
    /// What still runs is left behind.
    pub(super) given_up: Duration,
    /// Those who use pools are asked to stop.
    pub(super) pools: Duration,
    /// Pools are left behind.
    pub(super) pools_at_most: Duration,
    /// It is over.
    pub(super) whole: Duration,
}

impl Budget {
    pub(super) fn of(within: Duration) -> Self {
        let is_immediate = within < NO_TIME;
        // A clock has its limits, and nobody waits for so long.
        let whole = if is_immediate { AT_ONCE } else { within.min(Duration::from_secs(1 << 32)) };
        let tenths = |n: u32| whole / 10 * n;
        Self {
            is_immediate,
            asked: if is_immediate { Duration::ZERO } else { tenths(4) },
            forced: if is_immediate { Duration::ZERO } else { tenths(7) },
            given_up: tenths(8),
            pools: if is_immediate { Duration::ZERO } else { tenths(8) },
            pools_at_most: tenths(9),
            whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_follow_each_other_and_never_go_beyond_the_whole(seconds in 0..u64::MAX, nanos in 0..1_000_000_000u32) {
            let within = Duration::new(seconds, nanos).max(NO_TIME);
            let budget = Budget::of(within);
            prop_assert!(!budget.is_immediate);
            let Budget { asked, forced, given_up, pools, pools_at_most, whole, .. } = budget;
            let parts = [asked, forced, given_up, pools, pools_at_most, whole];
            prop_assert!(parts.is_sorted() && whole <= within, "{budget:?}");
        }
    }

    #[test]
    fn without_time_all_is_forced_at_once_and_a_second_is_given_to_it() {
        for within in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(9_999)] {
            let budget = Budget::of(within);
            assert!(budget.is_immediate);
            assert_eq!(
                (budget.asked, budget.forced, budget.whole),
                (Duration::ZERO, Duration::ZERO, AT_ONCE)
            );
        }
    }
}
