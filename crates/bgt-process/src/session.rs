//! A program that is talked to: its streams in the caller's hands, its tree under supervision.
//!
//! Owns: starting it, moving bytes, ending the whole tree. Never does: know what is said, or when to stop.

use std::fmt;
use std::future::ready;
use std::io;
use std::time::Duration;

use bgt_core::{Polite, Source, Stop};
use bgt_sys::{Asked, Child, Input, PipeWriter, Spawned};
use bytes::Bytes;
use tokio::time::timeout;

use crate::secret::Values;
use crate::stopping::signal_of;
use crate::stream::Stream;
use crate::{Background, Capture, Command, CommandError, Encoding, Exit, Redirect, Stdin, tail};

/// How long killed descendants are waited for: they were killed, so this is a matter of a few looks.
const TREE_END: Duration = Duration::from_millis(500);

/// A program for a conversation, started by [`Command::session`]: its streams and the hold on its tree, to be taken
/// apart and moved to where they are needed.
///
/// # Dropping
///
/// Dropping [`program`](Self::program) kills the whole tree at once and leaves the rest to the background. Dropping
/// `stdin` is the end of input for the program. Dropping an output closes it: a program that goes on writing there
/// is ended by that or gets an error.
#[derive(Debug)]
#[non_exhaustive]
pub struct Session {
    /// What the program reads.
    pub stdin: SessionInput,
    /// What it writes.
    pub stdout: SessionOutput,
    /// What it writes beside that; over from the beginning where the command redirects it.
    pub stderr: SessionOutput,
    /// Its process and its descendants.
    pub program: SessionProgram,
}

/// The stdin of a program that is talked to. Dropping it is the end of input.
#[derive(Debug)]
pub struct SessionInput(PipeWriter);

/// An output stream of a program that is talked to. It also keeps the last 64 KiB, for
/// [`take_tail`](Self::take_tail).
pub struct SessionOutput {
    stream: Stream,
    encoding: Encoding,
    secrets: Values,
}

/// The process of a program that is talked to, and its descendants. Dropping it kills the tree at once.
#[derive(Debug)]
pub struct SessionProgram {
    child: Child,
    stop: Stop,
    background: Background,
    unlimited: Option<String>,
}

impl Command {
    /// Starts the program for a conversation: with pipes for stdin and stdout, and for stderr unless it is redirected.
    ///
    /// No runner stands behind it: there is no deadline, nothing is captured, and whoever has the session reads both
    /// outputs, or the program blocks when a pipe is full. For a program that is only fed and listened to, run the
    /// command with [`Stdin::live`] instead.
    ///
    /// # Errors
    ///
    /// What a run would be refused for, and [`CommandError::SessionStream`] when the command sends stdin or stdout
    /// elsewhere.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing running.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use bgt_process::Command;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut cat = Command::new("cat").session().await?;
    /// cat.stdin.write_all(b"hello\n").await?;
    /// assert_eq!(cat.stdout.next().await.as_deref(), Some(&b"hello\n"[..]));
    /// drop(cat.stdin);
    /// cat.program.ended().await?;
    /// assert!(cat.program.kill().await?.success());
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    pub async fn session(&self) -> Result<Session, CommandError> {
        let elsewhere = |stream| Err(CommandError::SessionStream { stream });
        if !matches!(self.stdin, Stdin::Null) {
            return elsewhere("stdin");
        }
        if self.stdout != Redirect::Capture || self.combined {
            return elsewhere("stdout");
        }
        let mut prepared = self.prepare(true).await?;
        let (mut options, _) = self.streams().await?;
        options.stdin = Input::Pipe;
        options.environment.clone_from(&prepared.environment);
        let mut limited = self.limited()?;
        let Spawned { mut child, stdin, stdout, stderr } = self.spawn(&mut prepared, &options).await?;
        self.limit(&mut limited, &mut child)?;
        let Some(stdin) = stdin else { unreachable!("a pipe was asked for") };
        tracing::debug!(pid = child.id(), program = %prepared.program.display(), "started for a conversation");
        let output = |source, pipe, kept| SessionOutput {
            stream: Stream::new(source, pipe, kept),
            encoding: self.encoding,
            secrets: prepared.secrets.clone(),
        };
        Ok(Session {
            stdin: SessionInput(stdin),
            stdout: output(Source::Stdout, stdout, Capture::nothing()),
            stderr: output(Source::Stderr, stderr, Capture::tail(64 << 10)),
            program: SessionProgram {
                child,
                stop: self.stop.clone(),
                background: self.background,
                unlimited: limited.why_not,
            },
        })
    }
}

impl SessionInput {
    pub(crate) fn new(pipe: PipeWriter) -> Self {
        Self(pipe)
    }

    pub(crate) fn into_pipe(self) -> PipeWriter {
        self.0
    }

    /// Writes everything, waiting while the program does not read.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) when the program reads no more.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: dropped before it is done, a part may have been written.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.0.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.0.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl SessionOutput {
    pub(crate) fn new(stream: Stream, secrets: Values) -> Self {
        Self { stream, encoding: Encoding::Utf8, secrets }
    }

    /// Waits for the next piece of output, as it came; `None` at the end, and whenever it is asked again.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.stream.piece().await
    }

    /// Of stderr: its last lines, at most 20 and at most 4 KiB, as errors show them, without the command's secrets.
    /// What was taken is not there any more. Of stdout nothing is kept.
    #[must_use]
    pub fn take_tail(&mut self) -> String {
        tail::last_lines(&self.stream.take_collected().encoded_as(self.encoding), &self.secrets)
    }

    /// Some output of the program as text that is fit to be shown: by the command's encoding, lossy, and without its secrets.
    #[must_use]
    pub fn shown(&self, text: &[u8]) -> String {
        tail::blot_output(text, self.encoding, &self.secrets)
    }
}

impl fmt::Debug for SessionOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SessionOutput { stream, .. } = self;
        f.debug_struct("SessionOutput")
            .field("source", &stream.source)
            .field("over", &stream.is_over())
            .finish_non_exhaustive()
    }
}

impl SessionProgram {
    pub(crate) fn new(child: Child, stop: Stop) -> Self {
        Self { child, stop, background: Background::Kill, unlimited: None }
    }

    /// The program's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Why it runs without its [`Quota`](crate::Quota), or some of them: as [`Output::unlimited`](crate::Output::unlimited).
    #[must_use]
    pub fn unlimited(&self) -> Option<&str> {
        self.unlimited.as_deref()
    }

    /// How much of the program is in memory now, in bytes, without its descendants; `None` where nobody tells, which
    /// is everywhere but on Linux and Windows.
    #[must_use]
    pub fn resident_memory(&self) -> Option<u64> {
        self.child.resident_memory()
    }

    /// Waits until the program itself has ended. Its descendants may live, and its output may not be over.
    ///
    /// # Errors
    ///
    /// [`CommandError::Supervision`] with what the system said.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, and may be called again after it has answered.
    pub async fn ended(&mut self) -> Result<(), CommandError> {
        let pid = self.pid();
        self.child.ended().await.map_err(|source| CommandError::Supervision { pid, source })
    }

    /// Asks the whole tree to end, as the command's [`Stop`] policy says, waits its grace period, and then does as
    /// [`kill`](Self::kill) does. Of a policy that speaks through stdin nothing is said here, and only the grace period
    /// is waited: write to the stdin, or drop it, before.
    ///
    /// # Errors
    ///
    /// As [`kill`](Self::kill).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the tree at once.
    pub async fn stop(mut self) -> Result<Exit, CommandError> {
        if !self.has_ended().await {
            self.child.find_strays().await;
            let asked = match &self.stop.polite {
                Polite::StdinText(_) | Polite::CloseStdin => true,
                Polite::Kill => false,
                polite => matches!(self.child.ask(signal_of(polite)), Ok(Asked::Delivered | Asked::Ended)),
            };
            if asked {
                let _ = timeout(self.stop.grace, self.child.ended()).await;
            }
        }
        self.kill().await
    }

    /// Ends whatever is left of the tree, waits for the real end, and says how the program itself ended. Of a program
    /// that has ended by itself, that is how it did; then those that have left the tree are looked for where the command
    /// says [`Background::Search`]. Nobody is kept.
    ///
    /// # Errors
    ///
    /// [`CommandError::Unkillable`] when the system does not end it within the reap period of the [`Stop`] policy: a
    /// background thread goes on waiting. [`CommandError::Supervision`] with what the system said.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the tree all the same.
    pub async fn kill(mut self) -> Result<Exit, CommandError> {
        let pid = self.pid();
        let supervision = |source| CommandError::Supervision { pid, source };
        let forced = !self.has_ended().await;
        let search = forced || self.background == Background::Search || self.child.needs_search();
        if search {
            // While the parents of those that left the tree are still there to tell whose children they are.
            self.child.find_strays().await;
        }
        self.child.kill().map_err(supervision)?;
        if search {
            self.child.kill_strays().await;
        }
        let ended = timeout(self.stop.reap, self.child.ended()).await;
        ended.map_err(|_| CommandError::Unkillable { pid })?.map_err(supervision)?;
        let ended = self.child.reap().map_err(supervision)?;
        let ended = ended.ok_or_else(|| supervision(io::ErrorKind::WouldBlock.into()))?;
        let left = search || self.child.had_descendants();
        if left && !self.child.tree_ended(TREE_END).await {
            tracing::warn!(pid, "descendants were killed but have not ended");
        }
        Ok(Exit::from(ended.outcome))
    }

    async fn has_ended(&mut self) -> bool {
        tokio::select! {
            biased;
            ended = self.child.ended() => ended.is_ok(),
            () = ready(()) => false,
        }
    }
}
