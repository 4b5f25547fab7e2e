//! What the parts of a running batch share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bgt_core::{Cancel, Limits, Needs, Observer, Retry, Task};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Duration;

use crate::keyed::Keyed;
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::source::{Places, Pulled, Source};
use crate::stopper::Stopper;
use crate::tally::Tally;
use crate::tasks::Tasks;
use crate::{Halt, Halted};

/// What the handle sees of it.
pub(crate) struct Shared<O> {
    pub(crate) tally: Tally,
    pub(crate) stopper: Stopper,
    pub(crate) tasks: Tasks,
    pub(crate) outbox: Outbox<O>,
    #[cfg(feature = "progress")]
    pub(crate) bar: Option<crate::progress::Bar>,
}

impl<O: Send + 'static> Shared<O> {
    /// Lets nothing more start when this is used.
    pub(crate) fn drained_by(self: &Arc<Self>, drain: Cancel) {
        if let Some(reason) = drain.reason() {
            return self.stopper.halt(Halted::Cancelled(reason));
        }
        let shared = self.clone();
        self.tasks.spawn(async move {
            let reason = drain.requested().await;
            shared.stopper.halt(Halted::Cancelled(reason));
        });
    }
}

/// What goes for every task.
pub(crate) struct Terms {
    pub(crate) task_deadline: Option<Duration>,
    pub(crate) attempt_deadline: Option<Duration>,
    pub(crate) retry: Retry,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) limits: Option<Limits>,
    pub(crate) needs: Needs,
    pub(crate) halt: Halt,
}

pub(crate) struct Engine<T: Task> {
    pub(crate) shared: Arc<Shared<T::Output>>,
    pub(crate) terms: Terms,
    pub(crate) source: Mutex<Source<T>>,
    /// Those who may be at work.
    pub(crate) slots: Arc<Semaphore>,
    /// Those who may be pulled and not yet at their end, where they wait for other things than a slot.
    pub(crate) ahead: Option<Arc<Semaphore>>,
    /// Those who may be pulled and not yet read, where somebody reads.
    pub(crate) room: Option<Arc<Semaphore>>,
    pub(crate) groups: Option<Arc<Keyed>>,
    pub(crate) pace: Option<Pace>,
    #[cfg(feature = "gates")]
    pub(crate) gates: Option<crate::gate::Gates>,
    #[cfg(feature = "journal")]
    pub(crate) journal: Option<crate::journal::Journal>,
    pub(crate) live: AtomicUsize,
}

/// A place to be at work.
pub(crate) struct Slot<O> {
    _permit: OwnedSemaphorePermit,
    at_work: Option<AtWork<O>>,
}

/// Counted as one that runs, until dropped.
struct AtWork<O>(Arc<Shared<O>>);

impl<O> Slot<O> {
    /// Counts whoever has the place as running, until it is given back or rests.
    pub(crate) fn begin(&mut self, shared: &Arc<Shared<O>>) {
        self.at_work.get_or_insert_with(|| {
            shared.tally.begin();
            AtWork(shared.clone())
        });
    }

    pub(crate) fn rest(&mut self) {
        self.at_work = None;
    }
}

impl<O> Drop for AtWork<O> {
    fn drop(&mut self) {
        self.0.tally.rest();
    }
}

impl<T: Task + 'static> Engine<T> {
    /// Waits for a place to be at work; `None` when nothing more may start.
    pub(crate) async fn slot(&self) -> Option<Slot<T::Output>> {
        Some(Slot { _permit: self.place(&self.slots).await?, at_work: None })
    }

    /// Waits for places of so many items, of at least one; `None` when nothing more may start.
    async fn stock(&self, from: Option<&Arc<Semaphore>>, most: usize) -> Option<(Stock, usize)> {
        let Some(from) = from else { return Some((Stock(None), most)) };
        let mut places = self.place(from).await?;
        let more = from.available_permits().min(most.saturating_sub(1));
        if let Ok(more) = from.clone().try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
            places.merge(more);
        }
        let many = places.num_permits();
        Some((Stock(Some(places)), many))
    }

    async fn place(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = places.clone().try_acquire_owned() {
            return Some(place);
        }
        let place = self.shared.stopper.unless_stopped(places.clone().acquire_owned()).await?;
        Some(place.unwrap_or_else(|_| unreachable!("nobody closes it")))
    }

    /// Whether an item waits for what it needs before it takes a slot, lest it keep others from working meanwhile.
    pub(crate) fn needs_come_first(&self) -> bool {
        self.ahead.is_some()
    }

    /// Waits for items, up to `most`, each with its places; none when the source is at its end or nothing more may start.
    pub(crate) async fn pull(&self, lane: usize, most: usize, into: &mut VecDeque<Pulled<T>>) {
        let stopper = &self.shared.stopper;
        let Some((mut ahead, most)) = self.stock(self.ahead.as_ref(), most).await else { return };
        let Some((mut room, most)) = self.stock(self.room.as_ref(), most).await else { return };
        let pulling = async { self.source.lock().await.pull(most, into).await };
        if let Some(Err(panicked)) = stopper.unless_stopped(pulling).await {
            // The input ends here. What came before is as good as any.
            stopper.note(Halted::Source(panicked));
        }
        for pulled in into.iter_mut() {
            pulled.places = Places { ahead: ahead.take(), room: room.take() };
        }
        self.shared.tally.lane(lane).pulled(into.len() as u64);
    }

    /// The last one is gone.
    fn finish(&self) {
        let Shared { tally, stopper, tasks, outbox, .. } = &*self.shared;
        if let Ok(mut source) = self.source.try_lock() {
            let (left, came) = (source.left(), source.came());
            let complete = left == Some(0) && tally.snapshot().counts.waiting == 0;
            if stopper.why().is_none() && !complete {
                stopper.halt(Halted::RuntimeGone);
            }
            if let Some(left) = left {
                tally.left(left);
                tally.total(came.saturating_add(left));
            }
            let _ = source.end();
        }
        tally.close();
        #[cfg(feature = "progress")]
        if let Some(bar) = &self.shared.bar {
            bar.finish(&tally.snapshot());
        }
        tasks.close();
        outbox.end();
    }
}

/// Places that items are about to take. What they do not take is given back.
struct Stock(Option<OwnedSemaphorePermit>);

impl Stock {
    fn take(&mut self) -> Option<OwnedSemaphorePermit> {
        self.0.as_mut()?.split(1)
    }
}

/// One of those without whom the batch is over. However it ends, also with its runtime, the reader hears of the end.
pub(crate) struct Live<T: Task + 'static>(pub(crate) Arc<Engine<T>>);

impl<T: Task + 'static> Live<T> {
    pub(crate) fn new(engine: &Arc<Engine<T>>) -> Self {
        engine.live.fetch_add(1, Ordering::SeqCst);
        Self(engine.clone())
    }
}

impl<T: Task + 'static> Drop for Live<T> {
    fn drop(&mut self) {
        if self.0.live.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.finish();
        }
    }
}
