//! Running the program of an attempt, by whoever holds its lock: a shim, or a host that has none.

use std::sync::Arc;

use bgt_core::{Cancel, CancelReason, ErrorKind, Event, EventKind, Observer, Pattern, Report};
use bgt_log::{Keep, Log};
use bgt_simple::{Capture, CommandError, Output};

use super::folder::Folder;
use super::{End, Known, Order, ProgramEnd};

/// Of what the program prints, so much is kept in memory beside the log: for the error.
const TAIL: usize = 64 << 10;

/// Runs it to its end. What it prints goes to the log of the attempt.
pub(crate) async fn run(
    folder: &Folder,
    order: Order,
    cancel: &Cancel,
    observer: Option<Arc<dyn Observer>>,
) -> End {
    let keep = Keep::default();
    // A log that cannot be had in files is no reason not to do the work.
    let log = match Log::with_files(keep, folder.log_files(order.log_quota)).await {
        Ok(log) => log,
        Err(error) => {
            tracing::warn!(run = %order.run, %error, "the output of a detached run is not kept");
            Log::keeping(keep)
        }
    };
    let command = order.command.into_command().capture(Capture::tail(TAIL));
    let mut run = bgt_simple::run(command)
        .id(order.run)
        .pattern(Pattern::Detached)
        .earlier_attempts(order.attempt.saturating_sub(1))
        .cancel(cancel)
        .sink(Arc::new(log.clone()))
        .observer(Arc::new(NotesProgram(folder.clone())));
    if let Some(observer) = observer {
        run = run.observer(observer);
    }
    if let Some(deadline) = order.deadline {
        run = run.deadline(deadline);
    }
    let report = run.report().await;
    log.finish();
    if let Err(error) = log.flush().await {
        tracing::warn!(run = %order.run, %error, "the output of a detached run is not complete");
    }
    End::of(&report)
}

/// Writes down which process it is, for whoever comes after us.
struct NotesProgram(Folder);

impl Observer for NotesProgram {
    fn event(&self, event: &Event) {
        if let EventKind::Spawned { pid } = event.kind {
            if let Err(error) = self.0.note_program(Known::of(pid)) {
                tracing::warn!(run = %event.run, pid, %error, "a detached program's process is not written down");
            }
        }
    }
}

impl End {
    fn of(report: &Report<Output>) -> Self {
        let (kind, reason, error, output) = match &report.result {
            Ok(output) => (None, None, None, Some(output)),
            Err(error) => {
                let output = Output::from_error(error).or_else(|| error.find::<CommandError>()?.output());
                (Some(error.kind()), error.cancel_reason(), Some(format!("{error:#}")), output)
            }
        };
        let program = ProgramEnd {
            exit: output.map(|output| output.exit),
            pid: output.map(|output| output.pid),
            started_at: report.started_at,
            elapsed: report.elapsed,
            user_time: output.and_then(|output| output.usage.user),
            system_time: output.and_then(|output| output.usage.system),
            leaked: output.is_some_and(|output| output.leaked),
        };
        Self { kind, reason, error, program }
    }

    /// The end of an attempt whose program was never started.
    pub(crate) fn not_started(kind: ErrorKind, error: String) -> Self {
        let program = ProgramEnd {
            exit: None,
            pid: None,
            started_at: std::time::SystemTime::now(),
            elapsed: std::time::Duration::ZERO,
            user_time: None,
            system_time: None,
            leaked: false,
        };
        Self { kind: Some(kind), reason: None, error: Some(error), program }
    }

    /// Says that somebody outside has asked the shim to end, and not who started the run: a failure, whose exit is known.
    pub(crate) fn told_from_outside(mut self) -> Self {
        if self.reason == Some(CancelReason::Shutdown) {
            (self.kind, self.reason) = (Some(ErrorKind::Failed), None);
            let error = self.error.take().unwrap_or_default();
            self.error = Some(format!("its shim was told to end by a signal from outside: {error}"));
        }
        self
    }
}
