//! The store in one SQLite file.
//!
//! Owns: the handle, what it can be configured with, and the two threads behind it: one writes, one reads.
//! Never does: decide what may happen to a run; `rules` does.

mod builder;
mod fault;
mod file;
mod group;
mod journals;
mod leases;
mod op;
mod patience;
mod rows;
mod runs;
mod schema;
mod session;
mod slots;
mod threads;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::clock::Moment;
use crate::{Result, StoreError};
pub use builder::{Durability, SqliteBuilder};
use op::Stop;
use session::Place;
use threads::Lane;

/// A store in one SQLite file, for all processes of one machine.
///
/// One thread writes. What arrives while it waits for the disk is committed together, so that many callers share one
/// `fsync`; nobody waits for a timer. Another thread reads, and never waits for the writer. The file can be read with
/// `sqlite3` and by other processes while it is in use: SQLite's write-ahead log is beside it, as `…-wal` and `…-shm`.
///
/// Clones are the same store. Dropping the last one lets the threads end when they have done what they were asked;
/// [`close`](Self::close) waits for that.
///
/// # Platform-specific behavior
///
/// On Unix the file is created readable and writable for its owner only; on Windows its folder decides. On macOS
/// `fullfsync` is on, without which a commit reaches the drive, but not the disk.
///
/// # Examples
///
/// ```
/// use bgt_store::{NewRun, RunFilter, Page, RunStore, SqliteStore};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_store::StoreError> {
/// # let folder = bgt_testkit::Scratch::new();
/// # let path = folder.path("runs.db");
/// let store = SqliteStore::open(&path).await?;
/// store.enqueue(vec![NewRun::new("resize", "a.png").label("customer", "17")]).await?;
/// store.close().await;
///
/// let store = SqliteStore::open(&path).await?;
/// let runs = store.list(RunFilter::new().label("customer", "17"), Page::first(100)).await?.runs;
/// assert_eq!(runs[0].name, "resize");
/// # store.close().await; Ok(()) }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    place: Arc<Place>,
    writer: Lane,
    reader: Lane,
}

impl SqliteStore {
    /// Opens a store, or makes one where there is no file. Its folder must exist.
    ///
    /// # Errors
    ///
    /// A [`Fault`](crate::Fault): no such folder, no permission, a file of something else or of a later version, a
    /// damaged one. Nothing is changed then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the file may have been made.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::builder(path).open().await
    }

    /// Opens a store with other settings.
    pub fn builder(path: impl AsRef<Path>) -> SqliteBuilder {
        SqliteBuilder::new(path.as_ref())
    }

    /// The file, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// Writes everything that is held to another file, which must not exist, while the store is in use. Also after the
    /// store's own file was removed: written to its place, the store goes on with it.
    ///
    /// # Errors
    ///
    /// A [`Fault`](crate::Fault) that names `to` if that cannot be written; [`StoreError::Invalid`] if it exists.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the backup is made all the same.
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<()> {
        let to = to.as_ref().to_path_buf();
        self.reader.backup(to).await
    }

    /// Does what was asked before, then closes the file. Every later call, on any clone, answers
    /// [`FaultKind::Closed`](crate::FaultKind::Closed).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the store is closed all the same.
    pub async fn close(&self) {
        self.reader.close();
        self.writer.close();
        self.reader.ended().await;
        self.writer.ended().await;
    }

    /// Changes something, together with what others want to be changed; answers when that is committed.
    async fn write<T: Send + 'static>(
        &self,
        op: impl FnMut(&Connection, &Moment) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T> {
        self.writer.call(op).await
    }

    /// Reads a state that was committed.
    async fn read<T: Send + 'static>(
        &self,
        op: impl FnMut(&Connection, &Moment) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T> {
        self.reader.call(op).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.place.path)
            .field("durability", &self.place.durability)
            .finish_non_exhaustive()
    }
}

/// The path as SQLite is to see it: absolute, so that no name means something special to it, such as `:memory:`.
fn absolute(path: &Path) -> Result<PathBuf> {
    let expected = "the path of a file, such as runs.db";
    if path.as_os_str().is_empty() {
        return Err(StoreError::invalid("the path of a store", "empty", expected));
    }
    std::path::absolute(path)
        .map_err(|error| StoreError::invalid("the path of a store", format!("{path:?} ({error})"), expected))
}
