//! What many runs leave behind.

use std::time::Duration;

use bgt_testkit::{Resources, wait_until};
use tokio::runtime::Runtime;

use super::rival::{Job, OURS};
use super::runtime;
use super::throughput::run_times;
use crate::{Bench, Result};

const IN_FLIGHT: usize = 16;

pub(super) fn measure(bench: &Bench) -> Result {
    let runs = if bench.is_quick() { 2_000 } else { 10_000 };
    bench.say(format_args!("leaks: {runs} runs{}", if bench.is_quick() { " instead of 10000" } else { "" }));
    let runtime = runtime()?;
    // What is opened once and kept on purpose is there afterwards.
    runtime.block_on(run_times(OURS.run, &Job::new(IN_FLIGHT), IN_FLIGHT, 100))?;
    let before = Held::now(&runtime);
    runtime.block_on(run_times(OURS.run, &Job::new(IN_FLIGHT), IN_FLIGHT, runs))?;
    let mut after = Held::now(&runtime);
    // Tasks and descriptors may be a moment behind their last run.
    wait_until(Duration::from_secs(5), || {
        after = Held::now(&runtime);
        after.gained_since(&before) == 0
    });
    bench.say(format_args!("leaks: {before:?} before, {after:?} after"));
    let unit = format!("fds + zombies + tasks gained by {runs} runs");
    bench.at_most("leaks", f64::from(after.gained_since(&before)), &unit, 0.0)
}

#[derive(Debug)]
struct Held {
    fds: u32,
    zombies: u32,
    tasks: u32,
}

impl Held {
    fn now(runtime: &Runtime) -> Self {
        let resources = Resources::now();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            fds: count(resources.open_fds),
            // Counted on Linux only.
            zombies: count(resources.zombies.unwrap_or(0)),
            tasks: count(runtime.metrics().num_alive_tasks()),
        }
    }

    /// One kind that became fewer makes up for no other.
    fn gained_since(&self, before: &Self) -> u32 {
        self.fds.saturating_sub(before.fds)
            + self.zombies.saturating_sub(before.zombies)
            + self.tasks.saturating_sub(before.tasks)
    }
}
