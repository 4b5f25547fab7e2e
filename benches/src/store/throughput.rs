//! Acknowledged runs a second from so many callers, and whether they are there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bgt_store::SqliteStore;
use rusqlite::{Connection, OpenFlags};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::Setup;
use super::plain::Plain;
use super::queue::{PAYLOAD, Queue};
use crate::{Bench, Better, Case, Result, Side};

/// For a disk so slow that the log does not become long.
const PATIENCE: Duration = Duration::from_secs(3);

/// Compares ours with `plain`, each in a file of its own in this folder.
pub(super) fn measure(bench: &Bench, folder: &Path, setup: &Setup) -> Result {
    let (rounds, slice) = if bench.is_quick() { (12, 150) } else { (20, 500) };
    let slice = Duration::from_millis(slice);
    // As `#[tokio::main]` makes it, with as many threads everywhere.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;

    let ours = Opened::<SqliteStore>::new(&runtime, folder, setup)?;
    let plain = Opened::<Plain>::new(&runtime, folder, setup)?;
    let (closing_ours, closing_plain) = (ours.queue.clone(), plain.queue.clone());
    let case = Case { name: setup.name, unit: "runs/s", better: Better::Higher, rounds };
    let outcome = bench.compare(&case, ours.side(slice, None), vec![plain.side(slice, setup.goal)]);
    runtime.block_on(async {
        closing_ours.close().await;
        closing_plain.close().await;
    });
    outcome
}

/// A side with its file, and how many runs were acknowledged to its callers.
struct Opened<'a, Q> {
    runtime: &'a Runtime,
    callers: usize,
    file: PathBuf,
    queue: Q,
    acknowledged: u32,
}

impl<'a, Q: Queue> Opened<'a, Q> {
    /// Opens it, and fills it until it is as it will stay: while a log still grows, a wait for the disk is a wait for its
    /// new size as well, and the side that writes less would be measured in that state for longer.
    fn new(runtime: &'a Runtime, folder: &Path, setup: &Setup) -> Result<Self> {
        let file = folder.join(format!("{}.db", Q::NAME));
        let log = folder.join(format!("{}.db-wal", Q::NAME));
        let queue = runtime.block_on(Q::open(&file, setup.durability))?;
        let mut opened = Self { runtime, callers: setup.callers, file, queue, acknowledged: 0 };
        let start = Instant::now();
        let is_short = move || std::fs::metadata(&log).is_ok_and(|log| log.len() < Q::FULL_LOG);
        opened.run_while(move || is_short() && start.elapsed() < PATIENCE)?;
        Ok(opened)
    }

    fn side(mut self, slice: Duration, goal: Option<f64>) -> Side<'a>
    where
        Q: 'a,
    {
        let measure = move || {
            let start = Instant::now();
            let runs = self.run_while(move || start.elapsed() < slice)?;
            let figure = f64::from(runs) / start.elapsed().as_secs_f64();
            self.verify()?;
            Ok(figure)
        };
        Side { name: Q::NAME, goal, measure: Box::new(measure) }
    }

    /// Lets every caller enqueue one run after the other, and answers how many were acknowledged.
    fn run_while(&mut self, go_on: impl Fn() -> bool + Clone + Send + 'static) -> Result<u32> {
        let runs = self.runtime.block_on(async {
            let mut callers = JoinSet::new();
            for _ in 0..self.callers {
                let (queue, go_on) = (self.queue.clone(), go_on.clone());
                callers.spawn(async move {
                    let mut runs = 0_u32;
                    while go_on() {
                        queue.enqueue().await?;
                        runs += 1;
                    }
                    Ok::<_, crate::Error>(runs)
                });
            }
            let mut runs = 0;
            while let Some(caller) = callers.join_next().await {
                runs += caller??;
            }
            Ok::<_, crate::Error>(runs)
        })?;
        self.acknowledged += runs;
        Ok(runs)
    }

    /// Looks from outside, while the side still has its file open: closing it could make up for what was missing.
    ///
    /// # Errors
    /// Where the file has another count than the callers.
    fn verify(&self) -> Result {
        let connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let found: u32 = connection.query_row(Q::COUNT, [PAYLOAD], |row| row.get(0))?;
        if found == self.acknowledged {
            Ok(())
        } else {
            Err(format!("{} runs were acknowledged, but {found} are in the file", self.acknowledged).into())
        }
    }
}
