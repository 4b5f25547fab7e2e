//! What a host that was killed −9 left behind, settled by the next.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bgt_detached::{Builder, Context, Detached, Job, RunFilter, RunId, Status};

use crate::{Bench, Result};

/// With it this program is the host that is killed.
const HOST: &str = "BGT_BENCH_DETACHED_HOST";
const RUNS: u32 = 10_000;
const AT_WORK: u32 = 200;

/// 10 000 open runs, of which 200 are at work when their host is killed. The seconds include its lease of one.
pub(super) fn measure(bench: &Bench, folder: &Path) -> Result {
    let path = folder.join("runs.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(async {
        let ids = left_behind(&path).await?;
        let done: Arc<Mutex<HashMap<u32, u32>>> = Arc::default();
        let ledger = done.clone();
        let start = Instant::now();
        let host = opened(&path, 256, move |n| {
            *ledger.lock().unwrap_or_else(PoisonError::into_inner).entry(n).or_default() += 1;
            std::future::ready(())
        });
        let host = host.await?;
        for id in ids {
            host.run(id).wait().await?;
        }
        bench.reported("recovery", start.elapsed().as_secs_f64(), "s")?;
        let counts = host.count(RunFilter::new()).await?;
        if counts.get(&Status::Succeeded) != Some(&u64::from(RUNS)) {
            return Err(format!("not all succeeded: {counts:?}").into());
        }
        host.shutdown(Duration::from_secs(10)).await;
        let done = done.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok::<_, crate::Error>(done)
    })?;
    let lost = (0..RUNS).filter(|n| !done.contains_key(n)).count();
    let twice = done.values().filter(|times| **times > 1).count();
    bench.at_most("recovery.lost", lost as f64, "runs", 0.0)?;
    bench.at_most("recovery.duplicated", twice as f64, "runs", 0.0)
}

async fn opened<F: Future<Output = ()> + Send + 'static>(
    path: &Path,
    concurrency: u32,
    work: impl Fn(u32) -> F + Send + Sync + Clone + 'static,
) -> Result<Detached> {
    let call = move |_cx: Context, n: u32| {
        let work = work.clone();
        async move {
            work(n).await;
            Ok(())
        }
    };
    let builder = Builder::new().lease(Duration::from_secs(1)).queue("default", concurrency);
    Ok(builder.function("no-op", call).open(path).await?)
}

/// Accepts them in this process, and has another take some on and be killed.
async fn left_behind(path: &Path) -> Result<Vec<RunId>> {
    let asks = Builder::new().without_workers().open(path).await?;
    let mut ids = Vec::new();
    for first in (0..RUNS).step_by(1000) {
        ids.extend(asks.detach_all((first..first + 1000).map(|n| Job::call("no-op", &n))).await?);
    }
    let mut host = Command::new(std::env::current_exe()?);
    let mut host = host.env(HOST, path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let said = host.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).next();
    host.kill()?;
    host.wait()?;
    match said {
        Some(Ok(said)) if said == "at work" => Ok(ids),
        said => Err(format!("the host that was to be killed said {said:?}").into()),
    }
}

/// Plays the host that is killed, if this process was started for that.
pub(super) fn play_the_host() -> Option<Result> {
    let path = std::env::var_os(HOST)?;
    Some((|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let (tell, mut begun) = tokio::sync::mpsc::unbounded_channel();
            let hangs = move |_n| {
                let _ = tell.send(());
                std::future::pending()
            };
            let _host = opened(Path::new(&path), AT_WORK, hangs).await?;
            for _ in 0..AT_WORK {
                begun.recv().await;
            }
            writeln!(std::io::stdout(), "at work")?;
            std::future::pending::<Result>().await
        })
    })())
}
