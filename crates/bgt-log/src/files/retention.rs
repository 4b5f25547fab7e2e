//! Which runs' logs are kept, of all below a folder.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bgt_core::RunId;

use super::FileError;
use super::segments;

/// Removes the logs of runs that are old, or too much together.
///
/// It looks at folders that are named by a [`RunId`], as those of [`LogFiles::of_run`](crate::LogFiles::of_run); everything
/// else stays. Nothing happens by itself: [`sweep`](Self::sweep) is called when it suits, say once an hour.
///
/// # Examples
///
/// ```
/// use bgt_log::Retention;
/// use std::time::Duration;
///
/// # async fn hourly(running: std::collections::HashSet<bgt_core::RunId>) -> Result<(), bgt_log::FileError> {
/// let week = Retention::new().max_age(Duration::from_secs(7 * 24 * 3600)).max_bytes(10 << 30);
/// let swept = week.sweep("logs", move |run| running.contains(&run)).await?;
/// println!("{} runs removed, {} bytes", swept.runs, swept.bytes);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "nothing is removed until it is swept"]
pub struct Retention {
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
}

/// What was removed, and what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Runs whose folder was removed.
    pub runs: u64,
    /// The bytes of their log files.
    pub bytes: u64,
    /// The bytes of the log files that are left.
    pub left: u64,
}

/// A run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    path: PathBuf,
    /// When something was last written.
    at: SystemTime,
    bytes: u64,
    is_running: bool,
}

impl Retention {
    /// Keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs that wrote nothing for longer than this are removed.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// As long as all log files together have more bytes, the run is removed that wrote nothing for the longest time.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Looks at the runs below a folder once, and removes what is not to be kept. Those that are said to be running stay,
    /// and count. That there is no such folder is fine.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed, or the log of a run cannot be removed: the first of them, after all others were
    /// tried.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped it goes on by itself.
    pub async fn sweep(
        self,
        base: impl Into<PathBuf>,
        is_running: impl Fn(RunId) -> bool + Send + 'static,
    ) -> Result<Swept, FileError> {
        let base = base.into();
        let of = base.clone();
        let swept = tokio::task::spawn_blocking(move || self.sweep_now(&of, is_running)).await;
        swept.unwrap_or_else(|error| Err(FileError::lost(&base, error)))
    }

    fn sweep_now(self, base: &Path, is_running: impl Fn(RunId) -> bool) -> Result<Swept, FileError> {
        let folders = folders(base, is_running).map_err(FileError::of("list the logs in", base))?;
        let mut swept = Swept { left: folders.iter().map(|folder| folder.bytes).sum(), ..Swept::default() };
        let mut fault = None;
        for folder in self.surplus(folders, SystemTime::now()) {
            match fs::remove_dir_all(&folder.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    fault = fault.or(Some(FileError::of("remove the log in", &folder.path)(error)));
                }
                _ => {
                    swept.runs += 1;
                    swept.bytes += folder.bytes;
                    swept.left -= folder.bytes;
                }
            }
        }
        fault.map_or(Ok(swept), Err)
    }

    /// What is not to be kept.
    fn surplus(self, mut folders: Vec<Folder>, now: SystemTime) -> Vec<Folder> {
        let mut total: u64 = folders.iter().map(|folder| folder.bytes).sum();
        folders.retain(|folder| !folder.is_running);
        folders.sort_by_key(|folder| folder.at);
        folders.retain(|folder| {
            // What is of the future is not old.
            let age = now.duration_since(folder.at).unwrap_or_default();
            let is_old = self.max_age.is_some_and(|most| age > most);
            let is_too_much = self.max_bytes.is_some_and(|most| total > most);
            if is_old || is_too_much {
                total -= folder.bytes;
            }
            is_old || is_too_much
        });
        folders
    }
}

fn folders(base: &Path, is_running: impl Fn(RunId) -> bool) -> io::Result<Vec<Folder>> {
    let entries = match fs::read_dir(base) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(run) =
            name.to_str().and_then(|name| name.parse::<RunId>().ok().filter(|run| run.to_string() == name))
        else {
            continue;
        };
        // A link is not followed: what it leads to is somebody else's.
        match entry.metadata().and_then(|found| found.is_dir().then(|| folder(entry.path())).transpose()) {
            Ok(Some(folder)) => folders.push(Folder { is_running: is_running(run), ..folder }),
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(folders)
}

fn folder(path: PathBuf) -> io::Result<Folder> {
    let (mut at, mut bytes) = (fs::metadata(&path)?.modified()?, 0);
    for segment in segments::list(&path)? {
        bytes += segment.length;
        if let Ok(written) =
            fs::metadata(segments::path(&path, segment.first)).and_then(|file| file.modified())
        {
            at = at.max(written);
        }
    }
    Ok(Folder { path, at, bytes, is_running: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_go_then_the_oldest_and_never_those_that_run() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let folder = |name: &str, age, bytes, is_running| {
            let (path, at) = (name.into(), now - Duration::from_secs(age));
            Folder { path, at, bytes, is_running }
        };
        let folders = vec![
            folder("new", 1, 10, false),
            folder("running", 900, 10, true),
            folder("middle", 50, 10, false),
            folder("old", 500, 10, false),
        ];
        let names = |retention: Retention| -> Vec<_> {
            let surplus = retention.surplus(folders.clone(), now);
            surplus.into_iter().map(|folder| folder.path.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(Retention::new()), [""; 0]);
        assert_eq!(names(Retention::new().max_age(Duration::from_secs(100))), ["old"]);
        assert_eq!(names(Retention::new().max_bytes(25)), ["old", "middle"]);
        assert_eq!(names(Retention::new().max_bytes(0)), ["old", "middle", "new"]);
        assert_eq!(names(Retention::new().max_age(Duration::from_secs(100)).max_bytes(30)), ["old"]);
    }
}
