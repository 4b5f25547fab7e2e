//! Other crates that start programs, as their documentation recommends.

use std::process::Stdio;

use bgt_benches::spawn::{Job, Rival, Running};
use process_wrap::tokio::{CommandWrap, KillOnDrop};

/// All of them.
pub const RIVALS: &[Rival] =
    &[Rival { name: "process-wrap", run: process_wrap }, Rival { name: "duct", run: duct }];

/// A tree of its own that is killed when dropped: the nearest to what ours guarantees.
fn process_wrap(job: Job) -> Running {
    Box::pin(async move {
        let mut command = CommandWrap::with_new(&*job.program, |command| {
            command.args(job.args.iter()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        #[cfg(unix)]
        command.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        command.wrap(process_wrap::tokio::JobObject);
        command.wrap(KillOnDrop);
        let output = Box::into_pin(command.spawn()?.wait_with_output()).await?;
        job.succeeded(output.status)
    })
}

/// Blocking: on tokio's threads for that, unless nobody is held up.
fn duct(job: Job) -> Running {
    Box::pin(async move {
        let run = {
            let job = job.clone();
            move || {
                let command = duct::cmd(&*job.program, job.args.iter()).stdin_null();
                command.stdout_capture().stderr_capture().unchecked().run()
            }
        };
        let output = if job.alone { run()? } else { tokio::task::spawn_blocking(run).await?? };
        job.succeeded(output.status)
    })
}
