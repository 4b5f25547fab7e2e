//! One attempt: run, and if need be ask, wait, drop.

use std::future::pending;
use std::pin::Pin;

use bgt_core::{Cancel, CancelReason, Context, Control, Task, TaskError};
use tokio::time::{Instant, sleep_until};

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
    cancel: Option<&Cancel>,
) -> Outcome<T::Output> {
    let until = cx.deadline();
    let mut work = Contained::start(task, cx);
    if cancel.is_none() && until.is_none() {
        return Outcome::Answered(work.await);
    }
    let reason = tokio::select! {
        biased;
        answer = &mut work => return Outcome::Answered(answer),
        reason = requested(cancel) => reason,
        () = at(until) => CancelReason::Deadline,
    };
    control.ask(reason);
    match stop(task, Pin::new(&mut work), reason, &control, cancel).await {
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
    cancel: Option<&Cancel>,
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
            () = force_requested(cancel), if !forced => {
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

pub(crate) async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}

pub(crate) async fn requested(cancel: Option<&Cancel>) -> CancelReason {
    match cancel {
        Some(cancel) => cancel.requested().await,
        None => pending().await,
    }
}

async fn force_requested(cancel: Option<&Cancel>) {
    match cancel {
        Some(cancel) => cancel.forced().await,
        None => pending().await,
    }
}
