//! A program that is warm and starts others by forking itself.
//!
//! It forks with `CLONE_PARENT`: what it starts is a child of this process, as if we had started it. So its end is seen, its
//! number held until it is reaped, and its exit status taken as of any other program, and nothing of it is lost with the zygote.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as Blocking;
use std::process::Command;
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::{Pid, Signal};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::child::Child;
use super::pipe::{PipeReader, PipeWriter};
use super::spawn::{self, Theirs};
use super::strays::Strays;
use super::{pipe, reaper};
use crate::zygote::ZygoteParts;
use crate::{SpawnOptions, Spawned};

/// A birth takes a millisecond. Who takes longer than this is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest message of a zygote, in bytes.
const LONGEST: usize = 256 << 10;

/// The door of a program that is warm and starts others by forking itself.
///
/// # Dropping
///
/// Closes the door, which is the zygote's end. What it has started goes on.
#[derive(Debug)]
pub struct Zygote {
    door: AsyncFd<OwnedFd>,
}

impl Zygote {
    /// Starts a program that is to be a zygote. Its stdin is the door, its stdout is nowhere.
    ///
    /// # Errors
    ///
    /// What the system said. Nothing is left running. [`Unsupported`](io::ErrorKind::Unsupported) everywhere but on Linux.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O driver enabled.
    pub fn start(
        command: &mut Command,
        environment: Option<Vec<(OsString, OsString)>>,
    ) -> io::Result<ZygoteParts> {
        let strays = Strays::with_room();
        let (ours, theirs) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let (reader, writer) = pipe::pair()?;
        let options = SpawnOptions { environment, ..SpawnOptions::default() };
        let streams = [Some(theirs), Some(spawn::null()?), Some(writer)];
        let pid = spawn::start(command, &options, &strays, streams)?;
        // From here on dropping `child` ends it, so an error leaves nothing running.
        let child = Child::adopt(pid, strays)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        // SAFETY: an OwnedFd is open for as long as it lives, and always answers the same number.
        let door = unsafe { AsyncFd::register_with_interest(ours, Interest::READABLE | Interest::WRITABLE) };
        Ok(ZygoteParts {
            zygote: Self { door: door.map_err(io::Error::from)? },
            child,
            stderr: PipeReader::new(reader)?,
        })
    }

    /// Waits for a message of the zygote; an empty one is its end.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe.
    pub async fn hear(&self) -> io::Result<Vec<u8>> {
        let read = self.door.async_io(Interest::READABLE, |door| {
            let mut message = vec![0; LONGEST];
            let (read, _) = rustix::net::recv(door, &mut message[..], RecvFlags::empty())?;
            message.truncate(read);
            Ok(message)
        });
        match read.await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Vec::new()),
            read => read,
        }
    }

    /// Asks for a birth: `label` is for the zygote, `order` for what is born, made of the `BGT_TREE` that it is to have. It
    /// answers when that heads a process group and is where it is to run.
    ///
    /// # Errors
    ///
    /// What the system said, to us, to the zygote or to what was born: then what was ordered has not begun. Nothing is known of
    /// that after [`TimedOut`](io::ErrorKind::TimedOut): the zygote is stuck, and whatever it does later is killed if it is done
    /// soon.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills what was born, in the background.
    pub async fn birth(
        &self,
        label: &[u8],
        order: impl FnOnce(&OsStr) -> Vec<u8>,
        options: &SpawnOptions,
    ) -> io::Result<Spawned> {
        let strays = Strays::new(options.may_live_on);
        let tree = strays.marker().map(|(_, tree)| tree).unwrap_or_default();
        let (stdin, ours_in) = spawn::input(&options.stdin)?;
        let (stdout, stderr, ours_out, ours_err) = spawn::outputs(&options.stdout, &options.stderr)?;
        let order = order(&tree);
        let (ours, theirs) = Blocking::pair()?;
        ours.set_nonblocking(true)?;
        let mut birth = Birth { line: Some(UnixStream::from_std(ours)?), pid: None, strays: Some(strays) };
        let began = match birth.line()?.try_write(&order) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            began => began?,
        };
        let child = timeout(PATIENCE, async {
            self.knock(label, [stdin, stdout, stderr], theirs.into()).await?;
            birth.line()?.write_all(&order[began..]).await?;
            birth.happens().await
        });
        let child = child.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Spawned {
            child,
            stdin: ours_in.map(PipeWriter::new).transpose()?,
            stdout: ours_out.map(PipeReader::new).transpose()?,
            stderr: ours_err.map(PipeReader::new).transpose()?,
        })
    }

    /// One message, whole or not at all.
    async fn knock(&self, label: &[u8], streams: [Theirs; 3], line: OwnedFd) -> io::Result<()> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let fds = [
            streams[0].as_ref().map_or_else(|| stdin.as_fd(), AsFd::as_fd),
            streams[1].as_ref().map_or_else(|| stdout.as_fd(), AsFd::as_fd),
            streams[2].as_ref().map_or_else(|| stderr.as_fd(), AsFd::as_fd),
            line.as_fd(),
        ];
        let send = self.door.async_io(Interest::WRITABLE, |door| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&fds));
            let flags = SendFlags::NOSIGNAL;
            Ok(rustix::net::sendmsg(door, &[IoSlice::new(label)], &mut control, flags)?)
        });
        send.await.map(drop)
    }
}

/// Something that is being born. Dropped before it is there, it is killed in the background.
struct Birth {
    line: Option<UnixStream>,
    /// Known from the zygote, or from the child itself.
    pid: Option<Pid>,
    strays: Option<Strays>,
}

impl Birth {
    fn line(&mut self) -> io::Result<&mut UnixStream> {
        self.line.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    async fn happens(&mut self) -> io::Result<Child> {
        loop {
            let mut word = [0; 5];
            if let Err(error) = self.line()?.read_exact(&mut word).await {
                // Nobody is at the other end any more.
                return Err(self.failed(error));
            }
            match Word::of(word) {
                Word::Forked(pid) => self.pid = Some(pid),
                Word::Failed(error) => return Err(self.failed(error)),
                Word::Ready(pid) => {
                    // From here on it is the child's own affair to be ended.
                    (self.line, self.pid) = (None, None);
                    return Child::adopt(pid, self.strays.take().unwrap_or_default());
                }
            }
        }
    }

    fn failed(&mut self, error: io::Error) -> io::Error {
        self.line = None;
        self.clear_away();
        error
    }

    /// What was born is a child of ours, however far it came: it is killed and reaped.
    fn clear_away(&mut self) {
        if let Some(pid) = self.pid.take() {
            end(pid, self.strays.take().unwrap_or_default());
        }
    }
}

impl Drop for Birth {
    fn drop(&mut self) {
        if self.pid.is_some() {
            return self.clear_away();
        }
        let (Some(line), Some(strays)) = (self.line.take(), self.strays.take()) else { return };
        let Ok(line) = line.into_std() else { return };
        // Not here, where nobody may wait. Without a thread it runs until it reads the end of its stream.
        let wait = move || {
            if let Some(pid) = last_word(line) {
                end(pid, strays);
            }
        };
        let _ = std::thread::Builder::new().name("bgt-birth".into()).spawn(wait);
    }
}

fn last_word(mut line: Blocking) -> Option<Pid> {
    line.set_nonblocking(false).ok()?;
    line.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut word = [0; 5];
    line.read_exact(&mut word).ok()?;
    match Word::of(word) {
        Word::Forked(pid) | Word::Ready(pid) => Some(pid),
        Word::Failed(_) => None,
    }
}

fn end(pid: Pid, strays: Strays) {
    // Itself first: it may not head a group yet. Nobody has reaped it, so the number is its own.
    let _ = rustix::process::kill_process(pid, Signal::KILL);
    let _ = super::group::signal(pid, Signal::KILL);
    reaper::reap(pid, None, strays);
}

/// What is said of a birth.
enum Word {
    Forked(Pid),
    Ready(Pid),
    Failed(io::Error),
}

impl Word {
    fn of([kind, number @ ..]: [u8; 5]) -> Self {
        let number = i32::from_le_bytes(number);
        match (kind, Pid::from_raw(number)) {
            (b'F', Some(pid)) => Self::Forked(pid),
            (b'R', Some(pid)) => Self::Ready(pid),
            (b'E', _) => Self::Failed(io::Error::from_raw_os_error(number)),
            _ => Self::Failed(io::ErrorKind::InvalidData.into()),
        }
    }
}
