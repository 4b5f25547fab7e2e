//! One worker, as a caller has it.

use std::sync::Arc;
use std::time::Duration;

use bgt_core::{CancelReason, Context};
use bgt_process::SessionInput;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use super::desk::{Awaited, Desk, End, Heard, Listener};
use super::error::{CallError, CallStop};
use super::protocol;
use super::request::Answer;
use crate::resource::Place;

/// How a worker is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Its input has ended; it may take its grace period.
    Retire,
    Kill,
}

/// The orders for a worker. Dropping them gives up its place.
pub(crate) struct Orders {
    orders: UnboundedReceiver<(Order, Option<Place>)>,
    place: Option<Place>,
}

impl Orders {
    /// Who gives orders to a worker, and who waits for them.
    pub(super) fn new() -> (UnboundedSender<(Order, Option<Place>)>, Self) {
        let (give, orders) = mpsc::unbounded_channel();
        (give, Self { orders, place: None })
    }

    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Order {
        let Some((order, place)) = self.orders.recv().await else { return Order::Kill };
        self.place = place;
        order
    }
}

/// A worker of the pool. Dropping it ends the worker in the background: politely, unless it is in the middle of something.
pub(crate) struct Worker {
    pub(super) pid: u32,
    pub(super) stdin: Option<SessionInput>,
    pub(super) desk: Arc<Desk>,
    pub(super) orders: UnboundedSender<(Order, Option<Place>)>,
    /// Its place in the pool, once it has left it.
    pub(super) place: Option<Place>,
    /// Set before a request is written and cleared when its whole answer was accepted: in between nobody else gets this
    /// worker, whatever happens to the one who has it.
    pub(super) busy: bool,
    pub(super) line: Vec<u8>,
}

/// Why a worker did not answer.
pub(super) enum NoAnswer {
    /// It was not asked: another one may be.
    NotAsked,
    Failed(Box<End>),
}

impl Worker {
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Asks, and waits for the answer.
    ///
    /// Not cancel-safe: dropped before its end, the worker stays busy for good.
    pub(super) async fn ask(
        &mut self,
        arguments: &[u8],
        cx: &Context,
        grace: Duration,
    ) -> Result<Reply, NoAnswer> {
        // A stale answer, or one that is given before it is asked for, knows no id that nobody could foresee.
        let id = fastrand::u32(1..=i32::MAX as u32);
        self.busy = true;
        let mut listener = self.desk.wait_for(Awaited::Answer(id)).ok_or(NoAnswer::NotAsked)?;
        protocol::request(&mut self.line, id, arguments);
        let stdin = self.stdin.as_mut().ok_or(NoAnswer::NotAsked)?;
        let written = tokio::select! {
            biased;
            written = stdin.write_all(&self.line) => written,
            reason = cx.cancelled() => return Err(self.kill(listener, reason, CallStop::InTheMiddle).await),
            // It cannot read any more, or answers what it has not read to the end: the rest of the request is in its input, and
            // would be the beginning of the next one.
            heard = &mut listener => {
                let reply = self.judge(heard.ok());
                self.busy = true;
                return reply;
            }
        };
        if written.is_err() {
            // Without its end the request was not read: it is as if nobody had been asked.
            return Err(NoAnswer::NotAsked);
        }
        tokio::select! {
            biased;
            heard = &mut listener => self.judge(heard.ok()),
            reason = cx.cancelled() => self.stop(id, listener, reason, cx, grace).await,
        }
    }

    /// Tells the worker that the answer is not wanted any more, waits its grace period, and kills it.
    async fn stop(
        &mut self,
        id: u32,
        mut listener: Listener,
        reason: CancelReason,
        cx: &Context,
        grace: Duration,
    ) -> Result<Reply, NoAnswer> {
        let forced = cx.forced();
        let polite = async {
            if let Some(stdin) = &mut self.stdin {
                let _ = stdin.write_all(&protocol::cancel(id)).await;
            }
            (&mut listener).await.ok()
        };
        let heard = tokio::select! {
            heard = timeout(grace, polite) => heard.ok(),
            () = forced => None,
        };
        match heard {
            Some(Some(Ok(Heard::Answer { cancelled: true, .. }))) => {
                self.give_up().await;
                let error = CallError::Stopped { pid: self.pid, reason, how: CallStop::Obeyed };
                Err(NoAnswer::Failed(Box::new(End { error, tail: self.desk.last_words().1 })))
            }
            Some(heard) => {
                let reply = self.judge(heard);
                // It may still have something to say about being stopped: it is not used again.
                self.busy = true;
                reply
            }
            None => Err(self.kill(listener, reason, CallStop::Killed).await),
        }
    }

    /// Ends a worker that could not be asked, and waits until what there is to know of it is known.
    pub(super) async fn give_up(&mut self) {
        let _ = self.orders.send((Order::Kill, None));
        self.desk.gone().await;
    }

    async fn kill(&mut self, listener: Listener, reason: CancelReason, how: CallStop) -> NoAnswer {
        let _ = self.orders.send((Order::Kill, None));
        let tail = match listener.await {
            Ok(Err(end)) => end.tail,
            _ => String::new(),
        };
        let error = CallError::Stopped { pid: self.pid, reason, how };
        NoAnswer::Failed(Box::new(End { error, tail }))
    }

    fn judge(&mut self, heard: Option<Result<Heard, End>>) -> Result<Reply, NoAnswer> {
        match heard {
            Some(Ok(Heard::Answer { cancelled: true, .. })) => {
                let error = CallError::Interrupted { pid: self.pid };
                Err(NoAnswer::Failed(Box::new(End { error, tail: String::new() })))
            }
            Some(Ok(Heard::Answer { exit_code, output, last, .. })) => {
                self.busy = last;
                Ok(Reply { exit_code, output: Answer(output) })
            }
            Some(Err(end)) => Err(NoAnswer::Failed(Box::new(end))),
            // The minder is gone without a word: its runtime is shutting down.
            Some(Ok(Heard::Ready { .. })) | None => {
                let error = CallError::ShutDown { pid: self.pid };
                Err(NoAnswer::Failed(Box::new(End { error, tail: String::new() })))
            }
        }
    }
}

/// A whole answer.
pub(super) struct Reply {
    pub(super) exit_code: i32,
    pub(super) output: Answer,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // First the end of its input, then the word that it is over: so it sees the end within its grace period.
        self.stdin = None;
        // A place that is not needed until it is gone is given up at once.
        let order = if self.busy { (Order::Kill, None) } else { (Order::Retire, self.place.take()) };
        let _ = self.orders.send(order);
    }
}
