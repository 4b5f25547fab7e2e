//! Passing output on to the run's sink.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use bgt_core::{Chunk, Sink, SinkClosed, Source};
use bytes::Bytes;

/// One piece of output on its way. A sink that panics is taken for closed: watching must not disturb what is watched.
pub(crate) struct Push(Pin<Box<dyn Future<Output = Result<(), SinkClosed>> + Send>>);

impl Push {
    pub(crate) fn new(sink: &Arc<dyn Sink>, source: Source, bytes: Bytes) -> Self {
        let (sink, chunk) = (sink.clone(), Chunk { source, at: SystemTime::now(), bytes });
        Self(Box::pin(async move { sink.write(chunk).await }))
    }
}

impl Future for Push {
    type Output = Result<(), SinkClosed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))).unwrap_or(Poll::Ready(Err(SinkClosed)))
    }
}
