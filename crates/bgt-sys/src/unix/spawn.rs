//! Starting a program at the head of a process group of its own.
//!
//! Never uses anything that makes the standard library fall back from `posix_spawn` to `fork`: no `pre_exec`, no
//! uid or gid, no bare program name together with a changed `PATH`. With 1 GiB resident a `fork` costs 30 times as
//! much and blocks the runtime's thread meanwhile.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::child::Child;
use super::pipe::{self, PipeReader, PipeWriter};
use super::strays::Strays;
use crate::{Input, Output, SpawnOptions, Spawned};

/// Starts a program at the head of a tree of its own.
///
/// `command` says program, arguments, environment and folder; its streams are set here. Both can be used again. The program must be a path,
/// not a bare name. The child inherits the signal mask of the calling thread. On Linux it also gets the environment
/// variable `BGT_TREE`, by which [`Child::find_strays`] knows its descendants.
///
/// # Errors
///
/// What the system said. Nothing is left running.
///
/// # Panics
///
/// Outside a tokio runtime with its I/O driver enabled.
pub fn spawn(command: &mut Command, options: &SpawnOptions) -> io::Result<Spawned> {
    command.process_group(0);
    let strays = Strays::marked(command);
    let (child, stdin, stdout, stderr) = {
        let _lock = pipe::lock();
        let (stdin, ours_in) = input(&options.stdin)?;
        let (stdout, stderr, ours_out, ours_err) = outputs(&options.stdout, &options.stderr)?;
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        let child = command.spawn();
        // The command still holds the child's ends; while it does, our pipes never end.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        (Child::adopt(child?, strays)?, ours_in, ours_out, ours_err)
    };
    // From here on dropping `child` ends the tree, so an error leaves nothing running.
    Ok(Spawned {
        child,
        stdin: stdin.map(PipeWriter::new).transpose()?,
        stdout: stdout.map(PipeReader::new).transpose()?,
        stderr: stderr.map(PipeReader::new).transpose()?,
    })
}

type OurEnd = Option<std::os::fd::OwnedFd>;

fn input(input: &Input) -> io::Result<(Stdio, OurEnd)> {
    Ok(match input {
        Input::Null => (Stdio::null(), None),
        Input::Inherit => (Stdio::inherit(), None),
        Input::File(file) => (file.try_clone()?.into(), None),
        Input::Pipe => {
            let (read, write) = pipe::pair()?;
            (read.into(), Some(write))
        }
    })
}

fn outputs(stdout: &Output, stderr: &Output) -> io::Result<(Stdio, Stdio, OurEnd, OurEnd)> {
    if let Output::Combined = stderr {
        return Ok(match stdout {
            Output::Null => (Stdio::null(), Stdio::null(), None, None),
            Output::Inherit => (Stdio::inherit(), io::stdout().into(), None, None),
            Output::File(file) => (file.try_clone()?.into(), file.try_clone()?.into(), None, None),
            Output::Pipe | Output::Combined => {
                let (read, write) = pipe::pair()?;
                (write.try_clone()?.into(), write.into(), Some(read), None)
            }
        });
    }
    let (stdout, ours_out) = output(stdout)?;
    let (stderr, ours_err) = output(stderr)?;
    Ok((stdout, stderr, ours_out, ours_err))
}

fn output(output: &Output) -> io::Result<(Stdio, OurEnd)> {
    Ok(match output {
        Output::Null => (Stdio::null(), None),
        Output::Inherit => (Stdio::inherit(), None),
        Output::File(file) => (file.try_clone()?.into(), None),
        Output::Pipe | Output::Combined => {
            let (read, write) = pipe::pair()?;
            (write.into(), Some(read))
        }
    })
}
