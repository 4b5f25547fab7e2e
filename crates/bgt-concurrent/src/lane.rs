//! Those who pull items and begin with them. There are as many lanes as the runtime has threads, however many tasks may
//! run at once.
//!
//! A lane polls each item once, in place. One that is done by then has cost no task of tokio's and no switch, which is
//! what makes small functions cheap; one that waits for something goes on as a task of its own.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bgt_core::{Cancel, Task};
use tokio::task::consume_budget;

use crate::engine::{Engine, Live, Slot};
use crate::item_run::process;

/// One lane, and what it has for itself lest all of them meet at each item. What goes on as a task of its own shares it.
pub(crate) struct Lane<T: Task> {
    pub(crate) engine: Arc<Engine<T>>,
    /// Whose counters are counted with.
    pub(crate) number: usize,
    /// A child of the batch's, by which the runs of this lane are stopped: to wait for a switch takes its lock.
    pub(crate) cancel: Cancel,
}

impl<T: Task + 'static> Lane<T> {
    pub(crate) fn new(engine: &Arc<Engine<T>>, number: usize) -> Arc<Self> {
        let cancel = engine.shared.stopper.cancel.child();
        Arc::new(Self { engine: engine.clone(), number, cancel })
    }

    pub(crate) async fn drive(self: Arc<Self>, _live: Live<T>) {
        let engine = &self.engine;
        let mut pulled = VecDeque::new();
        let mut chunk = Chunk::new();
        // What is done in place leaves its place to the next.
        let mut slot = None;
        loop {
            // Items that are always ready would keep the runtime from everything else.
            consume_budget().await;
            if engine.shared.stopper.is_stopped() {
                break;
            }
            if slot.is_none() && !engine.needs_come_first() {
                slot = engine.slot().await;
                if slot.is_none() {
                    break;
                }
            }
            if pulled.is_empty() {
                slot.iter_mut().for_each(Slot::rest);
                chunk.begin();
                engine.pull(self.number, chunk.size, &mut pulled).await;
            }
            let Some(next) = pulled.pop_front() else { break };
            match at_once(Box::pin(process(self.clone(), next, slot.take()))) {
                Ok(left) => slot = left,
                Err(work) => {
                    chunk.waited();
                    let live = Live::new(engine);
                    engine.shared.tasks.spawn(async move {
                        let _live = live;
                        drop(work.await);
                    });
                }
            }
            if pulled.is_empty() {
                chunk.end();
            }
        }
        for item in pulled {
            self.skip(item);
        }
    }
}

type Work<O> = Pin<Box<dyn Future<Output = Option<Slot<O>>> + Send>>;

/// Polls it once, and gives it back if it is not done. Whoever goes on with it polls it again at once, so nobody needs to
/// be woken for this one.
fn at_once<O>(mut work: Work<O>) -> Result<Option<Slot<O>>, Work<O>> {
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(slot) => Ok(slot),
        Poll::Pending => Err(work),
    }
}

/// How many items are pulled at once: many as long as they are done in no time, and one where each takes its time, lest
/// some wait behind it while another lane has nothing to do.
struct Chunk {
    size: usize,
    began: Instant,
    waited: bool,
}

const MOST: usize = 256;
const SHORT: Duration = Duration::from_micros(100);

impl Chunk {
    fn new() -> Self {
        Self { size: 1, began: Instant::now(), waited: false }
    }

    fn begin(&mut self) {
        (self.began, self.waited) = (Instant::now(), false);
    }

    fn waited(&mut self) {
        self.waited = true;
    }

    fn end(&mut self) {
        let took = self.began.elapsed();
        self.size = next_size(self.size, took, self.waited);
    }
}

fn next_size(size: usize, took: Duration, waited: bool) -> usize {
    match took {
        _ if waited => 1,
        took if took < SHORT => (size * 2).min(MOST),
        took if took > 4 * SHORT => 1.max(size / 8),
        _ => size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_grow_while_they_are_short_and_are_one_where_somebody_waits() {
        let mut size = 1;
        for expected in [2, 4, 8, 16, 32, 64, 128, 256, 256] {
            size = next_size(size, Duration::ZERO, false);
            assert_eq!(size, expected);
        }
        assert_eq!(next_size(size, 2 * SHORT, false), size);
        assert_eq!(next_size(size, Duration::from_secs(1), false), size / 8);
        assert_eq!(
            (next_size(1, Duration::from_secs(1), false), next_size(size, Duration::ZERO, true)),
            (1, 1)
        );
    }
}
