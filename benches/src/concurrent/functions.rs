//! Functions a second that have nothing to do.

use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bgt_concurrent::{batch, task_fn};
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::runtime;
use crate::{Bench, Better, Case, Result, Side};

pub(super) const NAME: &str = "noop_functions";
/// The most that may be at work, for each side.
const AT_ONCE: usize = 64;

/// Counts what runs, from outside.
static RAN: AtomicU64 = AtomicU64::new(0);

pub(super) fn measure(bench: &Bench) -> Result {
    let (rounds, tasks) = if bench.is_quick() { (12, 250_000) } else { (20, 1_000_000) };
    let runtime = &runtime()?;
    fn side<'a, Running>(
        name: &'static str,
        goal: Option<f64>,
        runtime: &'a tokio::runtime::Runtime,
        tasks: u64,
        run: impl Fn(u64) -> Running + 'a,
    ) -> Side<'a>
    where
        Running: Future<Output = Result> + Send + 'static,
    {
        let measure = move || {
            let before = RAN.load(Ordering::SeqCst);
            let running = run(tasks);
            let start = Instant::now();
            // In a task, as a service has it.
            runtime.block_on(async { runtime.spawn(running).await })??;
            let seconds = start.elapsed().as_secs_f64();
            match RAN.load(Ordering::SeqCst) - before {
                ran if ran == tasks => Ok(tasks as f64 / seconds),
                ran => Err(format!("of {tasks} functions, {ran} ran").into()),
            }
        };
        Side { name, goal, measure: Box::new(measure) }
    }
    let case = Case { name: NAME, unit: "functions/s", better: Better::Higher, rounds };
    let ours = side("ours", None, runtime, tasks, ours);
    let rivals = vec![
        side("joinset", Some(1.5), runtime, tasks, joinset),
        side("buffer-unordered", None, runtime, tasks, buffer_unordered),
    ];
    bench.compare(&case, ours, rivals)
}

async fn function(n: u64) -> u64 {
    RAN.fetch_add(1, Ordering::Relaxed);
    black_box(n)
}

async fn ours(tasks: u64) -> Result {
    let functions = (0..tasks).map(|n| task_fn("function", move |_cx| async move { Ok(function(n).await) }));
    batch(functions).max_concurrent(AT_ONCE).await?.require_success()?;
    Ok(())
}

/// As people write it by hand: each is spawned when there is a permit for it.
async fn joinset(tasks: u64) -> Result {
    let (places, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for n in 0..tasks {
        let place = places.clone().acquire_owned().await?;
        running.spawn(async move {
            let answer = function(n).await;
            drop(place);
            answer
        });
        while let Some(ended) = running.try_join_next() {
            black_box(ended?);
        }
    }
    while let Some(ended) = running.join_next().await {
        black_box(ended?);
    }
    Ok(())
}

/// On one thread: nothing is spawned.
async fn buffer_unordered(tasks: u64) -> Result {
    let mut answers = futures_util::stream::iter(0..tasks).map(function).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        black_box(answer);
    }
    Ok(())
}
