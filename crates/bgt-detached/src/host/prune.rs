//! Forgetting what is over and not to be kept.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bgt_core::RunId;
use bgt_store::StoreError;

use super::{Closing, Host, blocking};
use crate::Keep;
use crate::attempt::folder::{GONE, remove};

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
        let forgotten = host.prune(host.settings.keep).await.map(drop);
        if let Err(error) = forgotten.and(sweep(&host).await) {
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
            if let Err(error) = blocking(move || forget(&folder, &gone)).await {
                tracing::warn!(%error, "the output of a run that was forgotten could not be removed");
            }
            if many < MANY {
                return Ok(forgotten);
            }
        }
    }
}

fn forget(base: &Path, runs: &[RunId]) -> io::Result<()> {
    let mut fault = Ok(());
    for run in runs {
        fault = fault.and(remove(&base.join(run.to_string())));
    }
    fault
}

/// Removes what earlier removals have left: somebody had it open, or it was cut short.
async fn sweep(host: &Host) -> Result<(), StoreError> {
    let base = host.folder.clone();
    let found = blocking(move || {
        let names = fs::read_dir(&base)?.map(|entry| Ok(entry?.file_name()));
        names.collect::<io::Result<Vec<_>>>()
    });
    for name in found.await.unwrap_or_default() {
        let path = host.folder.join(&name);
        let is_left = match name.to_str().map(str::parse::<RunId>) {
            // A folder is made when its run is known.
            Some(Ok(run)) => host.store.run(run).await?.is_none(),
            _ => path.extension().is_some_and(|extension| extension == GONE),
        };
        if is_left {
            let removed = blocking(move || match path.extension() {
                Some(_) => fs::remove_dir_all(path),
                // The records may have been replaced: what runs is not taken away from whoever looks after it.
                None if is_at_work(&path)? => Err(io::Error::other("somebody is at work in it")),
                None => remove(&path),
            });
            if let Err(error) = removed.await {
                tracing::debug!(%error, "what is left of a run that was forgotten cannot be removed");
            }
        }
    }
    Ok(())
}

/// Whether somebody looks after an attempt in this folder of a run.
fn is_at_work(folder: &Path) -> io::Result<bool> {
    for attempt in fs::read_dir(folder)? {
        let lock = attempt?.path().join("lock");
        if lock.exists() && bgt_sys::FileLock::try_new(&lock)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}
