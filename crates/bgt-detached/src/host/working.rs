//! A run that this host holds.

use std::sync::{Mutex, PoisonError};

use bgt_core::{Cancel, Progress};
use bgt_store::{Beat, Lease};
use tokio::sync::watch;

pub(crate) struct Working {
    pub(crate) lease: Lease,
    pub(crate) queue: String,
    /// Stops what runs in this process.
    pub(crate) cancel: Cancel,
    orders: watch::Sender<Orders>,
    progress: Mutex<Option<Progress>>,
}

/// What the one that works on the run is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// How often somebody asked to stop the run.
    pub(crate) asked: u32,
    /// What can go on without this host is to.
    pub(crate) hand_over: bool,
    /// It is not ours any more, or we are going: leave it at once.
    pub(crate) is_over: bool,
}

impl Working {
    pub(crate) fn new(lease: Lease, queue: String) -> Self {
        let (orders, _) = watch::channel(Orders::default());
        Self { lease, queue, cancel: Cancel::new(), orders, progress: Mutex::default() }
    }

    pub(crate) fn orders(&self) -> watch::Receiver<Orders> {
        self.orders.subscribe()
    }

    /// Waits until it is to be left.
    pub(crate) async fn over(&self) {
        // The sender is ours.
        let _ = self.orders().wait_for(|orders| orders.is_over).await;
    }

    /// Waits until it is to be left, or to be handed over.
    pub(crate) async fn let_go(&self) {
        let _ = self.orders().wait_for(|orders| orders.is_over || orders.hand_over).await;
    }

    /// Somebody asked to stop it, so often by now.
    pub(crate) fn ask(&self, requests: u32) {
        self.orders.send_if_modified(|orders| {
            let before = orders.asked;
            orders.asked = requests.max(before);
            for request in before.min(2)..orders.asked.min(2) {
                if request == 0 { self.cancel.cancel() } else { self.cancel.force() }
            }
            orders.asked > before
        });
    }

    pub(crate) fn hand_over(&self) {
        self.orders.send_modify(|orders| orders.hand_over = true);
    }

    pub(crate) fn end(&self) {
        self.orders.send_modify(|orders| orders.is_over = true);
    }

    pub(crate) fn tell(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    /// What could not be passed on, unless there is something newer.
    pub(crate) fn tell_again(&self, progress: Progress) {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(progress);
    }

    /// What is new since the last time.
    pub(crate) fn beat(&self) -> Option<Beat> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(Beat { lease: self.lease, progress: Some(progress) })
    }
}
