//! Nanoseconds that a call costs more through the orchestrator, of functions that do nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bgt_concurrent::batch;
use bgt_detached::Job;
use bgt_orchestrator::{Orchestrator, Request};
use bgt_periodic::{ManualClock, Schedule, ScheduleHandle, Scheduler};
use bgt_pool::{Command, WorkerPool};
use bgt_simple::{Context, Task, TaskError, task_fn};
use bgt_store::{MemoryStore, Store};

use super::runtime;
use crate::interval::{self, median};
use crate::pinned::Pinned;
use crate::{Bench, Result};

/// Ours may add so much.
const GOAL: f64 = 500.0;

fn no_op() -> impl Task<Output = ()> + Clone + 'static {
    task_fn("no-op", |_cx: Context| async { Ok::<_, TaskError>(()) })
}

pub(super) fn measure(bench: &Bench) -> Result {
    // Before any runtime has threads: they and the workers inherit it.
    let _pinned = Pinned::to_one();
    let bgt = &Orchestrator::new();
    added(
        bench,
        "added_ns_simple",
        20_000,
        async |n| {
            for _ in 0..n {
                bgt.simple(no_op()).await?;
            }
            Ok(())
        },
        async |n| {
            for _ in 0..n {
                bgt_simple::run(no_op()).await?;
            }
            Ok(())
        },
    )?;
    added(
        bench,
        "added_ns_execute",
        20_000,
        async |n| {
            for _ in 0..n {
                bgt.execute(Request::task(no_op())).await?.output().await?;
            }
            Ok(())
        },
        async |n| {
            for _ in 0..n {
                bgt_simple::run(no_op()).await?;
            }
            Ok(())
        },
    )?;
    added(
        bench,
        "added_ns_streaming",
        5_000,
        async |n| {
            for _ in 0..n {
                bgt.streaming(no_op()).start().await?;
            }
            Ok(())
        },
        async |n| {
            for _ in 0..n {
                bgt_streaming::stream(no_op()).start().await?;
            }
            Ok(())
        },
    )?;
    added(
        bench,
        "added_ns_concurrent",
        50_000,
        async |n| {
            let report = bgt.concurrent(batch((0..n).map(|_| no_op()))).max_concurrent(64).await?;
            whole(report.counts.succeeded, n)
        },
        async |n| {
            let report = batch((0..n).map(|_| no_op())).max_concurrent(64).await?;
            whole(report.counts.succeeded, n)
        },
    )?;
    detached(bench)?;
    periodic(bench)?;
    pooled(bench)
}

fn whole(done: u64, of: u32) -> Result {
    if done == u64::from(of) { Ok(()) } else { Err(format!("{done} of {of} were done").into()) }
}

/// Records in memory: a wait for the disk would be all that is seen.
fn detached(bench: &Bench) -> Result {
    let folder = tempfile::tempdir()?;
    let runtime = runtime()?;
    let builder = || bgt_detached::Builder::new().function("no-op", |_cx: Context, (): ()| async { Ok(()) });
    let store = || Arc::new(MemoryStore::new()) as Arc<dyn Store>;
    let (direct, bgt) = runtime.block_on(async {
        let direct = builder().start(store(), folder.path().join("direct")).await?;
        let ours = Orchestrator::builder().detached(builder());
        Ok::<_, crate::Error>((direct, ours.start(store(), folder.path().join("ours")).await?))
    })?;
    added_on(
        &runtime,
        bench,
        "added_ns_detached",
        500,
        async |n| {
            for _ in 0..n {
                let id = bgt.detached(Job::call("no-op", &())).await?;
                bgt.run(id)?.wait().await?;
            }
            Ok(())
        },
        async |n| {
            for _ in 0..n {
                let id = direct.detach(Job::call("no-op", &())).await?;
                direct.run(id).wait().await?;
            }
            Ok(())
        },
    )
}

fn periodic(bench: &Bench) -> Result {
    let runtime = runtime()?;
    let scheduler = || Scheduler::builder().engine(ManualClock::new());
    let bgt = Orchestrator::builder().scheduler(scheduler()).build();
    let direct = scheduler().build();
    let (ours, theirs) = runtime.block_on(async {
        let ours = bgt.periodic("no-op", Schedule::cron("@daily"), no_op()).await?;
        Ok::<_, crate::Error>((ours, direct.add("no-op", Schedule::cron("@daily"), no_op()).await?))
    })?;
    async fn fire(schedule: &ScheduleHandle, times: u32) -> Result {
        for _ in 0..times {
            schedule.run_now()?;
            schedule.idle().await;
        }
        Ok(())
    }
    added_on(
        &runtime,
        bench,
        "added_ns_periodic",
        5_000,
        async |n| fire(&ours, n).await,
        async |n| fire(&theirs, n).await,
    )
}

fn pooled(bench: &Bench) -> Result {
    let runtime = runtime()?;
    let bgt = Orchestrator::new();
    let worker = std::env::current_exe()?;
    let builder = || WorkerPool::builder(Command::new(&worker)).says_ready(true).size(1).min_idle(1);
    let (ours, direct) = runtime.block_on(async {
        let (ours, direct) = (bgt.worker_pool(builder())?, builder().build()?);
        ours.warm().await?;
        direct.warm().await?;
        Ok::<_, crate::Error>((ours, direct))
    })?;
    async fn ask(pool: &WorkerPool, times: u32) -> Result {
        for _ in 0..times {
            pool.call("echo").await?;
        }
        Ok(())
    }
    added_on(
        &runtime,
        bench,
        "added_ns_pooled",
        2_000,
        async |n| ask(&ours, n).await,
        async |n| ask(&direct, n).await,
    )?;
    runtime.block_on(bgt.shutdown(Duration::from_secs(10)));
    runtime.block_on(direct.drain(Duration::from_secs(10)));
    Ok(())
}

fn added(
    bench: &Bench,
    name: &str,
    calls: u32,
    ours: impl AsyncFn(u32) -> Result,
    direct: impl AsyncFn(u32) -> Result,
) -> Result {
    added_on(&runtime()?, bench, name, calls, ours, direct)
}

/// Both in turns, the order turned round each time; the median of the differences.
fn added_on(
    runtime: &tokio::runtime::Runtime,
    bench: &Bench,
    name: &str,
    calls: u32,
    ours: impl AsyncFn(u32) -> Result,
    direct: impl AsyncFn(u32) -> Result,
) -> Result {
    if !bench.wants(name) {
        return Ok(());
    }
    let rounds = if bench.is_quick() { 21 } else { 61 };
    bench.say(format_args!("{name}: {rounds} rounds of {calls} calls"));
    let each = |took: Duration| took.as_secs_f64() * 1e9 / f64::from(calls);
    let measure = |ours_now: bool| -> Result<f64> {
        let start = Instant::now();
        runtime.block_on(async { if ours_now { ours(calls).await } else { direct(calls).await } })?;
        Ok(each(start.elapsed()))
    };
    measure(true)?;
    measure(false)?;
    let (mut differences, mut costs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let first_is_ours = round % 2 == 0;
        let (one, other) = (measure(first_is_ours)?, measure(!first_is_ours)?);
        let (ours, direct) = if first_is_ours { (one, other) } else { (other, one) };
        differences.push(ours - direct);
        costs.push(direct);
    }
    let ((low, high), direct) = (interval::of_median(&differences), median(&costs));
    bench.say(format_args!("{name}: {low:.0} to {high:.0} ns; a direct call takes {direct:.0} ns"));
    bench.at_most(name, median(&differences), "ns a call more than directly", GOAL)
}
