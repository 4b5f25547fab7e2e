//! Programs a second through the orchestrator and directly.

use std::time::{Duration, Instant};

use bgt_orchestrator::Orchestrator;
use bgt_pool::WorkerPool;
use bgt_simple::Command;
use tokio::runtime::Runtime;

use super::runtime;
use crate::no_op::NoOp;
use crate::pinned::Pinned;
use crate::store::folder;
use crate::{Bench, Better, Case, Result, Side};

/// Of what a direct use does, so much is to be left.
const GOAL: f64 = 0.99;

pub(super) fn measure(bench: &Bench) -> Result {
    let runtime = &runtime()?;
    pooled(bench)?;
    let no_op = match NoOp::find() {
        Ok(no_op) => no_op,
        Err(error) => {
            bench.say(format_args!("process_simple, _streaming, _detached: left out: {error}"));
            return Ok(());
        }
    };
    let program = || Command::new(&no_op.program).args(&no_op.args);
    let bgt = &Orchestrator::new();
    compare(
        bench,
        runtime,
        "process_simple",
        60,
        async || bgt.simple(program()).await.map(drop).map_err(Into::into),
        async || bgt_simple::run(program()).await.map(drop).map_err(Into::into),
    )?;
    compare(
        bench,
        runtime,
        "process_streaming",
        60,
        async || bgt.streaming(program()).start().await.map(drop).map_err(Into::into),
        async || bgt_streaming::start(program()).await.map(drop).map_err(Into::into),
    )?;
    detached(bench, runtime, program)
}

fn pooled(bench: &Bench) -> Result {
    let _pinned = Pinned::to_one();
    let runtime = &runtime()?;
    let bgt = Orchestrator::new();
    let worker = std::env::current_exe()?;
    let builder = || WorkerPool::builder(Command::new(&worker)).says_ready(true).size(1).min_idle(1);
    let (ours, direct) = runtime.block_on(async {
        let (ours, direct) = (bgt.worker_pool(builder())?, builder().build()?);
        ours.warm().await?;
        direct.warm().await?;
        Ok::<_, crate::Error>((ours, direct))
    })?;
    compare(
        bench,
        runtime,
        "process_pooled",
        2_000,
        async || ours.call("echo").await.map(drop).map_err(Into::into),
        async || direct.call("echo").await.map(drop).map_err(Into::into),
    )?;
    runtime.block_on(bgt.shutdown(Duration::from_secs(10)));
    runtime.block_on(direct.drain(Duration::from_secs(10)));
    Ok(())
}

/// Supervised by this process, on disk.
fn detached(bench: &Bench, runtime: &Runtime, program: impl Fn() -> Command) -> Result {
    let folder = folder::fresh(bench)?;
    let builder = || bgt_detached::Builder::new().without_shim();
    let (direct, bgt) = runtime.block_on(async {
        let direct = builder().open(folder.path().join("direct.db")).await?;
        let ours = Orchestrator::builder().detached(builder()).open(folder.path().join("ours.db")).await?;
        Ok::<_, crate::Error>((direct, ours))
    })?;
    compare(
        bench,
        runtime,
        "process_detached",
        20,
        async || {
            let id = bgt.detached(program()).await?;
            bgt.run(id)?.wait().await?;
            Ok(())
        },
        async || {
            let id = direct.detach(program()).await?;
            direct.run(id).wait().await?;
            Ok(())
        },
    )?;
    runtime.block_on(async {
        bgt.shutdown(Duration::from_secs(5)).await;
        direct.shutdown(Duration::from_secs(5)).await;
    });
    Ok(())
}

fn compare(
    bench: &Bench,
    runtime: &Runtime,
    name: &'static str,
    runs: u32,
    ours: impl AsyncFn() -> Result,
    direct: impl AsyncFn() -> Result,
) -> Result {
    if !bench.wants(name) {
        return Ok(());
    }
    let rounds = if bench.is_quick() { 20 } else { 60 };
    let case = Case { name, unit: "runs/s", better: Better::Higher, rounds };
    let rate = |call: &dyn Fn() -> Result| -> Result<f64> {
        let start = Instant::now();
        for _ in 0..runs {
            call()?;
        }
        Ok(f64::from(runs) / start.elapsed().as_secs_f64())
    };
    let ours = Side { name: "ours", goal: None, measure: Box::new(|| rate(&|| runtime.block_on(ours()))) };
    let direct =
        Side { name: "direct", goal: Some(GOAL), measure: Box::new(|| rate(&|| runtime.block_on(direct()))) };
    bench.compare(&case, ours, vec![direct])
}
