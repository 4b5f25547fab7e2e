//! From the start of a program to the end of its tree and its output.
//!
//! One future does it all: dropping it at any point kills the tree, because the child is in it. Two ends are kept
//! apart throughout: the program's own, and that of its output, which a descendant may hold open. Every wait has an
//! absolute end, but for a sink that pushes back on a program nobody has asked to stop.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{CancelReason, Context, EventKind, Sink, SinkClosed, Source, Stop};
use bgt_sys::{Child, Spawned};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::command::Background;
use crate::feed::Feed;
use crate::push::Push;
use crate::stopping::{How, Phase, from_now};
use crate::stream::Stream;
use crate::{Command, CommandError, Encoding, Exit, Output};

/// How long to wait for output after everything of ours was killed: what is in the pipes is there at once.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// How much to read then: more than a pipe holds, so more is somebody who got away and goes on printing.
const LAST_BYTES: usize = 1 << 20;

pub(crate) struct Running<'a> {
    cx: &'a Context,
    pub(crate) stop: &'a Stop,
    background: Background,
    encoding: Encoding,
    pub(crate) child: Child,
    stdout: Stream,
    stderr: Stream,
    pub(crate) feed: Option<Feed>,
    sink: Option<Arc<dyn Sink>>,
    pub(crate) phase: Phase,
    /// Set once the program itself has ended: until when its output may go on.
    drain_until: Option<Instant>,
    /// Why it was asked to stop, be it that there was nothing left to be asked.
    asked_because: Option<CancelReason>,
    /// Until when the sink is waited for after that.
    late_until: Option<Instant>,
}

impl<'a> Running<'a> {
    pub(crate) fn new(command: &'a Command, spawned: Spawned, feed: Option<Feed>, cx: &'a Context) -> Self {
        let Spawned { child, stdout, stderr, .. } = spawned;
        Self {
            cx,
            stop: &command.stop,
            background: command.background,
            encoding: command.encoding,
            child,
            stdout: Stream::new(Source::Stdout, stdout, command.capture),
            stderr: Stream::new(Source::Stderr, stderr, command.capture),
            feed,
            sink: cx.sink().cloned(),
            phase: Phase::Running,
            drain_until: None,
            asked_because: None,
            late_until: None,
        }
    }

    /// Runs until the program has ended and its output too, or is waited for no longer. Answers whether and how it
    /// was stopped.
    pub(crate) async fn until_the_end(&mut self) -> Result<Option<(CancelReason, How)>, CommandError> {
        let cx = self.cx;
        let mut push: Option<Push> = None;
        let mut stopped = None;
        loop {
            let drained =
                self.output_is_over() || self.drain_until.is_some_and(|until| until <= Instant::now());
            // A sink that is slow is not a descendant that holds the pipe: it is waited for.
            let pushed = push.is_none() || self.asked_because.is_some();
            if self.drain_until.is_some() && drained && pushed {
                if let Some(push) = push {
                    self.push_late(push).await;
                }
                return Ok(stopped);
            }
            let alive = self.drain_until.is_none();
            let wake = match self.phase {
                Phase::Running => None,
                Phase::Asked { kill_at } => Some(kill_at),
                Phase::Killed { give_up_at } => Some(give_up_at),
            };
            let copy = self.sink.is_some();
            let mut read = None;
            tokio::select! {
                biased;
                ended = self.child.ended(), if alive => {
                    ended.map_err(|source| CommandError::Supervision { pid: self.child.id(), source })?;
                    self.feed = None;
                    self.drain_until = Some(self.drain_deadline());
                }
                reason = cx.cancelled(), if self.asked_because.is_none() => {
                    self.asked_because = Some(reason);
                    if alive {
                        cx.notify(EventKind::Stopping { reason });
                        stopped = self.ask().await.map(|how| (reason, how));
                    } else {
                        // It has ended by itself; only its output was waited for.
                        self.drain_until = Some(Instant::now());
                    }
                }
                () = cx.forced(), if self.asked_because.is_some() && self.is_patient() => {
                    if alive {
                        self.kill();
                        stopped = stopped.map(|(reason, _)| (reason, How::Killed));
                    } else {
                        self.drain_until = Some(Instant::now());
                    }
                }
                () = at(wake), if alive => {
                    if let Phase::Killed { .. } = self.phase {
                        return Err(CommandError::Unkillable { pid: self.child.id() });
                    }
                    self.kill();
                    stopped = stopped.map(|(reason, _)| (reason, How::Killed));
                }
                result = pushed_on(&mut push), if push.is_some() => {
                    push = None;
                    if result.is_err() {
                        self.sink = None;
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
                () = at(self.drain_until), if pushed => {}
            }
            if let Some(source) = self.stdout.cut_off.take().or_else(|| self.stderr.cut_off.take()) {
                // Not to be taken for the end of the output, which nobody can know.
                return Err(CommandError::Supervision { pid: self.child.id(), source });
            }
            if let (Some((source, bytes)), Some(sink)) = (read, &self.sink) {
                push = Some(Push::new(sink, source, bytes));
            }
            // A flood is always ready: let others have the thread now and then.
            tokio::task::consume_budget().await;
        }
    }

    /// Whether a second request to stop would change anything.
    fn is_patient(&self) -> bool {
        match self.drain_until {
            Some(until) => until > Instant::now(),
            None => !matches!(self.phase, Phase::Killed { .. }),
        }
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

    /// Ends what is left of the tree, takes the exit status, and reads what is left in the pipes.
    pub(crate) async fn finish(mut self, stopped: bool) -> Result<Output, CommandError> {
        let pid = self.child.id();
        let keep = self.background == Background::Keep && !stopped;
        if self.background == Background::Search && !stopped {
            // While those are there who may be the parents of those that have left.
            self.child.find_strays().await;
        }
        if keep {
            self.child.release();
        } else {
            self.kill();
        }
        let search = !keep && (stopped || self.background == Background::Search || self.child.needs_search());
        let strays = search && self.child.kill_strays().await;
        // It has ended, so this answers.
        let ended =
            self.child.reap().and_then(|ended| ended.ok_or_else(|| std::io::ErrorKind::WouldBlock.into()));
        let ended = ended.map_err(|source| CommandError::Supervision { pid, source })?;
        let descendants = !stopped && (strays || self.child.had_descendants());
        self.last_look(if keep { Duration::ZERO } else { LAST_LOOK }).await;
        let held = !self.output_is_over();
        if (descendants && !keep || search) && !self.child.tree_ended(LAST_LOOK * 5).await {
            tracing::warn!(pid, "descendants were killed but have not ended");
        }
        Ok(Output {
            exit: Exit::from(ended.outcome),
            stdout: self.stdout.collected.finish().encoded_as(self.encoding),
            stderr: self.stderr.collected.finish().encoded_as(self.encoding),
            usage: ended.usage,
            leaked: !stopped && (descendants || held),
            out_of_memory: ended.out_of_memory,
            unlimited: None,
            pid,
            elapsed: Duration::ZERO,
            secrets: Default::default(),
        })
    }

    /// Reads until nothing comes for so long, or the output ends.
    async fn last_look(&mut self, quiet: Duration) {
        let mut left = LAST_BYTES;
        let until = from_now(quiet);
        while !self.output_is_over() && left > 0 {
            let (source, bytes) = tokio::select! {
                biased;
                bytes = self.stdout.next(true) => (self.stdout.source, bytes),
                bytes = self.stderr.next(true) => (self.stderr.source, bytes),
                () = sleep_until(until) => return,
            };
            let Some(bytes) = bytes else { continue };
            left = left.saturating_sub(bytes.len());
            let Some(sink) = &self.sink else { continue };
            let mut push = Push::new(sink, source, bytes);
            if self.asked_because.is_none() {
                let cx = self.cx;
                tokio::select! {
                    taken = &mut push => {
                        self.sink = self.sink.take().filter(|_| taken.is_ok());
                        continue;
                    }
                    reason = cx.cancelled() => self.asked_because = Some(reason),
                }
            }
            self.push_late(push).await;
        }
    }

    /// Gives the sink of a run that was asked to stop what is left for it, and a moment for all of that together. Even after
    /// it each piece is offered once: a sink that takes what it is given at once, as a log does, misses nothing.
    async fn push_late(&mut self, push: Push) {
        let until = *self.late_until.get_or_insert_with(|| from_now(LAST_LOOK));
        if let Ok(Err(SinkClosed)) = timeout_at(until, push).await {
            self.sink = None;
        }
    }
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

async fn pushed_on(push: &mut Option<Push>) -> Result<(), SinkClosed> {
    match push {
        Some(push) => push.await,
        None => pending().await,
    }
}
