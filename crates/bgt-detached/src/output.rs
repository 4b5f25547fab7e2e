//! The output of an attempt, wherever it runs and whoever writes it.

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bgt_log::{Entry, FileError, From, LogReader};

use crate::{Result, Run};

/// How often to look for output of an attempt that has printed nothing yet.
const LOOK: Duration = Duration::from_millis(50);

/// Reads the output of an attempt: what is kept, and what follows as it comes. It ends with the attempt, also when whoever
/// wrote it was killed.
///
/// Lines are numbered; who stops reading goes on with [`From::After`] the [last number](Self::seq), in this process or
/// another, before or after a restart of the host.
///
/// Dropping it changes nothing for anybody.
///
/// # Cancel safety
///
/// [`next`](Self::next) loses nothing when it is dropped.
#[must_use = "nothing is read until it is asked"]
pub struct Output {
    folder: PathBuf,
    from: From,
    reader: Option<LogReader>,
    /// Answers when nothing more is written.
    over: Pin<Box<dyn Future<Output = Result<()>> + Send>>,
    is_over: bool,
    seq: u64,
}

impl Output {
    pub(crate) fn new(run: Run, attempt: u32, from: From) -> Self {
        let folder = run.folder(attempt).log();
        let over = Box::pin(run.attempt_over(attempt));
        let seq = if let From::After(seq) = from { seq } else { 0 };
        Self { folder, from, reader: None, over, is_over: false, seq }
    }

    /// The next line, or what is missing before it; `None` when the attempt is over and everything was read.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or the run is not known any more.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            let Some(reader) = &mut self.reader else {
                self.reader = self.open().await?;
                match &self.reader {
                    Some(_) => continue,
                    None if self.is_over => return Ok(None),
                    None => self.rest(LOOK).await?,
                }
                continue;
            };
            if self.is_over {
                let entry = reader.next().await?;
                return Ok(entry.inspect(|entry| self.seq = entry.last()));
            }
            tokio::select! {
                biased;
                entry = reader.next() => {
                    let entry = entry?;
                    if let Some(entry) = &entry {
                        self.seq = entry.last();
                    }
                    return Ok(entry);
                }
                over = &mut self.over => {
                    over?;
                    // Whoever wrote may have been killed, and has then not said that this is the end: what there is, is all.
                    self.is_over = true;
                    self.from = if self.seq > 0 { From::After(self.seq) } else { self.from };
                    self.reader = None;
                }
            }
        }
    }

    /// The number of the last line that was read, to [go on from](From::After).
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The reader, if there is something to read.
    async fn open(&self) -> Result<Option<LogReader>, FileError> {
        let opened = match self.is_over {
            true => LogReader::open(&self.folder, self.from).await,
            false => LogReader::follow(&self.folder, self.from).await,
        };
        match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    async fn rest(&mut self, pause: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            over = &mut self.over => {
                over?;
                self.is_over = true;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("folder", &self.folder).field("seq", &self.seq).finish_non_exhaustive()
    }
}
