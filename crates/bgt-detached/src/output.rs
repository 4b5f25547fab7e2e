//! The output of an attempt, wherever it runs and whoever writes it.

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bgt_log::{Entry, FileError, From, LogReader};

use crate::{Result, Run};

type Over = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

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
    run: Run,
    attempt: u32,
    folder: PathBuf,
    from: From,
    reader: Option<LogReader>,
    /// Answers when nothing more is written.
    over: Over,
    is_over: bool,
    seq: u64,
}

impl Output {
    pub(crate) fn new(run: Run, attempt: u32, from: From) -> Self {
        let folder = run.folder(attempt).log();
        let over = Box::pin(run.attempt_over(attempt));
        let seq = if let From::After(seq) = from { seq } else { 0 };
        Self { run, attempt, folder, from, reader: None, over, is_over: false, seq }
    }

    /// The next line, or what is missing before it; `None` when the attempt is over and everything was read.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, the records cannot be asked, or the run is not known any more. It may be asked again.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            let Some(reader) = &mut self.reader else {
                self.reader = open(self.folder.clone(), self.from, self.is_over).await?;
                match &self.reader {
                    Some(_) => {}
                    None if self.is_over => return Ok(None),
                    None => {
                        // There is nothing yet: all that comes is new.
                        self.from = From::Start;
                        self.rest(LOOK).await?;
                    }
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
                    self.hear(over)?;
                    // Whoever wrote may have been killed, and has then not said that this is the end: what there is, is all.
                    // Also where nothing was read yet the reader has its place.
                    let place = self.reader.take().map_or(0, |reader| reader.seq());
                    if place > 0 || self.from != From::Start {
                        self.from = From::After(place);
                    }
                }
            }
        }
    }

    /// The number of the last line that was read, to [go on from](From::After).
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    async fn rest(&mut self, pause: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            over = &mut self.over => self.hear(over)?,
        }
        Ok(())
    }

    /// It is over, or that could not be known: then it is asked anew by the next call.
    fn hear(&mut self, over: Result<()>) -> Result<()> {
        match over {
            Ok(()) => self.is_over = true,
            Err(_) => self.over = Box::pin(self.run.attempt_over(self.attempt)),
        }
        over
    }
}

/// The reader, if there is something to read.
async fn open(folder: PathBuf, from: From, is_over: bool) -> Result<Option<LogReader>, FileError> {
    let opened =
        if is_over { LogReader::open(folder, from).await } else { LogReader::follow(folder, from).await };
    match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("folder", &self.folder).field("seq", &self.seq).finish_non_exhaustive()
    }
}
