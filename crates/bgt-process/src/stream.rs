//! One output stream of a running program.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io;
use std::task::Poll;

use bgt_core::Source;
use bgt_sys::PipeReader;
use bytes::{Bytes, BytesMut};

use crate::capture::Collector;
use crate::{Capture, Captured};

/// Reads this much at once, into a buffer that all runs of a thread share: a thousand quiet programs cost no memory.
const SCRATCH: usize = 64 * 1024;

/// From so many bytes on, what was read is passed on as it lies in the buffer, and the next read has a new one. Less is
/// copied: a few bytes would hold all of the buffer.
const LARGE: usize = SCRATCH / 4 * 3;

thread_local! {
    static BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

pub(crate) struct Stream {
    pub(crate) source: Source,
    pipe: Option<PipeReader>,
    pub(crate) collected: Collector,
    /// Why nobody will tell any more that there is something to read: the runtime that it was begun by has gone.
    pub(crate) cut_off: Option<io::Error>,
}

impl Stream {
    pub(crate) fn new(source: Source, pipe: Option<PipeReader>, limits: Capture) -> Self {
        Self { source, pipe, collected: Collector::new(limits), cut_off: None }
    }

    /// Whether there is nothing more to come.
    pub(crate) fn is_over(&self) -> bool {
        self.pipe.is_none()
    }

    /// What was collected so far; it is collected anew from here.
    pub(crate) fn take_collected(&mut self) -> Captured {
        let anew = Collector::new(self.collected.limits());
        std::mem::replace(&mut self.collected, anew).finish()
    }

    /// Waits for output, collects it and answers it; `None` at the end. Cancel-safe.
    ///
    /// For conversations, where most of what comes is short and comes alone: it does not look whether there is more.
    pub(crate) async fn piece(&mut self) -> Option<Bytes> {
        let Some(pipe) = &mut self.pipe else { return None };
        let read = poll_fn(|cx| {
            BUFFER.with_borrow_mut(|buffer| {
                if buffer.len() < SCRATCH {
                    *buffer = BytesMut::zeroed(SCRATCH);
                }
                let read = std::task::ready!(pipe.poll_read(cx, buffer))?;
                Poll::Ready(io::Result::Ok(Bytes::copy_from_slice(&buffer[..read])))
            })
        });
        match read.await {
            Ok(bytes) if !bytes.is_empty() => {
                self.collected.push(&bytes);
                return Some(bytes);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "reading a program's output failed; the rest of it is lost"),
        }
        self.pipe = None;
        None
    }

    /// Waits for output and collects it. Answers it as well when `copy` is set. Never answers after the end.
    /// Cancel-safe: what was read is collected.
    pub(crate) async fn next(&mut self, copy: bool) -> Option<Bytes> {
        let Some(pipe) = &self.pipe else { return pending().await };
        if let Err(error) = pipe.readable().await {
            self.cut_off = Some(error);
            self.pipe = None;
            return None;
        }
        let read = BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < SCRATCH {
                *buffer = BytesMut::zeroed(SCRATCH);
            }
            let read = pipe.try_read(buffer)?;
            if !copy || read < LARGE {
                self.collected.push(&buffer[..read]);
                return Ok((read, copy.then(|| Bytes::copy_from_slice(&buffer[..read]))));
            }
            let bytes = buffer.split_to(read).freeze();
            self.collected.share(bytes.clone());
            io::Result::Ok((read, Some(bytes)))
        });
        match read {
            Ok((0, _)) => self.pipe = None,
            Ok((_, bytes)) => return bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::warn!(%error, "reading a program's output failed; the rest of it is lost");
                self.pipe = None;
            }
        }
        None
    }
}
