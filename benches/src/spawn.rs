//! Starting programs: how many runs of `true` a second, and what they leave behind.
//!
//! Ours is `bgt_simple::run` as it comes, with the supervision of the whole process tree; the rivals do what their own
//! documentation recommends.

mod big_host;
mod leaks;
mod ledger;
mod rival;
mod throughput;

use std::process::ExitCode;

use tokio::runtime::Runtime;

pub use rival::{Job, Rival, Running};

use crate::no_op::NoOp;
use crate::{Bench, Result};

/// Which case is measured against whom, and the least ratio that is wanted.
const GOALS: &[(&str, &str, f64)] = &[
    ("c1", "tokio", 1.0),
    ("c1", "process-wrap", 1.0),
    ("c1", "duct", 1.0),
    ("c16", "tokio", 1.0),
    ("c16", "process-wrap", 1.0),
    ("c16", "duct", 1.0),
    ("big_host", "pre-exec", 15.0),
    ("big_host", "process-wrap", 1.0),
];

/// Measures, against the rivals given and those that need no further crate.
#[must_use]
pub fn suite(rivals: &[Rival]) -> ExitCode {
    Bench::main("spawn", |bench| {
        if let Err(error) = NoOp::find() {
            bench.say(format_args!("nothing to measure: {error}"));
            return Ok(());
        }
        all(bench, &[rival::OWN_CRATES, rivals].concat())
    })
}

fn all(bench: &Bench, rivals: &[Rival]) -> Result {
    if let Some(rival) =
        rivals.iter().find(|rival| GOALS.iter().all(|(_, against, _)| *against != rival.name))
    {
        return Err(format!("no case is measured against {}", rival.name).into());
    }
    for (name, in_flight) in [("c1", 1), ("c16", 16)] {
        if bench.wants(name) {
            throughput::measure(bench, &runtime()?, name, in_flight, rivals)?;
        }
    }
    if bench.wants("big_host") {
        big_host::measure(bench, rivals)?;
    }
    if bench.wants("leaks") {
        leaks::measure(bench)?;
    }
    Ok(())
}

/// As `#[tokio::main]` makes it, with as many threads everywhere.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
