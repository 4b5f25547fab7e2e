//! An attempt at a function: it lives and ends with this process.

use std::sync::Arc;
use std::time::SystemTime;

use bgt_core::{ErrorKind, Pattern};
use bgt_simple::task_fn;
use bgt_store::Held;

use super::lazy_log::LazyLog;
use super::relay::Relay;
use super::work::Settled;
use super::{Host, Working};
use crate::attempt::folder::Folder;
use crate::functions::Function;
use crate::payload::Payload;

/// `None` when it is not ours any more.
pub(super) async fn run(
    host: &Arc<Host>,
    held: &Held,
    working: &Arc<Working>,
    payload: &Payload,
    (function, args): (Function, String),
) -> Option<Settled> {
    let record = &held.run;
    let folder = Folder::of(&host.folder, record.id, held.lease.attempt);
    let log = Arc::new(LazyLog::new(folder, host.settings.log_quota));
    let task = task_fn(record.name.clone(), move |cx| function(cx, &args));
    let mut run = bgt_simple::run(task)
        .id(record.id)
        .pattern(Pattern::Detached)
        .earlier_attempts(held.lease.attempt - 1)
        .cancel(&working.cancel)
        .sink(log.clone())
        .observer(Arc::new(Relay { host: host.clone(), working: working.clone() }));
    if let Some(allowed) = payload.allowed(record.created_at, SystemTime::now()) {
        run = run.deadline(allowed);
    }
    let report = tokio::select! {
        report = run.report() => report,
        // Dropped, which ends it.
        () = working.over() => return None,
    };
    log.finish().await;
    Some(match report.result {
        Ok(answer) => Settled { result: Some(answer), ..Settled::succeeded() },
        Err(error) => {
            Settled { reason: error.cancel_reason(), ..Settled::failed(error.kind(), format!("{error:#}")) }
        }
    })
}

/// What to say of a function whose host ended while it ran.
pub(super) fn lost() -> Settled {
    Settled::failed(ErrorKind::Lost, "its host ended or was not heard of while it ran")
}
