//! One watcher of a run.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bgt_core::Status;
use bgt_log::{Entry, Follower, From};
use futures_core::Stream;
use tokio::task::coop;

use crate::hub::Hub;
use crate::{ProgressInfo, StreamEvent};

/// How many events cost one unit of tokio's cooperative budget. They are at hand: a unit each would make
/// who reads a busy run give up its thread several times a chunk, and wake another for it.
const EVENTS_A_UNIT: u32 = 32;

/// A stream of what happens to a run, from any line on; it ends after [`StreamEvent::End`].
///
/// It reads at its own pace and holds at most some 100 KiB for itself. Dropping it, or never reading it, changes nothing
/// for the run or for others; it does not keep the run alive.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped.
#[must_use = "a subscription reads nothing until it is asked"]
pub struct Subscription {
    hub: Arc<Hub>,
    number: u64,
    lines: Follower,
    /// The state that was told of last.
    version: u64,
    status: Option<(Status, u32)>,
    progress: Option<ProgressInfo>,
    news: VecDeque<StreamEvent>,
    has_ended: bool,
    /// How many events may be given out before the next unit of budget.
    in_turn: u32,
}

impl Subscription {
    pub(crate) fn new(hub: Arc<Hub>, from: From) -> Self {
        let (number, lines) = (hub.subscriber(), hub.log.subscribe(from));
        Self {
            hub,
            number,
            lines,
            version: 0,
            status: None,
            progress: None,
            news: VecDeque::new(),
            has_ended: false,
            in_turn: 0,
        }
    }

    /// The next event, as soon as there is one; `None` after the end.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The number of the last line that was read, or missed: [`From::After`] it a later subscription goes on.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.lines.seq()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        // Others have their turn, however fast the lines come.
        if self.in_turn == 0 {
            ready!(coop::poll_proceed(cx)).made_progress();
            self.in_turn = EVENTS_A_UNIT;
        }
        let event = ready!(self.poll_next_event(cx));
        self.in_turn -= 1;
        Poll::Ready(Some(event))
    }

    fn poll_next_event(&mut self, cx: &mut Context<'_>) -> Poll<StreamEvent> {
        loop {
            self.look();
            if let Some(event) = self.news.pop_front() {
                return Poll::Ready(event);
            }
            match Pin::new(&mut self.lines).poll_next(cx) {
                Poll::Ready(Some(entry)) => {
                    return Poll::Ready(match entry {
                        Entry::Line(line) => StreamEvent::Line(line),
                        Entry::Gap(gap) => StreamEvent::Gap(gap),
                        _ => continue,
                    });
                }
                Poll::Ready(None) => {
                    let state = self.hub.state();
                    // What changed since the look comes before the end.
                    let summary = state.summary.clone().filter(|_| self.hub.version() == self.version);
                    drop(state);
                    if let Some(summary) = summary {
                        self.has_ended = true;
                        return Poll::Ready(StreamEvent::End(summary));
                    }
                }
                Poll::Pending => {}
            }
            if self.hub.wait(self.number, self.version, cx.waker()) {
                return Poll::Pending;
            }
        }
    }

    /// What has changed since it was told of.
    fn look(&mut self) {
        let version = self.hub.version();
        if version == self.version {
            return;
        }
        let state = self.hub.state();
        self.version = self.hub.version();
        let status = (state.status, state.attempt);
        if self.status != Some(status) && !status.0.is_final() {
            self.status = Some(status);
            self.news.push_back(StreamEvent::Status { status: status.0, attempt: status.1 });
        }
        if state.progress != self.progress {
            self.progress.clone_from(&state.progress);
            self.news.extend(self.progress.clone().map(StreamEvent::Progress));
        }
    }
}

impl Stream for Subscription {
    type Item = StreamEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        self.poll_event(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.forget(self.number);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("run", &self.hub.id)
            .field("seq", &self.seq())
            .finish_non_exhaustive()
    }
}
