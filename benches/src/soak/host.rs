//! The process that does the detached work, which is killed and replaced.

use std::path::Path;
use std::time::Duration;

use bgt_detached::{Builder, Context, TaskError};
use bgt_testkit::{Ledger, Resources, hear, say};

use crate::Result;

/// The function that hosts offer: it says in the ledger that it is done.
pub(super) const WORK: &str = "work";
const LEASE: Duration = Duration::from_millis(500);

/// Works on the runs in this folder until it is killed, or nobody is there who could tell it to end.
pub(super) async fn play(folder: &Path) -> Result {
    let work = |cx: Context, (ledger, key, pause, fails): (String, String, u64, bool)| async move {
        let half = Duration::from_millis(pause / 2);
        tokio::select! {
            () = tokio::time::sleep(half) => {}
            _ = cx.cancelled() => cx.check()?,
        }
        if fails && cx.attempt() == 1 {
            return Err(TaskError::msg("the first time it fails"));
        }
        Ledger::at(ledger).append(&format!("{key} done"));
        // Who is killed here has done it, and has told nobody.
        tokio::time::sleep(half).await;
        Ok(())
    };
    let builder = Builder::new().lease(LEASE).function(WORK, work);
    let start = Resources::now();
    let host = builder.open(folder.join("runs.db")).await?;
    say("up");
    tokio::task::spawn_blocking(|| while hear().is_some() {}).await?;
    host.shutdown(Duration::from_secs(60)).await;
    drop(host);
    // Where it holds more it panics, and so does not end as a host in peace does.
    // Windows opens a handle or two of its own at the first work of a kind, and keeps them.
    Resources::assert_back_to(&start, if cfg!(windows) { 4 } else { 0 }, Duration::from_secs(10));
    Ok(())
}
