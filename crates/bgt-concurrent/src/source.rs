//! Where the items come from: an iterator or a stream, pulled only when there is a place for what comes.
//!
//! Owns: the source, and what it said of its length. Never does: let a panic of the source get further than here.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bgt_core::Task;
use bgt_simple::Panicked;
use futures_core::Stream;
use tokio::sync::OwnedSemaphorePermit;

use crate::{IntoItem, Item};

/// An item, its place in the input, and the places that it takes from when it is pulled.
pub(crate) struct Pulled<T> {
    pub(crate) index: u64,
    pub(crate) item: Item<T>,
    pub(crate) places: Places,
}

/// Every item that is pulled has its places, so that no earlier one ever waits for a place that a later one has.
#[derive(Default)]
pub(crate) struct Places {
    /// Among those that are not yet at their end, where items wait for other things than a slot.
    pub(crate) ahead: Option<OwnedSemaphorePermit>,
    /// Among those that wait to be read, and those that will, where somebody reads.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

pub(crate) struct Source<T> {
    kind: Kind<T>,
    next: u64,
}

enum Kind<T> {
    Iterator(Box<dyn Iterator<Item = Item<T>> + Send>),
    Stream(Pin<Box<dyn Stream<Item = Item<T>> + Send>>),
    Ended,
}

impl<T: Task + 'static> Source<T> {
    pub(crate) fn iterator<I>(items: I) -> Self
    where
        I: Iterator<Item: IntoItem<Task = T>> + Send + 'static,
    {
        Self { kind: Kind::Iterator(Box::new(Items(items))), next: 0 }
    }

    pub(crate) fn stream<S>(items: S) -> Self
    where
        S: Stream<Item: IntoItem<Task = T>> + Send + 'static,
    {
        Self { kind: Kind::Stream(Box::pin(Items(Box::pin(items)))), next: 0 }
    }

    /// Waits for at least one item, and takes up to `most` that are there; none when the source is at its end. A source that
    /// panics is; what it gave before that is taken. Cancel-safe.
    pub(crate) async fn pull(&mut self, most: usize, into: &mut VecDeque<Pulled<T>>) -> Result<(), Panicked> {
        poll_fn(|cx| self.poll_pull(most, into, cx)).await
    }

    fn poll_pull(
        &mut self,
        most: usize,
        into: &mut VecDeque<Pulled<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Panicked>> {
        let before = into.len();
        let Self { kind, next } = self;
        let pulled = catch_unwind(AssertUnwindSafe(|| {
            while into.len() - before < most {
                let item = match &mut *kind {
                    Kind::Iterator(items) => Poll::Ready(items.next()),
                    Kind::Stream(items) => items.as_mut().poll_next(cx),
                    Kind::Ended => Poll::Ready(None),
                };
                match item {
                    Poll::Ready(Some(item)) => {
                        into.push_back(Pulled { index: *next, item, places: Places::default() });
                        *next += 1;
                    }
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Pending
        }));
        match pulled {
            Ok(Poll::Pending) if into.len() > before => Poll::Ready(Ok(())),
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => {
                // What the source's own destructor has to say comes too late to matter.
                let _ = self.end();
                Poll::Ready(Ok(()))
            }
            Err(payload) => {
                let _ = self.end();
                Poll::Ready(Err(Panicked::caught(payload)))
            }
        }
    }

    /// How many items it was, if it is at its end; how many it says will come, if it is sure.
    pub(crate) fn left(&self) -> Option<u64> {
        let hint = catch_unwind(AssertUnwindSafe(|| match &self.kind {
            Kind::Iterator(items) => items.size_hint(),
            Kind::Stream(items) => items.size_hint(),
            Kind::Ended => (0, Some(0)),
        }));
        match hint {
            Ok((least, Some(most))) if least == most => Some(least as u64),
            _ => None,
        }
    }

    /// How many items came.
    pub(crate) fn came(&self) -> u64 {
        self.next
    }

    /// Lets go of the source.
    pub(crate) fn end(&mut self) -> Result<(), Panicked> {
        let kind = std::mem::replace(&mut self.kind, Kind::Ended);
        catch_unwind(AssertUnwindSafe(|| drop(kind))).map_err(Panicked::caught)
    }
}

/// Items, from what can be made into them.
struct Items<S>(S);

impl<I: Iterator<Item: IntoItem>> Iterator for Items<I> {
    type Item = Item<<I::Item as IntoItem>::Task>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(IntoItem::into_item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<S: Stream<Item: IntoItem>> Stream for Items<Pin<Box<S>>> {
    type Item = Item<<S::Item as IntoItem>::Task>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map(|item| item.map(IntoItem::into_item))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// Drops something of the user's, whose destructor may panic.
pub(crate) fn drop_quietly<V>(value: V) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        std::mem::forget(payload);
    }
}

/// The task's name, which may be the work of code that panics.
pub(crate) fn name_of<T: Task>(task: &T) -> Arc<str> {
    catch_unwind(AssertUnwindSafe(|| Arc::from(&*task.name()))).unwrap_or_else(|payload| {
        std::mem::forget(payload);
        Arc::from("unnamed")
    })
}
