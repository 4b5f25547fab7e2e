//! How fast schedules are added.

use std::time::Instant;

use super::{Adding, MANY, PEERS, Pattern, Rival, ours, runtime};
use crate::{Bench, Better, Case, Result, Side};

pub(super) fn measure(bench: &Bench, rivals: &[Rival]) -> Result {
    // Ours keeps an equal pattern once for all who have it; of differing ones each is its own.
    for (name, pattern, goal) in
        [("add_10k", Pattern::NewYear, Some(2.0)), ("add_10k_differing", Pattern::Differing, None)]
    {
        if bench.wants(name) {
            case(bench, name, pattern, goal, rivals)?;
        }
    }
    Ok(())
}

fn case(bench: &Bench, name: &'static str, pattern: Pattern, goal: Option<f64>, rivals: &[Rival]) -> Result {
    let rivals: Vec<_> = rivals.iter().filter_map(|rival| Some((rival.name, rival.add?))).collect();
    bench.say_who_is_missing(name, PEERS, &rivals.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let side = |name, add: Adding, goal| Side {
        name,
        goal,
        measure: Box::new(move || {
            let runtime = runtime()?;
            runtime.block_on(async {
                let began = Instant::now();
                let held = runtime.spawn(add(MANY, pattern)).await??;
                let rate = MANY as f64 / began.elapsed().as_secs_f64();
                drop(held);
                Ok(rate)
            })
        }),
    };
    let rounds = if bench.is_quick() { 6 } else { 20 };
    let case = Case { name, unit: "schedules/s", better: Better::Higher, rounds };
    let rivals = rivals.into_iter().map(|(name, add)| side(name, add, goal)).collect();
    bench.compare(&case, side("ours", ours::add, None), rivals)
}
