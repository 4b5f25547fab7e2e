//! Many at once: how many programs and functions a second, and what it takes to hold a million.
//!
//! Ours is `bgt_concurrent::batch` as it comes. The rivals are the programs that people run many programs with, and the
//! loops that they write for functions.

mod functions;
mod memory;
mod programs;
mod starters;

use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::{Bench, Result};

/// Measures.
#[must_use]
pub fn suite() -> ExitCode {
    Bench::main("concurrent", |bench| {
        for (name, in_flight) in [("true_2", 2), ("true_16", 16)] {
            if bench.wants(name) {
                programs::measure(bench, name, in_flight)?;
            }
        }
        if bench.wants(functions::NAME) {
            functions::measure(bench)?;
        }
        if bench.wants(memory::NAME) {
            memory::measure(bench)?;
        }
        Ok(())
    })
}

/// As `#[tokio::main]` makes it, with as many threads everywhere.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
