//! How `bad-child` dies of signals, and how it answers polite ones.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};

use bgt_testkit::{bad, skip, under_wine};

fn status(verbs: &[&str]) -> ExitStatus {
    let (program, args) = bad(verbs.iter().copied());
    Command::new(program).args(args).stdin(Stdio::null()).status().expect("bad-child runs")
}

/// Starts it in a group of its own, asks politely after the handshake, and collects what follows.
fn politely_asked(verbs: &[&str]) -> io::Result<(ExitStatus, String)> {
    let (program, args) = bad(verbs.iter().copied());
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    platform::own_group(&mut command);
    let mut child = command.spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    assert_eq!(line, "ready\n");
    if let Err(error) = platform::ask(&child) {
        child.kill()?;
        child.wait()?;
        return Err(error);
    }
    let mut rest = String::new();
    stdout.read_to_string(&mut rest)?;
    Ok((child.wait()?, rest))
}

#[test]
fn polite_signals_are_answered_as_told() -> io::Result<()> {
    let (status, rest) = match politely_asked(&["on-term-exit", "7", "then", "ready", "then", "hang"]) {
        Err(error) if under_wine() => {
            // Wine 8.0 delivers no console event to another group, with a terminal (error 6) or without (12).
            skip!("polite_signals_are_answered_as_told", format!("Wine sends no console event: {error}"));
            return Ok(());
        }
        answer => answer?,
    };
    assert_eq!((status.code(), rest.as_str()), (Some(7), "polite\n"));
    let (status, rest) = politely_asked(&["on-term-write", "100K", "then", "ready", "then", "hang"])?;
    assert_eq!((status.code(), rest), (Some(0), "d".repeat(100 << 10) + "\n"));
    let ignore = ["ignore-term", "then", "ready", "then", "sleep", "0.2", "then", "exit", "4"];
    assert_eq!(politely_asked(&ignore)?.0.code(), Some(4));
    assert!(platform::died_of_asking(politely_asked(&["ready", "then", "hang"])?.0));
    Ok(())
}

#[cfg(windows)]
mod platform {
    use std::os::windows::process::CommandExt;

    use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
    use windows_sys::Win32::System::Threading::CREATE_NEW_PROCESS_GROUP;

    use super::*;

    pub(crate) fn own_group(command: &mut Command) {
        command.creation_flags(CREATE_NEW_PROCESS_GROUP);
    }

    pub(crate) fn ask(child: &Child) -> io::Result<()> {
        // SAFETY: no memory arguments; the group is the child's own.
        match unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, child.id()) } {
            0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }

    pub(crate) fn died_of_asking(status: ExitStatus) -> bool {
        const STATUS_CONTROL_C_EXIT: i32 = 0xC000_013A_u32 as i32;
        status.code() == Some(STATUS_CONTROL_C_EXIT)
    }

    #[test]
    fn a_signal_is_a_termination() {
        assert_eq!(status(&["signal", "KILL", "then", "hang"]).code(), Some(137));
    }
}

#[cfg(unix)]
mod platform {
    use std::os::unix::process::{CommandExt, ExitStatusExt};

    use super::*;

    pub(crate) fn own_group(command: &mut Command) {
        command.process_group(0);
    }

    pub(crate) fn ask(child: &Child) -> io::Result<()> {
        // SAFETY: no memory arguments; the child is ours and not yet waited for.
        match unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn died_of_asking(status: ExitStatus) -> bool {
        status.signal() == Some(libc::SIGTERM)
    }

    #[test]
    fn signals_end_it() {
        for (name, number) in [
            ("KILL", libc::SIGKILL),
            ("SIGTERM", libc::SIGTERM),
            ("SEGV", libc::SIGSEGV),
            ("9", libc::SIGKILL),
        ] {
            assert_eq!(status(&["signal", name]).signal(), Some(number), "{name}");
        }
        // What was ignored, here or by the host, does not stand in the way.
        assert_eq!(status(&["ignore-term", "then", "signal", "TERM"]).signal(), Some(libc::SIGTERM));
        assert_eq!(status(&["abort"]).signal(), Some(libc::SIGABRT));
    }
}
