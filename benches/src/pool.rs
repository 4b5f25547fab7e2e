//! What is kept warm: how fast a worker is asked, and a resource taken and given back.
//!
//! Ours is `bgt_pool` as it comes: every call is a run, every answer is checked to be the one that was asked for.

mod acquire;
mod executor;
mod python_script;
mod warm_call;

use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::{Bench, Result};

pub use acquire::Rival;

/// Measures; also against these rivals, which need crates of their own. The program that calls this is the worker, too.
#[must_use]
pub fn suite(rivals: &'static [Rival]) -> ExitCode {
    if bgt_pool::is_worker() {
        let echo = |(text,): (String,)| Ok::<_, String>(text);
        return if bgt_pool::serve(echo).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    Bench::main("pool", |bench| {
        if bench.wants(warm_call::NAME) {
            warm_call::measure(bench)?;
        }
        if bench.wants(python_script::NAME) {
            python_script::measure(bench)?;
        }
        if bench.wants(acquire::NAME) {
            acquire::measure(bench, rivals)?;
        }
        Ok(())
    })
}

/// As `#[tokio::main]` makes it, with as many threads everywhere.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
