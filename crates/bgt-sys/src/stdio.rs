//! What a program is given for its standard streams, and the other words of the interface.

use std::ffi::OsString;
use std::fs::File;

use crate::{Child, PipeReader, PipeWriter};

/// Where a program's stdin comes from.
#[derive(Debug, Default)]
pub enum Input {
    /// Nothing to read.
    #[default]
    Null,
    /// A pipe whose other end is in [`Spawned::stdin`].
    Pipe,
    /// An open file.
    File(File),
    /// The host's own.
    Inherit,
}

/// Where a program's stdout or stderr goes.
#[derive(Debug, Default)]
pub enum Output {
    /// Nowhere.
    Null,
    /// A pipe whose other end is in [`Spawned`].
    #[default]
    Pipe,
    /// An open file.
    File(File),
    /// The host's own.
    Inherit,
    /// For stderr: the same stream as stdout, so that the order of both is exact. For stdout: as `Pipe`.
    Combined,
}

/// How [`spawn`](crate::spawn) starts a program.
#[derive(Debug, Default)]
pub struct SpawnOptions {
    /// Standard input.
    pub stdin: Input,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// All the variables of the program; those of the host where this is `None`. What the command says of its
    /// environment does not count.
    pub environment: Option<Vec<(OsString, OsString)>>,
    /// Windows: let the program have a console window of its own if it wants one. Off by default, because children
    /// of a service or a GUI host must not flash consoles.
    pub console_window: bool,
    /// How it stands back behind others.
    pub priority: Priority,
    /// What it leaves behind at a normal end may outlive this process, although there is a guard:
    /// [`guard_orphans`](crate::guard_orphans).
    pub may_live_on: bool,
}

/// How a program stands back behind others when all want the processor. What it starts does as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Priority {
    /// As its host.
    #[default]
    Normal,
    /// Behind the host, as far as that leaves room.
    Low,
    /// Behind everybody.
    Idle,
}

/// A program that was started, and the host's ends of its pipes.
#[derive(Debug)]
pub struct Spawned {
    /// The program and its tree.
    pub child: Child,
    /// Its stdin, where it was [`Input::Pipe`].
    pub stdin: Option<PipeWriter>,
    /// Its stdout, where it was [`Output::Pipe`].
    pub stdout: Option<PipeReader>,
    /// Its stderr, where it was [`Output::Pipe`].
    pub stderr: Option<PipeReader>,
}

/// A way to ask a tree to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// SIGHUP.
    Hangup,
}

/// Whether a tree could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// The request was delivered. What the program makes of it is its own affair.
    Delivered,
    /// There is no way to ask this program: on Windows, one that shares no console with its host.
    Undeliverable,
    /// The program had ended already.
    Ended,
}
