//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bgt_pool::{Manager, ObjectMetrics, RecycleResult};

/// Lets everything that can go on, go on: on a runtime of one thread, many turns.
pub(crate) async fn settled() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Makes things, and keeps its own books of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plant(Arc<Books>);

#[derive(Debug, Default)]
struct Books {
    attempts: AtomicU64,
    made: AtomicU64,
    alive: AtomicUsize,
    most: AtomicUsize,
    broken_up_to: AtomicU64,
    slow: Mutex<Duration>,
    slow_check: Mutex<Duration>,
    fail: AtomicBool,
    panic: AtomicBool,
    refuse: AtomicBool,
    clashes: AtomicU64,
}

/// A thing that notices when two have it at once.
#[derive(Debug)]
pub(crate) struct Thing {
    pub(crate) number: u64,
    books: Arc<Books>,
    busy: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the plant is down")
    }
}

impl std::error::Error for Down {}

impl Plant {
    pub(crate) fn slow(&self, time: Duration) {
        *self.0.slow.lock().unwrap() = time;
    }

    pub(crate) fn slow_check(&self, time: Duration) {
        *self.0.slow_check.lock().unwrap() = time;
    }

    pub(crate) fn fail(&self, fail: bool) {
        self.0.fail.store(fail, SeqCst);
    }

    pub(crate) fn panic(&self, panic: bool) {
        self.0.panic.store(panic, SeqCst);
    }

    pub(crate) fn refuse(&self, refuse: bool) {
        self.0.refuse.store(refuse, SeqCst);
    }

    /// Breaks all that were made so far.
    pub(crate) fn break_all(&self) {
        self.0.broken_up_to.store(self.0.made.load(SeqCst), SeqCst);
    }

    pub(crate) fn attempts(&self) -> u64 {
        self.0.attempts.load(SeqCst)
    }

    pub(crate) fn made(&self) -> u64 {
        self.0.made.load(SeqCst)
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.alive.load(SeqCst)
    }

    /// The most that were ever alive at once.
    pub(crate) fn most(&self) -> usize {
        self.0.most.load(SeqCst)
    }

    /// How often two had the same thing.
    pub(crate) fn clashes(&self) -> u64 {
        self.0.clashes.load(SeqCst)
    }
}

impl Thing {
    pub(crate) fn is_broken(&self) -> bool {
        self.number <= self.books.broken_up_to.load(SeqCst)
    }

    /// From now on it is somebody's.
    pub(crate) fn begin(&self) {
        if self.busy.swap(true, SeqCst) {
            self.books.clashes.fetch_add(1, SeqCst);
        }
    }

    pub(crate) fn end(&self) {
        self.busy.store(false, SeqCst);
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.books.alive.fetch_sub(1, SeqCst);
    }
}

impl Manager for Plant {
    type Type = Thing;
    type Error = Down;

    async fn create(&self) -> Result<Thing, Down> {
        self.0.attempts.fetch_add(1, SeqCst);
        let slow = *self.0.slow.lock().unwrap();
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        assert!(!self.0.panic.load(SeqCst), "the plant is on fire");
        if self.0.fail.load(SeqCst) {
            return Err(Down);
        }
        let number = self.0.made.fetch_add(1, SeqCst) + 1;
        let alive = self.0.alive.fetch_add(1, SeqCst) + 1;
        self.0.most.fetch_max(alive, SeqCst);
        Ok(Thing { number, books: self.0.clone(), busy: AtomicBool::new(false) })
    }

    async fn recycle(&self, thing: &mut Thing, _: &ObjectMetrics) -> RecycleResult<Down> {
        if thing.busy.load(SeqCst) {
            self.0.clashes.fetch_add(1, SeqCst);
        }
        let slow = *self.0.slow_check.lock().unwrap();
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        if self.0.refuse.load(SeqCst) { Err(Down.into()) } else { Ok(()) }
    }
}

#[cfg(feature = "process")]
#[allow(unused_imports, reason = "each test file uses its own part")]
pub(crate) use workers::*;

#[cfg(feature = "process")]
mod workers {
    use std::time::Duration;

    use bgt_pool::{Answer, Command, Error, WorkerBuilder, WorkerPool};

    /// Far beyond every deadline of these tests: reaching it is a hang, not slowness.
    pub(crate) const HANG: Duration = Duration::from_secs(60);

    pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
        tokio::time::timeout(HANG, future).await.expect("it hangs")
    }

    /// The misbehaving child as a worker, after these verbs.
    pub(crate) fn bad_worker(first: &[&str]) -> WorkerBuilder {
        let mut verbs = first.to_vec();
        if !first.is_empty() {
            verbs.push("then");
        }
        verbs.push("worker");
        let (program, args) = bgt_testkit::bad(verbs);
        WorkerPool::builder(Command::new(program).args(args)).name("bad")
    }

    /// Asks for an echo and checks it.
    pub(crate) async fn echo(pool: &WorkerPool, text: &str) {
        let answer = soon(ask(pool, &["echo", text])).await.expect("an echo");
        assert_eq!(answer.text(), text);
    }

    /// One start in thousands is an "Internal error" (1359) of Wine's own: then it is asked again.
    pub(crate) async fn ask(pool: &WorkerPool, request: &[&str]) -> Result<Answer, Error> {
        let ask = || async { pool.call(request.to_vec()).deadline(HANG).await };
        let is_wines = |error: &Error| {
            let error = error.find::<std::io::Error>();
            bgt_testkit::under_wine() && error.is_some_and(|error| error.raw_os_error() == Some(1359))
        };
        match ask().await {
            Err(error) if is_wines(&error) => ask().await,
            answer => answer,
        }
    }
}
