//! Not giving up: what has to be written is, as soon as it can be.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bgt_store::{FaultKind, StoreError};

use super::{Closing, Host, Working};

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(2);

/// Repeats a call of the store that may be repeated until it has an answer. `None` when it is refused, or we let go.
pub(super) async fn persist<T, F, Fut>(host: &Arc<Host>, call: F) -> Option<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, StoreError>>,
{
    let mut pause = FIRST;
    loop {
        let error = match call().await {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        let is_closed = error.fault().is_some_and(|fault| fault.kind() == FaultKind::Closed);
        if error.fault().is_none() || is_closed || host.closing() == Closing::Now {
            tracing::warn!(%error, "a record is not written");
            return None;
        }
        match pause {
            FIRST => tracing::warn!(%error, "a record cannot be written now, it is tried until it can"),
            _ => tracing::debug!(%error, "a record still cannot be written"),
        }
        rest(&mut pause).await;
    }
}

/// For files of a run that may have been forgotten meanwhile: `None` where the folder is gone.
#[cfg(feature = "process")]
pub(super) fn there<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if super::is_gone(&error) => Ok(None),
        done => done.map(Some),
    }
}

/// The same for the files of a run; `None` also when the run is not ours any more.
pub(super) async fn files<T: Send + 'static>(
    host: &Arc<Host>,
    working: &Working,
    call: impl Fn() -> io::Result<T> + Clone + Send + 'static,
) -> Option<T> {
    let mut pause = FIRST;
    loop {
        match blocking(call.clone()).await {
            Ok(answer) => return Some(answer),
            Err(error) if host.closing() == Closing::Now => {
                tracing::warn!(%error, "a file of a run is not written");
                return None;
            }
            Err(error) if pause == FIRST => {
                tracing::warn!(%error, "a file of a run cannot be used now, it is tried until it can");
            }
            Err(error) => tracing::debug!(%error, "a file of a run still cannot be used"),
        }
        tokio::select! {
            () = working.over() => return None,
            () = rest(&mut pause) => {}
        }
    }
}

async fn rest(pause: &mut Duration) {
    tokio::time::sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST);
}

/// Runs what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(call).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
