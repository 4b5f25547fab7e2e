//! Starting a program at the head of a process group of its own.
//!
//! Never by `fork`: with 1 GiB resident that costs 30 times as much as `posix_spawn`, and blocks the runtime's thread
//! meanwhile. On Linux `posix_spawn` is called here (see `launch.rs`), elsewhere by the standard library, which falls back
//! to `fork` for a `pre_exec`, a uid or gid, or a bare program name together with a changed `PATH`: so none of these.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::child::Child;
use super::pipe::{self, PipeReader, PipeWriter};
use super::strays::Strays;
use crate::{Input, Output, SpawnOptions, Spawned};

/// Starts a program at the head of a tree of its own.
///
/// `command` says program, arguments and folder; the rest is in the options. Both can be used again. The program must be
/// a path, not a bare name.
///
/// # Errors
///
/// What the system said. Nothing is left running.
///
/// # Panics
///
/// Outside a tokio runtime with its I/O driver enabled.
///
/// # Platform-specific behavior
///
/// On Linux the program blocks no signals, whatever the calling thread blocks, and gets the environment variable
/// `BGT_TREE`, by which [`Child::find_strays`] knows its descendants. Elsewhere it inherits the signal mask of the calling
/// thread.
pub fn spawn(command: &mut Command, options: &SpawnOptions) -> io::Result<Spawned> {
    let strays = Strays::new(options.may_live_on);
    let (child, stdin, stdout, stderr) = {
        let _lock = pipe::lock();
        let (stdin, ours_in) = input(&options.stdin)?;
        let (stdout, stderr, ours_out, ours_err) = outputs(&options.stdout, &options.stderr)?;
        let pid = start(command, options, &strays, [stdin, stdout, stderr])?;
        (Child::adopt(pid, strays)?, ours_in, ours_out, ours_err)
    };
    // From here on dropping `child` ends the tree, so an error leaves nothing running.
    child.set_priority(options.priority)?;
    Ok(Spawned {
        child,
        stdin: stdin.map(PipeWriter::new).transpose()?,
        stdout: stdout.map(PipeReader::new).transpose()?,
        stderr: stderr.map(PipeReader::new).transpose()?,
    })
}

/// A stream as the program gets it; the host's own where there is none.
pub(super) type Theirs = Option<OwnedFd>;
pub(super) type Ours = Option<OwnedFd>;

pub(super) fn start(
    command: &mut Command,
    options: &SpawnOptions,
    strays: &Strays,
    streams: [Theirs; 3],
) -> io::Result<Pid> {
    #[cfg(target_os = "linux")]
    if !super::linux::is_portable() {
        return super::launch::launch(command, options.environment.as_deref(), strays.marker(), streams);
    }
    let [stdin, stdout, stderr] = streams.map(|fd| fd.map_or_else(Stdio::inherit, Stdio::from));
    command.process_group(0).stdin(stdin).stdout(stdout).stderr(stderr);
    if let Some(environment) = &options.environment {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    if let Some((name, value)) = strays.marker() {
        command.env(name, value);
    }
    let child = command.spawn();
    // The command still holds the child's ends; while it does, our pipes never end.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Pid::from_child(&child?))
}

pub(super) fn input(input: &Input) -> io::Result<(Theirs, Ours)> {
    Ok(match input {
        Input::Null => (Some(null()?), None),
        Input::Inherit => (None, None),
        Input::File(file) => (Some(file.try_clone()?.into()), None),
        Input::Pipe => {
            let (read, write) = pipe::pair()?;
            (Some(read), Some(write))
        }
    })
}

pub(super) fn outputs(stdout: &Output, stderr: &Output) -> io::Result<(Theirs, Theirs, Ours, Ours)> {
    let (theirs_out, ours_out) = output(stdout)?;
    if let Output::Combined = stderr {
        let both = match &theirs_out {
            Some(stdout) => stdout.try_clone()?,
            None => io::stdout().as_fd().try_clone_to_owned()?,
        };
        return Ok((theirs_out, Some(both), ours_out, None));
    }
    let (theirs_err, ours_err) = output(stderr)?;
    Ok((theirs_out, theirs_err, ours_out, ours_err))
}

fn output(output: &Output) -> io::Result<(Theirs, Ours)> {
    Ok(match output {
        Output::Null => (Some(null()?), None),
        Output::Inherit => (None, None),
        Output::File(file) => (Some(file.try_clone()?.into()), None),
        Output::Pipe | Output::Combined => {
            let (read, write) = pipe::pair()?;
            (Some(write), Some(read))
        }
    })
}

pub(super) fn null() -> io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags, open};
    Ok(open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}
