//! What a schedule takes to be held, name and all.

use super::{Pattern, ours, runtime};
use crate::{Bench, Result};

const NAME: &str = "bytes_per_schedule";
const MOST: f64 = 1024.0;
const COUNT: usize = 100_000;

/// Measures in a copy of this program, which has held nothing before.
pub(super) fn measure(bench: &Bench) -> Result {
    if !bench.wants(NAME) {
        return Ok(());
    }
    if !bench.is_the_copy() {
        return bench.in_a_copy(NAME);
    }
    let runtime = runtime()?;
    // What is made once is there before.
    let first = runtime.block_on(async { runtime.spawn(ours::add(1, Pattern::NewYear)).await })??;
    let Some(before) = resident() else {
        bench.say(format_args!("{NAME}: the system does not tell how much memory is held"));
        return Ok(());
    };
    let held = runtime.block_on(async { runtime.spawn(ours::add(COUNT, Pattern::NewYear)).await })??;
    let after = resident().ok_or("the memory is not told any more")?;
    drop((first, held));
    bench.at_most(NAME, (after - before) / COUNT as f64, "bytes, equal patterns", MOST)
}

fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}
