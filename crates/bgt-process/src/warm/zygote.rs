//! An interpreter that has done its imports and forks for each script (Linux).

use std::io;
use std::sync::Arc;

use bgt_core::{Source, Stop};
use bgt_sys::ZygoteParts;

use super::{Order, Started, frame};
use crate::stream::Stream;
use crate::{Capture, Command, CommandError, SessionOutput, SessionProgram};

/// A warm interpreter that was started, to be taken apart: [`Command::zygote`].
///
/// # Dropping
///
/// Dropping [`program`](Self::program) kills the interpreter. What it has started is not of its tree, and goes on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Zygote {
    /// Where it is asked.
    pub door: ZygoteDoor,
    /// What it says of itself, and of what it imports.
    pub stderr: SessionOutput,
    /// Its process.
    pub program: SessionProgram,
}

impl Zygote {
    /// Whether this system has them: Linux does.
    pub const SUPPORTED: bool = bgt_sys::ZYGOTES;
}

/// Where a warm interpreter is asked for what is ordered. Clones are the same door.
#[derive(Clone, Debug)]
pub struct ZygoteDoor(Arc<bgt_sys::Zygote>);

impl Command {
    /// Starts the program as a zygote: its stdin is a socket on which it is asked to fork, as `bgt-sys` has it.
    ///
    /// # Errors
    ///
    /// What a run would be refused for. [`CommandError::Spawn`] everywhere but on Linux.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing running.
    pub async fn zygote(&self) -> Result<Zygote, CommandError> {
        let mut prepared = self.prepare(false).await?;
        let environment = prepared.environment.clone();
        let parts = bgt_sys::Zygote::start(&mut prepared.std, environment);
        let ZygoteParts { zygote, child, stderr } =
            parts.map_err(|source| self.not_started(&prepared, source))?;
        tracing::debug!(pid = child.id(), program = %prepared.program.display(), "started as a zygote");
        let stream = Stream::new(Source::Stderr, Some(stderr), Capture::tail(64 << 10));
        Ok(Zygote {
            door: ZygoteDoor(Arc::new(zygote)),
            stderr: SessionOutput::new(stream, prepared.secrets),
            program: SessionProgram::new(child, Stop::at_once()),
        })
    }
}

impl ZygoteDoor {
    /// Waits for a message; `None` at the zygote's end.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn hear(&self) -> Option<Vec<u8>> {
        self.0.hear().await.ok().filter(|message| !message.is_empty())
    }

    /// Lets it fork for this order: `label` is for the zygote, `words` are for what is born.
    ///
    /// # Errors
    ///
    /// What the system said; then what was ordered has not begun. [`TimedOut`](io::ErrorKind::TimedOut) where the zygote is
    /// stuck, and nobody knows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills what was born, in the background.
    pub async fn birth(&self, order: &Order<'_>, label: &[u8], words: &[u8]) -> io::Result<Started> {
        self.0.birth(label, |tree| frame(0, tree, words), &order.options).await.map(Started)
    }
}
