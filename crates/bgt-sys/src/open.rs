//! Opening files without ever blocking the caller's thread.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a file for a program's standard streams.
///
/// A named pipe (Unix) is waited for until somebody is at its other end; everything else is opened at once. No thread
/// is used up by the wait.
///
/// # Errors
///
/// What the system said.
///
/// # Cancel safety
///
/// Dropping the future closes what was opened; nothing is read from a named pipe or written to it.
///
/// # Platform-specific behavior
///
/// Unix: no system tells that a named pipe has a writer before that writer writes or closes. A pipe to read from
/// therefore counts as open once there is something to read in it, or its end.
///
/// # Panics
///
/// Where there is a named pipe to wait for, outside a tokio runtime with its timer enabled.
pub async fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if path.metadata().is_ok_and(|file| file.file_type().is_fifo()) {
            return fifo::open(path, options).await;
        }
    }
    options.open(path)
}

#[cfg(unix)]
mod fifo {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    /// A blocking open would take a thread that nobody can call back, and that one day opens the pipe after all and
    /// swallows what was meant for somebody else.
    pub(super) async fn open(path: &Path, options: &OpenOptions) -> io::Result<File> {
        let mut options = options.clone();
        options.custom_flags(libc::O_NONBLOCK);
        let mut pause = Pause::default();
        let file = loop {
            match options.open(path) {
                // To write, and nobody reads yet.
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => pause.wait().await,
                opened => break opened?,
            }
        };
        let flags = fcntl_getfl(&file)?;
        if flags & OFlags::RWMODE == OFlags::RDONLY {
            // A program would take a pipe that has no writer yet for one that has ended.
            while !has_been_written_to(&file)? {
                pause.wait().await;
            }
        }
        // Of the open pipe, not of this descriptor: the program would have it too, and most cannot cope.
        fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
        Ok(file)
    }

    fn has_been_written_to(file: &File) -> io::Result<bool> {
        let mut fds = [PollFd::new(file, PollFlags::IN)];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// 1 ms, doubling to 50 ms.
    struct Pause(Duration);

    impl Default for Pause {
        fn default() -> Self {
            Self(Duration::from_millis(1))
        }
    }

    impl Pause {
        async fn wait(&mut self) {
            tokio::time::sleep(self.0).await;
            self.0 = (self.0 * 2).min(Duration::from_millis(50));
        }
    }
}
