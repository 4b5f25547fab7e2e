//! Processes that are not of our tree.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Command, Stdio};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER, FILETIME, GetHandleInformation, HANDLE,
    HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, GetProcessTimes, OpenProcess,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, TerminateProcess,
};

use super::checked;
use super::wait::{Wait, has_ended};
use crate::Identity;

/// A process that is not of our tree: one that was started with [`start_apart`](crate::start_apart), or one of which only
/// its [`Identity`] is known.
///
/// # Dropping
///
/// Dropping it changes nothing for the process.
#[derive(Debug)]
pub struct Apart {
    // Before `process`, whose handle it watches.
    wait: Option<Wait>,
    process: OwnedHandle,
    pid: u32,
}

impl Apart {
    /// The process of this identity, if it still runs.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn find(identity: Identity) -> io::Result<Option<Self>> {
        let Some(process) = open(identity.pid, PROCESS_SYNCHRONIZE)? else { return Ok(None) };
        // While we hold it, its number is nobody else's.
        if has_ended(&process)? || started_at(&process)? != identity.started {
            return Ok(None);
        }
        Ok(Some(Self { wait: None, process, pid: identity.pid }))
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// What the system said.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe, and may be called again after it has answered.
    pub async fn ended(&mut self) -> io::Result<()> {
        while !has_ended(&self.process)? {
            let wait = match &mut self.wait {
                Some(wait) => wait,
                none => none.insert(Wait::new(&self.process)?),
            };
            wait.ended().await;
        }
        Ok(())
    }

    /// Does nothing: there is no signal to send. See the Unix side.
    ///
    /// # Errors
    ///
    /// None.
    pub fn ask(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn start_apart(command: &mut Command) -> io::Result<Apart> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _kept = OwnStreams::keep();
    let flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP;
    let started = match command.creation_flags(flags | CREATE_BREAKAWAY_FROM_JOB).spawn() {
        // The job that we are in lets nobody leave.
        Err(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()) => {
            command.creation_flags(flags).spawn()
        }
        started => started,
    }?;
    let pid = started.id();
    Ok(Apart { wait: None, process: started.into(), pid })
}

/// Keeps our own streams to ourselves while this lives. A program inherits every handle that may be inherited, whatever its
/// own streams are, and ours may be from whoever started us: who reads our output would not see its end before that of a
/// program that outlives us.
struct OwnStreams([HANDLE; 3]);

impl OwnStreams {
    fn keep() -> Self {
        let streams = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE].map(|stream| {
            let mut flags = 0;
            // SAFETY: the flags live through the call, and a stream that there is not is answered with an error.
            unsafe {
                let handle = GetStdHandle(stream);
                let known = GetHandleInformation(handle, &raw mut flags) != 0;
                if known && flags & HANDLE_FLAG_INHERIT != 0 { handle } else { std::ptr::null_mut() }
            }
        });
        let streams = Self(streams);
        streams.set(0);
        streams
    }

    fn set(&self, flags: u32) {
        for stream in self.0.into_iter().filter(|stream| !stream.is_null()) {
            // SAFETY: a stream of ours, as it was just answered. Closed meanwhile, it is answered with an error.
            unsafe { SetHandleInformation(stream, HANDLE_FLAG_INHERIT, flags) };
        }
    }
}

impl Drop for OwnStreams {
    fn drop(&mut self) {
        self.set(HANDLE_FLAG_INHERIT);
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the other system's may fail")]
pub(crate) fn leave_session() -> io::Result<()> {
    Ok(())
}

/// `None` if there is none of that number.
fn open(pid: u32, access: u32) -> io::Result<Option<OwnedHandle>> {
    // SAFETY: plain numbers; the handle is checked, then owned once.
    unsafe {
        let process = OpenProcess(access | PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
        if process.is_null() {
            let error = io::Error::last_os_error();
            let none = error.raw_os_error() == Some(ERROR_INVALID_PARAMETER.cast_signed());
            return if none { Ok(None) } else { Err(error) };
        }
        Ok(Some(OwnedHandle::from_raw_handle(process)))
    }
}

/// In units of 100 ns since 1601.
fn started_at(process: &OwnedHandle) -> io::Result<u64> {
    let [mut created, mut exited, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the handle is open, and the places for the answers live through the call.
    checked(unsafe {
        GetProcessTimes(
            process.as_raw_handle(),
            &raw mut created,
            &raw mut exited,
            &raw mut kernel,
            &raw mut user,
        )
    })?;
    Ok(u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
}

pub(crate) fn started(pid: u32) -> Option<u64> {
    let process = open(pid, PROCESS_SYNCHRONIZE).ok()??;
    if has_ended(&process).ok()? { None } else { started_at(&process).ok() }
}

pub(crate) fn kill(identity: &Identity) -> io::Result<bool> {
    let Some(process) = open(identity.pid, PROCESS_SYNCHRONIZE | PROCESS_TERMINATE)? else {
        return Ok(false);
    };
    if has_ended(&process)? || started_at(&process)? != identity.started {
        return Ok(false);
    }
    // SAFETY: the handle is open. The code is what the standard library and `taskkill` use.
    checked(unsafe { TerminateProcess(process.as_raw_handle(), 1) })?;
    Ok(true)
}

pub(crate) fn own_program() -> io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

#[derive(Debug)]
pub(crate) struct Knocks;

impl Knocks {
    #[expect(clippy::unnecessary_wraps, reason = "the other system's may fail")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> bool {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        false
    }
}
