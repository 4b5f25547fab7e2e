//! Many callers at once: jobs accepted, and jobs done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bgt_detached::{Builder, Context, Detached, Job, Status};
use tokio::task::JoinSet;

use super::{recorded, rivals};
use crate::{Bench, Better, Case, Result, Side};

pub(super) const CALLERS: usize = 256;

/// Each detaches a job, waits until it is accepted, and goes on with the next.
pub(super) fn enqueue(bench: &Bench, folder: &Path) -> Result {
    rounds(bench, "enqueue_durable", folder, |path, slice| async move {
        let host = Builder::new().without_workers().open(&path).await?;
        let call = |host: Detached| async move { host.detach(job()).await.map(drop) };
        let (figure, calls) = warm_and_measured(&host, slice, call).await?;
        verify(&path, Status::Queued, calls)?;
        Ok(figure)
    })
}

/// Each detaches a job, waits until it is over, and goes on with the next.
pub(super) fn lifecycle(bench: &Bench, folder: &Path) -> Result {
    rounds(bench, "lifecycle", folder, |path, slice| async move {
        let ran = Arc::new(AtomicU32::new(0));
        let counted = ran.clone();
        let no_op = move |_cx: Context, n: u32| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move { Ok(n) }
        };
        let host = Builder::new().queue("default", 256).function("no-op", no_op).open(&path).await?;
        let call = |host: Detached| async move {
            let run = host.run(host.detach(job()).await?);
            run.wait().await.map(drop)
        };
        let (figure, calls) = warm_and_measured(&host, slice, call).await?;
        verify(&path, Status::Succeeded, calls)?;
        host.shutdown(Duration::from_secs(10)).await;
        match ran.load(Ordering::Relaxed) {
            ran if ran == calls => Ok(figure),
            ran => Err(format!("{calls} runs were over, but the function ran {ran} times").into()),
        }
    })
}

/// # Errors
/// Where the records hold another number of runs, or some that have another status.
fn verify(path: &Path, status: Status, calls: u32) -> Result {
    match recorded(path, status)? {
        found if found == (calls, calls) => Ok(()),
        (found, all) => {
            Err(format!("{calls} runs were {status}, but of {all} in the records {found} are").into())
        }
    }
}

fn job() -> Job {
    Job::call("no-op", &7)
}

/// Compares with the rivals that are built. Every slice has a new database.
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
    let case = Case { name, unit: "runs/s", better: Better::Higher, rounds };
    bench.compare(&case, Side { name: "ours", goal: None, measure: Box::new(once) }, theirs)
}

/// The callers call for half a slice before they are measured for a whole one. Answers how many calls a second came back,
/// and how many did in all.
async fn warm_and_measured<Fut>(
    host: &Detached,
    slice: Duration,
    call: impl Fn(Detached) -> Fut + Clone + Send + 'static,
) -> Result<(f64, u32)>
where
    Fut: Future<Output = bgt_detached::Result<()>> + Send + 'static,
{
    let (warm, _) = run_while(host, slice / 2, call.clone()).await?;
    let (calls, elapsed) = run_while(host, slice, call).await?;
    Ok((f64::from(calls) / elapsed, warm + calls))
}

/// How many calls came back, and in how many seconds.
async fn run_while<Fut>(
    host: &Detached,
    slice: Duration,
    call: impl Fn(Detached) -> Fut + Clone + Send + 'static,
) -> Result<(u32, f64)>
where
    Fut: Future<Output = bgt_detached::Result<()>> + Send + 'static,
{
    let start = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (host, call) = (host.clone(), call.clone());
        callers.spawn(async move {
            let mut calls = 0;
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
    Ok((calls, start.elapsed().as_secs_f64()))
}
