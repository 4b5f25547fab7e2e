//! What the process prints, and how badly.

use std::ffi::{OsStr, OsString};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Trouble;
use crate::number::{from_hex, number, seconds, size};
use crate::raw::{self, Stream};
use crate::state::State;
use crate::sys;

const WRITE: usize = 64 * 1024;
/// 64 bytes with the newline, so that a reader can check any part of a flood by its offset.
const PATTERN: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
const NOT_UTF8: &[u8] = b"before \xff\xfe \xc3( \xf0\x9f after\n";

pub(super) fn print(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    line_to(Stream::Out, &arguments[0]);
    Ok(())
}

pub(super) fn eprint(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    line_to(Stream::Err, &arguments[0]);
    Ok(())
}

/// Text and newline in one write.
pub(super) fn line_to(stream: Stream, text: &OsStr) -> bool {
    raw::write(stream, &[text.as_encoded_bytes(), b"\n"].concat())
}

pub(super) fn no_newline(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    raw::write(Stream::Out, arguments[0].as_encoded_bytes());
    Ok(())
}

pub(super) fn hex(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    raw::write(Stream::Out, &from_hex(&arguments[0])?);
    Ok(())
}

pub(super) fn ehex(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    raw::write(Stream::Err, &from_hex(&arguments[0])?);
    Ok(())
}

pub(super) fn invalid_utf8(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    raw::write(Stream::Out, NOT_UTF8);
    Ok(())
}

pub(super) fn line(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    repeat(Stream::Out, size(&arguments[0])?, b"x");
    raw::write(Stream::Out, b"\n");
    Ok(())
}

pub(super) fn flood(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    repeat(Stream::Out, size(&arguments[0])?, PATTERN);
    Ok(())
}

pub(super) fn eflood(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    repeat(Stream::Err, size(&arguments[0])?, PATTERN);
    Ok(())
}

fn repeat(stream: Stream, mut bytes: u64, pattern: &[u8]) {
    let block = pattern.repeat(WRITE / pattern.len());
    while bytes > 0 {
        let part = bytes.min(WRITE as u64);
        if !raw::write(stream, &block[..part as usize]) {
            return;
        }
        bytes -= part;
    }
}

pub(super) fn endless(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    while raw::write(Stream::Out, PATTERN) {}
    Ok(())
}

pub(super) fn chatter(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let end = Instant::now() + seconds(&arguments[0])?;
    while Instant::now() < end {
        raw::write(Stream::Out, b"chatter\n");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

pub(super) fn alternate(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let lines: u64 = number(&arguments[0])?;
    for line in 1..=lines {
        let (stream, name) = if line % 2 == 1 { (Stream::Out, "out") } else { (Stream::Err, "err") };
        raw::write(stream, format!("{line} {name}\n").as_bytes());
    }
    Ok(())
}

pub(super) fn ready(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    raw::write(Stream::Out, b"ready\n");
    Ok(())
}

pub(super) fn ignore_pipe(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    raw::ignore_broken_pipes();
    Ok(())
}

pub(super) fn close_stdout(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    Ok(sys::close(Stream::Out)?)
}

pub(super) fn close_stderr(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    Ok(sys::close(Stream::Err)?)
}
