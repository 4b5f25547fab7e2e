//! What to do with what is known. Pure: no clock, no file, no waiting.

use std::time::Duration;

use bgt_core::{CancelReason, ErrorKind, Retry, Status, Verdict};

/// How often a run may be lost before that is its end: a function that takes its host down with it every time would be called
/// for ever.
pub(crate) const LOST_LIMIT: u32 = 10;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Nothing: it succeeded.
    pub(crate) failure: Option<ErrorKind>,
    /// Why it was stopped, if it was.
    pub(crate) reason: Option<CancelReason>,
}

/// What is known of the run besides.
#[derive(Clone, Debug)]
pub(crate) struct Past<'a> {
    pub(crate) retry: &'a Retry,
    /// Attempts before this one that failed by themselves.
    pub(crate) failed: u32,
    /// Attempts before this one of which nobody knows how they ended.
    pub(crate) lost: u32,
    pub(crate) may_be_repeated: bool,
    pub(crate) remaining: Option<Duration>,
    /// From 0 (included) to 1 (excluded).
    pub(crate) random: f64,
}

/// What becomes of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is over.
    Over(Status),
    /// The attempt ended so, and there is another after this time.
    Again(Status, Duration),
}

/// What becomes of a run after an attempt.
pub(crate) fn after(ended: Ended, past: &Past<'_>) -> Next {
    let Some(kind) = ended.failure else { return Next::Over(Status::Succeeded) };
    match (ended.reason, kind) {
        // Whoever asked wants no more of it.
        (Some(CancelReason::Caller), _) => Next::Over(Status::Cancelled),
        // Its host went: the work is as good as before.
        (Some(CancelReason::Shutdown | CancelReason::Halted), _) if past.may_be_repeated => {
            Next::Again(Status::Cancelled, Duration::ZERO)
        }
        (Some(CancelReason::Shutdown | CancelReason::Halted), _) => Next::Over(Status::Lost),
        (_, ErrorKind::Lost) if past.may_be_repeated && past.lost < LOST_LIMIT => {
            Next::Again(Status::Lost, Duration::ZERO)
        }
        (_, ErrorKind::Lost) => Next::Over(Status::Lost),
        (_, kind) => match past.retry.decide(past.failed + 1, kind, past.remaining, past.random) {
            Verdict::Again { after } => Next::Again(kind.status(), after),
            Verdict::GiveUp(_) => Next::Over(kind.status()),
        },
    }
}

/// What the folder of an attempt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The exit file is there.
    pub(crate) has_ended: bool,
    pub(crate) begun: Begun,
    /// Somebody holds the lock. Looked at before `has_ended`: what was there when the lock was free is all there will be.
    pub(crate) is_locked: bool,
}

/// What the started file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is not there.
    No,
    /// It is there and not whole: whoever made it ended before the program was started.
    Torn,
    /// Somebody has decided that the program is not to be started.
    Refused,
    /// In this run of the machine.
    Yes,
    /// In another run of the machine.
    BeforeBoot,
}

/// What to do about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It has ended, and says how.
    Commit,
    /// Somebody is at it.
    Watch,
    /// Nothing has happened: it can be started, under this very attempt.
    Start,
    /// The program was never started, and never will be under this attempt.
    NeverBegan,
    /// Nobody can know how it ended.
    Lost,
}

/// The order of recovery.
pub(crate) fn step(evidence: &Evidence) -> Step {
    match evidence {
        Evidence { has_ended: true, .. } => Step::Commit,
        Evidence { begun: Begun::BeforeBoot, .. } => Step::Lost,
        Evidence { is_locked: true, begun: Begun::Refused, .. } => Step::NeverBegan,
        Evidence { is_locked: true, .. } => Step::Watch,
        Evidence { begun: Begun::No, .. } => Step::Start,
        Evidence { begun: Begun::Torn | Begun::Refused, .. } => Step::NeverBegan,
        Evidence { begun: Begun::Yes, .. } => Step::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(retry: &Retry) -> Past<'_> {
        Past { retry, failed: 0, lost: 0, may_be_repeated: false, remaining: None, random: 0.5 }
    }

    fn failed(kind: ErrorKind) -> Ended {
        Ended { failure: Some(kind), reason: None }
    }

    #[test]
    fn a_run_that_was_cancelled_or_has_succeeded_is_never_done_again() {
        let retry = Retry::attempts(9);
        let past = Past { may_be_repeated: true, ..past(&retry) };
        assert_eq!(after(Ended { failure: None, reason: None }, &past), Next::Over(Status::Succeeded));
        // It ended well although it was asked to stop.
        let late = Ended { failure: None, reason: Some(CancelReason::Caller) };
        assert_eq!(after(late, &past), Next::Over(Status::Succeeded));
        for kind in [ErrorKind::Failed, ErrorKind::Cancelled, ErrorKind::TimedOut, ErrorKind::Lost] {
            let cancelled = Ended { failure: Some(kind), reason: Some(CancelReason::Caller) };
            assert_eq!(after(cancelled, &past), Next::Over(Status::Cancelled));
        }
    }

    #[test]
    fn what_was_lost_is_done_again_only_where_that_was_said_and_not_for_ever() {
        let retry = Retry::attempts(9);
        assert_eq!(after(failed(ErrorKind::Lost), &past(&retry)), Next::Over(Status::Lost));
        let repeatable = Past { may_be_repeated: true, ..past(&retry) };
        assert_eq!(after(failed(ErrorKind::Lost), &repeatable), Next::Again(Status::Lost, Duration::ZERO));
        let often = Past { lost: LOST_LIMIT, ..repeatable };
        assert_eq!(after(failed(ErrorKind::Lost), &often), Next::Over(Status::Lost));
    }

    #[test]
    fn a_shutdown_costs_no_run_that_can_be_repeated_and_counts_for_no_retry() {
        let retry = Retry::never();
        let stopped = Ended { failure: Some(ErrorKind::Cancelled), reason: Some(CancelReason::Shutdown) };
        assert_eq!(after(stopped, &past(&retry)), Next::Over(Status::Lost));
        let repeatable = Past { may_be_repeated: true, ..past(&retry) };
        assert_eq!(after(stopped, &repeatable), Next::Again(Status::Cancelled, Duration::ZERO));
    }

    #[test]
    fn failures_are_tried_again_by_the_policy_counting_only_themselves() {
        let retry = Retry::attempts(3).backoff(Duration::from_secs(1), Duration::from_secs(60));
        let again = after(failed(ErrorKind::Failed), &Past { lost: 7, ..past(&retry) });
        assert_eq!(again, Next::Again(Status::Failed, Duration::from_millis(500)));
        let last = after(failed(ErrorKind::TimedOut), &Past { failed: 2, ..past(&retry) });
        assert_eq!(last, Next::Over(Status::TimedOut));
        let late = Past { remaining: Some(Duration::from_millis(100)), ..past(&retry) };
        assert_eq!(after(failed(ErrorKind::Failed), &late), Next::Over(Status::Failed));
    }

    /// All of them: nothing is started twice, nothing that has ended is lost.
    #[test]
    fn the_order_of_recovery_by_enumeration() {
        use Begun::{BeforeBoot, No, Refused, Torn, Yes};
        for begun in [No, Torn, Refused, Yes, BeforeBoot] {
            for is_locked in [false, true] {
                for has_ended in [false, true] {
                    let step = step(&Evidence { has_ended, begun, is_locked });
                    assert_eq!(step == Step::Commit, has_ended);
                    assert_eq!(step == Step::Start, !has_ended && begun == No && !is_locked);
                    let lost = begun == BeforeBoot || begun == Yes && !is_locked;
                    assert_eq!(step == Step::Lost, !has_ended && lost, "{begun:?} {is_locked}");
                    let never = begun == Refused || begun == Torn && !is_locked;
                    assert_eq!(step == Step::NeverBegan, !has_ended && never, "{begun:?} {is_locked}");
                }
            }
        }
    }
}
