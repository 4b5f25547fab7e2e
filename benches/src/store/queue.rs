//! The sides: something that takes runs and says when they are safe. Ours is here, the rival in `plain`.

use std::future::Future;
use std::path::Path;

use bgt_store::{Bytes, Durability, NewRun, RunStore, SqliteStore};

use crate::Result;

/// What each run brings along.
pub(super) const PAYLOAD: &[u8] = &[b'p'; 200];

/// A store in a new file. Clones are the same one.
pub(super) trait Queue: Clone + Send + Sync + Sized + 'static {
    /// The name in `against`.
    const NAME: &'static str;
    /// About how long its log becomes before it is written from its start again, in bytes.
    const FULL_LOG: u64;
    /// How a connection of somebody else counts the runs that are there as a whole; `?1` is the payload.
    const COUNT: &'static str;

    fn open(file: &Path, durability: Durability) -> impl Future<Output = Result<Self>> + Send;

    /// Accepts one run, and returns when it is as safe as was promised.
    fn enqueue(&self) -> impl Future<Output = Result> + Send;

    /// Returns when nothing uses the file any more.
    fn close(self) -> impl Future<Output = ()> + Send;
}

impl Queue for SqliteStore {
    const NAME: &'static str = "ours";
    // 4 000 pages.
    const FULL_LOG: u64 = 16_000_000;
    const COUNT: &'static str =
        "SELECT count(*) FROM runs JOIN payloads ON payloads.run = runs.seq WHERE payloads.value = ?1";

    async fn open(file: &Path, durability: Durability) -> Result<Self> {
        Ok(Self::builder(file).durability(durability).open().await?)
    }

    async fn enqueue(&self) -> Result {
        let run = NewRun::new("bench", Bytes::from_static(PAYLOAD));
        match RunStore::enqueue(self, vec![run]).await?.as_slice() {
            [run] if run.is_new => Ok(()),
            answer => Err(format!("one new run was answered with {answer:?}").into()),
        }
    }

    async fn close(self) {
        Self::close(&self).await;
    }
}
