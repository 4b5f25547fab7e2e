//! Interpreters that have done their imports, each waiting to become one script.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bgt_process::{Command, Prestarted};
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
pub(super) struct Shelf(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    ready: VecDeque<Ready>,
    making: usize,
}

impl Shelf {
    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is still good; the others are ended.
    pub(super) async fn take(&self) -> Option<Ready> {
        loop {
            let mut ready = self.content().ready.pop_front()?;
            if ready.stamps.hold() && ready.interpreter.is_there().await {
                return Some(ready);
            }
        }
    }

    /// How many are to be made, so that so many wait; they count as being made from now on.
    pub(super) fn missing(&self, wanted: usize) -> usize {
        let mut content = self.content();
        let missing = wanted.saturating_sub(content.ready.len() + content.making);
        content.making += missing;
        missing
    }

    /// One that was being made is there, or was given up.
    pub(super) fn made(&self, ready: Option<Ready>) {
        let mut content = self.content();
        content.making -= 1;
        content.ready.extend(ready);
    }

    pub(super) fn waiting(&self) -> usize {
        self.content().ready.len()
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
