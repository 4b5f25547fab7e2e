//! A program with its arguments, as plain data.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bgt_core::{Polite, Stop};

use crate::environment::Environment;
use crate::secret::Word;
use crate::{Capture, Encoding, Exit, Priority, Quota, Redirect, Secret, Stdin};

/// A program or script with its arguments, environment, streams and stop policy: a [`Task`](bgt_core::Task) whose
/// output is an [`Output`](crate::Output).
///
/// Plain data: cheap to clone, nothing is started or looked up until it runs, and wrong values are refused then,
/// before anything is started. It may be run any number of times, also at once (but see [`Stdin::live`]).
///
/// Nothing passes through a shell. For pipes and redirections write a script, or run the shell by name.
///
/// # Paths
///
/// A bare program name is looked up in the `PATH` that the program will have, or in the host's if it will have none. A
/// relative path of a program, a
/// script, a redirection or a folder starts at the host's current folder, not at
/// [`current_dir`](Self::current_dir).
///
/// # Platform-specific behavior
///
/// On Linux the program also gets the environment variable `BGT_TREE`, by which descendants that left its process group
/// are found when it is stopped. The name is reserved everywhere: giving it another value is refused.
///
/// # Examples
///
/// ```
/// use bgt_process::{Command, Redirect, Secret};
/// use std::time::Duration;
///
/// let encode = Command::new("ffmpeg")
///     .args(["-i", "in.mov", "out.mp4"])
///     .current_dir("/srv/media")
///     .env_secret("UPLOAD_TOKEN", Secret::from_env("UPLOAD_TOKEN"))
///     .stderr(Redirect::append("encode.log"))
///     .grace(Duration::from_secs(30));
/// let train = Command::script("train.py").arg("--epochs=3");
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is run"]
pub struct Command {
    pub(crate) program: Program,
    pub(crate) interpreter: Option<OsString>,
    pub(crate) args: Vec<Word>,
    pub(crate) env: Environment,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) stdin: Stdin,
    pub(crate) stdout: Redirect,
    pub(crate) stderr: Redirect,
    pub(crate) combined: bool,
    pub(crate) capture: Capture,
    pub(crate) encoding: Encoding,
    pub(crate) stop: Stop,
    pub(crate) background: Background,
    pub(crate) accept: Accept,
    pub(crate) console_window: bool,
    pub(crate) priority: Priority,
    pub(crate) quota: Quota,
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Name(OsString),
    Script { path: PathBuf },
    Python { code: String },
}

/// What happens to descendants that are still alive when the program itself has ended normally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// They may write to their pipes for the drain period of the [`Stop`] policy, then they are killed.
    #[default]
    Kill,
    /// The same, and those that have left the process group on purpose, daemons for example, are looked for and killed,
    /// as they are after a stop by force. It looks at each process of the machine two or three times, for a few
    /// microseconds each and on a thread of its own: more than the start of a small program costs. Each attempt does.
    ///
    /// # Platform-specific behavior
    ///
    /// Linux only: on macOS they are not found, and on Windows nobody leaves.
    Search,
    /// They live on. After the drain period their pipes are closed on our side: redirect their output. Before
    /// [`guard_orphans`](crate::guard_orphans) they are safe, but for those that leave the group of a script that a pool has
    /// started ahead by [`Prestarted`](crate::Prestarted).
    Keep,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accept {
    Any,
    Codes(Vec<i32>),
}

impl Accept {
    pub(crate) fn accepts(&self, exit: Exit) -> bool {
        match self {
            Self::Any => true,
            Self::Codes(codes) => exit.code().is_some_and(|code| codes.contains(&code)),
        }
    }
}

impl Command {
    /// A program, by name or path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::from_program(Program::Name(program.as_ref().to_owned()))
    }

    /// A script, run by the interpreter that belongs to it on this system.
    ///
    /// By its extension: `.py` Python 3 (of the active virtual environment, if `VIRTUAL_ENV` names one), `.js`
    /// `.mjs` `.cjs` Node, `.rb` Ruby, `.pl` Perl, `.ps1` PowerShell (`pwsh`, on Windows else `powershell`), `.cmd`
    /// `.bat` the Windows command processor. `.sh` and everything else: by its shebang line, on Windows too; without
    /// one `.sh` is run by `sh`, and anything else must be executable.
    ///
    /// A version manager's shim is asked once for the real interpreter, which is then used directly; the answer is
    /// kept while the file that chose the version, such as `.python-version`, stays as it is. An
    /// [`interpreter`](Self::interpreter) that you name is used as it is, and so is any other wrapper.
    ///
    /// # Platform-specific behavior
    ///
    /// Windows: Python is also found through the `py` launcher. An alias of the Store comes last, and is asked whether
    /// it is Python or an offer to install it. The `bash` of WSL is not taken for an interpreter.
    pub fn script(path: impl AsRef<Path>) -> Self {
        Self::from_program(Program::Script { path: path.as_ref().to_owned() })
    }

    /// Python code, run by the interpreter that a `.py` [`script`](Self::script) would get: `python -c CODE`.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_process::Command;
    ///
    /// let sum = Command::python("import sys; print(sum(map(int, sys.argv[1:])))").args(["1", "2"]);
    /// ```
    pub fn python(code: impl Into<String>) -> Self {
        Self::from_program(Program::Python { code: code.into() })
    }

    fn from_program(program: Program) -> Self {
        Self {
            program,
            interpreter: None,
            args: Vec::new(),
            env: Environment::default(),
            cwd: None,
            stdin: Stdin::Null,
            stdout: Redirect::Capture,
            stderr: Redirect::Capture,
            combined: false,
            capture: Capture::default(),
            encoding: Encoding::Utf8,
            stop: Stop::default(),
            background: Background::Kill,
            accept: Accept::Codes(vec![0]),
            console_window: false,
            priority: Priority::Normal,
            quota: Quota::new(),
            name: None,
        }
    }

    /// Sets the interpreter of a [`script`](Self::script) or of [`python`](Self::python) code, by name or path; a program
    /// that has one is refused.
    pub fn interpreter(mut self, program: impl AsRef<OsStr>) -> Self {
        self.interpreter = Some(program.as_ref().to_owned());
        self
    }

    /// Adds an argument, passed on exactly as it is.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(Word::Plain(arg.as_ref().to_owned()));
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| Word::Plain(arg.as_ref().to_owned())));
        self
    }

    /// Adds an argument that we never show. Other users of the machine can still see it in the list of processes:
    /// prefer [`env_secret`](Self::env_secret).
    pub fn arg_secret(mut self, secret: Secret) -> Self {
        self.args.push(Word::Secret(secret));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.change(name.as_ref().to_owned(), Some(Word::Plain(value.as_ref().to_owned())));
        self
    }

    /// Sets environment variables.
    pub fn envs(self, variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>) -> Self {
        variables.into_iter().fold(self, |command, (name, value)| command.env(name, value))
    }

    /// Sets an environment variable whose value we never show.
    pub fn env_secret(mut self, name: impl AsRef<OsStr>, secret: Secret) -> Self {
        self.env.change(name.as_ref().to_owned(), Some(Word::Secret(secret)));
        self
    }

    /// Removes an environment variable.
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.change(name.as_ref().to_owned(), None);
        self
    }

    /// Starts from an empty environment, forgetting the changes made so far.
    pub fn env_clear(mut self) -> Self {
        self.env.clear();
        self
    }

    /// Sets the folder in which the program runs.
    pub fn current_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.cwd = Some(path.as_ref().to_owned());
        self
    }

    /// Sets where stdin comes from; nothing to read without this.
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Sets where stdout goes; captured without this.
    pub fn stdout(mut self, to: Redirect) -> Self {
        self.stdout = to;
        self
    }

    /// Sets where stderr goes; captured without this.
    pub fn stderr(mut self, to: Redirect) -> Self {
        self.stderr = to;
        self
    }

    /// Sends stderr the way of stdout, through one pipe: the order of both is exact, and which was which is lost.
    pub fn combine_output(mut self) -> Self {
        self.combined = true;
        self
    }

    /// Sets how much of each captured stream is kept.
    pub fn capture(mut self, limits: Capture) -> Self {
        self.capture = limits;
        self
    }

    /// Sets how its captured output is text; UTF-8 without this. It is for [`Captured::text`](crate::Captured::text) and
    /// the tails in errors alone: bytes, files and live output stay as they are.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_process::{Command, Encoding};
    ///
    /// let tasks = Command::new("tasklist").encoding(Encoding::Console);
    /// ```
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sets how the program is stopped.
    pub fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Sets how long the program may take to end after it was asked to; 5 s without this.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.stop.grace = grace;
        self
    }

    /// Sets how long output may still arrive after the program has ended, from descendants that hold its pipes; 1 s
    /// without this.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.stop.drain = drain;
        self
    }

    /// Sets how the program is asked to stop; SIGTERM without this.
    pub fn polite(mut self, polite: Polite) -> Self {
        self.stop.polite = polite;
        self
    }

    /// Sets what happens to descendants that outlive the program.
    pub fn background(mut self, background: Background) -> Self {
        self.background = background;
        self
    }

    /// Takes any end of the program for a success: look at [`Output::exit`](crate::Output::exit) yourself.
    pub fn unchecked(mut self) -> Self {
        self.accept = Accept::Any;
        self
    }

    /// Sets the exit codes that are a success; only 0 without this.
    pub fn ok_exits(mut self, codes: impl IntoIterator<Item = i32>) -> Self {
        self.accept = Accept::Codes(codes.into_iter().collect());
        self
    }

    /// Windows: lets the program have a console window, which it also needs to be asked to stop by `CTRL_BREAK`.
    /// Without effect elsewhere.
    pub fn console_window(mut self, wanted: bool) -> Self {
        self.console_window = wanted;
        self
    }

    /// Has the program, and what it starts, stand back behind others when all want the processor. Nobody is ever brought
    /// forward: where the host stands back already, or the program by itself, that stays as it is.
    ///
    /// # Platform-specific behavior
    ///
    /// - Windows: by the priority class: below normal, or idle. From its first instruction on.
    /// - Unix: by `nice`: 10 more than the host's, or 19, set as soon as it has started: its first microseconds have the
    ///   host's. A program that runs as another user (setuid, `sudo`) cannot be told: the run fails, and the program is
    ///   killed in its first microseconds. On Linux with autogroups, as most desktops have them, `nice` counts among the
    ///   programs of one session only.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_process::{Command, Priority};
    ///
    /// let encode = Command::new("ffmpeg").args(["-i", "in.mov", "out.mp4"]).priority(Priority::Idle);
    /// ```
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets how much memory and processor time the program, and all that it starts, may have together. Where there is no way
    /// to have that, the run is refused, or, with [`Quota::best_effort`], [`Output::unlimited`](crate::Output::unlimited)
    /// says why.
    ///
    /// # Platform-specific behavior
    ///
    /// See [`Quota`]: on Windows by the job that the program is in anyway, on Linux where the host may make cgroups, elsewhere
    /// never. On Linux the program is moved right after its start, and whom it has started by then with it; and nobody gets
    /// away by leaving the process group. What an interpreter that a pool has started ahead had before its script does not count.
    ///
    /// # Examples
    ///
    /// ```
    /// use bgt_process::{Command, Quota};
    ///
    /// let quota = Quota::new().memory(2 << 30).processors(1.5).best_effort();
    /// let train = Command::script("train.py").quota(quota);
    /// ```
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = quota;
        self
    }

    /// Sets the name under which runs are listed; the file name of program or script without this.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the program's stdin must be a pipe that we hold, because that is how it is asked to stop.
    pub(crate) fn stops_by_stdin(&self) -> bool {
        matches!(self.stop.polite, Polite::StdinText(_) | Polite::CloseStdin)
    }
}

/// Everything but secrets.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("interpreter", &self.interpreter)
            .field("args", &self.args)
            .field("env", &self.env)
            .field("current_dir", &self.cwd)
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("combined", &self.combined)
            .field("capture", &self.capture)
            .field("encoding", &self.encoding)
            .field("background", &self.background)
            .field("stop", &self.stop)
            .field("priority", &self.priority)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_the_stop_policy_are_set_one_by_one() {
        let second = Duration::from_secs(1);
        let command = Command::new("x").grace(2 * second).drain(3 * second).polite(Polite::Interrupt);
        let expected = Stop::default().grace(2 * second).drain(3 * second).polite(Polite::Interrupt);
        assert_eq!(command.stop, expected);
    }
}
