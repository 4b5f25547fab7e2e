//! Windows: console events, terminated processes, and a named event as the gate.

use std::fs::File;
use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, Stdio, exit};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    CloseHandle, FILETIME, HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, SetHandleInformation,
    WAIT_OBJECT_0,
};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE,
    STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, SetConsoleCtrlHandler, SetStdHandle,
};
use windows_sys::Win32::System::Threading::{
    BELOW_NORMAL_PRIORITY_CLASS, CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CreateEventW,
    EVENT_MODIFY_STATE, GetCurrentProcess, GetPriorityClass, GetProcessTimes, IDLE_PRIORITY_CLASS,
    NORMAL_PRIORITY_CLASS, OpenEventW, SetEvent, TerminateProcess, WaitForSingleObject,
};
use windows_sys::core::BOOL;

use super::{Polite, Ties};
use crate::raw::{self, Stream};

/// How long a parent waits for its grandchild's first sign of life.
const GATE_MILLIS: u32 = 60_000;

const IGNORE: i32 = -1;
const WRITE: i32 = -2;
static ANSWER: AtomicI32 = AtomicI32::new(IGNORE);
static EXIT_CODE: AtomicI32 = AtomicI32::new(0);
static TO_WRITE: AtomicU64 = AtomicU64::new(0);

fn number(stream: Stream) -> STD_HANDLE {
    match stream {
        Stream::In => STD_INPUT_HANDLE,
        Stream::Out => STD_OUTPUT_HANDLE,
        Stream::Err => STD_ERROR_HANDLE,
    }
}

fn checked(answer: BOOL) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn handle(stream: Stream) -> io::Result<HANDLE> {
    // SAFETY: no memory arguments.
    let handle = unsafe { GetStdHandle(number(stream)) };
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        Err(io::ErrorKind::NotFound.into())
    } else {
        Ok(handle)
    }
}

/// The stream as a file that is never closed by us.
fn file(stream: Stream) -> io::Result<ManuallyDrop<File>> {
    // SAFETY: the handle is open, and ManuallyDrop keeps this borrow from closing it.
    Ok(ManuallyDrop::new(unsafe { File::from_raw_handle(handle(stream)?) }))
}

pub(crate) fn write(stream: Stream, bytes: &[u8]) -> io::Result<usize> {
    file(stream)?.write(bytes)
}

pub(crate) fn priority() -> io::Result<String> {
    // SAFETY: no memory arguments but the handle of this very process, which needs no closing.
    Ok(match unsafe { GetPriorityClass(GetCurrentProcess()) } {
        0 => return Err(io::Error::last_os_error()),
        NORMAL_PRIORITY_CLASS => "normal".to_owned(),
        BELOW_NORMAL_PRIORITY_CLASS => "low".to_owned(),
        IDLE_PRIORITY_CLASS => "idle".to_owned(),
        other => other.to_string(),
    })
}

pub(crate) fn read(buffer: &mut [u8]) -> io::Result<usize> {
    file(Stream::In)?.read(buffer)
}

pub(crate) fn close(stream: Stream) -> io::Result<()> {
    let handle = handle(stream)?;
    // SAFETY: the handle is open, and nobody finds it again after it was taken from the process's table.
    unsafe {
        SetStdHandle(number(stream), std::ptr::null_mut());
        checked(CloseHandle(handle))
    }
}

pub(crate) fn end_after(time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        exit(124)
    });
}

/// Nothing dumps core here.
pub(crate) fn no_core_dump() {}

pub(crate) fn die_by(signal: i32) -> io::Result<()> {
    // SAFETY: ends this very process.
    checked(unsafe { TerminateProcess(GetCurrentProcess(), 128_u32.wrapping_add_signed(signal)) })
}

/// The numbers that Unix gives them, for the exit code.
pub(crate) fn signal_number(name: &str) -> Option<i32> {
    Some(match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "SEGV" => 11,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => return None,
    })
}

pub(crate) fn on_polite_signal(answer: Polite) -> io::Result<()> {
    let answer = match answer {
        Polite::Ignore => IGNORE,
        Polite::Exit(code) => {
            EXIT_CODE.store(code, Ordering::Relaxed);
            0
        }
        Polite::Write(bytes) => {
            TO_WRITE.store(bytes, Ordering::Relaxed);
            WRITE
        }
    };
    ANSWER.store(answer, Ordering::Release);
    // SAFETY: the handler is a static function; adding it twice is harmless, for it reads the latest answer.
    checked(unsafe { SetConsoleCtrlHandler(Some(polite), 1) })
}

/// Windows runs it on a thread of its own, so it may do anything.
unsafe extern "system" fn polite(event: u32) -> BOOL {
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT | CTRL_CLOSE_EVENT) {
        return 0;
    }
    match ANSWER.load(Ordering::Acquire) {
        IGNORE => 1,
        WRITE => {
            let block = [b'd'; 4096];
            let mut left = TO_WRITE.load(Ordering::Relaxed);
            while left > 0 {
                let part = left.min(block.len() as u64);
                raw::write(Stream::Out, &block[..part as usize]);
                left -= part;
            }
            raw::write(Stream::Out, b"\n");
            exit(0)
        }
        _ => {
            raw::write(Stream::Out, b"polite\n");
            exit(EXIT_CODE.load(Ordering::Relaxed))
        }
    }
}

pub(crate) fn user_time() -> Duration {
    let none = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut created, mut ended, mut kernel, mut user) = (none, none, none, none);
    // SAFETY: four structures that live through the call.
    unsafe {
        GetProcessTimes(
            GetCurrentProcess(),
            &raw mut created,
            &raw mut ended,
            &raw mut kernel,
            &raw mut user,
        );
    }
    // In units of 100 ns.
    let ticks = u64::from(user.dwHighDateTime) << 32 | u64::from(user.dwLowDateTime);
    Duration::from_micros(ticks / 10)
}

pub(crate) fn spawn(command: &mut Command, ties: Ties) -> io::Result<Child> {
    let streams = matches!(ties, Ties::Kept | Ties::OwnGroup);
    if !streams {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Null for the three streams is not enough: every inheritable handle of this process goes along.
        for stream in [Stream::In, Stream::Out, Stream::Err] {
            if let Ok(handle) = handle(stream) {
                // SAFETY: the handle is open. It stays private afterwards; std duplicates it where it is to be inherited.
                unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, 0) };
            }
        }
    }
    if !matches!(ties, Ties::OwnGroup | Ties::Nothing) {
        return start(command);
    }
    // A job may forbid to be left; then a group of its own is all that there is.
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_BREAKAWAY_FROM_JOB);
    start(command).or_else(|_| start(command.creation_flags(CREATE_NEW_PROCESS_GROUP)))
}

/// One start in thousands is an "Internal error" (1359) of Wine's own: then once more, and at most ten times.
fn start(command: &mut Command) -> io::Result<Child> {
    let is_wines = |error: &io::Error| error.raw_os_error() == Some(1359);
    let mut started = command.spawn();
    for _ in 0..10 {
        if !started.as_ref().is_err_and(is_wines) {
            break;
        }
        started = command.spawn();
    }
    started
}

/// A named event: the grandchild sets it.
pub(crate) struct Gate {
    name: String,
    event: OwnedHandle,
}

fn wide(name: &str) -> Vec<u16> {
    name.encode_utf16().chain([0]).collect()
}

impl Gate {
    pub(crate) fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("Local\\bad-child-{}-{count}", std::process::id());
        // SAFETY: the name ends with a zero and lives through the call; the handle is checked, then owned once.
        unsafe {
            let event = CreateEventW(std::ptr::null(), 1, 0, wide(&name).as_ptr());
            if event.is_null() {
                return Err(io::Error::last_os_error());
            }
            Ok(Self { name, event: OwnedHandle::from_raw_handle(event) })
        }
    }

    pub(crate) fn token(&self) -> String {
        self.name.clone()
    }

    /// In the grandchild.
    pub(crate) fn open(token: &str) -> io::Result<()> {
        // SAFETY: the name ends with a zero and lives through the call; the handle is checked, then owned once.
        unsafe {
            let event = OpenEventW(EVENT_MODIFY_STATE, 0, wide(token).as_ptr());
            if event.is_null() {
                return Err(io::Error::last_os_error());
            }
            let event = OwnedHandle::from_raw_handle(event);
            checked(SetEvent(event.as_raw_handle()))
        }
    }

    pub(crate) fn wait(self) -> io::Result<()> {
        // SAFETY: the handle is open as long as this value.
        let answer = unsafe { WaitForSingleObject(self.event.as_raw_handle(), GATE_MILLIS) };
        if answer == WAIT_OBJECT_0 { Ok(()) } else { Err(io::Error::other("the grandchild did not start")) }
    }
}
