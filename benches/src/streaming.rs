//! Watching output: how fast it gets from a program to a reader, and to a hundred, and what it takes to hold it.
//!
//! Ours is `bgt_streaming::stream` as it comes: every line has a number, the latest are held for who comes late, and a
//! subscriber reads each. The rivals are loops that people write themselves.

mod fanout;
mod memory;
mod printer;
mod sides;
mod throughput;

use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::{Bench, Result};

/// Measures.
#[must_use]
pub fn suite() -> ExitCode {
    Bench::main("streaming", |bench| {
        throughput::measure(bench)?;
        if bench.wants(memory::NAME) {
            memory::measure(bench)?;
        }
        fanout::measure(bench)
    })
}

/// As `#[tokio::main]` makes it, with as many threads everywhere.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
