//! What many runs leave behind.

use bgt_testkit::Resources;

use super::rival::{Job, OURS};
use super::runtime;
use super::throughput::run_times;
use crate::held::{self, Held};
use crate::{Bench, Result};

const IN_FLIGHT: usize = 16;

pub(super) fn measure(bench: &Bench) -> Result {
    let runs = if bench.is_quick() { 2_000 } else { 10_000 };
    bench.say(format_args!("leaks: {runs} runs{}", if bench.is_quick() { " instead of 10000" } else { "" }));
    let runtime = runtime()?;
    let job = Job::no_op(IN_FLIGHT)?;
    let held = || {
        let resources = Resources::now();
        let tasks = runtime.metrics().num_alive_tasks();
        Held(vec![Held::descriptors(&resources), ("zombies", resources.zombies), ("tasks", Some(tasks))])
    };
    // What is opened once and kept on purpose is there afterwards.
    runtime.block_on(run_times(OURS.run, &job, IN_FLIGHT, 100))?;
    let before = held();
    runtime.block_on(run_times(OURS.run, &job, IN_FLIGHT, runs as usize))?;
    held::back(bench, "leaks", runs, &before, held)
}
