//! How the process ends, or does not, and what it burns meanwhile.

use std::ffi::OsString;
use std::hint::black_box;
use std::time::{Duration, Instant};

use super::Trouble;
use crate::number::{number, seconds, size, text};
use crate::state::{LONGEST_LIFE, State};
use crate::sys::{self, Polite};

pub(super) fn exit(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    // Windows codes use all 32 bits, so both -1 and 0xC0000005 in decimal are accepted.
    let code: i64 = number(&arguments[0])?;
    std::process::exit(code as i32)
}

pub(super) fn signal(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let name = text(&arguments[0])?;
    let signal = match name.parse() {
        Ok(number) => number,
        Err(_) => sys::signal_number(name.strip_prefix("SIG").unwrap_or(name))
            .ok_or_else(|| Trouble::Usage(format!("{name:?} is not a signal")))?,
    };
    sys::die_by(signal)?;
    Ok(())
}

pub(super) fn abort(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    sys::no_core_dump();
    std::process::abort()
}

pub(super) fn ignore_term(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    Ok(sys::on_polite_signal(Polite::Ignore)?)
}

pub(super) fn on_term_exit(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    Ok(sys::on_polite_signal(Polite::Exit(number(&arguments[0])?))?)
}

pub(super) fn on_term_write(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    Ok(sys::on_polite_signal(Polite::Write(size(&arguments[0])?))?)
}

pub(super) fn sleep(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    std::thread::sleep(seconds(&arguments[0])?);
    Ok(())
}

pub(super) fn hang(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    std::thread::sleep(LONGEST_LIFE);
    Ok(())
}

/// By the process's own user time where it advances; the wall clock bounds it on a crowded machine.
pub(super) fn spin(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let wanted = Duration::from_millis(number(&arguments[0])?);
    let (began, before) = (Instant::now(), sys::user_time());
    let mut value = 1_u64;
    while sys::user_time().saturating_sub(before) < wanted && began.elapsed() < wanted * 20 {
        for _ in 0..100_000 {
            value = black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
    Ok(())
}

pub(super) fn alloc(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let mib: usize = number(&arguments[0])?;
    // Not zero: zeroed memory may be handed out without being touched.
    black_box(vec![1_u8; mib << 20].leak());
    Ok(())
}
