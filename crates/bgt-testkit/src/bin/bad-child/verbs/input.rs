//! What the process reads from stdin, or leaves unread.

use std::ffi::OsString;

use super::Trouble;
use crate::number::size;
use crate::raw::{self, Stream};
use crate::state::State;
use crate::sys;

const BUFFER: usize = 64 * 1024;

pub(super) fn read_stdin(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    each_part(u64::MAX, |part| {
        raw::write(Stream::Out, part);
    })?;
    Ok(())
}

pub(super) fn count_stdin(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    let count = each_part(u64::MAX, |_| {})?;
    raw::write(Stream::Out, format!("{count}\n").as_bytes());
    Ok(())
}

pub(super) fn read_some(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    each_part(size(&arguments[0])?, |_| {})?;
    Ok(())
}

/// Reads up to `limit` bytes and says how many came.
fn each_part(limit: u64, mut take: impl FnMut(&[u8])) -> Result<u64, Trouble> {
    let mut buffer = vec![0; BUFFER];
    let mut count = 0;
    while count < limit {
        let wanted = (limit - count).min(BUFFER as u64) as usize;
        match raw::read(&mut buffer[..wanted])? {
            0 => break,
            read => {
                take(&buffer[..read]);
                count += read as u64;
            }
        }
    }
    Ok(count)
}

pub(super) fn no_stdin(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    Ok(())
}

pub(super) fn close_stdin(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    Ok(sys::close(Stream::In)?)
}
