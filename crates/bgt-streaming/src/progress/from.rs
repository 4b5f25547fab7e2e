//! Where progress is read from.
//!
//! Owns: which readers look at a line, and what is settled about it before they do.
//! Never does: remember a line; what a reading means after others is the pace's business.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bgt_core::Progress;
use bgt_log::Line;

use super::{json, percent, ratio};

/// How much of a long line is looked at, in bytes from its end: a percent or a ratio stands where a person sees it.
const REACH: usize = 1024;

/// Where the progress of a run is read from in the lines that it writes.
///
/// Programs say how far they are in ways of their own, and no line says *this is my progress*: what the readers take is
/// what looks like it and like nothing else that is usual. A program that also writes percents of other things, such as
/// a coverage, wants [`with`](Self::with). Escape sequences of terminals do not disturb. A bar that is drawn over with
/// carriage returns is a line for each of them. Of a line beyond 1024 bytes only the last 1024 are looked at, unless it
/// is JSON.
///
/// Cheap to clone.
///
/// # Examples
///
/// ```
/// use bgt_core::Progress;
/// use bgt_streaming::ProgressFrom;
///
/// let bars = ProgressFrom::auto();
/// let ours = ProgressFrom::with(|line| {
///     let text = line.plain_text();
///     let files = text.strip_prefix("files so far: ")?;
///     Some(Progress::count(files.parse().ok()?))
/// });
/// # let _ = (bars, ours);
/// ```
#[derive(Clone)]
pub struct ProgressFrom(How);

type Reader = dyn Fn(&Line) -> Option<Progress> + Send + Sync;

#[derive(Clone)]
enum How {
    Auto,
    Json,
    Percent,
    Ratio,
    With(Arc<Reader>),
}

impl ProgressFrom {
    /// From whatever is there: a [JSON object](Self::json), else a [percent](Self::percent), else a
    /// [ratio](Self::ratio). Of a JSON object whose fields say nothing, the text of its `message` or `msg` is read.
    #[must_use]
    pub const fn auto() -> Self {
        Self(How::Auto)
    }

    /// From the last percent of a line, `42%`, `42.5%`, `42,5%` or `42 %`, from 0 to 100: tqdm, pip, rsync, wget,
    /// `curl -#`, git, pytest, apt.
    ///
    /// Not taken: a change (`+3%`), more than 100, what is escaped in a URL (`a%20b`), and what is the value of a
    /// name that says something else (`acc=93%`).
    #[must_use]
    pub const fn percent() -> Self {
        Self(How::Percent)
    }

    /// From the last ratio of a line, `n/m` or `n of m`, where `n` is not more than `m` and `m` is not 0: `epoch 3/10`,
    /// `[12/345]`, `12.3MB/45.6MB`, `3 of 10`. Sizes are counted in bytes.
    ///
    /// Not taken: parts of dates, paths, URLs and versions, fractions of numbers without a unit of size, and what is
    /// said to be left (rsync's `to-chk=3/10`).
    #[must_use]
    pub const fn ratio() -> Self {
        Self(How::Ratio)
    }

    /// From a JSON object that is the whole line:
    ///
    /// | fields | read as |
    /// | --- | --- |
    /// | `progress`: from 0 to 1, or `"42%"` | that part |
    /// | `progress` or `progressDetail`: an object | what its fields say, by this table |
    /// | `percent`, `percentage` or `pct`: from 0 to 100, or `"42%"` | that percent |
    /// | `total`, and one of `current`, `n`, `done`, `completed`, `step`, `progress` | so many of so many |
    /// | the same, and `total` is `null` | so many, of nobody knows how many |
    /// | `message` | the [message](Progress::message) of that |
    ///
    /// Not taken: what could mean two things, such as a `progress` of 40 without a `total`, or a `step` and a `done`
    /// that differ.
    #[must_use]
    pub const fn json() -> Self {
        Self(How::Json)
    }

    /// From what the function makes of a line. It runs for every line, and should be quick.
    ///
    /// The lines of a run come one after another, but a reader may serve several runs at the same time.
    #[must_use]
    pub fn with(read: impl Fn(&Line) -> Option<Progress> + Send + Sync + 'static) -> Self {
        Self(How::With(Arc::new(read)))
    }

    /// The progress that this line tells, if it does.
    ///
    /// # Panics
    ///
    /// When the function given to [`with`](Self::with) does.
    #[must_use]
    pub fn read(&self, line: &Line) -> Option<Progress> {
        let bytes = &line.bytes[..];
        let end = &bytes[bytes.len().saturating_sub(REACH)..];
        match &self.0 {
            How::With(read) => read(line),
            How::Percent => percent::may_be_in(end).then(|| percent::read(&tail(line)))?,
            How::Ratio => ratio::may_be_in(end).then(|| ratio::read(&tail(line)))?,
            How::Json => json::may_be(bytes).then(|| json::Object::of(&line.plain_text())?.progress())?,
            How::Auto => {
                if json::may_be(bytes) {
                    let text = line.plain_text();
                    if let Some(object) = json::Object::of(&text) {
                        return object.progress().or_else(|| of_text(&object.text()?));
                    }
                }
                if percent::may_be_in(end) || ratio::may_be_in(end) { of_text(&tail(line)) } else { None }
            }
        }
    }
}

fn of_text(text: &str) -> Option<Progress> {
    percent::read(text).or_else(|| ratio::read(text))
}

fn tail(line: &Line) -> Cow<'_, str> {
    match line.bytes.len().checked_sub(REACH) {
        None | Some(0) => line.plain_text(),
        Some(start) => {
            let mut tail = line.clone();
            tail.bytes = line.bytes.slice(start..);
            tail.plain_text().into_owned().into()
        }
    }
}

impl Default for ProgressFrom {
    fn default() -> Self {
        Self::auto()
    }
}

impl fmt::Debug for ProgressFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            How::Auto => "ProgressFrom::auto()",
            How::Json => "ProgressFrom::json()",
            How::Percent => "ProgressFrom::percent()",
            How::Ratio => "ProgressFrom::ratio()",
            How::With(_) => "ProgressFrom::with(..)",
        })
    }
}

#[cfg(test)]
mod tests;
