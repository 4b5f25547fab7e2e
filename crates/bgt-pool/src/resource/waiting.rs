//! A caller who waits for a resource, apart from those who wait for their turn.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Managed;
use super::item::Item;
use super::yard::Yard;
use crate::PoolError;

pub(super) type Given<M> = Result<Box<Item<M>>, PoolError>;

/// A caller who waits for a resource. Dropping it gives up the place, and passes on what had just come.
pub(super) struct Waiting<M: Managed> {
    pub(super) given: oneshot::Receiver<Given<M>>,
    pub(super) yard: Arc<Yard<M>>,
}

impl<M: Managed> Waiting<M> {
    /// Cancel-safe.
    pub(super) async fn item(&mut self) -> Result<Box<Item<M>>, PoolError> {
        (&mut self.given).await.unwrap_or_else(|_| Err(self.yard.closed()))
    }
}

impl<M: Managed> Drop for Waiting<M> {
    fn drop(&mut self) {
        self.given.close();
        if let Ok(Ok(item)) = self.given.try_recv() {
            return self.yard.settle(item);
        }
        let mut state = self.yard.state();
        state.waiting.retain(|waiting| !waiting.is_closed());
        self.yard.count_waiting(&state);
    }
}
