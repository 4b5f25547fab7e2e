//! A warm interpreter that forks, and the task that minds it.

use std::io;
use std::time::Duration;

use bgt_process::{Command, Order, SessionOutput, SessionProgram, Started, Zygote, ZygoteDoor};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::error::NotWarm;
use super::stamp::Stamps;

/// For what an interpreter printed before it ended: it is in the pipe already.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Dropping it ends the interpreter, and nothing that it has started.
#[derive(Debug)]
pub(super) struct WarmZygote {
    pub(super) pid: u32,
    door: ZygoteDoor,
    stamps: Stamps,
    gone: CancellationToken,
    _end: DropGuard,
}

impl WarmZygote {
    /// Starts it, and waits until it is ready.
    pub(super) async fn start(
        command: &Command,
        mut stamps: Stamps,
        minders: &TaskTracker,
    ) -> Result<Self, NotWarm> {
        let started = command.zygote().await;
        let Zygote { door, mut stderr, program, .. } =
            started.map_err(|error| NotWarm::new(crate::error::in_words(&error)))?;
        let mut files = Vec::new();
        let said = loop {
            tokio::select! {
                biased;
                said = door.hear() => match said.as_deref().and_then(<[u8]>::split_first) {
                    Some((b'P', part)) => files.extend_from_slice(part),
                    Some((kind, rest)) => {
                        files.extend_from_slice(rest);
                        break Some(*kind);
                    }
                    None => break None,
                },
                // What is printed while modules are imported is not the script's.
                Some(_) = stderr.next() => {}
            }
        };
        stamps.add(&files);
        match said {
            Some(b'R') => {}
            Some(b'T') => return Err(NotWarm::threads(stamps)),
            _ => {
                // What it has started may hold its stderr for longer than it was there itself.
                let last_words = async { while stderr.next().await.is_some() {} };
                let _ = timeout(LAST_WORDS, last_words).await;
                return Err(NotWarm::ended(stderr.take_tail()));
            }
        }
        let (pid, end, gone) = (program.pid(), CancellationToken::new(), CancellationToken::new());
        minders.spawn(mind(program, stderr, door.clone(), end.clone(), gone.clone()));
        Ok(Self { pid, door, stamps, gone, _end: end.drop_guard() })
    }

    /// Whether it is there, and what it has imported is what there is.
    pub(super) fn is_good(&self) -> bool {
        !self.gone.is_cancelled() && self.stamps.hold()
    }

    pub(super) async fn birth(&self, order: &Order<'_>, label: &[u8], words: &[u8]) -> io::Result<Started> {
        self.door.birth(order, label, words).await
    }
}

async fn mind(
    mut program: SessionProgram,
    mut stderr: SessionOutput,
    door: ZygoteDoor,
    end: CancellationToken,
    gone: CancellationToken,
) {
    let pid = program.pid();
    let mut silent = false;
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            _ = program.ended() => break,
            said = stderr.next(), if !silent => match said {
                Some(said) => tracing::info!(pid, "a warm interpreter says: {}", stderr.shown(&said).trim_end()),
                None => silent = true,
            },
        }
    }
    gone.cancel();
    match program.kill().await {
        Ok(exit) if !end.is_cancelled() => {
            tracing::warn!(pid, "a warm interpreter has ended by itself: {exit}");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(pid, %error, "a warm interpreter could not be ended"),
    }
    // Not before: at the end of its door it would kill what it has started.
    drop(door);
}
