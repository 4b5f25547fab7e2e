//! One run of a program: prepared, started, watched to its end, judged.

use std::time::Duration;

use bgt_core::{CancelReason, Context, EventKind, TaskError};
use bgt_sys::{SpawnOptions, Spawned};
use tokio::time::{Instant, sleep};

use crate::feed::Feed;
use crate::prepare::Prepared;
use crate::running::Running;
use crate::stopping::How;
use crate::warm::Starter;
use crate::{Command, CommandError, Output, StopHow, tail};

impl Command {
    /// Runs the program once, to its end.
    pub(crate) async fn output(&self, cx: Context) -> Result<Output, TaskError> {
        self.supervised(cx, None).await
    }

    pub(crate) async fn supervised(
        &self,
        cx: Context,
        starter: Option<&dyn Starter>,
    ) -> Result<Output, TaskError> {
        let mut prepared = self.prepare(cx.sink().is_some()).await.map_err(CommandError::into_task_error)?;
        let started = Instant::now();
        let mut limited = self.limited().map_err(CommandError::into_task_error)?;
        let (mut spawned, feed) = match starter {
            None => self.start(&mut prepared).await.map_err(CommandError::into_task_error)?,
            Some(starter) => Box::pin(self.start_by(starter, &mut prepared)).await?,
        };
        self.limit(&mut limited, &mut spawned.child).map_err(CommandError::into_task_error)?;
        let pid = spawned.child.id();
        cx.notify(EventKind::Spawned { pid });
        tracing::Span::current().record("pid", pid);
        tracing::debug!(pid, program = %prepared.program.display(), "started");

        let mut running = Running::new(self, spawned, feed, &cx);
        let stopped = running.until_the_end().await.map_err(CommandError::into_task_error)?;
        let mut output = running.finish(stopped.is_some()).await.map_err(CommandError::into_task_error)?;
        output.elapsed = started.elapsed();
        output.unlimited = limited.why_not;
        tracing::Span::current().record("exit", tracing::field::display(output.exit));
        if output.leaked {
            tracing::warn!(pid, "descendants outlived the program");
        }
        output.secrets = prepared.secrets;
        self.judge(output, stopped)
    }

    async fn start(&self, prepared: &mut Prepared) -> Result<(Spawned, Option<Feed>), CommandError> {
        let (mut options, source) = self.streams().await?;
        options.environment.clone_from(&prepared.environment);
        let mut spawned = self.spawn(prepared, &options).await?;
        let mut feed = self.feed(source);
        if let Some(feed) = &mut feed {
            feed.connect(spawned.stdin.take());
        }
        Ok((spawned, feed))
    }

    pub(crate) async fn spawn(
        &self,
        prepared: &mut Prepared,
        options: &SpawnOptions,
    ) -> Result<Spawned, CommandError> {
        let mut pause = Duration::from_millis(1);
        loop {
            match bgt_sys::spawn(&mut prepared.std, options) {
                Ok(spawned) => return Ok(spawned),
                // Such as a freshly written program that is "busy": a matter of milliseconds.
                Err(error) if bgt_sys::is_passing(&error) && pause.as_millis() < 200 => {
                    sleep(pause).await;
                    pause *= 2;
                }
                Err(source) => return Err(self.not_started(prepared, source)),
            }
        }
    }

    fn judge(&self, output: Output, stopped: Option<(CancelReason, How)>) -> Result<Output, TaskError> {
        let how = match stopped {
            None if self.accept.accepts(output.exit) => return Ok(output),
            None => None,
            Some((reason, How::Asked)) => Some((reason, StopHow::Obeyed(output.exit))),
            Some((reason, How::Killed)) => Some((reason, StopHow::Killed)),
            Some((reason, How::Undeliverable)) => Some((reason, StopHow::Undeliverable)),
        };
        let shown = if self.combined { &output.stdout } else { &output.stderr };
        let tail = tail::last_lines(shown, &output.secrets);
        let output = Box::new(output);
        let error = match how {
            None => CommandError::Exit { output },
            Some((reason, how)) => CommandError::Stopped { reason, how, output },
        };
        Err(error.into_task_error().with_tail(tail))
    }
}
