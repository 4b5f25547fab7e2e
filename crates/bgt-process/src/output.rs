//! All that remains of a program that has ended.

use std::borrow::Cow;
use std::time::Duration;

use bgt_core::Error;
use bgt_sys::Usage;

use crate::{Captured, CommandError, Exit};

/// All that remains of a program that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to stdout, within the limits; both streams when they were combined.
    pub stdout: Captured,
    /// What it wrote to stderr, within the limits.
    pub stderr: Captured,
    /// What it used.
    pub usage: Usage,
    /// Whether descendants were still alive when it ended by itself, or something still held its output open. They
    /// were killed, unless [`Background::Keep`](crate::Background::Keep) lets them live.
    pub leaked: bool,
    /// Its process id. It belongs to somebody else by now, or may at any time.
    pub pid: u32,
    /// From its start to the end of its tree and output.
    pub elapsed: Duration,
}

impl Output {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.exit.success()
    }

    /// Stdout as text: lossy, and a cut is marked. See [`Captured::text`].
    #[must_use]
    pub fn stdout_text(&self) -> Cow<'_, str> {
        self.stdout.text()
    }

    /// Stderr as text: lossy, and a cut is marked. See [`Captured::text`].
    #[must_use]
    pub fn stderr_text(&self) -> Cow<'_, str> {
        self.stderr.text()
    }

    /// The output that a failed or stopped run carries in its error, if the program ran at all.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use bgt_process::{Command, Output};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let ls = Command::new("ls").arg("no such file");
    /// let error = bgt_simple::run(ls).await.unwrap_err();
    /// let output = Output::from_error(&error).unwrap();
    /// assert_ne!(output.exit.code(), Some(0));
    /// assert!(error.tail().unwrap().contains("no such file"));
    /// # } main();
    /// # }
    /// ```
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        error.find::<CommandError>()?.output()
    }

    /// Stdout as JSON.
    ///
    /// # Errors
    ///
    /// [`JsonError`] when it was cut, or is not what `T` wants.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let echo = bgt_process::Command::new("echo").arg(r#"{"frames": 250}"#);
    /// let probe: std::collections::HashMap<String, u64> = bgt_simple::run(echo).await?.json()?;
    /// assert_eq!(probe["frames"], 250);
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, JsonError> {
        if !self.stdout.is_complete() {
            return Err(JsonError::Cut { omitted: self.stdout.omitted(), total: self.stdout.total() });
        }
        serde_json::from_slice(self.stdout.as_bytes()).map_err(|source| {
            let start: String = self.stdout_text().chars().take(80).collect();
            JsonError::Parse { start, source }
        })
    }
}

/// Stdout was not the JSON that was expected.
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The middle is missing.
    #[error("{omitted} of {total} bytes of stdout were cut out: raise the limits with Command::capture")]
    Cut {
        /// Bytes that are missing.
        omitted: u64,
        /// Bytes that the program wrote.
        total: u64,
    },
    /// It is not JSON, or not of that shape.
    #[error("stdout is not the expected JSON; it starts with {start:?}")]
    Parse {
        /// Its first characters.
        start: String,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
}
