//! What a host needs to run a million tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bgt_concurrent::{batch, task_fn};

use super::runtime;
use crate::{Bench, Result, peak};

pub(super) const NAME: &str = "million_memory";
const TASKS: u64 = 1_000_000;
const MOST_MIB: f64 = 16.0;

pub(super) fn measure(bench: &Bench) -> Result {
    let measured = peak::of(bench, NAME, || {
        bench.say(format_args!("{NAME}: {TASKS} tasks, of which each in ten waits for another turn"));
        run()
    })?;
    match measured {
        None => Ok(()),
        Some((mib, (TASKS, TASKS))) => bench.at_most(NAME, mib, "MiB above the empty program", MOST_MIB),
        Some((_, (ran, told))) => Err(format!("of {TASKS} tasks, {ran} ran and {told} were told").into()),
    }
}

/// How many ran, and how many were told to have succeeded.
fn run() -> Result<(u64, u64)> {
    let (runtime, count) = (runtime()?, Arc::new(AtomicU64::new(0)));
    let counted = count.clone();
    let tasks = (0..TASKS).map(move |n| {
        let count = counted.clone();
        task_fn("task", move |_cx| {
            let count = count.clone();
            async move {
                if n % 10 == 0 {
                    tokio::task::yield_now().await;
                }
                count.fetch_add(1, Ordering::Relaxed);
                Ok(n)
            }
        })
    });
    let batch = batch(tasks).max_concurrent(64);
    let report = runtime.block_on(async { runtime.spawn(batch.into_future()).await })??.require_success()?;
    Ok((count.load(Ordering::SeqCst), report.counts.succeeded))
}
