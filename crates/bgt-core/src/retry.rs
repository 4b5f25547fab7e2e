//! Whether a failed attempt is tried again, and when. Pure arithmetic: no clock, no random source of its own.

use std::time::Duration;

use crate::ErrorKind;

/// When a failed attempt is tried again: how often, after how long, for which kinds of failure.
///
/// The wait before attempt *n* + 1 is drawn evenly from nothing up to `base · 2ⁿ⁻¹`, capped: *full jitter*, which
/// spreads retries of many runs best ([measurements](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)).
/// Never after a cancellation, and never when the wait would pass the deadline of the whole run.
///
/// # Examples
///
/// ```
/// use bgt_core::{ErrorKind, Retry, Verdict};
/// use std::time::Duration;
///
/// let retry = Retry::attempts(3).backoff(Duration::from_millis(100), Duration::from_secs(10));
/// let verdict = retry.decide(2, ErrorKind::Failed, None, 0.5);
/// assert_eq!(verdict, Verdict::Again { after: Duration::from_millis(100) }); // half of 200 ms
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub struct Retry {
    attempts: u32,
    base: Duration,
    cap: Duration,
    jitter: bool,
    kinds: Vec<ErrorKind>,
}

/// What [`Retry::decide`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this long.
    Again {
        /// The wait.
        after: Duration,
    },
    /// The failure stands.
    GiveUp(GiveUp),
}

/// Why a failure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GiveUp {
    /// The policy does not name this kind of failure.
    Kind,
    /// All attempts are used up.
    Attempts,
    /// The wait would pass the deadline.
    Deadline,
}

/// A policy that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a retry policy of 0 attempts would never run the task: use at least 1, which means no retry")]
pub struct InvalidRetry;

impl Default for Retry {
    fn default() -> Self {
        Self::never()
    }
}

impl Retry {
    /// One attempt.
    pub const fn never() -> Self {
        Self {
            attempts: 1,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(30),
            jitter: true,
            kinds: Vec::new(),
        }
    }

    /// Up to so many attempts in all, for the kinds that may pass: `Start`, `Failed` and `TimedOut`. Waits up to
    /// 100 ms before the second attempt, doubling up to 30 s.
    pub fn attempts(attempts: u32) -> Self {
        let kinds = vec![ErrorKind::Start, ErrorKind::Failed, ErrorKind::TimedOut];
        Self { attempts, kinds, ..Self::never() }
    }

    /// Sets the longest wait before the second attempt, which doubles each time, and the cap of all waits.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.base = base;
        self.cap = cap;
        self
    }

    /// Waits exactly the backoff, without jitter. Many runs that failed together then come back together.
    pub fn without_jitter(mut self) -> Self {
        self.jitter = false;
        self
    }

    /// Sets the kinds of failure that are tried again. `Cancelled`, `Invalid` and `Fatal` never are, named or not.
    pub fn on(mut self, kinds: impl IntoIterator<Item = ErrorKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// The most attempts there will be.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.attempts
    }

    /// Refuses a policy that cannot be.
    ///
    /// # Errors
    ///
    /// [`InvalidRetry`] when it allows no attempt at all.
    pub fn validate(&self) -> Result<(), InvalidRetry> {
        if self.attempts == 0 { Err(InvalidRetry) } else { Ok(()) }
    }

    /// What to do after attempt `attempt` (counted from 1) has failed so, with `remaining` until the deadline of the
    /// whole run, and `random` from 0 (included) to 1 (excluded): the part of the longest wait that is waited.
    #[must_use]
    pub fn decide(&self, attempt: u32, kind: ErrorKind, remaining: Option<Duration>, random: f64) -> Verdict {
        use ErrorKind::{Cancelled, Fatal, Invalid};
        if matches!(kind, Cancelled | Fatal | Invalid) || !self.kinds.contains(&kind) {
            return Verdict::GiveUp(GiveUp::Kind);
        }
        if attempt >= self.attempts {
            return Verdict::GiveUp(GiveUp::Attempts);
        }
        let longest = self.longest_wait(attempt);
        let after = if self.jitter { part_of(longest, random) } else { longest };
        match remaining {
            Some(remaining) if after >= remaining => Verdict::GiveUp(GiveUp::Deadline),
            _ => Verdict::Again { after },
        }
    }

    /// The wait after attempt `attempt`, before jitter.
    #[must_use]
    pub fn longest_wait(&self, attempt: u32) -> Duration {
        let doubled = 2u128.saturating_pow(attempt.saturating_sub(1)).saturating_mul(self.base.as_nanos());
        // What does not fit in 64 bits of nanoseconds, 584 years, is as good as for ever.
        let wait = u64::try_from(doubled).map_or(Duration::MAX, Duration::from_nanos);
        wait.min(self.cap)
    }
}

/// `Duration::mul_f64` that answers the whole where that one would panic: past the range, or no number.
fn part_of(whole: Duration, random: f64) -> Duration {
    Duration::try_from_secs_f64(whole.as_secs_f64() * random).map_or(whole, |part| part.min(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn never_means_never() {
        for kind in [ErrorKind::Failed, ErrorKind::TimedOut, ErrorKind::Start, ErrorKind::Panicked] {
            assert!(matches!(Retry::never().decide(1, kind, None, 0.0), Verdict::GiveUp(_)));
        }
        assert_eq!(Retry::attempts(0).validate(), Err(InvalidRetry));
    }

    #[test]
    fn what_cannot_help_is_not_tried_even_when_named() {
        let all = [ErrorKind::Cancelled, ErrorKind::Fatal, ErrorKind::Invalid];
        for kind in all {
            assert_eq!(Retry::attempts(9).on(all).decide(1, kind, None, 0.0), Verdict::GiveUp(GiveUp::Kind));
        }
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let retry = Retry::attempts(99).backoff(Duration::from_millis(100), Duration::from_secs(1));
        let waits: Vec<u128> = (1..7).map(|n| retry.longest_wait(n).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(retry.longest_wait(u32::MAX), Duration::from_secs(1));
    }

    #[test]
    fn a_wait_for_ever_and_a_random_number_that_is_none_do_not_panic() {
        let retry = Retry::attempts(9).backoff(Duration::MAX, Duration::MAX);
        for random in [0.0, 0.5, 1.0, 2.0, -1.0, f64::NAN, f64::INFINITY] {
            let Verdict::Again { .. } = retry.decide(1, ErrorKind::Failed, None, random) else { panic!() };
        }
    }

    proptest! {
        #[test]
        fn waits_never_decrease_and_zero_stays_zero(
            base in (0..=u64::MAX, 0..40u32).prop_map(|(nanos, by)| nanos >> by), cap in 0..=u64::MAX, last in 1..200u32,
        ) {
            let (base, cap) = (Duration::from_nanos(base), Duration::from_nanos(cap));
            let retry = Retry::attempts(u32::MAX).backoff(base, cap);
            let zero = retry.clone().backoff(Duration::ZERO, cap);
            for attempt in (1..last).chain([u32::MAX - 1]) {
                let (wait, next) = (retry.longest_wait(attempt), retry.longest_wait(attempt + 1));
                prop_assert!(wait <= next && next <= wait.saturating_mul(2) && next <= cap);
                prop_assert_eq!(zero.longest_wait(attempt + 1), Duration::ZERO);
            }
        }

        #[test]
        fn a_wait_is_never_past_the_cap_or_the_deadline(
            attempts in 1..20u32, attempt in 1..30u32, base_ms in 0..10_000u64, cap_ms in 0..60_000u64,
            remaining_ms in proptest::option::of(0..100_000u64), random in 0.0..1.0f64,
        ) {
            let retry = Retry::attempts(attempts)
                .backoff(Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let remaining = remaining_ms.map(Duration::from_millis);
            match retry.decide(attempt, ErrorKind::Failed, remaining, random) {
                Verdict::Again { after } => {
                    prop_assert!(attempt < attempts);
                    prop_assert!(after <= Duration::from_millis(cap_ms));
                    prop_assert!(remaining.is_none_or(|left| after < left));
                }
                Verdict::GiveUp(GiveUp::Attempts) => prop_assert!(attempt >= attempts),
                Verdict::GiveUp(GiveUp::Deadline) => prop_assert!(remaining.is_some()),
                Verdict::GiveUp(GiveUp::Kind) => prop_assert!(false, "Failed is named"),
            }
        }
    }
}
