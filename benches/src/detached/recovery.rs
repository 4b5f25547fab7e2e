//! What a host that was killed −9 left behind, settled by the next.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bgt_detached::{Builder, Context, Detached, Job, RunId, Status};
use bgt_testkit::{Ledger, wait_until};

use super::recorded;
use crate::{Bench, Result};

/// With it this program is the host that is killed.
const HOST: &str = "BGT_BENCH_DETACHED_HOST";
/// Those that the first host has finished when it is killed: they must not come again.
const FINISHED: u32 = 100;
const AT_WORK: u32 = 200;
const OPEN: u32 = 10_000;
const RUNS: u32 = FINISHED + OPEN;
const PATIENCE: Duration = Duration::from_secs(10);

/// 10 000 open runs, of which 200 are at work when their host is killed. The seconds include its lease of one.
pub(super) fn measure(bench: &Bench, folder: &Path) -> Result {
    let path = folder.join("runs.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let ids = left_behind(&path).await?;
        let ledger = ledger(&path);
        let start = Instant::now();
        let host = opened(&path, 256, move |n| {
            ledger.append(&n.to_string());
            std::future::ready(())
        });
        let host = host.await?;
        for id in ids {
            host.run(id).wait().await?;
        }
        bench.reported("recovery", start.elapsed().as_secs_f64(), "s")?;
        let (succeeded, all) = recorded(&path, Status::Succeeded)?;
        if (succeeded, all) != (RUNS, RUNS) {
            return Err(format!("of {RUNS} runs {all} are in the records, {succeeded} as succeeded").into());
        }
        host.shutdown(PATIENCE).await;
        Ok::<_, crate::Error>(())
    })?;
    let mut done = BTreeMap::<u32, u32>::new();
    for line in ledger(&path).lines() {
        *done.entry(line.parse()?).or_default() += 1;
    }
    let lost = (0..RUNS).filter(|n| !done.contains_key(n)).count();
    let twice = done.values().filter(|times| **times > 1).count();
    bench.at_most("recovery.lost", lost as f64, "runs", 0.0)?;
    bench.at_most("recovery.duplicated", twice as f64, "runs", 0.0)
}

/// To which both hosts append the number of each run that they do.
fn ledger(path: &Path) -> Ledger {
    Ledger::at(path.with_extension("done"))
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

/// Accepts them in this process, and has another finish some, take some on and be killed.
async fn left_behind(path: &Path) -> Result<Vec<RunId>> {
    let asks = Builder::new().without_workers().open(path).await?;
    let mut ids = Vec::new();
    for first in (0..RUNS).step_by(1000) {
        let numbers = first..RUNS.min(first + 1000);
        ids.extend(asks.detach_all(numbers.map(|n| Job::call("no-op", &n))).await?);
    }
    let mut host = Command::new(std::env::current_exe()?);
    let mut host = host.env(HOST, path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let said = host.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines).next();
    // What was done and not yet recorded may come again; so all of them are recorded before it dies.
    wait_until(PATIENCE, || {
        recorded(path, Status::Succeeded).is_ok_and(|(succeeded, _)| succeeded == FINISHED)
    });
    host.kill()?;
    host.wait()?;
    let (finished, _) = recorded(path, Status::Succeeded)?;
    let (done, running) = (ledger(path).lines().len(), recorded(path, Status::Running)?.0);
    match said {
        Some(Ok(said)) if said == "at work" => {}
        said => return Err(format!("the host that was to be killed said {said:?}").into()),
    }
    if (finished, done, running) != (FINISHED, FINISHED as usize, AT_WORK) {
        let left = format!("{done} done, {finished} recorded as done and {running} at work");
        return Err(format!("the killed host left {left}, not {FINISHED} and {AT_WORK}").into());
    }
    Ok(ids)
}

/// Plays the host that is killed, if this process was started for that.
pub(super) fn play_the_host() -> Option<Result> {
    let path = std::env::var_os(HOST)?;
    Some((|| {
        let path = Path::new(&path);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let (tell, mut begun) = tokio::sync::mpsc::unbounded_channel();
            let ledger = ledger(path);
            let finishes_or_hangs = move |n: u32| {
                if n < FINISHED {
                    ledger.append(&n.to_string());
                } else {
                    let _ = tell.send(());
                }
                async move {
                    if n >= FINISHED {
                        std::future::pending::<()>().await;
                    }
                }
            };
            let _host = opened(path, AT_WORK, finishes_or_hangs).await?;
            for _ in 0..AT_WORK {
                begun.recv().await;
            }
            writeln!(std::io::stdout(), "at work")?;
            std::future::pending::<Result>().await
        })
    })())
}
