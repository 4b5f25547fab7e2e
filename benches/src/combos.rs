//! Patterns together, in the shape of the example workflows, with payloads that do nothing; against the same by hand on tokio.
//!
//! By hand twice: as people write it, which lists, contains and stops nothing; and with what the orchestrator gives. The second
//! tells what the machinery costs, the first what one pays for having it. Work of a microsecond is all machinery: what takes a
//! millisecond is not seen to differ.

mod by_hand;
mod by_hand_equal;
mod ours;

use std::future::Future;
use std::process::ExitCode;
use std::time::Instant;

use tokio::runtime::Runtime;

use crate::{Bench, Better, Case, Result, Side};

/// How many pieces of work one turn has.
const PIECES: u64 = 2_000;
/// So many at once.
const AT_ONCE: usize = 16;

/// Stands for the work: another task has its turn.
async fn payload() -> u64 {
    tokio::task::yield_now().await;
    1
}

/// Measures.
#[must_use]
pub fn suite() -> ExitCode {
    Bench::main("combos", |bench| {
        let runtime = &tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let house = &runtime.block_on(async { ours::House::new() })?;
        let (hand, equal) = (&by_hand::House::new(), &by_hand_equal::House::new());
        compare(bench, runtime, "video", || house.video(), by_hand::video, || equal.video())?;
        compare(bench, runtime, "pipeline", || house.pipeline(), || hand.pipeline(), || equal.pipeline())?;
        compare(bench, runtime, "training", || house.training(), by_hand::training, || equal.training())?;
        compare(bench, runtime, "api", || house.api(), || hand.api(), || equal.api())
    })
}

fn compare<'a, Ours, Theirs, Equal>(
    bench: &Bench,
    runtime: &'a Runtime,
    name: &'static str,
    ours: impl Fn() -> Ours + 'a,
    by_hand: impl Fn() -> Theirs + 'a,
    equal: impl Fn() -> Equal + 'a,
) -> Result
where
    Ours: Future<Output = Result<u64>> + Send + 'static,
    Theirs: Future<Output = Result<u64>> + Send + 'static,
    Equal: Future<Output = Result<u64>> + Send + 'static,
{
    if !bench.wants(name) {
        return Ok(());
    }
    let rounds = if bench.is_quick() { 20 } else { 60 };
    let case = Case { name, unit: "pieces/s", better: Better::Higher, rounds };
    let ours = Side { name: "ours", goal: None, measure: Box::new(move || rate(runtime, ours())) };
    let theirs =
        Side { name: "by-hand", goal: Some(0.95), measure: Box::new(move || rate(runtime, by_hand())) };
    let equal =
        Side { name: "by-hand-equal", goal: Some(0.95), measure: Box::new(move || rate(runtime, equal())) };
    bench.compare(&case, ours, vec![theirs, equal])
}

fn rate(runtime: &Runtime, turn: impl Future<Output = Result<u64>> + Send + 'static) -> Result<f64> {
    let start = Instant::now();
    let pieces = runtime.block_on(runtime.spawn(turn))??;
    if pieces != PIECES {
        return Err(format!("{pieces} of {PIECES} pieces were done").into());
    }
    Ok(pieces as f64 / start.elapsed().as_secs_f64())
}
