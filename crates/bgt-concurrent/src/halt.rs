//! When a batch gives up. Pure: no clock, nothing is stopped here.

/// When a batch stops to start tasks, and what becomes of those that run.
///
/// A task has failed when its last attempt failed, timed out by a deadline of its own, panicked, or was refused. One that
/// was cancelled or skipped has not.
///
/// # Examples
///
/// ```
/// use bgt_concurrent::Halt;
///
/// let halt = Halt::after_share(0.1).at_least(50);
/// assert!(!halt.decide(20, 10), "half of them, but too few to judge by");
/// assert!(halt.decide(100, 11));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Halt {
    when: When,
    cancel: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Never,
    After(u64),
    Share { share: f64, least: u64 },
}

impl Default for Halt {
    fn default() -> Self {
        Self::never()
    }
}

impl Halt {
    /// Everything is tried, whatever fails.
    pub const fn never() -> Self {
        Self { when: When::Never, cancel: false }
    }

    /// At the first failure.
    pub const fn on_first_failure() -> Self {
        Self::after(1)
    }

    /// When so many have failed; at least 1.
    pub const fn after(failures: u64) -> Self {
        Self { when: When::After(failures), cancel: false }
    }

    /// When more than this share, from 0 to 1, of those that have ended has failed; not before 20 have ended, unless
    /// [`at_least`](Self::at_least) says otherwise.
    pub const fn after_share(share: f64) -> Self {
        Self { when: When::Share { share, least: 20 }, cancel: false }
    }

    /// Sets how many must have ended before a share is judged by. Changes nothing for the other policies.
    pub const fn at_least(mut self, ended: u64) -> Self {
        if let When::Share { share, .. } = self.when {
            self.when = When::Share { share, least: ended };
        }
        self
    }

    /// Lets those that run at that moment come to their end: the default.
    pub const fn finish_running(mut self) -> Self {
        self.cancel = false;
        self
    }

    /// Cancels those that run at that moment: asked, given their grace period, then ended by force.
    pub const fn cancel_running(mut self) -> Self {
        self.cancel = true;
        self
    }

    /// Whether to stop, after so many have ended and so many of them have failed.
    #[must_use]
    pub fn decide(&self, ended: u64, failed: u64) -> bool {
        match self.when {
            When::Never => false,
            When::After(failures) => failed >= failures,
            When::Share { share, least } => ended >= least && failed as f64 > share * ended as f64,
        }
    }

    pub(crate) fn cancels(&self) -> bool {
        self.cancel
    }

    /// What is wrong with it, and what would be right.
    pub(crate) fn check(&self) -> Result<(), (String, &'static str)> {
        match self.when {
            When::After(0) => Err(("after 0 failures".to_owned(), "at least 1")),
            When::Share { share, .. } if !(0.0..=1.0).contains(&share) => {
                Err((format!("after a share of {share}"), "a share from 0 to 1"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_policy_by_its_border() {
        assert!(!Halt::never().decide(u64::MAX, u64::MAX));
        assert!(!Halt::on_first_failure().decide(9, 0) && Halt::on_first_failure().decide(9, 1));
        assert!(!Halt::after(3).decide(9, 2) && Halt::after(3).decide(9, 3));
        let half = Halt::after_share(0.5).at_least(4);
        assert!(!half.decide(3, 3) && !half.decide(4, 2) && half.decide(4, 3));
        assert!(Halt::after_share(0.0).at_least(0).decide(1, 1));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        assert!(Halt::after(0).check().is_err() && Halt::after_share(0.0).check().is_ok());
        for share in [-0.1, 1.1, f64::NAN] {
            assert!(Halt::after_share(share).check().unwrap_err().0.contains(&share.to_string()));
        }
    }

    proptest! {
        #[test]
        fn one_failure_more_never_undoes_a_halt(share in 0.0..=1.0, least in 0..50u64, ended in 1..100u64, failed in 0..100u64) {
            let failed = failed.min(ended);
            for halt in [Halt::after(least.max(1)), Halt::after_share(share).at_least(least)] {
                if halt.decide(ended, failed) {
                    prop_assert!(halt.decide(ended, (failed + 1).min(ended)));
                    prop_assert!(failed > 0);
                }
            }
        }
    }
}
