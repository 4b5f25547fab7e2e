//! From the start of a program to the end of its tree and its output.
//!
//! One future does it all: dropping it at any point kills the tree, because the child is in it. Two ends are kept
//! apart throughout: the program's own, and that of its output, which a descendant may hold open. Every wait has an
//! absolute end.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bgt_core::{CancelReason, Chunk, Context, EventKind, Polite, SinkClosed, Source, Stop, TaskError};
use bgt_sys::{Asked, Child, Signal, Spawned};
use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};

use crate::command::Background;
use crate::feed::Feed;
use crate::prepare::Prepared;
use crate::stream::Stream;
use crate::{Command, CommandError, Exit, Output, StopHow, tail};

/// How long to read on after everything of ours was killed: what is in the pipes is there at once.
const LAST_LOOK: Duration = Duration::from_millis(100);

impl Command {
    /// Runs the program once, to its end.
    pub(crate) async fn output(&self, cx: Context) -> Result<Output, TaskError> {
        let mut prepared = self.prepare().await.map_err(CommandError::into_task_error)?;
        let started = Instant::now();
        let (spawned, feed) = self.start(&mut prepared).await.map_err(CommandError::into_task_error)?;
        let pid = spawned.child.id();
        cx.notify(EventKind::Spawned { pid });
        tracing::Span::current().record("pid", pid);
        tracing::debug!(pid, program = %prepared.program.display(), "started");

        let mut run = Run::new(self, spawned, feed);
        let stopped = run.until_the_end(&cx).await.map_err(CommandError::into_task_error)?;
        let mut output = run.finish(stopped.is_some()).await.map_err(CommandError::into_task_error)?;
        output.elapsed = started.elapsed();
        tracing::Span::current().record("exit", tracing::field::display(output.exit));
        if output.leaked {
            tracing::warn!(pid, "descendants outlived the program");
        }
        self.judge(output, stopped, &prepared.secrets)
    }

    async fn start(&self, prepared: &mut Prepared) -> Result<(Spawned, Option<Feed>), CommandError> {
        let (options, mut feed) = self.streams().await?;
        let mut pause = Duration::from_millis(1);
        loop {
            match bgt_sys::spawn(&mut prepared.std, &options) {
                Ok(mut spawned) => {
                    if let Some(feed) = &mut feed {
                        feed.connect(spawned.stdin.take());
                    }
                    return Ok((spawned, feed));
                }
                // A freshly written program is "busy" while another thread's spawn still holds it open for writing
                // (https://github.com/rust-lang/rust/issues/114554): a matter of milliseconds.
                Err(error)
                    if error.kind() == io::ErrorKind::ExecutableFileBusy && pause.as_millis() < 200 =>
                {
                    sleep(pause).await;
                    pause *= 2;
                }
                Err(source) => return Err(spawn_error(prepared, source)),
            }
        }
    }

    fn judge(
        &self,
        output: Output,
        stopped: Option<(CancelReason, How)>,
        secrets: &[Vec<u8>],
    ) -> Result<Output, TaskError> {
        let how = match stopped {
            None if self.accept.accepts(output.exit) => return Ok(output),
            None => None,
            Some((reason, How::Asked)) => Some((reason, StopHow::Obeyed(output.exit))),
            Some((reason, How::Killed)) => Some((reason, StopHow::Killed)),
            Some((reason, How::Undeliverable)) => Some((reason, StopHow::Undeliverable)),
        };
        let shown = if self.combined { &output.stdout } else { &output.stderr };
        let tail = tail::last_lines(shown.as_bytes(), secrets);
        let output = Box::new(output);
        let error = match how {
            None => CommandError::Exit { output },
            Some((reason, how)) => CommandError::Stopped { reason, how, output },
        };
        Err(error.into_task_error().with_tail(tail))
    }
}

fn spawn_error(prepared: &Prepared, source: io::Error) -> CommandError {
    let program = prepared.program.clone();
    let why = match source.kind() {
        io::ErrorKind::InvalidInput => return CommandError::BatchArguments { path: program, source },
        io::ErrorKind::PermissionDenied => "permission denied",
        io::ErrorKind::NotFound => "it, or the interpreter that its first line names, is not there any more",
        _ if bgt_sys::is_bad_format(&source) => "it is no program of this system, and has no #! line",
        _ => return CommandError::Spawn { program, source },
    };
    CommandError::NotExecutable { path: program, why: why.to_owned() }
}

/// How the program was made to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Asked,
    Killed,
    Undeliverable,
}

/// Where a stop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Asked { kill_at: Instant },
    Killed { give_up_at: Instant },
}

type Push = Pin<Box<dyn Future<Output = Result<(), SinkClosed>> + Send>>;

struct Run<'a> {
    stop: &'a Stop,
    background: Background,
    child: Child,
    stdout: Stream,
    stderr: Stream,
    feed: Option<Feed>,
    phase: Phase,
    /// Set once the program itself has ended: until when its output may go on.
    drain_until: Option<Instant>,
}

impl<'a> Run<'a> {
    fn new(command: &'a Command, spawned: Spawned, feed: Option<Feed>) -> Self {
        let Spawned { child, stdout, stderr, .. } = spawned;
        Self {
            stop: &command.stop,
            background: command.background,
            child,
            stdout: Stream::new(Source::Stdout, stdout, command.capture),
            stderr: Stream::new(Source::Stderr, stderr, command.capture),
            feed,
            phase: Phase::Running,
            drain_until: None,
        }
    }

    /// Runs until the program has ended and its output too, or is waited for no longer. Answers whether and how it
    /// was stopped.
    async fn until_the_end(&mut self, cx: &Context) -> Result<Option<(CancelReason, How)>, CommandError> {
        let mut sink = cx.sink().cloned();
        let mut push: Option<Push> = None;
        let mut asked_because = None;
        let mut stopped = None;
        loop {
            if self.drain_until.is_some() && self.output_is_over() && push.is_none() {
                return Ok(stopped);
            }
            if self.drain_until.is_some_and(|until| until <= Instant::now()) {
                return Ok(stopped);
            }
            let alive = self.drain_until.is_none();
            let wake = match self.phase {
                Phase::Running => None,
                Phase::Asked { kill_at } => Some(kill_at),
                Phase::Killed { give_up_at } => Some(give_up_at),
            };
            let copy = sink.is_some();
            let mut read = None;
            tokio::select! {
                biased;
                ended = self.child.ended(), if alive => {
                    ended.map_err(|source| CommandError::Supervision { pid: self.child.id(), source })?;
                    self.feed = None;
                    self.drain_until = Some(self.drain_deadline());
                }
                reason = cx.cancelled(), if asked_because.is_none() => {
                    asked_because = Some(reason);
                    if alive {
                        cx.notify(EventKind::Stopping { reason });
                        stopped = self.ask().await.map(|how| (reason, how));
                    } else {
                        // It has ended by itself; only its output was waited for.
                        self.drain_until = Some(Instant::now());
                    }
                }
                () = cx.forced(), if self.is_patient(asked_because) => {
                    if alive {
                        self.kill();
                        stopped = stopped.map(|(reason, _)| (reason, How::Killed));
                    } else {
                        self.drain_until = Some(Instant::now());
                    }
                }
                () = at(wake), if alive => match self.phase {
                    Phase::Killed { .. } => return Err(CommandError::Unkillable { pid: self.child.id() }),
                    Phase::Running | Phase::Asked { .. } => {
                        self.kill();
                        stopped = stopped.map(|(reason, _)| (reason, How::Killed));
                    }
                },
                result = poll_push(&mut push), if push.is_some() => {
                    push = None;
                    if result.is_err() {
                        sink = None;
                    }
                }
                bytes = self.stdout.next(copy), if push.is_none() => {
                    read = bytes.map(|bytes| (self.stdout.source, bytes));
                }
                bytes = self.stderr.next(copy), if push.is_none() => {
                    read = bytes.map(|bytes| (self.stderr.source, bytes));
                }
                () = feed(&mut self.feed) => {}
                // Last of all: where the output ends with the program no timer is ever set, and setting one wakes the
                // thread that waits for the others.
                () = at(self.drain_until) => {}
            }
            if let (Some((source, bytes)), Some(sink)) = (read, &sink) {
                let (sink, chunk) = (sink.clone(), Chunk { source, at: SystemTime::now(), bytes });
                push = Some(Box::pin(async move { sink.write(chunk).await }));
            }
            // A flood is always ready: let others have the thread now and then.
            tokio::task::consume_budget().await;
        }
    }

    /// Whether a second request to stop would change anything.
    fn is_patient(&self, asked_because: Option<CancelReason>) -> bool {
        asked_because.is_some() && !matches!(self.phase, Phase::Killed { .. })
    }

    fn output_is_over(&self) -> bool {
        self.stdout.is_over() && self.stderr.is_over()
    }

    /// Until when output may still arrive, now that the program itself has ended.
    fn drain_deadline(&self) -> Instant {
        match self.phase {
            Phase::Running => from_now(self.stop.drain),
            // The whole tree was asked, and the rest of it has the same grace as the program.
            Phase::Asked { kill_at } => kill_at.max(from_now(self.stop.drain)),
            Phase::Killed { .. } => from_now(LAST_LOOK),
        }
    }

    /// Asks the program to stop, or kills it where it cannot be asked. `None`: it has just ended by itself.
    async fn ask(&mut self) -> Option<How> {
        // Now, while the parents of those that left the tree are still there to tell whose children they are.
        self.child.find_strays().await;
        let signal = match &self.stop.polite {
            Polite::StdinText(text) => return Some(self.ask_by_stdin(Bytes::copy_from_slice(text))),
            Polite::CloseStdin => return Some(self.ask_by_stdin(Bytes::new())),
            Polite::Interrupt => Signal::Interrupt,
            Polite::Hangup => Signal::Hangup,
            Polite::Kill => {
                self.kill();
                return Some(How::Killed);
            }
            _ => Signal::Terminate,
        };
        match self.child.ask(signal) {
            Ok(Asked::Delivered) => Some(self.wait_for_it()),
            Ok(Asked::Ended) => None,
            Ok(Asked::Undeliverable) => {
                self.kill();
                Some(How::Undeliverable)
            }
            Err(error) => {
                tracing::warn!(pid = self.child.id(), %error, "a program could not be asked to stop");
                self.kill();
                Some(How::Undeliverable)
            }
        }
    }

    fn ask_by_stdin(&mut self, text: Bytes) -> How {
        if let Some(feed) = &mut self.feed {
            feed.finish_with(text);
        }
        self.wait_for_it()
    }

    fn wait_for_it(&mut self) -> How {
        self.phase = Phase::Asked { kill_at: from_now(self.stop.grace) };
        How::Asked
    }

    fn kill(&mut self) {
        if let Err(error) = self.child.kill() {
            tracing::warn!(pid = self.child.id(), %error, "a program could not be killed");
        }
        self.phase = Phase::Killed { give_up_at: from_now(self.stop.reap) };
    }

    /// Ends what is left of the tree, takes the exit status, and reads what is left in the pipes.
    async fn finish(mut self, stopped: bool) -> Result<Output, CommandError> {
        let pid = self.child.id();
        let held = !self.output_is_over();
        let keep = self.background == Background::Keep && !stopped;
        if keep {
            self.child.release();
        } else {
            self.kill();
        }
        if stopped {
            self.child.kill_strays().await;
        }
        // It has ended, so this answers.
        let ended = self.child.reap().and_then(|ended| ended.ok_or_else(|| io::ErrorKind::WouldBlock.into()));
        let ended = ended.map_err(|source| CommandError::Supervision { pid, source })?;
        let descendants = self.child.had_descendants();
        if !keep {
            self.last_look().await;
            if (descendants || stopped) && !self.child.tree_ended(self.stop.reap).await {
                tracing::warn!(pid, "descendants were killed but have not ended");
            }
        }
        Ok(Output {
            exit: Exit::from(ended.outcome),
            stdout: self.stdout.collected.finish(),
            stderr: self.stderr.collected.finish(),
            usage: ended.usage,
            leaked: !stopped && (descendants || held),
            pid,
            elapsed: Duration::ZERO,
        })
    }

    async fn last_look(&mut self) {
        let until = from_now(LAST_LOOK);
        while !self.output_is_over() {
            tokio::select! {
                biased;
                _ = self.stdout.next(false) => {}
                _ = self.stderr.next(false) => {}
                () = sleep_until(until) => return,
            }
            if Instant::now() >= until {
                return;
            }
        }
    }
}

/// A policy may say "for ever": then this is as good as that.
fn from_now(wait: Duration) -> Instant {
    let years = Duration::from_secs(30 * 365 * 24 * 3600);
    Instant::now() + wait.min(years)
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}

async fn feed(feed: &mut Option<Feed>) {
    match feed {
        Some(feed) => feed.step().await,
        None => pending().await,
    }
}

async fn poll_push(push: &mut Option<Push>) -> Result<(), SinkClosed> {
    match push {
        Some(push) => push.await,
        None => pending().await,
    }
}
