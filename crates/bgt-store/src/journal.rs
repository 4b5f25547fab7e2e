//! What a batch has behind it, by key.

use std::fmt;
use std::time::SystemTime;

use bgt_core::Status;
use bytes::Bytes;

use crate::run::Hidden;
use crate::{StoreError, limits};

/// What a journal keeps under a key.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct JournalEntry {
    /// The key.
    pub key: String,
    /// Where the work under that key stands.
    pub status: Status,
    /// What there is to remember, in the caller's own format; at most 16 MiB.
    pub value: Bytes,
    /// When it was written, by the wall clock; of an entry that is still to be written, when it was made.
    pub at: SystemTime,
}

impl fmt::Debug for JournalEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalEntry")
            .field("key", &self.key)
            .field("status", &self.status)
            .field("value", &Hidden(&self.value))
            .field("at", &self.at)
            .finish()
    }
}

impl JournalEntry {
    /// An entry without a value.
    #[must_use]
    pub fn new(key: impl Into<String>, status: Status) -> Self {
        Self { key: key.into(), status, value: Bytes::new(), at: SystemTime::now() }
    }

    /// What there is to remember.
    #[must_use]
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = value.into();
        self
    }

    /// Refuses what no store takes, before anything is written; for those who write a backend.
    ///
    /// # Errors
    ///
    /// [`StoreError::Invalid`], which names the value.
    pub fn check(&self) -> Result<(), StoreError> {
        limits::name("the key of a journal entry", &self.key)?;
        limits::value("the value of a journal entry", &self.value)
    }
}
