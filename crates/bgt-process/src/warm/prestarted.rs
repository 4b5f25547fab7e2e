//! An interpreter that has done its imports and waits to become one script.

use std::fmt;
use std::future::{pending, ready};
use std::io;
use std::time::Duration;

use bgt_sys::{Child, Input, Output, PipeReader, SpawnOptions, Spawned};
use tokio::time::timeout;

use super::{Order, Started, frame};
use crate::capture::Collector;
use crate::secret::Values;
use crate::session::SessionInput;
use crate::{Capture, Command, CommandError, tail};

/// Whoever has been told his order takes less than a millisecond to say that he has read it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Of what it prints before it is ready.
const KEPT: Capture = Capture::tail(64 << 10);

/// An interpreter that was started ahead of time, by [`Command::prestart`], and is used once.
///
/// For its part it does its imports, writes `R`, the length of what it has to say in four bytes, the lowest first, and that
/// to stdout. From stdin it reads a frame: its length in four bytes, a byte of flags (1: no stdin, 2: no stdout, 4: no stderr,
/// 8: stderr to stdout), the length of its `BGT_TREE` in four, `BGT_TREE`, the words of the order. When it is where it is to run
/// it writes `R` and its process id, or `E` and the number of the error. From there on its streams are those of what was ordered.
///
/// # Dropping
///
/// Kills it at once and leaves the rest to the background.
pub struct Prestarted {
    child: Child,
    stdin: SessionInput,
    stdout: PipeReader,
    stderr: Option<PipeReader>,
    said: Collector,
    secrets: Values,
}

impl Command {
    /// Starts the program ahead of what it will be ordered to become.
    ///
    /// # Errors
    ///
    /// What a run would be refused for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing running.
    pub async fn prestart(&self) -> Result<Prestarted, CommandError> {
        let mut prepared = self.prepare(false).await?;
        let environment = prepared.environment.clone();
        let options = SpawnOptions { stdin: Input::Pipe, environment, ..SpawnOptions::default() };
        let Spawned { child, stdin, stdout, stderr } = self.spawn(&mut prepared, &options).await?;
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else { unreachable!("pipes were asked for") };
        tracing::debug!(pid = child.id(), program = %prepared.program.display(), "started ahead of time");
        let said = Collector::new(KEPT);
        let stdin = SessionInput::new(stdin);
        Ok(Prestarted { child, stdin, stdout, stderr, said, secrets: prepared.secrets })
    }
}

impl Prestarted {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it is ready, and answers what it has to say.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when it has ended instead, [`InvalidData`](io::ErrorKind::InvalidData)
    /// when it says something else.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: it is of no use any more.
    pub async fn ready(&mut self) -> io::Result<Vec<u8>> {
        let [kind, length @ ..] = self.word().await?;
        if kind != b'R' {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut said = vec![0; u32::from_le_bytes(length) as usize];
        self.exactly(&mut said).await?;
        // What it printed before it was ready is its own, and not the script's.
        self.listen();
        Ok(said)
    }

    /// The last lines that it has printed to stderr before it was ready, as errors show them.
    #[must_use]
    pub fn take_tail(&mut self) -> String {
        self.listen();
        let said = std::mem::replace(&mut self.said, Collector::new(KEPT));
        tail::last_lines(&said.finish(), &self.secrets)
    }

    /// Whether it still waits.
    pub async fn is_there(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.child.ended() => false,
            () = ready(()) => true,
        }
    }

    /// Whether it can take on this order: its streams must be pipes to the host, or nowhere.
    #[must_use]
    pub fn suits(order: &Order<'_>) -> bool {
        flags(&order.options).is_some()
    }

    /// Tells it what to become.
    ///
    /// # Errors
    ///
    /// What the system said, to us or to it; then what was ordered has not begun.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills it.
    pub async fn take_on(mut self, order: &Order<'_>, words: &[u8]) -> io::Result<Started> {
        let options = &order.options;
        let flags = flags(options).ok_or(io::ErrorKind::Unsupported)?;
        let frame = frame(flags, "".as_ref(), words);
        timeout(PATIENCE, self.stdin.write_all(&frame)).await??;
        let mut word = [0; 5];
        timeout(PATIENCE, exactly(&self.stdout, &mut word)).await??;
        let [kind, number @ ..] = word;
        match kind {
            b'R' => {}
            b'E' => return Err(io::Error::from_raw_os_error(i32::from_le_bytes(number))),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(Started(Spawned {
            child: self.child,
            stdin: matches!(options.stdin, Input::Pipe).then(|| self.stdin.into_pipe()),
            stdout: (!matches!(options.stdout, Output::Null)).then_some(self.stdout),
            stderr: self.stderr.filter(|_| matches!(options.stderr, Output::Pipe)),
        }))
    }

    async fn word(&mut self) -> io::Result<[u8; 5]> {
        let mut word = [0; 5];
        self.exactly(&mut word).await.map(|()| word)
    }

    /// Reads from stdout, and listens to stderr meanwhile: who is not read blocks.
    async fn exactly(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            tokio::select! {
                biased;
                read = read(&self.stdout, &mut buffer[filled..]) => match read? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => filled += read,
                },
                () = readable(self.stderr.as_ref()) => {}
            }
            self.listen();
        }
        Ok(())
    }

    /// Collects what has come through stderr.
    fn listen(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(stderr) = &self.stderr {
            match stderr.try_read(&mut buffer) {
                Ok(read @ 1..) => self.said.push(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => self.stderr = None,
            }
        }
    }
}

/// Where the streams are pipes to the host, or nowhere: which are which.
fn flags(options: &SpawnOptions) -> Option<u8> {
    let stdin = match options.stdin {
        Input::Null => 1,
        Input::Pipe => 0,
        _ => return None,
    };
    let stdout = match options.stdout {
        Output::Null => 2,
        Output::Pipe | Output::Combined => 0,
        _ => return None,
    };
    let stderr = match options.stderr {
        Output::Null => 4,
        Output::Pipe => 0,
        Output::Combined => 8,
        _ => return None,
    };
    (!options.console_window).then_some(stdin | stdout | stderr)
}

/// Reads what there is: 0 is the end. Cancel-safe.
async fn read(pipe: &PipeReader, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match pipe.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => pipe.readable().await?,
            read => return read,
        }
    }
}

async fn exactly(pipe: &PipeReader, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(pipe, &mut buffer[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(())
}

/// Waits until there is something to read; for ever where nothing can be.
async fn readable(pipe: Option<&PipeReader>) {
    match pipe {
        Some(pipe) if pipe.readable().await.is_ok() => {}
        _ => pending().await,
    }
}

impl fmt::Debug for Prestarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prestarted").field("pid", &self.pid()).finish_non_exhaustive()
    }
}
