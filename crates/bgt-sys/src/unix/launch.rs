//! `posix_spawn`, called by us and not by the standard library, for two reasons.
//!
//! The standard library leaves the signal mask of the calling thread to the program, so a host that blocks SIGTERM to wait
//! for it has children that cannot be asked to stop
//! ([rust#101077](https://github.com/rust-lang/rust/pull/101077)); and unblocking it around the start could end the host.
//! And it copies the environment piece by piece, twice, as soon as one variable is added, which the marker of our trees is:
//! measured at 18 µs a start, a tenth of what the host spends on one.

use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::ptr;

use rustix::process::Pid;

use super::spawn::Theirs;

/// Starts the program at the head of a group of its own, blocking no signal, SIGPIPE at its default.
pub(super) fn launch(
    command: &Command,
    environment: Option<&[(OsString, OsString)]>,
    marker: Option<(&str, OsString)>,
    streams: [Theirs; 3],
) -> io::Result<Pid> {
    let program = CString::new(command.get_program().as_bytes())?;
    let mut argv = Strings::default();
    argv.push(&[command.get_program()])?;
    for arg in command.get_args() {
        argv.push(&[arg])?;
    }
    let marked = marker.as_ref().map(|(name, _)| OsStr::new(*name));
    let mut envp = Strings::default();
    let mut add = |name: &OsStr, value: &OsStr| {
        if Some(name) == marked { Ok(()) } else { envp.push(&[name, OsStr::new("="), value]) }
    };
    match environment {
        Some(variables) => variables.iter().try_for_each(|(name, value)| add(name, value))?,
        None => std::env::vars_os().try_for_each(|(name, value)| add(&name, &value))?,
    }
    if let Some((name, value)) = &marker {
        envp.push(&[OsStr::new(*name), OsStr::new("="), value])?;
    }
    let streams = above_standard(streams)?;
    let actions = Actions::new(command, &streams)?;
    let attributes = Attributes::new()?;
    let mut pid = 0;
    // SAFETY: all pointers are to what lives until after the call; both lists end with a null pointer, and each of their
    // strings with a zero.
    check(unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const actions.raw,
            &raw const attributes.raw,
            argv.pointers().as_ptr().cast(),
            envp.pointers().as_ptr().cast(),
        )
    })?;
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system started a process without a number"))
}

/// Strings that end with zeros, one after the other in one piece of memory.
#[derive(Default)]
struct Strings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Strings {
    /// Adds one that is put together from parts.
    fn push(&mut self, parts: &[&OsStr]) -> io::Result<()> {
        self.starts.push(self.bytes.len());
        for part in parts {
            if part.as_bytes().contains(&0) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            self.bytes.extend_from_slice(part.as_bytes());
        }
        self.bytes.push(0);
        Ok(())
    }

    /// As C wants a list of them. The pointers are good until more is pushed.
    fn pointers(&self) -> Vec<*const c_char> {
        let start = |at: &usize| self.bytes[*at..].as_ptr().cast();
        self.starts.iter().map(start).chain([ptr::null()]).collect()
    }
}

/// Moves descriptors out of the way of 0, 1 and 2, which are about to be replaced one after the other. They are there only
/// in a host that has closed its own.
fn above_standard(streams: [Theirs; 3]) -> io::Result<[Theirs; 3]> {
    let [stdin, stdout, stderr] = streams.map(|fd| match fd {
        Some(fd) if fd.as_raw_fd() <= libc::STDERR_FILENO => rustix::io::fcntl_dupfd_cloexec(fd, 3).map(Some),
        fd => Ok(fd),
    });
    Ok([stdin?, stdout?, stderr?])
}

struct Actions {
    raw: libc::posix_spawn_file_actions_t,
}

impl Actions {
    fn new(command: &Command, streams: &[Option<OwnedFd>; 3]) -> io::Result<Self> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: makes a valid value of what the pointer points to, which is writable.
        check(unsafe { libc::posix_spawn_file_actions_init(raw.as_mut_ptr()) })?;
        // SAFETY: initialised above. From here on dropping it destroys it.
        let mut actions = Self { raw: unsafe { raw.assume_init() } };
        for (target, stream) in streams.iter().enumerate() {
            if let Some(stream) = stream {
                // SAFETY: the value is valid, and the numbers are only copied.
                check(unsafe {
                    libc::posix_spawn_file_actions_adddup2(
                        &raw mut actions.raw,
                        stream.as_raw_fd(),
                        target as RawFd,
                    )
                })?;
            }
        }
        if let Some(folder) = command.get_current_dir() {
            let folder = CString::new(folder.as_os_str().as_bytes())?;
            // SAFETY: the value is valid, and the string is copied.
            check(unsafe {
                libc::posix_spawn_file_actions_addchdir_np(&raw mut actions.raw, folder.as_ptr())
            })?;
        }
        Ok(actions)
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: initialised when this was made, and not used any more.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.raw) };
    }
}

struct Attributes {
    raw: libc::posix_spawnattr_t,
}

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: makes a valid value of what the pointer points to, which is writable.
        check(unsafe { libc::posix_spawnattr_init(raw.as_mut_ptr()) })?;
        // SAFETY: initialised above. From here on dropping it destroys it.
        let mut attributes = Self { raw: unsafe { raw.assume_init() } };
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: the attributes are valid, the set is made by the first call before it is read, and both are copied.
        // The flags fit: they are a handful of low bits.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            check(libc::posix_spawnattr_setsigmask(&raw mut attributes.raw, set.as_ptr()))?;
            // Rust programs ignore it, and what is ignored stays so in the programs that they start.
            libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
            check(libc::posix_spawnattr_setsigdefault(&raw mut attributes.raw, set.as_ptr()))?;
            check(libc::posix_spawnattr_setpgroup(&raw mut attributes.raw, 0))?;
            check(libc::posix_spawnattr_setflags(&raw mut attributes.raw, flags as libc::c_short))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised when this was made, and not used any more.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.raw) };
    }
}

/// These calls answer the error itself.
fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}
