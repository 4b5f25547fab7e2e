//! Starting the misbehaving child, and waiting with a bound.
#![allow(dead_code, reason = "every test binary uses a part of it")]

use std::future::Future;
use std::io::{self, ErrorKind};
use std::process::Command;
use std::time::Duration;

use bgt_sys::{Child, Ended, Outcome, PipeReader, PipeWriter, SpawnOptions, Spawned};

/// Longer than anything takes here, even on a crowded machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(SOON, future).await.expect("it hangs")
}

pub(crate) fn command(verbs: &[&str]) -> Command {
    let (program, args) = bgt_testkit::bad(verbs.iter().copied());
    let mut command = Command::new(program);
    command.args(args);
    command
}

pub(crate) fn start_with(verbs: &[&str], options: SpawnOptions) -> Spawned {
    let spawn = || bgt_sys::spawn(&mut command(verbs), &options);
    // One start in thousands is an "Internal error" (1359) of Wine's own.
    let is_wines = |error: &io::Error| bgt_testkit::under_wine() && error.raw_os_error() == Some(1359);
    spawn().or_else(|error| if is_wines(&error) { spawn() } else { Err(error) }).expect("bad-child starts")
}

/// With nothing to read, and a pipe for each of stdout and stderr.
pub(crate) fn start(verbs: &[&str]) -> Spawned {
    start_with(verbs, SpawnOptions::default())
}

/// Waits for the end of the program and takes its status.
pub(crate) async fn end(child: &mut Child) -> Ended {
    soon(child.ended()).await.expect("the end is seen");
    child.reap().expect("the status is told").expect("it has ended")
}

pub(crate) async fn exit_code(child: &mut Child) -> i32 {
    match end(child).await.outcome {
        Outcome::Code(code) => code,
        other => panic!("not an exit code: {other:?}"),
    }
}

/// What comes next; empty at the end.
pub(crate) async fn read(pipe: &PipeReader) -> Vec<u8> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        soon(pipe.readable()).await.expect("the runtime lives");
        match pipe.try_read(&mut buffer) {
            Ok(read) => {
                buffer.truncate(read);
                return buffer;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
    }
}

pub(crate) async fn read_to_end(pipe: &PipeReader) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match read(pipe).await {
            part if part.is_empty() => return all,
            part => all.extend(part),
        }
    }
}

pub(crate) async fn text(pipe: &PipeReader) -> String {
    String::from_utf8(read_to_end(pipe).await).expect("text")
}

/// Waits for the line of `bad-child ready`, whatever comes before it.
pub(crate) async fn ready(pipe: &PipeReader) {
    let mut all = Vec::new();
    while !all.windows(6).any(|part| part == b"ready\n") {
        let part = read(pipe).await;
        assert!(!part.is_empty(), "it ended: {}", String::from_utf8_lossy(&all));
        all.extend(part);
    }
}

pub(crate) async fn write_all(pipe: &PipeWriter, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        soon(pipe.writable()).await?;
        match pipe.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
