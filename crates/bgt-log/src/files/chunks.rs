//! Reading files in pieces, without blocking who waits for them.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::cursor::{Cursor, Found};

/// A cursor, and the thread that reads with it if there is one.
#[derive(Debug)]
pub(super) enum Chunks {
    Idle(Cursor),
    Reading(JoinHandle<(Cursor, io::Result<Found>)>),
    /// The thread ended without an answer: its runtime was shut down.
    Lost,
}

impl Chunks {
    /// The next piece, up to the line with this number. Until there is an answer it must be asked the same.
    pub(super) fn poll_read(&mut self, until: u64, cx: &mut Context<'_>) -> Poll<io::Result<Found>> {
        if let Self::Idle(_) = self {
            let Self::Idle(mut cursor) = std::mem::replace(self, Self::Lost) else { return Poll::Pending };
            let read = move || {
                let found = cursor.read(until);
                (cursor, found)
            };
            match Handle::try_current() {
                Ok(runtime) => *self = Self::Reading(runtime.spawn_blocking(read)),
                // Without a runtime there is nobody whom it would keep waiting.
                Err(_) => {
                    let (cursor, found) = read();
                    *self = Self::Idle(cursor);
                    return Poll::Ready(found);
                }
            }
        }
        let Self::Reading(reading) = self else {
            return Poll::Ready(Err(io::Error::other("the runtime was shut down")));
        };
        match std::task::ready!(Pin::new(reading).poll(cx)) {
            Ok((cursor, found)) => {
                *self = Self::Idle(cursor);
                Poll::Ready(found)
            }
            Err(error) => {
                *self = Self::Lost;
                Poll::Ready(Err(io::Error::other(error)))
            }
        }
    }

    /// Goes on after this line, unless it reads already.
    pub(super) fn seek(&mut self, folder: &Path, seq: u64) {
        match self {
            Self::Idle(cursor) => cursor.seek(seq),
            Self::Reading(_) => {}
            Self::Lost => *self = Self::Idle(Cursor::new(folder.to_owned(), seq)),
        }
    }
}
