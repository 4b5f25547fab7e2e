//! Starting a program in a Job Object of its own.

use std::fs::File;
use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};

use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_SUSPENDED};

use super::child::Child;
use super::job::Job;
use super::pipe::{self, PipeReader, PipeWriter};
use super::{console, resume};
use crate::{Input, Output, SpawnOptions, Spawned};

/// Starts a program at the head of a tree of its own.
///
/// `command` says program, arguments and folder; the rest is set here. The program
/// must be a path, not a bare name.
///
/// # Errors
///
/// What the system said. Nothing is left running. Arguments for a batch file that cannot be escaped are refused.
///
/// # Panics
///
/// Outside a tokio runtime with its I/O driver enabled.
pub fn spawn(command: &mut Command, options: &SpawnOptions) -> io::Result<Spawned> {
    let job = Job::new()?;
    let (theirs_in, stdin) = input(&options.stdin)?;
    let (theirs_out, theirs_err, stdout, stderr) = outputs(&options.stdout, &options.stderr)?;
    let window = if options.console_window { 0 } else { CREATE_NO_WINDOW };
    let shares_console = options.console_window && console::is_there();
    command.creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | window);
    command.stdin(theirs_in).stdout(theirs_out).stderr(theirs_err);
    if let Some(environment) = &options.environment {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    let started = command.spawn();
    // The command still holds the child's ends; while it does, our pipes never end.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Suspended until it is in the job: otherwise it could start descendants that are not.
    let mut started = started?;
    if let Err(error) = job.assign(&started) {
        let _ = started.kill();
        return Err(error);
    }
    let child = Child::adopt(started, job, shares_console);
    // From here on dropping `child` ends the tree, so an error leaves nothing running.
    child.set_priority(options.priority)?;
    resume::resume(child.id())?;
    Ok(Spawned { child, stdin, stdout, stderr })
}

fn input(input: &Input) -> io::Result<(Stdio, Option<PipeWriter>)> {
    Ok(match input {
        Input::Null => (Stdio::null(), None),
        Input::Inherit => (Stdio::inherit(), None),
        Input::File(file) => (file.try_clone()?.into(), None),
        Input::Pipe => {
            let (ours, theirs) = pipe::to_child()?;
            (theirs.into(), Some(ours))
        }
    })
}

type OurEnd = Option<PipeReader>;

fn outputs(stdout: &Output, stderr: &Output) -> io::Result<(Stdio, Stdio, OurEnd, OurEnd)> {
    if let Output::Combined = stderr {
        let both = |file: &File| io::Result::Ok((file.try_clone()?.into(), file.try_clone()?.into()));
        return Ok(match stdout {
            Output::Null => (Stdio::null(), Stdio::null(), None, None),
            Output::Inherit => (Stdio::inherit(), io::stdout().into(), None, None),
            Output::File(file) => {
                let (stdout, stderr) = both(file)?;
                (stdout, stderr, None, None)
            }
            Output::Pipe | Output::Combined => {
                let (ours, theirs) = pipe::from_child()?;
                let (stdout, stderr) = both(&theirs)?;
                (stdout, stderr, Some(ours), None)
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
            let (ours, theirs) = pipe::from_child()?;
            (theirs.into(), Some(ours))
        }
    })
}
