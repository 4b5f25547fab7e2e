//! The same shapes on tokio by people who want what the orchestrator gives: every run has an id, is listed while it is active and
//! for a while after, can be stopped together with all others, and a panic is its own failure; failures of a batch are kept; lines
//! can be read again from the start; what is kept warm is given back, unless its user panicked.
//!
//! Left out, as nobody is asked for it here: deadlines, retries, events for listeners, spans, and the whole of a shutdown.

use std::collections::{HashMap, VecDeque};
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{AT_ONCE, PIECES, payload};
use crate::Result;

/// So many runs that are over are listed, as with ours.
const RECENT: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Clone)]
#[expect(dead_code, reason = "it is kept for people to read")]
struct Record {
    id: u64,
    name: Arc<str>,
    started_at: SystemTime,
    took: Duration,
    status: Status,
}

/// All runs, and the switch that stops them.
#[derive(Default)]
struct Runs {
    next: AtomicU64,
    active: Mutex<HashMap<u64, Record>>,
    recent: Mutex<VecDeque<Record>>,
    stop: CancellationToken,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listed until it is over, and when its future is dropped.
struct Listed<'a> {
    runs: &'a Runs,
    id: u64,
    started: Instant,
    status: Status,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        let Some(mut record) = lock(&self.runs.active).remove(&self.id) else { return };
        (record.status, record.took) = (self.status, self.started.elapsed());
        let mut recent = lock(&self.runs.recent);
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(record);
    }
}

impl Runs {
    async fn run<T, E: Display>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, String> {
        let (id, name) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::from(name));
        let (started_at, status) = (SystemTime::now(), Status::Running);
        lock(&self.active).insert(id, Record { id, name, started_at, took: Duration::ZERO, status });
        let mut listed = Listed { runs: self, id, started: Instant::now(), status: Status::Cancelled };
        let stop = self.stop.clone();
        let answer = tokio::select! {
            biased;
            answer = AssertUnwindSafe(work).catch_unwind() => answer,
            () = stop.cancelled() => return Err(format!("run {id} was stopped")),
        };
        let (status, answer) = match answer {
            Ok(Ok(value)) => (Status::Succeeded, Ok(value)),
            Ok(Err(error)) => (Status::Failed, Err(format!("run {id} failed: {error}"))),
            Err(_) => (Status::Failed, Err(format!("run {id} panicked"))),
        };
        listed.status = status;
        answer
    }

    /// Each spawned when there is a place for it; answers how many were done, and which failed.
    async fn many(self: &Arc<Self>) -> Result<u64> {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        let (mut done, mut failures) = (0, Vec::new());
        let mut count = |ended: Result<(u64, Result<u64, String>), tokio::task::JoinError>| {
            match ended?.1 {
                Ok(piece) => done += piece,
                Err(error) => failures.push(error),
            }
            Ok::<_, crate::Error>(())
        };
        for index in 0..PIECES {
            let place = places.clone().acquire_owned().await?;
            let runs = self.clone();
            tasks.spawn(async move {
                let ended = runs.run("piece", async { Ok::<_, String>(payload().await) }).await;
                drop(place);
                (index, ended)
            });
            while let Some(ended) = tasks.try_join_next() {
                count(ended)?;
            }
        }
        while let Some(ended) = tasks.join_next().await {
            count(ended)?;
        }
        if failures.is_empty() { Ok(done) } else { Err(failures.join(", ").into()) }
    }

    /// A hundred lines, kept to be read again, and read while they come.
    async fn watched(self: &Arc<Self>) -> Result<u64> {
        let (log, runs) = (Arc::new(Log::default()), self.clone());
        let writer = log.clone();
        let run = tokio::spawn(async move {
            let epochs = async {
                for epoch in 0..100 {
                    writer.write(format!("epoch {epoch}\n"));
                }
                Ok::<_, String>(())
            };
            let ended = runs.run("epochs", epochs).await;
            writer.end();
            ended
        });
        let mut read = 0;
        while log.line(read).await.is_some() {
            read += 1;
        }
        run.await??;
        if read == 100 { Ok(100) } else { Err(format!("{read} of 100 lines were read").into()) }
    }
}

/// Lines with their times, for readers who come late.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<(SystemTime, Arc<str>)>>,
    is_over: AtomicBool,
    more: Notify,
}

impl Log {
    fn write(&self, line: String) {
        lock(&self.lines).push((SystemTime::now(), line.into()));
        self.more.notify_waiters();
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.more.notify_waiters();
    }

    async fn line(&self, at: usize) -> Option<Arc<str>> {
        loop {
            let mut more = std::pin::pin!(self.more.notified());
            more.as_mut().enable();
            {
                // In this order: what was written before the end is read.
                let is_over = self.is_over.load(Ordering::Acquire);
                if let Some((_, line)) = lock(&self.lines).get(at) {
                    return Some(line.clone());
                }
                if is_over {
                    return None;
                }
            }
            more.await;
        }
    }
}

/// Connections that are made when they are first wanted, and kept.
struct Pool {
    places: Semaphore,
    idle: Mutex<Vec<u64>>,
}

impl Pool {
    async fn with<T>(&self, work: impl AsyncFnOnce(&mut u64) -> T) -> Result<T, String> {
        let _place = self.places.acquire().await.map_err(|_| "the pool is closed")?;
        let idle = lock(&self.idle).pop();
        let mut connection = idle.unwrap_or(0);
        let answer = work(&mut connection).await;
        // Not given back by one that panicked or was dropped on the way.
        lock(&self.idle).push(connection);
        Ok(answer)
    }
}

pub(super) struct House {
    runs: Arc<Runs>,
    pool: Arc<Pool>,
}

impl House {
    pub(super) fn new() -> Self {
        let pool = Pool { places: Semaphore::new(AT_ONCE), idle: Mutex::default() };
        Self { runs: Arc::default(), pool: Arc::new(pool) }
    }

    pub(super) fn video(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let runs = self.runs.clone();
        async move {
            let (done, lines) = tokio::join!(runs.many(), runs.watched());
            lines?;
            done
        }
    }

    pub(super) fn pipeline(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let (runs, pool) = (self.runs.clone(), self.pool.clone());
        async move {
            runs.run("check", async { Ok::<_, String>(payload().await) }).await?;
            let mut done = 0;
            for _ in 0..PIECES {
                done += runs.run("query", pool.with(async |_connection| payload().await)).await?;
            }
            Ok(done)
        }
    }

    pub(super) fn training(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let runs = self.runs.clone();
        async move {
            runs.watched().await?;
            runs.many().await
        }
    }

    pub(super) fn api(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let (runs, pool) = (self.runs.clone(), self.pool.clone());
        async move {
            let mut callers = JoinSet::new();
            for _ in 0..AT_ONCE {
                let (runs, pool) = (runs.clone(), pool.clone());
                callers.spawn(async move {
                    let mut done = 0;
                    for _ in 0..PIECES / AT_ONCE as u64 {
                        done += runs.run("query", pool.with(async |_model| payload().await)).await?;
                    }
                    Ok::<_, crate::Error>(done)
                });
            }
            let mut done = 0;
            while let Some(caller) = callers.join_next().await {
                done += caller??;
            }
            Ok(done)
        }
    }
}
