//! Python's `concurrent.futures.ProcessPoolExecutor`, in a Python program of its own that measures itself.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Result;

/// The function that both pools call.
const ECHO: &str = "def echo(text):\n    return text\n";

/// Makes so many calls as each line says, one after the other, and says how long they took.
const PROGRAM: &str = r#"
import sys, time
from concurrent.futures import ProcessPoolExecutor
from echo import echo

if __name__ == "__main__":
    with ProcessPoolExecutor(max_workers=1) as pool:
        pool.submit(echo, "warm").result()
        for line in sys.stdin:
            began = time.perf_counter()
            for _ in range(int(line)):
                if pool.submit(echo, "some text to echo").result() != "some text to echo":
                    sys.exit("another echo came")
            print(time.perf_counter() - began, flush=True)
"#;

/// Where the handlers are.
#[derive(Debug)]
pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("echo.py"), ECHO)?;
        std::fs::write(folder.path().join("executor.py"), PROGRAM)?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Ends with the end of its input, when this is dropped.
#[derive(Debug)]
pub(super) struct Executor {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Executor {
    pub(super) fn start(python: &Path, folder: &Folder) -> Result<Self> {
        let mut command = Command::new(python);
        command.arg("executor.py").current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().ok_or("a child without stdout")?);
        Ok(Self { child, stdin, stdout })
    }

    /// Calls a second.
    pub(super) fn calls(&mut self, calls: u64) -> Result<f64> {
        writeln!(self.stdin.as_mut().ok_or("it has ended")?, "{calls}")?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        let seconds: f64 = line.trim().parse().map_err(|_| format!("no time was told: {line:?}"))?;
        Ok(calls as f64 / seconds)
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
