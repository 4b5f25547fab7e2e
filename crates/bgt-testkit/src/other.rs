//! A test in two processes: one starts the other, and each waits for a word of the other.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The variable that has the [`role`].
pub const ROLE: &str = "BGT_TEST_ROLE";
const MARK: &str = "@@";

/// What a test that plays another process was started for: nothing, when somebody runs the ignored tests.
#[must_use]
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// In the other process: says something to the test that started it.
///
/// # Panics
/// When nobody listens.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{line}").and_then(|()| out.flush()).expect("somebody who listens");
}

/// In the other process: waits for a word of the test that started it; `None` when it is gone.
///
/// # Panics
/// When stdin cannot be read.
pub fn hear() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).expect("a stdin that can be read");
    (read > 0).then(|| line.trim().to_owned())
}

/// Another process, that runs an ignored test of this program. Dropping it kills it.
#[derive(Debug)]
pub struct Other {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Other {
    /// How to start it.
    #[must_use]
    pub fn command(test: &str, role: impl AsRef<OsStr>) -> Command {
        Self::command_through(&[], test, role)
    }

    /// The same through another program, which takes the command as its last arguments.
    ///
    /// # Panics
    /// When this very program is not there any more.
    #[must_use]
    pub fn command_through(wrapper: &[&str], test: &str, role: impl AsRef<OsStr>) -> Command {
        let exe = std::env::current_exe().expect("this very program");
        let mut command = match wrapper {
            [] => Command::new(exe),
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args).arg(exe);
                command
            }
        };
        command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).env(ROLE, role);
        command
    }

    /// Starts it, with this as its [`role`].
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(test: &str, role: impl AsRef<OsStr>) -> Self {
        Self::of(Self::command(test, role)).expect("this very program")
    }

    /// Starts any program that knows the marks.
    ///
    /// # Errors
    /// When it does not start.
    ///
    /// # Panics
    /// Never: its stdout is a pipe.
    pub fn of(mut command: Command) -> std::io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("a piped stdout"));
        Ok(Self { child, stdin, stdout })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next thing that it says.
    ///
    /// # Panics
    /// When it has ended.
    pub fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("a stdout that can be read");
            assert!(read > 0, "the other process ended: {:?}", self.child.wait());
            if let Some(at) = line.find(MARK) {
                return line[at + MARK.len()..].trim().to_owned();
            }
        }
    }

    /// Tells it something.
    ///
    /// # Panics
    /// When it does not listen any more.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("not ended yet");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("somebody who listens");
    }

    /// Kills it, without a chance to do anything, and answers with what it had said and was not heard yet.
    ///
    /// # Panics
    /// When it was reaped before.
    #[must_use]
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("a process that is not reaped yet");
        let said = self.stdout.by_ref().lines().map_while(Result::ok);
        let said =
            said.filter_map(|line| line.find(MARK).map(|at| line[at + MARK.len()..].trim().to_owned()));
        said.collect()
    }

    /// Lets it end, and asserts that it ended well.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn end(mut self) {
        drop(self.stdin.take());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("a stdout that can be read");
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "the other process failed ({status}):\n{rest}");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
