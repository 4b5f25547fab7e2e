//! The sides: ways to run one program many times, so many at once.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bgt_concurrent::batch;
use tokio::runtime::Runtime;

use crate::Result;
use crate::no_op::NoOp;

/// A way to do it: a library of ours, or a program that somebody has installed.
pub(super) enum Starter<'a> {
    Ours(&'a Runtime),
    Installed(Rival, PathBuf),
}

/// A program that starts programs: it reads their arguments from stdin, a line each.
#[derive(Clone, Copy)]
pub(super) struct Rival {
    pub(super) name: &'static str,
    pub(super) goal: f64,
    /// The words that say how many at once.
    at_once: fn(usize) -> Vec<String>,
}

pub(super) const RIVALS: &[Rival] = &[
    Rival { name: "xargs", goal: 1.3, at_once: |most| vec![format!("-P{most}"), "-n1".to_owned()] },
    Rival { name: "parallel", goal: 5.0, at_once: |most| vec![format!("-j{most}")] },
    Rival { name: "rust-parallel", goal: 1.0, at_once: |most| vec![format!("-j{most}")] },
];

impl Starter<'_> {
    /// Runs a program so many times, each time with its number as one more argument.
    ///
    /// # Errors
    /// Where a run is not a success.
    pub(super) fn run(&self, NoOp { program, args }: &NoOp, times: u32, at_once: usize) -> Result {
        match self {
            Self::Ours(runtime) => {
                let (program, args) = (program.clone(), args.clone());
                let command = move || bgt_concurrent::Command::new(&program).args(&args);
                let commands = (0..times).map(move |n| command().arg(n.to_string()));
                // In a task, as a service has it.
                let batch = batch(commands).max_concurrent(at_once);
                let report = runtime.block_on(async { runtime.spawn(batch.into_future()).await })??;
                report.require_success()?;
                Ok(())
            }
            Self::Installed(rival, path) => {
                let mut command = Command::new(path);
                command.args((rival.at_once)(at_once)).arg(program).args(args);
                let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
                let lines: String = (0..times).map(|n| format!("{n}\n")).collect();
                child.stdin.take().ok_or("no stdin")?.write_all(lines.as_bytes())?;
                let status = child.wait()?;
                if status.success() { Ok(()) } else { Err(format!("ended with {status}").into()) }
            }
        }
    }
}
