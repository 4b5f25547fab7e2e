//! What the tests share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::time::Duration;

use bgt_detached::{Run, RunRecord};

/// Far beyond slowness: who waits for so long waits for ever.
pub const HANG: Duration = Duration::from_secs(60);

/// What is known of a run when it is over.
#[track_caller]
pub fn ended(run: &Run) -> impl Future<Output = RunRecord> + Send + use<> {
    let (run, from) = (run.clone(), std::panic::Location::caller());
    async move {
        match tokio::time::timeout(HANG, run.wait()).await {
            Ok(record) => record.expect("a record"),
            Err(_) => {
                panic!("{from}: it does not end: {:?} {:?}", run.record().await, run.history(0, 100).await)
            }
        }
    }
}
