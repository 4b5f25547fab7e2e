//! What a journal remembers, and what becomes of a batch whose journal fails.
#![cfg(feature = "journal")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bgt_concurrent::{
    BatchError, Cancel, Halted, Item, JournalEntry, JournalStore, MemoryStore, NoKey, Status, StoreError,
    TaskError, async_trait, batch, task_fn,
};
use support::Gauge;
use tokio::sync::{Notify, Semaphore};

/// Succeeds unless its key says otherwise, and counts.
fn item(key: &'static str, ran: &Arc<AtomicU64>) -> Item<impl bgt_concurrent::Task<Output = ()> + use<>> {
    let ran = ran.clone();
    let task = task_fn("work", move |_cx| {
        ran.fetch_add(1, Ordering::SeqCst);
        async move {
            if key.starts_with("bad") { Err(TaskError::msg("no").with_tail("last words")) } else { Ok(()) }
        }
    });
    Item::new(task).key(key)
}

#[tokio::test]
async fn what_succeeded_is_skipped_and_what_failed_runs_again() {
    let (store, ran) = (MemoryStore::new(), Arc::new(AtomicU64::new(0)));
    let run = |keys: Vec<&'static str>| {
        let (store, ran) = (store.clone(), ran.clone());
        async move { batch(keys.into_iter().map(move |key| item(key, &ran))).journal(store, "j").await.unwrap() }
    };
    let report = run(vec!["a", "b", "bad"]).await;
    assert_eq!((report.counts.succeeded, report.counts.failed, report.counts.already_done), (2, 1, 0));
    assert!(report.failures[0].to_string().starts_with("bad: "), "{}", report.failures[0]);
    let report = run(vec!["a", "b", "bad", "c"]).await;
    assert_eq!((report.counts.succeeded, report.counts.failed, report.counts.already_done), (1, 1, 2));
    assert_eq!(ran.load(Ordering::SeqCst), 5);
    let entry = store.entry("j", "bad").await.unwrap().unwrap();
    assert_eq!(entry.status, Status::Failed);
    assert!(String::from_utf8_lossy(&entry.value).contains("last words"));
    // Another journal knows nothing of it.
    let other = item("a", &ran);
    let report = batch([other]).journal(store.clone(), "k").await.unwrap();
    assert_eq!(report.counts.succeeded, 1);
}

#[tokio::test]
async fn two_items_with_one_key_are_one_after_the_other_and_done_once() {
    let (store, gauge, ran) = (MemoryStore::new(), Gauge::default(), Arc::new(AtomicU64::new(0)));
    let (inside, counted) = (gauge.clone(), ran.clone());
    let items = (0..20).map(move |n| {
        let (inside, counted) = (inside.clone(), counted.clone());
        let task = task_fn("work", move |_cx| {
            let (inside, first) = (inside.clone(), counted.fetch_add(1, Ordering::SeqCst) == 0);
            async move {
                let _inside = inside.enter(1);
                tokio::task::yield_now().await;
                if first { Err(TaskError::msg("the first try")) } else { Ok(n) }
            }
        });
        Item::new(task).key("the same")
    });
    let mut results = batch(items).max_concurrent(20).in_order().journal(store, "j").start().await.unwrap();
    let mut heard = Vec::new();
    while let Some(finished) = results.next().await {
        heard.push((finished.index, finished.report.status()));
    }
    assert_eq!(
        heard.iter().map(|(_, status)| *status).collect::<Vec<_>>(),
        [Status::Failed, Status::Succeeded]
    );
    let report = results.report().await;
    assert_eq!((report.counts.succeeded, report.counts.failed, report.counts.already_done), (1, 1, 18));
    assert_eq!((ran.load(Ordering::SeqCst), gauge.most()), (2, 1));
}

#[tokio::test]
async fn without_a_key_an_item_is_refused_and_a_name_that_no_store_takes_is_too() {
    let (store, ran) = (MemoryStore::new(), Arc::new(AtomicU64::new(0)));
    let counted = ran.clone();
    let anonymous = Item::new(task_fn("work", move |_cx| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }
    }));
    let mut results = batch([anonymous]).journal(store.clone(), "j").start().await.unwrap();
    let error = results.next().await.unwrap().report.result.unwrap_err();
    assert!(
        error.find::<NoKey>().is_some() && error.kind() == bgt_concurrent::ErrorKind::Invalid,
        "{error:?}"
    );
    let report = batch([item("", &ran)]).journal(store.clone(), "j").await.unwrap();
    assert!(report.failures[0].message.contains("the key of an item"), "{report}");
    let error = batch([item("a", &ran)]).journal(store, "").await.unwrap_err();
    assert!(matches!(error, BatchError::Journal { .. }), "{error}");
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

/// A store that writes when it is let to, and panics at one key.
#[derive(Clone)]
struct Awkward {
    inner: MemoryStore,
    writes: Arc<Semaphore>,
    asked: Arc<Notify>,
    panics_at: Option<&'static str>,
}

impl Awkward {
    fn new(writes: usize, panics_at: Option<&'static str>) -> Self {
        let (writes, asked) = (Arc::new(Semaphore::new(writes)), Arc::default());
        Self { inner: MemoryStore::new(), writes, asked, panics_at }
    }
}

#[async_trait]
impl JournalStore for Awkward {
    async fn record(&self, journal: &str, entries: Vec<JournalEntry>) -> Result<(), StoreError> {
        self.asked.notify_one();
        self.writes.acquire().await.unwrap().forget();
        assert!(entries.iter().all(|entry| Some(&*entry.key) != self.panics_at), "not this one");
        self.inner.record(journal, entries).await
    }

    async fn entry(&self, journal: &str, key: &str) -> Result<Option<JournalEntry>, StoreError> {
        self.inner.entry(journal, key).await
    }

    async fn entries(
        &self,
        journal: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<JournalEntry>, StoreError> {
        self.inner.entries(journal, after, limit).await
    }

    async fn erase(&self, journal: &str) -> Result<u64, StoreError> {
        self.inner.erase(journal).await
    }
}

/// The store goes away while the batch runs: what the third task did cannot be remembered, nor can what follows.
#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_journal_that_fails_halts_the_batch_and_says_so() {
    let scratch = bgt_testkit::Scratch::new();
    let path = scratch.path("journal.db");
    let store = bgt_concurrent::SqliteStore::open(&path).await.unwrap();
    let ran = Arc::new(AtomicU64::new(0));
    let (gone, counted) = (store.clone(), ran.clone());
    let items = ["a", "b", "c", "d", "e", "f"].map(move |key| {
        let (gone, counted) = (gone.clone(), counted.clone());
        let task = task_fn("work", move |_cx| {
            let (gone, counted) = (gone.clone(), counted.clone());
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                if key == "c" {
                    gone.close().await;
                }
                Ok(())
            }
        });
        Item::new(task).key(key)
    });
    let report = batch(items).max_concurrent(1).lookahead(0).journal(store, "j").await.unwrap();
    assert!(matches!(report.halted, Some(Halted::Journal(_))), "{report}");
    assert_eq!((report.counts.succeeded, report.counts.skipped), (3, 3), "{report}");
    assert_eq!(ran.load(Ordering::SeqCst), 3);
    // What ran and could not be remembered runs again.
    let store = bgt_concurrent::SqliteStore::open(&path).await.unwrap();
    let again = ["a", "b", "c", "d"].map(|key| item(key, &ran));
    let report = batch(again).journal(store.clone(), "j").await.unwrap();
    assert_eq!((report.counts.succeeded, report.counts.already_done), (2, 2), "{report}");
    store.close().await;
}

#[tokio::test]
async fn what_is_written_down_keeps_no_other_task_from_its_turn_and_counts_only_then() {
    let store = Awkward::new(0, None);
    let (ran, keys) = (Arc::new(AtomicU64::new(0)), ["a", "b", "c", "d"]);
    let counted = ran.clone();
    let items = keys.into_iter().map(move |key| item(key, &counted));
    let mut results = batch(items).max_concurrent(1).journal(store.clone(), "j").start().await.unwrap();
    while ran.load(Ordering::SeqCst) < 4 {
        store.asked.notified().await;
    }
    assert_eq!((results.snapshot().counts.succeeded, results.snapshot().counts.waiting), (0, 4));
    // Also when the batch is cancelled, what was done is remembered before it counts.
    results.cancel();
    store.writes.add_permits(4);
    let mut heard = 0;
    while let Some(finished) = results.next().await {
        assert!(finished.report.is_success());
        let key = finished.key.unwrap();
        assert_eq!(store.entry("j", &key).await.unwrap().unwrap().status, Status::Succeeded);
        heard += 1;
    }
    assert_eq!(heard, 4);
}

#[tokio::test]
async fn an_item_that_was_stopped_is_not_done() {
    let (store, cancel, started) = (MemoryStore::new(), Cancel::new(), Arc::new(Notify::new()));
    let tell = started.clone();
    let task = task_fn("endless", move |_cx| {
        tell.notify_one();
        std::future::pending::<Result<(), TaskError>>()
    });
    let running = batch([Item::new(task).key("a")]).journal(store.clone(), "j").cancel(&cancel);
    let running = tokio::spawn(running.into_future());
    started.notified().await;
    cancel.cancel();
    assert_eq!(running.await.unwrap().unwrap().counts.cancelled, 1);
    assert_eq!(store.entry("j", "a").await.unwrap().unwrap().status, Status::Cancelled);
    let ran = Arc::new(AtomicU64::new(0));
    assert_eq!(batch([item("a", &ran)]).journal(store, "j").await.unwrap().counts.succeeded, 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_same_work_keeps_no_other_from_its_turn() {
    let keys = ["long", "long", "a", "b", "c"];
    let items = keys.map(|key| {
        let task = task_fn("work", move |_cx| async move {
            if key == "long" {
                tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            }
            Ok(())
        });
        Item::new(task).key(key)
    });
    let mut results = batch(items).max_concurrent(2).journal(MemoryStore::new(), "j").start().await.unwrap();
    let mut heard = Vec::new();
    while let Some(finished) = results.next().await {
        heard.push(finished.key.unwrap().to_string());
    }
    assert_eq!(heard, ["a", "b", "c", "long"]);
}

#[tokio::test]
async fn a_store_that_panics_halts_the_batch_and_loses_no_result() {
    let ran = Arc::new(AtomicU64::new(0));
    let counted = ran.clone();
    let items = ["a", "b", "c", "d", "e"].map(move |key| item(key, &counted));
    let store = Awkward::new(Semaphore::MAX_PERMITS, Some("c"));
    let mut results =
        batch(items).max_concurrent(1).lookahead(0).in_order().journal(store, "j").start().await.unwrap();
    for key in ["a", "b", "c"] {
        let finished = results.next().await.unwrap();
        assert!(finished.report.is_success() && finished.key.as_deref() == Some(key));
    }
    let report = results.report().await;
    assert!(matches!(report.halted, Some(Halted::JournalPanicked(_))), "{report}");
    assert_eq!((report.counts.succeeded, report.counts.skipped), (3, 2), "{report}");
}
