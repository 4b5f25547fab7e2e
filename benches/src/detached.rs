//! Detached runs: how many a second are accepted for good, brought to their end on disk, and settled after a crash.
//!
//! Everything is on disk before it counts: `fdatasync` is measured before and after each case.

mod callers;
mod pueue;
mod recovery;
mod rivals;

use std::path::Path;
use std::process::ExitCode;

use bgt_detached::Status;
use rusqlite::{Connection, OpenFlags};

use crate::store::{disk, folder};
use crate::{Bench, Result};

/// Measures.
#[must_use]
pub fn suite() -> ExitCode {
    if let Some(played) = recovery::play_the_host() {
        return if played.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    Bench::main("detached", |bench| {
        for (name, measure) in [
            ("enqueue_durable", callers::enqueue as fn(&Bench, &Path) -> Result),
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

/// How many runs have this status and how many there are, by a connection of its own, while the engine has the file open: it
/// does not count itself.
fn recorded(path: &Path, status: Status) -> Result<(u32, u32)> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let count = "SELECT count(*) FILTER (WHERE status = ?1), count(*) FROM runs";
    Ok(connection.query_row(count, [status.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?)
}
