//! Many callers at once: jobs accepted, and jobs done.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bgt_detached::{Builder, Context, Detached, Job, RunFilter, Status};
use tokio::task::JoinSet;

use super::rivals;
use crate::interval::median;
use crate::{Bench, Better, Case, Result, Side};

pub(super) const CALLERS: usize = 256;

/// Each detaches a job, waits until it is accepted, and goes on with the next.
pub(super) fn enqueue(bench: &Bench, folder: &Path) -> Result {
    rounds(bench, "enqueue_durable", folder, |path, slice| async move {
        let host = Builder::new().without_workers().open(path).await?;
        warm_and_measured(&host, slice, |host| async move { host.detach(job()).await.map(drop) }).await
    })
}

/// Each detaches a job, waits until it is over, and goes on with the next.
pub(super) fn lifecycle(bench: &Bench, folder: &Path) -> Result {
    rounds(bench, "lifecycle", folder, |path, slice| async move {
        let no_op = |_cx: Context, n: u32| async move { Ok(n) };
        let host = Builder::new().queue("default", 256).function("no-op", no_op).open(path).await?;
        let figure = warm_and_measured(&host, slice, |host| async move {
            let run = host.run(host.detach(job()).await?);
            run.wait().await.map(drop)
        });
        let figure = figure.await?;
        host.shutdown(Duration::from_secs(10)).await;
        let counts = host.count(RunFilter::new()).await?;
        if counts.keys().any(|status| *status != Status::Succeeded) {
            return Err(format!("not all succeeded: {counts:?}").into());
        }
        Ok(figure)
    })
}

fn job() -> Job {
    Job::call("no-op", &7)
}

/// Compares with the rivals that are built; without any, says what ours comes to. Every slice has a new database.
fn rounds<Fut: Future<Output = Result<f64>>>(
    bench: &Bench,
    name: &'static str,
    folder: &Path,
    measure: impl Fn(PathBuf, Duration) -> Fut,
) -> Result {
    let (rounds, slice) = if bench.is_quick() { (8, 400) } else { (16, 1000) };
    let slice = Duration::from_millis(slice);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let once = || {
        let folder = tempfile::tempdir_in(folder)?;
        runtime.block_on(measure(folder.path().join("runs.db"), slice))
    };
    let theirs = rivals::sides(bench, name, slice, folder);
    if theirs.is_empty() {
        let figures = (0..rounds).map(|_| once()).collect::<Result<Vec<_>>>()?;
        return bench.reported_rate(name, median(&figures), "runs/s");
    }
    let case = Case { name, unit: "runs/s", better: Better::Higher, rounds };
    bench.compare(&case, Side { name: "ours", goal: None, measure: Box::new(once) }, theirs)
}

/// The callers call for half a slice before they are measured for a whole one.
async fn warm_and_measured<Fut>(
    host: &Detached,
    slice: Duration,
    call: impl Fn(Detached) -> Fut + Clone + Send + 'static,
) -> Result<f64>
where
    Fut: Future<Output = bgt_detached::Result<()>> + Send + 'static,
{
    run_while(host, slice / 2, call.clone()).await?;
    run_while(host, slice, call).await
}

/// How many calls a second came back. What the engine counts of itself is not asked: the records are.
async fn run_while<Fut>(
    host: &Detached,
    slice: Duration,
    call: impl Fn(Detached) -> Fut + Clone + Send + 'static,
) -> Result<f64>
where
    Fut: Future<Output = bgt_detached::Result<()>> + Send + 'static,
{
    let before: u64 = host.count(RunFilter::new()).await?.values().sum();
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (host, call) = (host.clone(), call.clone());
        callers.spawn(async move {
            let mut calls = 0_u64;
            while start.elapsed() < slice {
                call(host.clone()).await?;
                calls += 1;
            }
            Ok::<_, bgt_detached::DetachedError>(calls)
        });
    }
    let mut calls = 0;
    while let Some(caller) = callers.join_next().await {
        calls += caller??;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let found = host.count(RunFilter::new()).await?.values().sum::<u64>() - before;
    if found != calls {
        return Err(format!("{calls} runs were acknowledged, but {found} are in the records").into());
    }
    Ok(calls as f64 / elapsed)
}
