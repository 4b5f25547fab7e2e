//! The sides: one function each, from a program to its successful end.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use crate::no_op::NoOp;
use crate::{Error, Result};

/// A program to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its absolute path.
    pub program: Arc<Path>,
    /// Its arguments.
    pub args: Arc<[String]>,
    /// Whether nothing else runs meanwhile, so that blocking the thread holds nobody up.
    pub alone: bool,
}

/// A run on its way; an error when it could not be started or did not succeed.
pub type Running = Pin<Box<dyn Future<Output = Result> + Send>>;

/// A way to run a program and to get its status and output.
#[derive(Clone, Copy, Debug)]
pub struct Rival {
    /// The name in `against`.
    pub name: &'static str,
    /// Runs a program to its end, with stdout and stderr captured.
    pub run: fn(Job) -> Running,
}

impl Job {
    /// The program that does nothing.
    pub(super) fn no_op(in_flight: usize) -> Result<Self> {
        let NoOp { program, args } = NoOp::find()?;
        Ok(Self::new(program, args, in_flight))
    }

    pub(super) fn new(program: PathBuf, args: Vec<String>, in_flight: usize) -> Self {
        Self { program: program.into(), args: args.into(), alone: in_flight == 1 }
    }

    /// What every side does with the status that it got.
    ///
    /// # Errors
    /// Where it is no success.
    pub fn succeeded(&self, status: ExitStatus) -> Result {
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} ended with {status}", self.program.display()).into())
        }
    }
}

pub(super) const OURS: Rival = Rival { name: "ours", run: ours };

pub(super) const OWN_CRATES: &[Rival] = &[
    Rival { name: "tokio", run: tokio },
    #[cfg(unix)]
    Rival { name: "pre-exec", run: pre_exec },
];

fn ours(job: Job) -> Running {
    Box::pin(async move {
        // A status other than success is an error.
        let command = bgt_simple::Command::new(&*job.program).args(job.args.iter());
        bgt_simple::run(command).await.map(drop).map_err(Error::from)
    })
}

fn command(job: &Job) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(&*job.program);
    // Ours gives programs nothing to read, by default; tokio would hand down the host's stdin.
    command.args(job.args.iter()).stdin(Stdio::null());
    command
}

fn tokio(job: Job) -> Running {
    Box::pin(async move { job.succeeded(command(&job).output().await?.status) })
}

/// A session of its own, set up in the child: what supervisors do that want to signal the tree, or tie it to themselves.
#[cfg(unix)]
fn pre_exec(job: Job) -> Running {
    Box::pin(async move {
        let mut command = command(&job);
        let new_session = || {
            // SAFETY: takes nothing and touches no memory.
            if unsafe { libc::setsid() } == -1 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        };
        // SAFETY: what runs between fork and exec is one system call; it allocates and locks nothing.
        unsafe { command.pre_exec(new_session) };
        job.succeeded(command.output().await?.status)
    })
}
