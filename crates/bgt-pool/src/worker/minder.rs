//! The task beside each worker: it reads what the worker says, judges it, and ends the worker when that is due.
//!
//! It is the only one who reads, so nothing that a worker writes, asked or not, at whatever moment, goes unseen; and what
//! reaches a caller is the whole answer to that caller's request, or the error that ended the worker.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bgt_process::{CommandError, Exit, SessionOutput, SessionProgram};
use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::chatter::Chatter;
use super::desk::{Awaited, Desk, End, Heard};
use super::error::CallError;
use super::process::{Order, Orders};
use super::protocol::{self, LONGEST, Lines, Said, TooLong};

/// The end of the output and the end of the process come together, but one after the other: how long the other is waited
/// for before the worker counts as one that lives on without.
const TOGETHER: Duration = Duration::from_millis(500);

/// How long stderr is read when the worker is gone: what is in the pipe is there at once.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// As much of a wrong line as an error shows, in bytes.
const EXCERPT: usize = 200;

pub(crate) struct Minder {
    pub(crate) pid: u32,
    pub(crate) stdout: SessionOutput,
    pub(crate) chatter: Chatter,
    pub(crate) program: SessionProgram,
    pub(crate) desk: Arc<Desk>,
    pub(crate) max_memory: Option<u64>,
    /// Kills all workers of the pool.
    pub(crate) kill: CancellationToken,
}

/// Why a worker is over.
#[derive(Debug)]
enum Why {
    Ordered(Order),
    ShutDown,
    Ended,
    OutputClosed,
    Garbage(String),
    OutOfTurn { asked: u32, answered: u32 },
    TooLong,
}

impl Minder {
    pub(crate) async fn mind(mut self, orders: &mut Orders) {
        let why = self.until_it_is_over(orders).await;
        self.desk.close();
        let desk = self.desk.clone();
        desk.end(self.finish(why).await);
    }

    async fn until_it_is_over(&mut self, orders: &mut Orders) -> Why {
        let kill = self.kill.clone();
        let mut killed = pin!(kill.cancelled());
        let (mut lines, mut greeted) = (Lines::default(), false);
        loop {
            let piece = tokio::select! {
                biased;
                piece = self.stdout.next() => piece,
                order = orders.next() => return Why::Ordered(order),
                () = &mut killed => return Why::ShutDown,
                ended = self.program.ended() => match ended {
                    // What it wrote before its end counts.
                    Ok(()) => timeout(TOGETHER, self.stdout.next()).await.unwrap_or(None),
                    Err(_) => return Why::Ended,
                },
                () = self.chatter.step(), if !self.chatter.is_over() => continue,
            };
            let Some(piece) = piece else { return self.without_output(&lines).await };
            if let Err(why) = self.take(piece, &mut lines, &mut greeted) {
                return why;
            }
        }
    }

    fn take(&mut self, piece: Bytes, lines: &mut Lines, greeted: &mut bool) -> Result<(), Why> {
        lines.push(piece);
        while let Some(line) = lines.next().map_err(|TooLong| Why::TooLong)? {
            let awaited = self.desk.awaited();
            match (protocol::parse(&line), awaited) {
                (Some(Said::Answer { id, exit_code, output, cancelled }), Some(Awaited::Answer(asked))) => {
                    if id != asked {
                        return Err(Why::OutOfTurn { asked, answered: id });
                    }
                    // Before it is told: whoever hears it may hand the worker on.
                    self.weigh();
                    let last = lines.has_more();
                    self.desk.tell(Heard::Answer { exit_code, output, cancelled, last });
                }
                (Some(Said::Ready { protocol }), awaited) if !*greeted => {
                    if awaited == Some(Awaited::Ready) {
                        self.desk.tell(Heard::Ready { protocol });
                    } else if protocol != protocol::VERSION {
                        return Err(Why::Garbage(self.excerpt(&line)));
                    }
                }
                _ => return Err(Why::Garbage(self.excerpt(&line))),
            }
            *greeted = true;
        }
        if !lines.begun().is_empty() && *greeted && self.desk.awaited().is_none() {
            return Err(Why::Garbage(self.excerpt(lines.begun())));
        }
        Ok(())
    }

    /// Its stdout is over, and as a rule so is the worker.
    async fn without_output(&mut self, lines: &Lines) -> Why {
        let begun = lines.begun();
        let ended = timeout(TOGETHER, async {
            tokio::select! {
                ended = self.program.ended() => drop(ended),
                () = drain(&mut self.chatter) => {}
            }
            drop(self.program.ended().await);
        });
        match ended.await {
            Ok(()) => Why::Ended,
            Err(_) if begun.is_empty() => Why::OutputClosed,
            Err(_) => Why::Garbage(self.excerpt(begun)),
        }
    }

    fn weigh(&self) {
        if let (Some(most), Some(memory)) =
            (self.max_memory, self.max_memory.and_then(|_| self.program.resident_memory()))
        {
            if memory > most {
                tracing::debug!(pid = self.pid, memory, most, "a worker has more in memory than it may");
                self.desk.set_heavy();
            }
        }
    }

    fn excerpt(&self, line: &[u8]) -> String {
        let mut excerpt = self.stdout.shown(&line[..line.len().min(EXCERPT)]);
        if line.len() > EXCERPT {
            excerpt.push('…');
        }
        excerpt
    }

    /// Ends the worker and its whole tree, and says what there was to say of it.
    async fn finish(self, why: Why) -> End {
        let pid = self.pid;
        let polite = matches!(why, Why::Ordered(Order::Retire));
        let is_its_fault = !matches!(why, Why::Ordered(_) | Why::ShutDown);
        let (mut stdout, mut chatter) = (self.stdout, self.chatter);
        let ending = async {
            if !polite {
                return self.program.kill().await;
            }
            let stopped = self.program.stop();
            tokio::select! {
                stopped = stopped => stopped,
                // Whatever it is at by now, it is not waited for; dropping the future kills it.
                () = self.kill.cancelled() => Ok(Exit::Unknown),
            }
        };
        let reading = async {
            tokio::join!(drain(&mut chatter), async { while stdout.next().await.is_some() {} });
        };
        let exit = {
            let (mut ending, mut reading) = (pin!(ending), pin!(reading));
            let mut all_read = false;
            let exit = loop {
                tokio::select! {
                    exit = &mut ending => break exit,
                    // A worker that is asked to end, and has much to say about it, must not hang in that.
                    () = &mut reading, if !all_read => all_read = true,
                }
            };
            if !all_read {
                let _ = timeout(LAST_LOOK, reading).await;
            }
            exit
        };
        let tail = chatter.output.take_tail();
        let error = error(pid, why, exit);
        if is_its_fault {
            tracing::warn!(pid, "{error}");
        }
        End { error, tail }
    }
}

async fn drain(chatter: &mut Chatter) {
    while !chatter.is_over() {
        chatter.step().await;
    }
}

fn error(pid: u32, why: Why, exit: Result<Exit, CommandError>) -> CallError {
    match why {
        Why::Ended | Why::Ordered(_) => CallError::Crashed { pid, exit: exit.unwrap_or(Exit::Unknown) },
        Why::ShutDown => CallError::ShutDown { pid },
        Why::OutputClosed => CallError::OutputClosed { pid },
        Why::Garbage(line) => CallError::Garbage { pid, line },
        Why::OutOfTurn { asked, answered } => CallError::OutOfTurn { pid, asked, answered },
        Why::TooLong => CallError::AnswerTooLong { pid, limit: LONGEST },
    }
}
