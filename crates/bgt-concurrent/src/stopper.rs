//! Whether a batch still starts tasks, and why not.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bgt_core::Cancel;

use crate::Halted;

/// Two steps: no more is started; what runs is cancelled. The second implies the first.
pub(crate) struct Stopper {
    /// What the runs are stopped by.
    pub(crate) cancel: Cancel,
    no_more: AtomicBool,
    // Wakes those who wait to start something.
    wake: Cancel,
    why: OnceLock<Halted>,
}

impl Stopper {
    pub(crate) fn new(cancel: Cancel) -> Self {
        Self { cancel, no_more: AtomicBool::new(false), wake: Cancel::new(), why: OnceLock::new() }
    }

    /// Lets nothing more start. The first reason stays.
    pub(crate) fn halt(&self, why: Halted) {
        self.note(why);
        if !self.no_more.swap(true, Ordering::SeqCst) {
            self.wake.cancel();
        }
    }

    /// Remembers why there will be no more, where what came is to go on. The first reason stays.
    pub(crate) fn note(&self, why: Halted) {
        let _ = self.why.set(why);
    }

    /// Whether nothing more may start. Whoever asks acts on it, so the reason is settled by then.
    pub(crate) fn is_stopped(&self) -> bool {
        self.no_more.load(Ordering::Acquire) || self.notice()
    }

    /// Whether somebody cancelled; that is then why the batch stopped, unless it had stopped before.
    pub(crate) fn notice(&self) -> bool {
        let Some(reason) = self.cancel.reason() else { return false };
        self.halt(Halted::Cancelled(reason));
        true
    }

    /// Waits until nothing more may start. Cancel-safe.
    pub(crate) async fn stopped(&self) {
        tokio::select! {
            _ = self.wake.requested() => {}
            _ = self.cancel.requested() => { self.notice(); }
        }
    }

    /// Waits for something, but no longer than anything may start.
    pub(crate) async fn unless_stopped<F: Future>(&self, wait: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            value = wait => Some(value),
            () = self.stopped() => None,
        }
    }

    pub(crate) fn why(&self) -> Option<Halted> {
        self.why.get().cloned()
    }
}
