//! Detached runs: how many a second are accepted for good, brought to their end on disk, and settled after a crash.
//!
//! Everything is on disk before it counts: `fdatasync` is measured before and after each case.

mod callers;
mod pueue;
mod recovery;
mod rivals;

use std::process::ExitCode;

use crate::Bench;
use crate::store::{disk, folder};

/// Measures.
#[must_use]
pub fn suite() -> ExitCode {
    if let Some(played) = recovery::play_the_host() {
        return if played.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    Bench::main("detached", |bench| {
        for (name, measure) in [
            ("enqueue_durable", callers::enqueue as fn(&Bench, &std::path::Path) -> crate::Result),
            ("lifecycle", callers::lifecycle),
            ("recovery", recovery::measure),
        ] {
            if !bench.wants(name) {
                continue;
            }
            let folder = folder::fresh(bench)?;
            disk::report(bench, folder.path(), name, "before")?;
            measure(bench, folder.path())?;
            disk::report(bench, folder.path(), name, "after")?;
        }
        Ok(())
    })
}
