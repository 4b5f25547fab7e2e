//! Writing to a program's stdin while it runs.

use std::future::pending;
use std::io;
use std::pin::Pin;

use bgt_sys::PipeWriter;
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What is still to be written, and whether the pipe stays open afterwards.
pub(crate) struct Feed {
    pipe: Option<PipeWriter>,
    waiting: Bytes,
    reader: Option<Pin<Box<dyn AsyncRead + Send>>>,
    keep_open: bool,
}

impl Feed {
    /// Nothing to write; the pipe stays open.
    pub(crate) fn idle() -> Self {
        Self { pipe: None, waiting: Bytes::new(), reader: None, keep_open: true }
    }

    pub(crate) fn bytes(bytes: Bytes, keep_open: bool) -> Self {
        Self { waiting: bytes, keep_open, ..Self::idle() }
    }

    pub(crate) fn reader(reader: Pin<Box<dyn AsyncRead + Send>>, keep_open: bool) -> Self {
        Self { reader: Some(reader), keep_open, ..Self::idle() }
    }

    /// Gives it the pipe to write to.
    pub(crate) fn connect(&mut self, pipe: Option<PipeWriter>) {
        self.pipe = pipe;
    }

    /// Writes this and closes: how some programs are asked to stop. What was still to be written is not.
    pub(crate) fn finish_with(&mut self, text: Bytes) {
        *self = Self { pipe: self.pipe.take(), waiting: text, reader: None, keep_open: false };
    }

    /// Does the next bit of work; never answers when there is none. Cancel-safe.
    pub(crate) async fn step(&mut self) {
        let Some(pipe) = &self.pipe else { return pending().await };
        if !self.waiting.is_empty() {
            match pipe.writable().await.and_then(|()| pipe.try_write(&self.waiting)) {
                Ok(written) => self.waiting.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Nobody reads any more. That is the program's right, and no reason to fail.
                Err(_) => self.close(),
            }
        } else if let Some(reader) = &mut self.reader {
            let mut buffer = BytesMut::with_capacity(8 * 1024);
            match reader.read_buf(&mut buffer).await {
                Ok(1..) => self.waiting = buffer.freeze(),
                Ok(0) => self.reader = None,
                Err(error) => {
                    tracing::warn!(%error, "the source of a program's stdin failed; the program sees its end");
                    self.reader = None;
                }
            }
        } else if self.keep_open {
            pending::<()>().await;
        } else {
            self.close();
        }
    }

    fn close(&mut self) {
        self.pipe = None;
        self.reader = None;
    }
}
