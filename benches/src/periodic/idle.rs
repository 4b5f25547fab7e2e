//! What it costs to wait.

use std::time::{Duration, Instant};

use super::{MANY, Pattern, ours, runtime};
use crate::{Bench, Result};

const NAME: &str = "idle";
const MOST: f64 = 0.01;
pub(super) const UNTOLD: &str = "the system does not tell how much processor time was spent";

pub(super) fn measure(bench: &Bench) -> Result {
    if !bench.wants(NAME) {
        return Ok(());
    }
    let runtime = runtime()?;
    let held = runtime.block_on(async { runtime.spawn(ours::add(MANY, Pattern::NewYear)).await })??;
    // The threads that added them go to sleep first.
    std::thread::sleep(Duration::from_millis(200));
    let spent = cpu_per_minute(Duration::from_secs(if bench.is_quick() { 4 } else { 65 }));
    drop(held);
    let Some(spent) = spent else {
        bench.say(format_args!("{NAME}: {UNTOLD}"));
        return Ok(());
    };
    bench.at_most(NAME, spent, "CPU s/min with 10 000 schedules that wait", MOST)
}

/// Processor time of this process, a minute, while this thread sleeps for so long; `None`, at once, where the system does
/// not tell.
pub(super) fn cpu_per_minute(length: Duration) -> Option<f64> {
    let (before, began) = (cpu()?, Instant::now());
    std::thread::sleep(length);
    // A thread that has ended takes its time along.
    let spent = cpu()?.checked_sub(before)?;
    Some(spent.as_secs_f64() * 60.0 / began.elapsed().as_secs_f64())
}

/// User and system time of this process.
fn cpu() -> Option<Duration> {
    // Of /proc/self/schedstat only the main thread is told: each thread has its own.
    let tasks = std::fs::read_dir("/proc/self/task").ok()?.flatten();
    let nanos = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    });
    // A process has a thread that has worked; where none is told, 0 would be no figure.
    let nanos: u64 = nanos.sum();
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}
