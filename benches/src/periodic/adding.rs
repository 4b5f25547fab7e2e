//! How fast schedules are added.

use std::time::Instant;

use super::{MANY, Making, Rival, ours, runtime};
use crate::{Bench, Better, Case, Result, Side};

const NAME: &str = "add_10k";

pub(super) fn measure(bench: &Bench, rivals: &[Rival]) -> Result {
    let rivals: Vec<_> = rivals.iter().filter_map(|rival| Some((rival.name, rival.add?))).collect();
    if !bench.wants(NAME) || rivals.is_empty() {
        return Ok(());
    }
    let side = |name, add: fn(usize) -> Making, goal| Side {
        name,
        goal,
        measure: Box::new(move || {
            let runtime = runtime()?;
            runtime.block_on(async {
                let began = Instant::now();
                let held = runtime.spawn(add(MANY)).await??;
                let rate = MANY as f64 / began.elapsed().as_secs_f64();
                drop(held);
                Ok(rate)
            })
        }),
    };
    let rounds = if bench.is_quick() { 6 } else { 20 };
    let case = Case { name: NAME, unit: "schedules/s", better: Better::Higher, rounds };
    let rivals = rivals.into_iter().map(|(name, add)| side(name, add, Some(2.0))).collect();
    bench.compare(&case, side("ours", ours::add, None), rivals)
}
