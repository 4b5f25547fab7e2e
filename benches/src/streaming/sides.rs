//! The sides: one function each, from a program that prints to its successful end.

use std::hint::black_box;
use std::process::{ExitStatus, Stdio};

use bgt_streaming::{Command, From, Keep, StreamEvent, stream};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout};

use super::printer::{Heard, Printer};
use crate::Result;

/// As it comes, with one subscriber that reads every line while the program prints.
pub(super) async fn ours(printer: Printer, keep: Keep) -> Result<Heard> {
    let run = stream(Command::new(printer.program).args(printer.args)).keep(keep).start();
    let mut events = run.subscribe(From::Start);
    let (mut heard, mut lines, mut last) = (Heard::default(), 0, 0);
    while let Some(event) = events.next().await {
        match event {
            StreamEvent::Line(line) => {
                if line.seq != last + 1 {
                    return Err(format!("line {} came after line {last}", line.seq).into());
                }
                last = line.seq;
                lines += 1;
                heard.bytes += black_box(line).bytes.len() as u64 + 1;
            }
            StreamEvent::Gap(gap) => {
                last = gap.last;
                heard.missed += gap.lines();
            }
            _ => {}
        }
    }
    // A status other than success is an error.
    run.await?;
    Ok(Heard { lines: Some(lines), ..heard })
}

/// What tokio's documentation shows.
pub(super) async fn lines(printer: Printer) -> Result<Heard> {
    let (mut child, stdout) = start(&printer)?;
    let mut stdout = BufReader::new(stdout).lines();
    let (mut heard, mut lines) = (Heard::default(), 0);
    while let Some(line) = stdout.next_line().await? {
        lines += 1;
        heard.bytes += black_box(line).len() as u64 + 1;
    }
    succeeded(child.wait().await?)?;
    Ok(Heard { lines: Some(lines), ..heard })
}

/// As little as can be done with a pipe: nothing is kept, and nobody looks for lines.
pub(super) async fn raw(printer: Printer) -> Result<Heard> {
    let (mut child, mut stdout) = start(&printer)?;
    let (mut heard, mut chunk) = (Heard::default(), vec![0; 64 << 10]);
    loop {
        match stdout.read(&mut chunk).await? {
            0 => break,
            read => heard.bytes += black_box(&chunk[..read]).len() as u64,
        }
    }
    succeeded(child.wait().await?)?;
    Ok(heard)
}

fn start(printer: &Printer) -> Result<(Child, ChildStdout)> {
    let mut command = tokio::process::Command::new(&printer.program);
    command.args(&printer.args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("a child without stdout")?;
    Ok((child, stdout))
}

fn succeeded(status: ExitStatus) -> Result {
    if status.success() { Ok(()) } else { Err(format!("the program ended with {status}").into()) }
}
