//! The log of a function's attempt: there is none until something is written.

use async_trait::async_trait;
use bgt_core::{Chunk, Sink, SinkClosed};
use bgt_log::{Keep, Log};
use tokio::sync::OnceCell;

use super::blocking;
use crate::attempt::folder::Folder;

pub(super) struct LazyLog {
    folder: Folder,
    quota: u64,
    log: OnceCell<Log>,
}

impl LazyLog {
    pub(super) fn new(folder: Folder, quota: u64) -> Self {
        Self { folder, quota, log: OnceCell::new() }
    }

    async fn open(&self) -> Log {
        let of = self.folder.clone();
        let made = blocking(move || of.create()).await;
        let log = Log::with_files(Keep::default(), self.folder.log_files(self.quota)).await;
        if let Err(error) = &made {
            tracing::warn!(%error, "the output of a function is not kept");
        }
        log.unwrap_or_else(|error| {
            tracing::warn!(%error, "the output of a function is not kept");
            Log::keeping(Keep::default())
        })
    }

    /// Nothing follows.
    pub(super) async fn finish(&self) {
        if let Some(log) = self.log.get() {
            log.finish();
            if let Err(error) = log.flush().await {
                tracing::warn!(%error, "the output of a function is not complete");
            }
        }
    }
}

#[async_trait]
impl Sink for LazyLog {
    async fn write(&self, chunk: Chunk) -> Result<(), SinkClosed> {
        self.log.get_or_init(|| self.open()).await.write(chunk).await
    }
}
