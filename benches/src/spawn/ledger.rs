//! Whether a side runs what it says it has run: the programs themselves keep count, in a file.

use bgt_testkit::{Ledger, Scratch};
use tokio::runtime::Runtime;

use super::rival::{Job, Rival};
use super::throughput::run_times;
use crate::Result;

const RUNS: usize = 50;

/// # Errors
/// Where the file has another count than the side.
pub(super) fn verify(runtime: &Runtime, rival: &Rival, in_flight: usize) -> Result {
    let scratch = Scratch::new();
    let ledger = Ledger::at(scratch.path("ledger"));
    let path = ledger.path().to_str().ok_or("a scratch folder whose name is no text")?;
    let (program, args) = bgt_testkit::bad(["append", path, "run"]);
    let job = Job::new(program, args, in_flight);
    runtime.block_on(run_times(rival.run, &job, in_flight, RUNS))?;
    match ledger.lines().len() {
        RUNS => Ok(()),
        lines => Err(format!("{} claims {RUNS} runs, but {lines} took place", rival.name).into()),
    }
}
