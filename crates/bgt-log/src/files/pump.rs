//! From memory to files, without blocking who writes to the log.
//!
//! Owns: that one thread at a time writes the files of a log, in order, and that those who wait hear of it.
//! Never does: keep lines of its own. What is to be written waits in the ring; whatever becomes of the call that brought it,
//! it is there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::writer::Writer;
use super::{FileError, LogFiles};
use crate::lines::Lines;
use crate::log::Shared;
use crate::ring::Position;

/// The files of a log.
pub(crate) struct Files {
    folder: PathBuf,
    writer: Mutex<Writer>,
    /// Says that the progress is another.
    changes: watch::Sender<()>,
}

/// How far the files are. Part of what the lock of the log protects.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Whether somebody is writing.
    is_pumping: bool,
    /// Whether the end is written.
    is_ended: bool,
    /// The number of the first line that files hold, and of the last.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) fault: Option<FileError>,
}

impl Files {
    /// Opens them. Blocks.
    pub(crate) fn open(files: LogFiles) -> Result<(Self, Progress), FileError> {
        let folder = files.folder().to_owned();
        let writer = Writer::open(files)?;
        let progress = Progress { first: writer.first(), last: writer.last(), ..Progress::default() };
        let (changes, _) = watch::channel(());
        Ok((Self { folder, writer: Mutex::new(writer), changes }, progress))
    }

    pub(crate) fn folder(&self) -> &PathBuf {
        &self.folder
    }
}

impl Progress {
    /// Whether lines up to this one, and the end if it is asked for, are in a file.
    pub(crate) fn is_written(&self, last: u64, is_over: bool) -> bool {
        self.last >= last && (self.is_ended || !is_over)
    }
}

/// Writes everything there is when it is dropped: a runtime that is shut down drops what it was to run.
#[must_use = "dropping it blocks"]
struct Pump(Arc<Shared>);

impl Drop for Pump {
    fn drop(&mut self) {
        let Some(files) = &self.0.files else { return };
        let mut writer = files.writer.lock().unwrap_or_else(PoisonError::into_inner);
        while self.0.pump_once(files, &mut writer) {}
    }
}

impl Shared {
    /// Lets a thread for blocking work write what there is; outside of a runtime, this one. Nothing is to do where one does
    /// already, or where there are no files.
    pub(crate) fn start_writing(self: &Arc<Self>) {
        if self.files.is_none() || std::mem::replace(&mut self.state().progress.is_pumping, true) {
            return;
        }
        let pump = Pump(self.clone());
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(pump))),
            Err(_) => drop(pump),
        }
    }

    /// Waits until lines up to this one are in a file, and the end if it is asked for; or have failed to be.
    pub(crate) async fn settled(&self, last: u64, is_over: bool) {
        let Some(files) = &self.files else { return };
        let mut changes = files.changes.subscribe();
        let is_settled = || {
            let progress = &self.state().progress;
            progress.is_written(last, is_over) || !progress.is_pumping
        };
        // The sender is ours.
        while !is_settled() && changes.changed().await.is_ok() {}
    }

    /// Writes some of what waits. Whether there may be more.
    fn pump_once(&self, files: &Files, writer: &mut Writer) -> bool {
        let mut state = self.state();
        let read = state.ring.read(Position { seq: writer.last(), bytes: None });
        let last = state.ring.last();
        let is_end = read.blocks.is_empty() && state.is_over && !state.progress.is_ended;
        if read.blocks.is_empty() && !is_end {
            state.progress.is_pumping = false;
            drop(state);
            files.changes.send_replace(());
            return false;
        }
        drop(state);

        let result = if is_end {
            writer.end(last, SystemTime::now())
        } else {
            let after = writer.last();
            writer.write(read.blocks.into_iter().flat_map(|block| Lines::after(block, after)))
        };

        let mut state = self.state();
        state.ring.written(writer.last());
        let progress = &mut state.progress;
        (progress.first, progress.last) = (writer.first(), writer.last());
        progress.is_ended |= is_end && result.is_ok();
        // Nobody waits for what may never be; the next line tries again.
        progress.is_pumping = result.is_ok();
        let goes_on = progress.is_pumping;
        progress.fault = result.err().or(progress.fault.take());
        drop(state);
        files.changes.send_replace(());
        goes_on
    }
}
