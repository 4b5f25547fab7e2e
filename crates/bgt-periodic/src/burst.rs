//! Starting many at once, on all threads of the runtime.
//!
//! A firing is a task of the runtime's. Who spawns ten thousand of them in one go, from one thread, wakes another thread
//! for each few, and every one is made here and taken apart there: measured, that is four times as slow. So every thread
//! starts its own share, a few at a time, and runs them before it starts the next few.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crate::Now;
use crate::driver::{Desk, fire};
use crate::heap::Wake;
use crate::shared::Shared;

/// So many are started before those that have been started get their turn.
const FEW: usize = 16;
/// So many are worth another thread.
const MANY: usize = 128;

/// Schedules that are due, and how far they have been fired.
struct Burst {
    due: Vec<Wake>,
    next: AtomicUsize,
    now: Now,
}

/// Fires all of these, and gives them back.
pub(crate) async fn fire_all(shared: &Arc<Shared>, due: Vec<Wake>, now: Now) -> Vec<Wake> {
    let runtime = shared.runtime();
    let lanes = runtime.metrics().num_workers().min(due.len() / MANY).max(1);
    let burst = Arc::new(Burst { due, next: AtomicUsize::new(0), now });
    let others: Vec<_> = (1..lanes)
        .map(|_| {
            let (shared, burst) = (shared.clone(), burst.clone());
            runtime.spawn(async move { burst.fire(&shared).await })
        })
        .collect();
    burst.fire(shared).await;
    for other in others {
        let _ = other.await;
    }
    Arc::into_inner(burst).map(|burst| burst.due).unwrap_or_default()
}

impl Burst {
    async fn fire(&self, shared: &Arc<Shared>) {
        let mut desk = Desk::default();
        loop {
            let from = self.next.fetch_add(FEW, Ordering::Relaxed);
            let Some(rest) = self.due.get(from..).filter(|rest| !rest.is_empty()) else { return };
            for wake in &rest[..rest.len().min(FEW)] {
                fire(shared, wake, self.now, &mut desk);
            }
            if rest.len() > FEW {
                to_the_end_of_the_queue().await;
            }
        }
    }
}

/// Lets those go first that this thread has to run. Unlike `tokio::task::yield_now`, which waits until there is nothing else to do,
/// not even on other threads.
async fn to_the_end_of_the_queue() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
