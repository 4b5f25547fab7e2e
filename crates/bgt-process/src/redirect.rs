//! Where a program's output goes.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bgt_sys::Output;

use crate::CommandError;
use crate::prepare::absolute;

/// Where a program's stdout or stderr goes.
///
/// Both to the same file share it, so that neither overwrites the other; the file is emptied if either says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redirect {
    /// To us: kept within the [`Capture`](crate::Capture) limits, and passed on to the run's sink if it has one.
    #[default]
    Capture,
    /// To a file, which is created or emptied at each attempt.
    File(PathBuf),
    /// To the end of a file, which is created if it is not there.
    Append(PathBuf),
    /// To where the host's own goes.
    Inherit,
    /// Nowhere.
    Null,
}

impl Redirect {
    /// To a file, which is created or emptied at each attempt.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// To the end of a file, which is created if it is not there.
    pub fn append(path: impl Into<PathBuf>) -> Self {
        Self::Append(path.into())
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Append(path) => Some(path),
            _ => None,
        }
    }
}

/// An output stream that is ready for a program.
pub(crate) struct Opened {
    pub(crate) to: Output,
    /// The file to empty before the program starts, as an absolute path.
    empty: Option<PathBuf>,
}

impl Opened {
    pub(crate) fn empty(&self, stream: &'static str) -> Result<(), CommandError> {
        match (&self.to, &self.empty) {
            (Output::File(file), Some(path)) => {
                empty(file, path).map_err(|source| CommandError::File { stream, path: path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// Devices and named pipes have nothing to empty.
fn empty(file: &File, path: &Path) -> io::Result<()> {
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    // Windows lets nobody shorten a file that is open for appending, as a shared one may be.
    file.set_len(0).or_else(|_| OpenOptions::new().write(true).truncate(true).open(path).map(drop))
}

/// Opens where stdout and stderr go, without emptying anything yet.
pub(crate) async fn open(
    stdout: &Redirect,
    stderr: &Redirect,
    combined: bool,
) -> Result<(Opened, Opened), CommandError> {
    let mut out = open_one("stdout", stdout).await?;
    if combined {
        return Ok((out, Opened { to: Output::Combined, empty: None }));
    }
    if let (Some(one), Some(other)) = (stdout.path(), stderr.path()) {
        // Stdout's is there by now. Two handles of one file would each write from its beginning.
        if let (Ok(one), Ok(same)) = (one.canonicalize(), other.canonicalize()) {
            if one == same {
                if let Redirect::File(path) = stderr {
                    out.empty = Some(absolute(path));
                }
                return Ok((out, Opened { to: Output::Combined, empty: None }));
            }
        }
    }
    Ok((out, open_one("stderr", stderr).await?))
}

async fn open_one(stream: &'static str, redirect: &Redirect) -> Result<Opened, CommandError> {
    let mut options = OpenOptions::new();
    // Emptied later, when nothing can go wrong any more.
    options.create(true).truncate(false);
    Ok(match redirect {
        Redirect::Capture => Opened { to: Output::Pipe, empty: None },
        Redirect::Inherit => Opened { to: Output::Inherit, empty: None },
        Redirect::Null => Opened { to: Output::Null, empty: None },
        Redirect::File(path) => {
            let file = open_file(stream, path, options.write(true)).await?;
            Opened { to: Output::File(file), empty: Some(absolute(path)) }
        }
        Redirect::Append(path) => {
            let file = open_file(stream, path, options.append(true)).await?;
            Opened { to: Output::File(file), empty: None }
        }
    })
}

/// Opens a file for one of the streams without blocking the runtime.
pub(crate) async fn open_file(
    stream: &'static str,
    path: &Path,
    options: &OpenOptions,
) -> Result<File, CommandError> {
    let path = absolute(path);
    let opened = bgt_sys::open(&path, options).await.and_then(|file| {
        // A folder can be opened, and fails only the program's reading.
        if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
    });
    opened.map_err(|source| CommandError::File { stream, path, source })
}
