//! What runs in flight hold, and that nothing of it is left.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bgt_concurrent::batch;
use bgt_orchestrator::Orchestrator;
use bgt_simple::{Command, Context, TaskError, task_fn};
use bgt_testkit::{Resources, wait_until};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{Bench, Result};

/// Measures.
#[must_use]
pub fn suite() -> ExitCode {
    Bench::main("load", |bench| {
        for (name, many) in [("resources_10", 10), ("resources_100", 100), ("resources_1000", 1_000)] {
            if bench.wants(name) {
                in_flight(bench, name, many)?;
            }
        }
        if bench.wants("after_10000") { after(bench) } else { Ok(()) }
    })
}

/// So many runs in flight that are watched: descriptors, threads and memory for each, and back to the start.
fn in_flight(bench: &Bench, name: &str, many: u32) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let bgt = Orchestrator::new();
    let hold = |many: u32| {
        let bgt = bgt.clone();
        async move {
            let (gate, began) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
            let mut runs = JoinSet::new();
            for n in 0..many {
                let (gate, began) = (gate.clone(), began.clone());
                let work = task_fn("held", move |_cx: Context| {
                    let (gate, began) = (gate.clone(), began.clone());
                    async move {
                        began.add_permits(1);
                        let _ = gate.acquire().await;
                        Ok::<_, TaskError>(())
                    }
                });
                let bgt = bgt.clone();
                runs.spawn(async move {
                    // By turns waited for and watched.
                    let ended =
                        if n % 2 == 0 { bgt.simple(work).await } else { bgt.streaming(work).start().await };
                    ended.is_ok()
                });
            }
            let _ = began.acquire_many(many).await;
            let held = (Resources::now(), resident(), bgt.runs().active().len());
            gate.close();
            let mut succeeded = 0;
            while let Some(ended) = runs.join_next().await {
                succeeded += u32::from(ended.unwrap_or(false));
            }
            (held, succeeded)
        }
    };
    runtime.block_on(hold(10));
    let (start, memory) = (Resources::now(), resident());
    let ((held, resident_then, active), succeeded) = runtime.block_on(hold(many));
    if (active, succeeded) != (many as usize, many) {
        return Err(format!("{name}: {active} of {many} were in flight, {succeeded} succeeded").into());
    }
    bench.say(format_args!("{name}: {start:?} at the start, {held:?} with {many} in flight"));
    if let (Some(before), Some(then)) = (memory, resident_then) {
        bench.reported(&format!("{name}.kib"), (then - before).max(0.0) / f64::from(many), "KiB a run")?;
    }
    back(bench, name, &start, many)
}

/// Real programs, many after each other: what they leave behind.
fn after(bench: &Bench) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let bgt = Orchestrator::new();
    let run = |many: u32| {
        let programs = (0..many).map(|_| Command::new("/bin/true"));
        let batch = bgt.concurrent(batch(programs)).max_concurrent(16);
        runtime.block_on(async { Ok::<_, crate::Error>(batch.await?.require_success()?.counts.succeeded) })
    };
    let runs = if bench.is_quick() { 2_000 } else { 10_000 };
    run(100)?;
    let start = Resources::now();
    run(runs)?;
    back(bench, "after_10000", &start, runs)
}

fn back(bench: &Bench, name: &str, start: &Resources, runs: u32) -> Result {
    let gained = || {
        let now = Resources::now();
        let more = |now: Option<usize>, then: Option<usize>| {
            now.zip(then).map_or(0, |(now, then)| now.saturating_sub(then))
        };
        now.open_fds.saturating_sub(start.open_fds)
            + more(now.threads, start.threads)
            + more(now.zombies, start.zombies)
    };
    // They may be a moment behind their last run.
    wait_until(Duration::from_secs(10), || gained() == 0);
    let unit = format!("descriptors + threads + zombies gained by {runs} runs");
    bench.at_most(name, gained() as f64, &unit, 0.0)
}

/// In KiB; nothing where the system does not tell.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix("kB")?.trim().parse().ok()
}
