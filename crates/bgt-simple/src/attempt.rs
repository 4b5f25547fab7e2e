//! One attempt: run, and if need be ask, wait, drop.

use std::future::pending;
use std::pin::Pin;

use bgt_core::{CancelReason, Context, Control, Task, TaskError};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, sleep_until};

use crate::cancels::Cancels;
use crate::contain::{Contained, contain};

/// How an attempt ended.
pub(crate) enum Outcome<T> {
    /// The task answered by itself, or panicked.
    Answered(Result<T, TaskError>),
    /// The task was asked to stop, and answered an error or was dropped.
    Stopped { reason: CancelReason, answer: Option<TaskError> },
}

pub(crate) async fn attempt<T: Task>(
    task: &T,
    (cx, control): (Context, Control),
    cancel: &Cancels,
) -> Outcome<T::Output> {
    let outcome = outcome(task, cx, &control, cancel).await;
    // A clone of the context may live on in a subtask; of this attempt nothing is told any more.
    control.end();
    outcome
}

async fn outcome<T: Task>(task: &T, cx: Context, control: &Control, cancel: &Cancels) -> Outcome<T::Output> {
    let until = cx.deadline();
    let mut work = Contained::new(|| task.run(cx));
    if cancel.is_empty() && until.is_none() {
        return Outcome::Answered(work.await);
    }
    let reason = tokio::select! {
        biased;
        answer = &mut work => return Outcome::Answered(answer),
        reason = cancel.requested() => reason,
        () = at(until) => CancelReason::Deadline,
    };
    control.ask(reason);
    // Rare, and as large as all the rest: the future of a run is not to carry it along.
    match Box::pin(stop(task, Pin::new(&mut work), reason, control, cancel)).await {
        // It finished its work in the time it was given.
        Some(Ok(value)) => Outcome::Answered(Ok(value)),
        Some(Err(answer)) => Outcome::Stopped { reason, answer: Some(answer) },
        None => Outcome::Stopped { reason, answer: None },
    }
}

/// Waits for a task that was asked to stop, as long as that makes sense.
async fn stop<T: Task>(
    task: &T,
    mut work: Pin<&mut Contained<'_, T::Output>>,
    reason: CancelReason,
    control: &Control,
    cancel: &Cancels,
) -> Option<Result<T::Output, TaskError>> {
    // A task that never looks at its cancellation will not end because of it.
    if !control.watches_cancel() {
        return None;
    }
    let budget = contain(|| task.stop_budget()).ok()?;
    let give_up = Instant::now().checked_add(budget);
    let mut forced = false;
    loop {
        tokio::select! {
            biased;
            answer = &mut work => return Some(answer),
            () = cancel.forced(), if !forced => {
                forced = true;
                control.force(reason);
                if !control.watches_force() {
                    return None;
                }
            }
            () = at(give_up) => return None,
        }
    }
}

/// Waits until then; for ever when there is no then.
///
/// Outside of tokio's cooperative budget: a task that has used up its turn would otherwise keep its own deadline from
/// being looked at.
pub(crate) async fn at(when: Option<Instant>) {
    match when {
        Some(when) => unconstrained(sleep_until(when)).await,
        None => pending().await,
    }
}
