//! What the orchestrator adds to each pattern: the same through its door and without it.
//!
//! Directly means the pattern as it comes, with nobody who watches. The orchestrator lists every run, passes on its events, and
//! can stop it: that is what is measured.

mod added;
mod processes;

use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::{Bench, Result};

/// Measures. The program that calls this is the worker, too.
#[must_use]
pub fn suite() -> ExitCode {
    if bgt_pool::is_worker() {
        let echo = |(text,): (String,)| Ok::<_, String>(text);
        return if bgt_pool::serve(echo).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    Bench::main("overhead", |bench| {
        added::measure(bench)?;
        processes::measure(bench)
    })
}

/// As `#[tokio::main]` makes it, with as many threads everywhere.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
