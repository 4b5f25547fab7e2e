//! When to make a resource and when to retire one. Pure: no clock, no random source of its own.

use std::time::Duration;

use tokio::time::Instant;

/// How long a resource may serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_uses: Option<u64>,
    pub(crate) idle_timeout: Option<Duration>,
    /// The share of age and uses that chance may take off.
    pub(crate) jitter: f64,
}

/// How long one resource will serve: limits of its own, so that those made together do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) until: Option<Instant>,
    pub(crate) uses: Option<u64>,
}

impl Limits {
    /// `random` is from 0 (included) to 1 (excluded).
    pub(crate) fn term(&self, born: Instant, random: f64) -> Term {
        let off = self.jitter * random;
        Term {
            until: self.max_age.and_then(|age| born.checked_add(shortened(age, off))),
            uses: self.max_uses.map(|uses| ((uses as f64 * (1.0 - off)).ceil() as u64).clamp(1, uses)),
        }
    }
}

/// A time without this share of it, from 0 to 1.
pub(super) fn shortened(time: Duration, share: f64) -> Duration {
    // The longest times are no seconds of a float.
    Duration::try_from_secs_f64(time.as_secs_f64() * (1.0 - share)).map_or(time, |shorter| shorter.min(time))
}

/// Who is where at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Resources that exist.
    pub(crate) live: usize,
    /// Of these, those that nobody has.
    pub(crate) idle: usize,
    /// Resources that are being made.
    pub(crate) making: usize,
    /// Callers who wait for one to be made.
    pub(crate) waiting: usize,
    /// Whether the last one failed.
    pub(crate) doubtful: bool,
    /// Whether one of those wanted replaces one that is to go, and may exist beside it.
    pub(crate) replacement: bool,
}

/// How many to start making now.
pub(crate) fn to_make(counts: Counts, size: usize, min_idle: usize) -> usize {
    let Counts { live, idle, making, waiting, doubtful, replacement } = counts;
    let extra = usize::from(replacement);
    let wanted = waiting + min_idle.saturating_sub(idle) + extra;
    let room = (size + extra).saturating_sub(live + making);
    let most = if doubtful { 1usize.saturating_sub(making) } else { usize::MAX };
    wanted.saturating_sub(making).min(room).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pool_grows_for_who_waits_and_for_who_may_come() {
        let counts = Counts { live: 2, making: 1, waiting: 3, ..Counts::default() };
        assert_eq!(to_make(counts, 10, 0), 2);
        assert_eq!(to_make(counts, 4, 0), 1);
        assert_eq!(to_make(counts, 3, 0), 0);
        assert_eq!(to_make(Counts { replacement: true, ..counts }, 3, 0), 1);
        assert_eq!(to_make(Counts { doubtful: true, ..counts }, 10, 0), 0);
        assert_eq!(to_make(Counts { live: 2, idle: 1, ..Counts::default() }, 10, 4), 3);
        assert_eq!(to_make(Counts::default(), 10, 0), 0);
    }

    #[test]
    fn the_longest_age_is_an_age_too() {
        let limits = Limits { max_age: Some(Duration::MAX), max_uses: None, idle_timeout: None, jitter: 0.0 };
        assert_eq!(limits.term(Instant::now(), 0.0).until, None);
    }

    proptest! {
        #[test]
        fn never_more_than_fit_and_never_none_for_who_waits_when_one_fits(
            live in 0..20usize, idle in 0..20usize, making in 0..20usize, waiting in 0..20usize,
            doubtful: bool, replacement: bool, size in 1..20usize, min_idle in 0..20usize,
        ) {
            let counts = Counts { live, idle, making, waiting, doubtful, replacement };
            let made = to_make(counts, size, min_idle);
            prop_assert!(made == 0 || live + making + made <= size + usize::from(replacement));
            prop_assert!(!doubtful || making + made <= making.max(1));
            prop_assert!(making > 0 || waiting == 0 || live >= size || made > 0);
        }

        #[test]
        fn chance_shortens_a_term_by_its_share_at_most(
            age in 1..100_000u64, uses in 1..100_000u64, jitter in 0.0..=1.0f64, random in 0.0..1.0f64,
        ) {
            let born = Instant::now();
            let age = Duration::from_millis(age);
            let limits = Limits { max_age: Some(age), max_uses: Some(uses), idle_timeout: None, jitter };
            let term = limits.term(born, random);
            prop_assert!(term.until.unwrap() <= born + age);
            let shortest = born + age.mul_f64(1.0 - jitter);
            prop_assert!(term.until.unwrap() + Duration::from_micros(1) >= shortest);
            let used = term.uses.unwrap();
            prop_assert!((1..=uses).contains(&used) && used as f64 >= uses as f64 * (1.0 - jitter) - 1e-6);
        }
    }
}
