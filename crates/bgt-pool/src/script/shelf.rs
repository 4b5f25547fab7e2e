//! Interpreters that have done their imports, each waiting to become one script.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bgt_process::{Command, Prestarted};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::error::NotWarm;
use super::stamp::Stamps;

#[derive(Debug)]
pub(super) struct Ready {
    pub(super) interpreter: Prestarted,
    stamps: Stamps,
}

impl Ready {
    /// Starts one, and waits until it is ready.
    pub(super) async fn start(command: &Command, mut stamps: Stamps) -> Result<Self, NotWarm> {
        let started = command.prestart().await;
        let mut interpreter = started.map_err(|error| NotWarm::new(crate::error::in_words(&error)))?;
        let said = interpreter.ready().await.map_err(|_| NotWarm::ended(interpreter.take_tail()))?;
        let tail = interpreter.take_tail();
        if !tail.is_empty() {
            tracing::info!(pid = interpreter.pid(), "a warm interpreter says: {tail}");
        }
        stamps.add(&said);
        Ok(Self { interpreter, stamps })
    }
}

/// Those that wait, and how many are being made.
#[derive(Debug, Default)]
pub(super) struct Shelf(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    content: Mutex<Content>,
    /// One that was being made is there, or was given up.
    made: Notify,
}

#[derive(Debug, Default)]
struct Content {
    ready: VecDeque<Ready>,
    making: usize,
}

/// Where one will be that is being made. Dropped, it was given up.
#[derive(Debug)]
pub(super) struct Place(Arc<Inner>);

impl Inner {
    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(super) fn fill(self, ready: Option<Ready>) {
        self.0.content().ready.extend(ready);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.content().making -= 1;
        self.0.made.notify_waiters();
    }
}

impl Shelf {
    /// One that is still good; the others are ended.
    pub(super) async fn take(&self) -> Option<Ready> {
        loop {
            let mut ready = self.0.content().ready.pop_front()?;
            if ready.stamps.hold() && ready.interpreter.is_there().await {
                return Some(ready);
            }
        }
    }

    /// Ends those whose files have changed.
    pub(super) fn clear_out(&self) {
        let mut content = self.0.content();
        let all = std::mem::take(&mut content.ready);
        let (good, old): (VecDeque<_>, VecDeque<_>) = all.into_iter().partition(|ready| ready.stamps.hold());
        content.ready = good;
        drop(content);
        drop(old);
    }

    /// Places for those that are to be made, so that so many wait.
    pub(super) fn missing(&self, wanted: usize) -> Vec<Place> {
        let mut content = self.0.content();
        let missing = wanted.saturating_sub(content.ready.len() + content.making);
        content.making += missing;
        (0..missing).map(|_| Place(self.0.clone())).collect()
    }

    /// Waits until none is being made. Cancel-safe.
    pub(super) async fn made(&self) {
        loop {
            let mut made = pin!(self.0.made.notified());
            made.as_mut().enable();
            if self.0.content().making == 0 {
                return;
            }
            made.await;
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.0.content().ready.len()
    }
}

/// Making one, within a time.
pub(super) async fn within(
    limit: std::time::Duration,
    command: &Command,
    stamps: Stamps,
) -> Result<Ready, NotWarm> {
    let made = timeout(limit, Ready::start(command, stamps)).await;
    made.unwrap_or_else(|_| Err(NotWarm::new(format!("it was not ready within {limit:?}"))))
}
