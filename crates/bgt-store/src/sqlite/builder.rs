//! What a store in a file can be configured with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::session::Place;
use super::threads::{self, Lane};
use super::{SqliteStore, absolute};
use crate::{Clock, Result, StoreError, SystemClock};

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process, of the operating system and of the power supply: every commit waits for the disk.
    /// SQLite's `synchronous = FULL`.
    #[default]
    Full,
    /// The end of the process, not that of the operating system: commits do not wait for the disk, and after a power
    /// cut the latest may be missing; the file stays sound. SQLite's `synchronous = NORMAL`.
    Process,
}

/// Opens a [`SqliteStore`] with other settings than the usual ones.
///
/// # Examples
///
/// ```no_run
/// use bgt_store::{Durability, SqliteStore};
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), bgt_store::StoreError> {
/// let store = SqliteStore::builder("runs.db")
///     .durability(Durability::Process)
///     .patience(Duration::from_secs(1))
///     .open()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until it is opened"]
pub struct SqliteBuilder {
    path: PathBuf,
    durability: Durability,
    patience: Duration,
    clock: Arc<dyn Clock>,
}

impl SqliteBuilder {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            durability: Durability::Full,
            patience: Duration::from_secs(5),
            clock: Arc::new(SystemClock),
        }
    }

    /// What an acknowledged write survives; [`Durability::Full`] unless changed.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long to wait while another process holds the lock on the file; 5 s unless changed, at most an hour. Calls
    /// then answer [`FaultKind::Locked`](crate::FaultKind::Locked).
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Who tells the time; [`SystemClock`] unless changed.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the store, or makes one where there is no file.
    ///
    /// # Errors
    ///
    /// As for [`SqliteStore::open`]; [`StoreError::Invalid`] for an empty path or too much patience.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the file may have been made.
    pub async fn open(self) -> Result<SqliteStore> {
        if self.patience > Duration::from_secs(3600) {
            let found = format!("{:?}", self.patience);
            return Err(StoreError::invalid("the patience of a store", found, "at most an hour"));
        }
        let place = Arc::new(Place {
            path: absolute(&self.path)?,
            durability: self.durability,
            patience: self.patience,
            closing: Mutex::default(),
        });
        let writer = Lane::start("bgt-store-write", &place, &self.clock, threads::write, None).await?;
        let reader =
            Lane::start("bgt-store-read", &place, &self.clock, threads::read, Some(writer.clone())).await?;
        Ok(SqliteStore { place, writer, reader })
    }
}
