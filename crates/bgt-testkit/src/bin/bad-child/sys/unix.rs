//! Unix: signals, forks, and a pipe as the gate.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use super::{Polite, Ties};
use crate::raw::Stream;

const POLITE: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// How long a parent waits for its grandchild's first sign of life.
const GATE_MILLIS: libc::c_int = 60_000;

/// `-1` when the answer is to write.
static EXIT_CODE: AtomicI32 = AtomicI32::new(0);
static TO_WRITE: AtomicU64 = AtomicU64::new(0);

fn number(stream: Stream) -> libc::c_int {
    match stream {
        Stream::In => libc::STDIN_FILENO,
        Stream::Out => libc::STDOUT_FILENO,
        Stream::Err => libc::STDERR_FILENO,
    }
}

fn checked(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

pub(crate) fn write(stream: Stream, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length describe `bytes`, which lives through the call.
    let written = unsafe { libc::write(number(stream), bytes.as_ptr().cast(), bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn priority() -> io::Result<String> {
    // SAFETY: no memory arguments. -1 may be an answer, but not of a program that stands back.
    Ok(unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }.to_string())
}

pub(crate) fn read(buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length describe `buffer`, which is ours alone through the call.
    let read = unsafe { libc::read(libc::STDIN_FILENO, buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn close(stream: Stream) -> io::Result<()> {
    // SAFETY: a standard stream belongs to the whole program, and nothing here owns it as an `OwnedFd`.
    checked(unsafe { libc::close(number(stream)) }).map(drop)
}

/// An alarm instead of a thread: forks must stay single-threaded, and an exec keeps it.
pub(crate) fn end_after(time: Duration) {
    let seconds = libc::c_uint::try_from(time.as_secs()).unwrap_or(600).max(1);
    unblock_and_default(libc::SIGALRM);
    // SAFETY: alarm has no memory arguments.
    unsafe { libc::alarm(seconds) };
}

/// A host may have left any signal ignored or blocked, and both are inherited.
fn unblock_and_default(signal: libc::c_int) {
    // SAFETY: the set is initialised by sigemptyset before use, and SIG_DFL runs none of our code.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
    }
}

pub(crate) fn no_core_dump() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure lives through the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

/// Returns only for signals that do not end a process.
pub(crate) fn die_by(signal: i32) -> io::Result<()> {
    no_core_dump();
    if signal != libc::SIGKILL && signal != libc::SIGSTOP {
        unblock_and_default(signal);
    }
    // SAFETY: no memory arguments; the target is this process.
    checked(unsafe { libc::kill(libc::getpid(), signal) }).map(drop)
}

pub(crate) fn signal_number(name: &str) -> Option<i32> {
    Some(match name {
        "HUP" => libc::SIGHUP,
        "INT" => libc::SIGINT,
        "QUIT" => libc::SIGQUIT,
        "ILL" => libc::SIGILL,
        "TRAP" => libc::SIGTRAP,
        "ABRT" => libc::SIGABRT,
        "BUS" => libc::SIGBUS,
        "FPE" => libc::SIGFPE,
        "KILL" => libc::SIGKILL,
        "USR1" => libc::SIGUSR1,
        "SEGV" => libc::SIGSEGV,
        "USR2" => libc::SIGUSR2,
        "PIPE" => libc::SIGPIPE,
        "ALRM" => libc::SIGALRM,
        "TERM" => libc::SIGTERM,
        "STOP" => libc::SIGSTOP,
        "CONT" => libc::SIGCONT,
        "XCPU" => libc::SIGXCPU,
        _ => return None,
    })
}

pub(crate) fn on_polite_signal(answer: Polite) -> io::Result<()> {
    let handler = match answer {
        Polite::Ignore => libc::SIG_IGN,
        Polite::Exit(code) => {
            EXIT_CODE.store(code & 0xff, Ordering::Relaxed);
            polite as *const () as libc::sighandler_t
        }
        Polite::Write(bytes) => {
            EXIT_CODE.store(-1, Ordering::Relaxed);
            TO_WRITE.store(bytes, Ordering::Relaxed);
            polite as *const () as libc::sighandler_t
        }
    };
    for signal in POLITE {
        unblock_and_default(signal);
        // SAFETY: all zero is a valid sigaction; the handler has the signature that its flags promise and calls only
        // what a signal handler may call.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler;
            action.sa_flags = libc::SA_RESTART;
            // A second polite signal must not start a second answer.
            libc::sigfillset(&raw mut action.sa_mask);
            checked(libc::sigaction(signal, &raw const action, std::ptr::null_mut()))?;
        }
    }
    Ok(())
}

extern "C" fn polite(_: libc::c_int) {
    let code = EXIT_CODE.load(Ordering::Relaxed);
    if code >= 0 {
        write_in_handler(b"polite\n");
    } else {
        static BLOCK: [u8; 4096] = [b'd'; 4096];
        let mut left = TO_WRITE.load(Ordering::Relaxed);
        while left > 0 {
            let part = left.min(BLOCK.len() as u64);
            write_in_handler(&BLOCK[..part as usize]);
            left -= part;
        }
        write_in_handler(b"\n");
    }
    // SAFETY: _exit is what a handler may call, and it ends the process.
    unsafe { libc::_exit(code.max(0)) }
}

/// Only calls that are safe in a handler; gives up when stdout is gone.
fn write_in_handler(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match write(Stream::Out, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                let mut wait = libc::pollfd { fd: libc::STDOUT_FILENO, events: libc::POLLOUT, revents: 0 };
                // SAFETY: one pollfd, which lives through the call.
                unsafe { libc::poll(&raw mut wait, 1, 100) };
            }
            Err(_) => return,
        }
    }
}

pub(crate) fn user_time() -> Duration {
    // SAFETY: all zero is a valid rusage, and it lives through the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    Duration::from_secs(usage.ru_utime.tv_sec as u64) + Duration::from_micros(usage.ru_utime.tv_usec as u64)
}

pub(crate) fn spawn(command: &mut Command, ties: Ties) -> io::Result<Child> {
    if ties == Ties::NoStreams {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    }
    if ties == Ties::OwnGroup {
        // SAFETY: setsid may be called between fork and exec.
        unsafe { command.pre_exec(|| checked(libc::setsid()).map(drop)) };
    }
    command.spawn()
}

/// Runs `body` in a child and ends it; answers the child's pid to the parent.
pub(crate) fn fork(body: impl FnOnce()) -> io::Result<libc::pid_t> {
    // SAFETY: this program has one thread, so the child is a whole program.
    match checked(unsafe { libc::fork() })? {
        0 => {
            body();
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(0) }
        }
        child => Ok(child),
    }
}

pub(crate) fn reap(child: libc::pid_t) {
    // SAFETY: a null status is allowed; the child is ours and not yet waited for.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
}

pub(crate) fn new_session() {
    // SAFETY: no memory arguments.
    unsafe { libc::setsid() };
}

/// Standard streams on null, everything else but the gate closed.
pub(crate) fn close_everything_but(token: &str) {
    let gate: libc::c_int = token.parse().unwrap_or(-1);
    // SAFETY: called in a forked child that owns nothing but these descriptors and uses none of them again.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for fd in 0..3 {
            libc::dup2(null, fd);
        }
        for fd in (3..1024).filter(|fd| *fd != gate) {
            libc::close(fd);
        }
    }
}

/// A pipe: the grandchild inherits the write end and writes a byte. Should it die before, the end of the pipe says so.
pub(crate) struct Gate {
    read: libc::c_int,
    write: libc::c_int,
}

impl Gate {
    pub(crate) fn new() -> io::Result<Self> {
        let mut low = [0; 2];
        // SAFETY: the array has room for two descriptors; each descriptor is used by this value alone.
        unsafe {
            checked(libc::pipe(low.as_mut_ptr()))?;
            // Away from 0 to 2, which may be free after `close-stdout` and are replaced for some grandchildren.
            let read = checked(libc::fcntl(low[0], libc::F_DUPFD_CLOEXEC, 20))?;
            let write = checked(libc::fcntl(low[1], libc::F_DUPFD, 20))?;
            libc::close(low[0]);
            libc::close(low[1]);
            Ok(Self { read, write })
        }
    }

    pub(crate) fn token(&self) -> String {
        self.write.to_string()
    }

    /// In the grandchild.
    pub(crate) fn open(token: &str) -> io::Result<()> {
        let fd: libc::c_int = token.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: the descriptor was inherited for this purpose and is used by nothing else.
        unsafe {
            let written = libc::write(fd, b"!".as_ptr().cast(), 1);
            libc::close(fd);
            if written == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
    }

    pub(crate) fn wait(self) -> io::Result<()> {
        let mut byte = 0_u8;
        let mut ready = libc::pollfd { fd: self.read, events: libc::POLLIN, revents: 0 };
        // SAFETY: the descriptors are this value's own, and both buffers live through the calls.
        let read = unsafe {
            libc::close(self.write);
            while libc::poll(&raw mut ready, 1, GATE_MILLIS) < 0 {}
            let read = if ready.revents == 0 { 0 } else { libc::read(self.read, (&raw mut byte).cast(), 1) };
            libc::close(self.read);
            read
        };
        if read == 1 { Ok(()) } else { Err(io::Error::other("the grandchild did not start")) }
    }
}
