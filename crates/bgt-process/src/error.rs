//! What can go wrong with a program, each with the value that is to blame and the way out.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use bgt_core::{CancelReason, ErrorKind, TaskError};

use crate::{Exit, Output, Quota};

/// What went wrong with a program.
///
/// All but the last group are found before anything is started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The program's name is empty.
    #[error("the program is empty: name one, such as Command::new(\"ffmpeg\")")]
    EmptyProgram,
    /// No such program.
    #[error("program {program:?} was not found in {searched}: install it, or give its path")]
    ProgramNotFound {
        /// As it was given.
        program: OsString,
        /// Where it was looked for.
        searched: String,
    },
    /// The file is there but cannot be executed.
    #[error("{path:?} is not executable ({why}): make it so, or run it with Command::script")]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// No such script.
    #[error(
        "script {path:?} cannot be read: the path is relative to the host's current folder, not to current_dir"
    )]
    ScriptNotFound {
        /// As an absolute path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nothing to run the script with.
    #[error("no interpreter for script {script:?}: {hint}")]
    NoInterpreter {
        /// The script.
        script: PathBuf,
        /// What was tried, and what would help.
        hint: String,
    },
    /// A shim did not say which interpreter it stands for.
    #[error("{shim:?} does not lead to an interpreter: {why}")]
    BrokenShim {
        /// The shim.
        shim: PathBuf,
        /// What it answered.
        why: String,
    },
    /// The folder to run in is not there, or is none.
    #[error("current_dir {path:?} {why}")]
    BadCurrentDir {
        /// The folder; `.` where it is the host's own, which is not there any more.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
        /// What the system says, if it says anything.
        source: Option<io::Error>,
    },
    /// A NUL character, which no system can pass on.
    #[error("{what} contains a NUL character, which cannot be passed to a program")]
    Nul {
        /// Which word.
        what: String,
    },
    /// An environment variable's name that no system takes.
    #[error("{name:?} cannot be the name of an environment variable: it is empty or contains '='")]
    BadVariableName {
        /// The name.
        name: OsString,
    },
    /// An environment variable that is ours to set.
    #[error("the environment variable {name:?} is reserved: by it the descendants of a program are found")]
    ReservedVariable {
        /// The name.
        name: OsString,
    },
    /// An interpreter for what is no script.
    #[error("interpreter {interpreter:?} was set for program {program:?}: run scripts with Command::script")]
    InterpreterWithoutScript {
        /// The interpreter.
        interpreter: OsString,
        /// The program, as it was given.
        program: OsString,
    },
    /// A secret's variable is not set in the host.
    #[error(
        "the environment variable {name:?}, which holds a secret of this command, is not set in the host"
    )]
    SecretNotSet {
        /// The variable.
        name: OsString,
    },
    /// A secret that would have to be written down.
    #[error(
        "a literal secret cannot be stored: set it as an environment variable of the host, and name that with \
         Secret::from_env"
    )]
    LiteralSecret,
    /// A stream that only this process has.
    #[error("the command cannot be stored, because its {stream} {why}: use a file, bytes, or nothing")]
    NotStorable {
        /// stdin, stdout or stderr.
        stream: &'static str,
        /// What it is.
        why: &'static str,
    },
    /// A file for one of the streams cannot be opened.
    #[error("{stream} file {path:?} cannot be opened")]
    File {
        /// stdin, stdout or stderr.
        stream: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The live stdin was used up by an earlier attempt.
    #[error("the live stdin was used up by an earlier attempt or run: make a new one, and do not retry")]
    StdinUsed,
    /// A session has stdin and stdout for itself.
    #[error("the {stream} of a session is a pipe to the host: do not send it elsewhere")]
    SessionStream {
        /// stdin or stdout.
        stream: &'static str,
    },
    /// Stopping by stdin needs a stdin that is ours.
    #[error("the stop policy speaks through stdin, which is {stdin}: use Stdin::Null, bytes or a live stdin")]
    StopNeedsStdin {
        /// What stdin is.
        stdin: &'static str,
    },
    /// Limits that make no sense.
    #[error("{why}")]
    BadQuota {
        /// Which, and what is wrong with it.
        why: String,
    },
    /// There is no way to have the limits that were asked for.
    #[error("a program cannot be limited to {quota} here: run it without, or with Quota::best_effort")]
    QuotaUnavailable {
        /// As they were asked for.
        quota: Quota,
        /// Why not.
        source: io::Error,
    },
    /// Arguments and environment exceed what the system takes, all of them together or a single one.
    #[error(
        "the arguments and the environment of {program:?} are {bytes} bytes long, more than the system takes, or one \
         of them is: pass what is long through a file or stdin"
    )]
    TooLong {
        /// The program, as an absolute path.
        program: PathBuf,
        /// All arguments and variables together, those of the host included.
        bytes: usize,
        /// What the system says.
        source: io::Error,
    },
    /// Arguments of a batch file that cannot be escaped safely (Windows).
    #[error(
        "the arguments of batch file {path:?} cannot be passed on safely: the command processor would re-read them"
    )]
    BatchArguments {
        /// The batch file.
        path: PathBuf,
        /// What the standard library says.
        source: io::Error,
    },
    /// The system did not start it.
    #[error("{program:?} could not be started")]
    Spawn {
        /// The program, as an absolute path.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// It ended in a way that is no success.
    #[error("{}{}", .output.exit, if .output.out_of_memory { ": its memory limit was reached" } else { "" })]
    Exit {
        /// All that remains of it.
        output: Box<Output>,
    },
    /// It was stopped.
    #[error("{how}")]
    Stopped {
        /// Why.
        reason: CancelReason,
        /// How it took it.
        how: StopHow,
        /// All that remains of it.
        output: Box<Output>,
    },
    /// It was killed, and the system did not end it in time. A background thread goes on waiting for it.
    #[error("process {pid} was killed but has not ended: the system holds it, most often in a read or write")]
    Unkillable {
        /// Its process id.
        pid: u32,
    },
    /// Supervision itself failed.
    #[error("process {pid} could not be supervised and was killed")]
    Supervision {
        /// Its process id.
        pid: u32,
        /// What the system says.
        source: io::Error,
    },
}

/// How a program took being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopHow {
    /// It was asked, and ended within its grace period.
    Obeyed(Exit),
    /// It was killed: its grace period was over, skipped, or none.
    Killed,
    /// There was no way to ask it, so it was killed without waiting for the grace period.
    Undeliverable,
}

impl std::fmt::Display for StopHow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Obeyed(exit) => write!(f, "it ended when asked ({exit})"),
            Self::Killed => f.write_str("it was killed"),
            Self::Undeliverable => f.write_str("it could not be asked, and was killed"),
        }
    }
}

impl CommandError {
    /// What remains of a program that ran, if it did.
    #[must_use]
    pub fn output(&self) -> Option<&Output> {
        match self {
            Self::Exit { output } | Self::Stopped { output, .. } => Some(output),
            _ => None,
        }
    }

    pub(crate) fn into_task_error(self) -> TaskError {
        let kind = self.kind();
        TaskError::new(self).with_kind(kind)
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Exit { .. } | Self::Supervision { .. } | Self::Unkillable { .. } => ErrorKind::Failed,
            Self::Stopped { reason: CancelReason::Deadline, .. } => ErrorKind::TimedOut,
            Self::Stopped { .. } => ErrorKind::Cancelled,
            Self::Spawn { .. } => ErrorKind::Start,
            _ => ErrorKind::Invalid,
        }
    }
}
