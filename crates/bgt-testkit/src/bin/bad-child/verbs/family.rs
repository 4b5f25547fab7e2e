//! Descendants. A grandchild is this program again, told by its arguments what to be; it opens a gate when it runs and is
//! recorded, and its parent waits there before the next verb.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use super::Trouble;
use crate::number::{number, seconds, text};
use crate::raw::{self, Stream};
use crate::state::State;
use crate::sys::{self, Gate, Ties};

const MOST_GENERATIONS: u32 = 2000;

pub(super) fn quiet(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let time = checked_seconds(&arguments[0])?;
    start(state, Ties::Kept, &[], &["sleep", time])
}

pub(super) fn chatty(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let time = checked_seconds(&arguments[0])?;
    start(state, Ties::Kept, &[], &["chatter", time])
}

pub(super) fn closed(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let time = checked_seconds(&arguments[0])?;
    start(state, Ties::NoStreams, &[], &["sleep", time])
}

pub(super) fn stubborn(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let time = checked_seconds(&arguments[0])?;
    start(state, Ties::Kept, &["ignore-term"], &["sleep", time])
}

pub(super) fn own_group(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let time = checked_seconds(&arguments[0])?;
    start(state, Ties::OwnGroup, &[], &["sleep", time])
}

pub(super) fn daemon(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let time = checked_seconds(&arguments[0])?;
    #[cfg(windows)]
    return start(state, Ties::Nothing, &[], &["sleep", time]);
    #[cfg(unix)]
    return fork::daemon(state, seconds(OsStr::new(time))?);
}

pub(super) fn fork_storm(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let generations: u32 = number(&arguments[0])?;
    if !(1..=MOST_GENERATIONS).contains(&generations) {
        return Err(Trouble::Usage(format!("{generations} is not between 1 and {MOST_GENERATIONS}")));
    }
    #[cfg(windows)]
    return next_generation(state, generations);
    #[cfg(unix)]
    return fork::storm(state, generations);
}

/// The first of `left` generations, by exec: the way of a platform without fork.
fn next_generation(state: &mut State, left: u32) -> Result<(), Trouble> {
    start(state, Ties::Kept, &[], &["generation", &(left - 1).to_string()])
}

pub(super) fn generation(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    match number(&arguments[0])? {
        0 => super::ending::hang(state, &[]),
        left => {
            next_generation(state, left)?;
            std::process::exit(0)
        }
    }
}

pub(super) fn pids_to(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    state.record_pids_in(&arguments[0])
}

pub(super) fn pid(_: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    raw::write(Stream::Out, format!("{}\n", std::process::id()).as_bytes());
    Ok(())
}

pub(super) fn deadline(state: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    state.end_at(number(&arguments[0])?);
    Ok(())
}

pub(super) fn started(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    Ok(Gate::open(text(&arguments[0])?)?)
}

/// Refuses a bad time here, where the test sees the message, rather than in the grandchild.
fn checked_seconds(argument: &OsStr) -> Result<&str, Trouble> {
    seconds(argument)?;
    text(argument)
}

/// Starts this program with `first`, then the gate, then `last`, and returns when the gate was opened.
fn start(state: &State, ties: Ties, first: &[&str], last: &[&str]) -> Result<(), Trouble> {
    let gate = Gate::new()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("deadline").arg(state.end_millis().to_string());
    if let Some(path) = state.pids() {
        command.args(["then", "pids-to"]).arg(path);
    }
    if !first.is_empty() {
        command.arg("then").args(first);
    }
    command.args(["then", "started", &gate.token(), "then"]).args(last);
    // Never waited for: leaving it behind is the habit.
    drop(sys::spawn(&mut command, ties)?);
    Ok(gate.wait()?)
}

/// Descendants without exec. Sound because this program has one thread on Unix.
#[cfg(unix)]
mod fork {
    use std::thread::sleep;
    use std::time::Duration;

    use super::{Gate, Trouble};
    use crate::state::{LONGEST_LIFE, State};
    use crate::sys;

    pub(super) fn daemon(state: &State, time: Duration) -> Result<(), Trouble> {
        let gate = Gate::new()?;
        let token = gate.token();
        let middle = sys::fork(|| {
            sys::new_session();
            let _ = sys::fork(|| {
                state.arm();
                sys::close_everything_but(&token);
                let _ = std::env::set_current_dir("/");
                if state.record_pid().is_ok() && Gate::open(&token).is_ok() {
                    sleep(time);
                }
            });
        })?;
        let answer = gate.wait();
        sys::reap(middle);
        Ok(answer?)
    }

    pub(super) fn storm(state: &State, generations: u32) -> Result<(), Trouble> {
        let gate = Gate::new()?;
        let token = gate.token();
        sys::fork(|| {
            state.arm();
            if state.record_pid().is_ok() && Gate::open(&token).is_ok() {
                generation(state, generations - 1);
            }
        })?;
        Ok(gate.wait()?)
    }

    /// Runs in the forked child, and ends with it: the caller's caller is `sys::fork`.
    fn generation(state: &State, left: u32) {
        if left == 0 {
            sleep(LONGEST_LIFE);
            return;
        }
        let _ = sys::fork(|| {
            state.arm();
            let _ = state.record_pid();
            generation(state, left - 1);
        });
    }
}
