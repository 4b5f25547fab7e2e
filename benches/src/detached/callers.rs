//! Many callers at once: jobs accepted, and jobs done.

use std::path::Path;
use std::time::{Duration, Instant};

use bgt_detached::{Builder, Context, Detached, Job, RunFilter, Status};
use tokio::task::JoinSet;

use crate::interval::median;
use crate::{Bench, Result};

const CALLERS: usize = 256;

/// Each detaches a job, waits until it is accepted, and goes on with the next.
pub(super) fn enqueue(bench: &Bench, folder: &Path) -> Result {
    let path = &folder.join("runs.db");
    rounds(bench, "enqueue_durable", |slice| async move {
        let host = Builder::new().without_workers().open(path).await?;
        run_while(&host, slice, |host| async move { host.detach(job()).await.map(drop) }).await
    })
}

/// Each detaches a job, waits until it is over, and goes on with the next.
pub(super) fn lifecycle(bench: &Bench, folder: &Path) -> Result {
    let path = &folder.join("runs.db");
    rounds(bench, "lifecycle", |slice| async move {
        let no_op = |_cx: Context, n: u32| async move { Ok(n) };
        let host = Builder::new().queue("default", 256).function("no-op", no_op).open(path).await?;
        let figure = run_while(&host, slice, |host| async move {
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

fn rounds<Fut: Future<Output = Result<f64>>>(
    bench: &Bench,
    name: &str,
    measure: impl Fn(Duration) -> Fut + Clone,
) -> Result {
    let (rounds, slice) = if bench.is_quick() { (7, 500) } else { (15, 1000) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut figures = Vec::new();
    for _ in 0..rounds {
        figures.push(runtime.block_on(measure.clone()(Duration::from_millis(slice)))?);
    }
    bench.reported_rate(name, median(&figures), "runs/s")
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
