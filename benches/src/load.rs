//! What runs in flight hold, and that nothing of it is left.

use std::process::ExitCode;
use std::sync::Arc;

use bgt_concurrent::batch;
use bgt_orchestrator::Orchestrator;
use bgt_simple::{Command, Context, TaskError, task_fn};
use bgt_testkit::Resources;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::held::{self, Held};
use crate::no_op::NoOp;
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
            let held = (held(), resident(), bgt.runs().active().len());
            gate.close();
            let mut succeeded = 0;
            while let Some(ended) = runs.join_next().await {
                succeeded += u32::from(ended.unwrap_or(false));
            }
            (held, succeeded)
        }
    };
    runtime.block_on(hold(10));
    let (start, memory) = (held(), resident());
    let ((then, resident_then, active), succeeded) = runtime.block_on(hold(many));
    if (active, succeeded) != (many as usize, many) {
        return Err(format!("{name}: {active} of {many} were in flight, {succeeded} succeeded").into());
    }
    bench.say(format_args!("{name}: {start:?} at the start, {then:?} with {many} in flight"));
    match memory.zip(resident_then) {
        Some((before, then)) => {
            let each = (then - before).max(0.0) / f64::from(many);
            bench.reported(&format!("{name}.kib"), each, "KiB a run")?;
        }
        None => bench.say(format_args!("{name}.kib: the system does not tell how much memory is held")),
    }
    held::back(bench, name, many, &start, held)
}

/// Real programs, many after each other: what they leave behind.
fn after(bench: &Bench) -> Result {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let bgt = Orchestrator::new();
    let NoOp { program, args } = match NoOp::find() {
        Ok(no_op) => no_op,
        Err(error) => {
            bench.say(format_args!("after_10000: left out: {error}"));
            return Ok(());
        }
    };
    let run = |many: u32| {
        let (program, args) = (program.clone(), args.clone());
        let programs = (0..many).map(move |_| Command::new(&program).args(&args));
        let batch = bgt.concurrent(batch(programs)).max_concurrent(16);
        runtime.block_on(async { Ok::<_, crate::Error>(batch.await?.require_success()?.counts.succeeded) })
    };
    let runs = if bench.is_quick() { 2_000 } else { 10_000 };
    run(100)?;
    let start = held();
    run(runs)?;
    held::back(bench, "after_10000", runs, &start, held)
}

fn held() -> Held {
    let resources = Resources::now();
    let (threads, zombies) = (resources.threads, resources.zombies);
    Held(vec![Held::descriptors(&resources), ("threads", threads), ("zombies", zombies)])
}

/// In KiB; nothing where the system does not tell.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix("kB")?.trim().parse().ok()
}
