//! Unbuffered standard streams: every call is a write or read of the descriptor itself, so that what a test sees is in
//! the order in which the verbs made it.

use std::io::ErrorKind;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::sys;
use crate::verbs::Trouble;

/// What a shell reports for a program that died of `SIGPIPE`.
const BROKEN_PIPE: i32 = 141;

static IGNORE_PIPE: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy)]
pub(crate) enum Stream {
    In,
    Out,
    Err,
}

pub(crate) fn ignore_broken_pipes() {
    IGNORE_PIPE.store(true, Ordering::Relaxed);
}

/// Writes everything. Says `false` when the stream is broken or closed and the program lives on regardless.
pub(crate) fn write(stream: Stream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match sys::write(stream, bytes) {
            Ok(0) => return false,
            Ok(written) => bytes = &bytes[written..],
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                // The host may have made its end of a shared descriptor non-blocking.
                ErrorKind::WouldBlock => sleep(Duration::from_millis(1)),
                ErrorKind::BrokenPipe if !IGNORE_PIPE.load(Ordering::Relaxed) => exit(BROKEN_PIPE),
                _ => return false,
            },
        }
    }
    true
}

/// Reads what is there; 0 is the end.
pub(crate) fn read(buffer: &mut [u8]) -> Result<usize, Trouble> {
    loop {
        match sys::read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => sleep(Duration::from_millis(1)),
                _ => return Err(error.into()),
            },
        }
    }
}
