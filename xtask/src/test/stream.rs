//! Passing a command's stdout through, line by line, without waiting for what it leaves behind.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Result, shell};

/// How long the output may stay open after the command itself has ended.
const DRAIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);

/// How a command ended.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// Something that the command started lives on and holds its stdout open. Waiting for it could take for ever.
    pub(crate) output_held_open: bool,
}

/// Runs a command to its end. Its stdout goes to ours, and every line of it to `on_line`.
///
/// # Errors
/// Where the command cannot be started, or our own stdout is closed.
pub(crate) fn run(command: &mut Command, on_line: impl FnMut(&str)) -> Result<End> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` could not be started: {error}", shell::typed(command)))?;
    let lines = read_apart(child.stdout.take().ok_or("the child has no stdout")?);
    let output_held_open = pass_on(&mut child, &lines, on_line)?;
    Ok(End { status: child.wait()?, output_held_open })
}

fn read_apart(stdout: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, lines) = mpsc::sync_channel(1024);
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        loop {
            let mut line = Vec::new();
            match stdout.read_until(b'\n', &mut line) {
                Ok(1..) if sender.send(line).is_ok() => {}
                _ => break,
            }
        }
    });
    lines
}

fn pass_on(child: &mut Child, lines: &Receiver<Vec<u8>>, mut on_line: impl FnMut(&str)) -> Result<bool> {
    let mut ours = io::stdout();
    let mut last_line_by = None;
    loop {
        match lines.recv_timeout(LOOK) {
            Ok(line) => {
                ours.write_all(&line)?;
                ours.flush()?;
                on_line(String::from_utf8_lossy(&line).trim_end());
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        }
        if last_line_by.is_none() && child.try_wait()?.is_some() {
            last_line_by = Some(Instant::now() + DRAIN);
        }
        if last_line_by.is_some_and(|end| Instant::now() > end) {
            return Ok(true);
        }
    }
}
