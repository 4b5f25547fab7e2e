//! Forgetting what is over and not to be kept.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::RunId;
use bgt_store::StoreError;

use super::{Closing, Host, blocking, is_gone};
use crate::Keep;

/// How often.
const EVERY: Duration = Duration::from_secs(3600);
/// How many runs are forgotten in one transaction: others write too.
const MANY: usize = 200;

pub(super) async fn keep(host: Arc<Host>) {
    let mut closing = host.closing.subscribe();
    // Not while the host is busy with its start.
    let mut pause = Duration::from_secs(60);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = closing.wait_for(|closing| *closing != Closing::No) => return,
        }
        if let Err(error) = host.prune(host.settings.keep).await {
            tracing::warn!(%error, "runs that are over could not be forgotten");
        }
        pause = EVERY;
    }
}

impl Host {
    /// Forgets what is over and not to be kept, and how many that was.
    pub(crate) async fn prune(&self, keep: Keep) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let gone = self.store.prune(keep.retention(SystemTime::now()), MANY).await?;
            let many = gone.len();
            forgotten += many as u64;
            let folder = self.folder.clone();
            // A folder that stays behind costs room alone.
            if let Err(error) = blocking(move || remove(&folder, &gone)).await {
                tracing::warn!(%error, "the output of a run that was forgotten could not be removed");
            }
            if many < MANY {
                return Ok(forgotten);
            }
        }
    }
}

fn remove(base: &Path, runs: &[RunId]) -> io::Result<()> {
    let mut fault = Ok(());
    for run in runs {
        match fs::remove_dir_all(base.join(run.to_string())) {
            Err(error) if !is_gone(&error) => fault = fault.and(Err(error)),
            _ => {}
        }
    }
    fault
}
