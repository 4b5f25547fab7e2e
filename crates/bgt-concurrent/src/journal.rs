//! What a batch remembers, by key, in a store.
//!
//! Owns: that work is done once for each key, also within one batch. Never does: batch writes; the store commits together
//! what arrives together.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use bgt_core::{Report, Status};
use bgt_simple::Panicked;
use bgt_store::{JournalEntry, JournalStore, StoreError, backend};

use crate::Halted;
use crate::keyed::{Keyed, KeyedPermit};

pub(crate) struct Journal {
    store: Arc<dyn JournalStore>,
    name: Arc<str>,
    /// Two items with one key are one after the other.
    keys: Arc<Keyed>,
}

/// The right to do the work of a key.
pub(crate) struct Claim {
    key: Arc<str>,
    _turn: KeyedPermit,
}

impl Journal {
    pub(crate) fn new(store: Arc<dyn JournalStore>, name: &str) -> Self {
        Self { store, name: Arc::from(name), keys: Keyed::new(1) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can be used at all.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        backend::check_name("the name of a journal", &self.name)?;
        self.store.entries(&self.name, None, 1).await.map(drop)
    }

    /// The right to do this work, or nothing if it is done. Waits for another item with the same key. Cancel-safe.
    pub(crate) async fn claim(&self, key: Option<&Arc<str>>) -> Result<Option<Claim>, Halted> {
        let Some(key) = key else { unreachable!("an item without a key is refused before") };
        let turn = self.keys.acquire(key).await;
        let entry = contained(self.store.entry(&self.name, key)).await?;
        let done = entry.is_some_and(|entry| entry.status == Status::Succeeded);
        Ok((!done).then(|| Claim { key: key.clone(), _turn: turn }))
    }

    /// Remembers what came of it; when this has returned, it is kept.
    pub(crate) async fn record(&self, claim: Claim, entry: JournalEntry) -> Result<(), Halted> {
        let kept = contained(self.store.record(&self.name, vec![entry])).await;
        drop(claim);
        kept
    }
}

/// What a store answers. One that panics, which ours do not, ends the batch and not only the item.
async fn contained<V>(answer: impl Future<Output = Result<V, StoreError>>) -> Result<V, Halted> {
    let mut answer = Box::pin(answer);
    let poll = |cx: &mut Context<'_>| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
        Ok(poll) => poll.map_err(Halted::Journal),
        Err(payload) => Poll::Ready(Err(Halted::JournalPanicked(Panicked::caught(payload)))),
    };
    poll_fn(poll).await
}

impl Claim {
    /// What is to be remembered.
    pub(crate) fn entry<O>(&self, report: &Report<O>) -> JournalEntry {
        let entry = JournalEntry::new(&*self.key, report.status());
        match &report.result {
            Ok(_) => entry,
            Err(error) => entry.value(backend::kept_text(&format!("{error:#}"))),
        }
    }
}

/// Refuses a key that no store takes.
pub(crate) fn check_key(key: &str) -> Result<(), StoreError> {
    backend::check_name("the key of an item", key)
}
