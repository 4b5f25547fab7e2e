//! When to try again to make a resource, after it went wrong. Pure: no clock, no random source of its own.

use std::time::Duration;

use bgt_simple::Panicked;
use tokio::time::Instant;

use super::policy::shortened;

/// Longer waits are no different from this one, and may be no times any more.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How a pool waits when resources cannot be made, or fail as soon as they are made.
///
/// After the first failure it waits `base`, doubling up to `cap`; each wait is shortened by up to a half, at random. Callers
/// wait along. When `trip` of them failed in a row the pool answers callers at once with
/// [`CrashLoop`](crate::PoolError::CrashLoop) until the wait is over; then one is tried, on which it depends. A resource
/// that was used with success ends all that. Resources that work are handed out all the while.
///
/// # Examples
///
/// ```
/// use bgt_pool::Backoff;
/// use std::time::Duration;
///
/// let patient = Backoff::default().base(Duration::from_secs(1)).trip(20);
/// assert_eq!(Backoff::default(), Backoff::default().base(Duration::from_millis(100)).cap(Duration::from_secs(30)).trip(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    trip: u32,
}

impl Default for Backoff {
    /// 100 ms, doubling up to 30 s; five in a row trip it.
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(30), trip: 5 }
    }
}

impl Backoff {
    /// Sets the longest wait after the first failure.
    pub const fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Sets the longest wait of all.
    pub const fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Sets after how many failures in a row callers are answered at once; 0 counts as 1.
    pub const fn trip(mut self, failures: u32) -> Self {
        self.trip = failures;
        self
    }

    /// The wait after so many failures in a row; `random` is from 0 (included) to 1 (excluded).
    fn wait(&self, failures: u32, random: f64) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        shortened(self.base.saturating_mul(doubled).min(self.cap), random / 2.0)
    }
}

/// What went wrong with a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// In words, causes included.
    pub(crate) what: String,
    /// The last lines that a worker printed.
    pub(crate) tail: String,
}

impl Failure {
    /// Whoever was to look at it panicked: nobody knows in which state it is.
    pub(super) fn of_look(panicked: &Panicked) -> Self {
        Self { what: format!("looking at it panicked: {panicked}"), tail: String::new() }
    }
}

#[derive(Debug)]
pub(crate) struct Breaker {
    backoff: Backoff,
    failures: u32,
    until: Option<Instant>,
    last: Failure,
}

/// Whether a resource may be made now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Yes.
    Open,
    /// Not before this; who wants one waits along.
    Later(Instant),
    /// Not before this; who wants one is told so.
    Tripped { failures: u32, until: Instant, last: Failure },
}

impl Breaker {
    pub(crate) fn new(backoff: Backoff) -> Self {
        Self { backoff, failures: 0, until: None, last: Failure::default() }
    }

    /// A resource could not be made, or failed before it was of any use.
    pub(crate) fn failed(&mut self, failure: Failure, now: Instant, random: f64) {
        self.failures = self.failures.saturating_add(1);
        let wait = self.backoff.wait(self.failures, random).min(LONGEST);
        self.until = now.checked_add(wait);
        self.last = failure;
    }

    /// A resource was of use.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// Whether the last one failed: then they are made one by one.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.failures > 0
    }

    pub(crate) fn gate(&self, now: Instant) -> Gate {
        match self.until {
            Some(until) if until > now && self.failures >= self.backoff.trip.max(1) => {
                Gate::Tripped { failures: self.failures, until, last: self.last.clone() }
            }
            Some(until) if until > now => Gate::Later(until),
            _ => Gate::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failure(n: u32) -> Failure {
        Failure { what: n.to_string(), tail: String::new() }
    }

    #[test]
    fn it_trips_waits_tries_one_and_closes_with_a_success() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Backoff::default().trip(3));
        let second = |n| now + Duration::from_secs(n);
        for n in 1..3 {
            breaker.failed(failure(n), now, 0.0);
            assert!(matches!(breaker.gate(now), Gate::Later(_)), "{n}");
        }
        breaker.failed(failure(3), now, 0.0);
        let until = now + Duration::from_millis(400);
        assert_eq!(breaker.gate(now), Gate::Tripped { failures: 3, until, last: failure(3) });
        assert_eq!(breaker.gate(until), Gate::Open);
        assert!(breaker.is_doubtful());
        breaker.failed(failure(4), second(1), 0.0);
        assert!(matches!(breaker.gate(second(1)), Gate::Tripped { failures: 4, .. }));
        breaker.succeeded();
        assert_eq!(breaker.gate(second(1)), Gate::Open);
        assert!(!breaker.is_doubtful());
    }

    #[test]
    fn the_longest_waits_are_waits_too() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Backoff::default().base(Duration::MAX).cap(Duration::MAX).trip(1));
        breaker.failed(failure(1), now, 0.0);
        assert!(matches!(breaker.gate(now), Gate::Tripped { .. }));
    }

    proptest! {
        #[test]
        fn waits_grow_to_the_cap_and_are_never_shortened_by_more_than_half(
            failures in 1..u32::MAX, base in 1..10_000u64, cap in 1..10_000u64, random in 0.0..1.0f64,
        ) {
            let (base, cap) = (Duration::from_millis(base), Duration::from_millis(cap));
            let backoff = Backoff::default().base(base).cap(cap);
            let longest = backoff.wait(failures, 0.0);
            prop_assert!(longest <= cap && longest >= base.min(cap));
            prop_assert!(longest <= backoff.wait(failures.saturating_add(1), 0.0));
            let wait = backoff.wait(failures, random);
            prop_assert!(wait <= longest && wait >= longest.mul_f64(0.499));
        }
    }
}
