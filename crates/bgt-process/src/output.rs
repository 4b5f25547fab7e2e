//! All that remains of a program that has ended.

use std::borrow::Cow;
use std::time::Duration;

use bgt_core::Error;
use bgt_sys::Usage;

#[cfg(feature = "json")]
use crate::Encoding;
use crate::secret::Values;
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
    /// Whether the system has ended it, or one of its tree, because its memory [`Quota`](crate::Quota) did not suffice.
    /// Linux only: on Windows the program is told, and fails in its own way.
    pub out_of_memory: bool,
    /// Why it ran without its [`Quota`](crate::Quota), or some of them: where they are
    /// [`best_effort`](crate::Quota::best_effort) and there was no way to have them.
    pub unlimited: Option<String>,
    /// Its process id. It belongs to somebody else by now, or may at any time.
    pub pid: u32,
    /// From its start to the end of its tree and output.
    pub elapsed: Duration,
    /// What errors about it must not show.
    pub(crate) secrets: Values,
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

    /// Stderr as text: lossy, and a cut is marked. See [`Captured::text`]. Raw: it may hold secrets that the program
    /// printed. For users and logs there is [`Error::tail`].
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

    /// Stdout as JSON. Needs the feature `json`.
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
        let parsed = match self.stdout.encoding() {
            Encoding::Utf8 => serde_json::from_slice(self.stdout.as_bytes()),
            _ => serde_json::from_str(&self.stdout.text()),
        };
        parsed.map_err(|error| JsonError::Parse {
            // It may quote what was printed.
            why: crate::tail::blot_text(&error.to_string(), &self.secrets),
            line: error.line(),
            column: error.column(),
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
    #[error("stdout is not the expected JSON: {why}")]
    Parse {
        /// What is wrong, and where, without the command's secrets.
        why: String,
        /// The line, from 1.
        line: usize,
        /// The byte within the line, from 1; 0 when the line had not begun.
        column: usize,
    },
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;
    use crate::Capture;
    use crate::capture::Collector;

    #[test]
    fn what_is_wrong_with_json_is_said_without_the_secrets_in_it() {
        let mut collector = Collector::new(Capture::default());
        collector.push(b"\n\"hunter2\"");
        let output = Output {
            exit: Exit::from(bgt_sys::Outcome::Code(0)),
            stdout: collector.finish(),
            stderr: Captured::default(),
            usage: Usage::default(),
            leaked: false,
            out_of_memory: false,
            unlimited: None,
            pid: 1,
            elapsed: Duration::ZERO,
            secrets: [b"hunter2".to_vec()].into_iter().collect(),
        };
        let error = output.json::<u32>().unwrap_err();
        assert!(matches!(error, JsonError::Parse { line: 2, .. }), "{error:?}");
        let text = format!("{error} {error:?} {output:?}");
        assert!(text.contains("expected u32") && !text.contains("hunter2"), "{text}");
    }
}
