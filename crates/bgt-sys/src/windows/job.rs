//! A Job Object: a program and all its descendants, whom they cannot leave.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsHandle, AsRawHandle, FromRawHandle, OwnedHandle};
use std::time::Duration;

use windows_sys::Win32::Foundation::ERROR_MORE_DATA;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_CPU_RATE_CONTROL_ENABLE,
    JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP, JOB_OBJECT_LIMIT, JOB_OBJECT_LIMIT_JOB_MEMORY,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOBOBJECT_BASIC_ACCOUNTING_INFORMATION,
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION, JOBOBJECT_CPU_RATE_CONTROL_INFORMATION_0,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOBOBJECTINFOCLASS, JobObjectBasicAccountingInformation,
    JobObjectBasicProcessIdList, JobObjectCpuRateControlInformation, JobObjectExtendedLimitInformation,
    QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};

use super::limiter::Limiter;
use super::{checked, console};

/// What a killed program answers as its exit code: what the standard library and `taskkill` use.
const KILLED: u32 = 1;

#[derive(Debug)]
pub(super) struct Job {
    handle: OwnedHandle,
    /// How many bytes of memory the members may have together.
    memory: Option<usize>,
}

impl Job {
    /// A job that ends its members when its handle is closed, be it by the death of this process. No member may break
    /// away. The handle is not inherited, or the job would outlive us.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: both arguments may be null; the handle is checked, then owned once.
        let job = unsafe {
            let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
            if job.is_null() {
                return Err(io::Error::last_os_error());
            }
            Self { handle: OwnedHandle::from_raw_handle(job), memory: None }
        };
        job.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
        Ok(job)
    }

    /// Lets the members live when the handle is closed.
    pub(super) fn spare(&self) -> io::Result<()> {
        self.limit(0)
    }

    /// Quota what the members have together, from now on.
    pub(super) fn restrict(&mut self, limiter: Limiter) -> io::Result<()> {
        if let Some(memory) = limiter.memory {
            self.memory = Some(usize::try_from(memory).unwrap_or(usize::MAX));
            self.limit(JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)?;
        }
        let Some(rate) = limiter.cpu_rate else { return Ok(()) };
        let rate = JOBOBJECT_CPU_RATE_CONTROL_INFORMATION {
            ControlFlags: JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP,
            Anonymous: JOBOBJECT_CPU_RATE_CONTROL_INFORMATION_0 { CpuRate: rate },
        };
        // SAFETY: the structure that the class takes.
        unsafe { self.set(JobObjectCpuRateControlInformation, &rate) }
    }

    fn limit(&self, flags: JOB_OBJECT_LIMIT) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = flags;
        if let Some(memory) = self.memory {
            limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
            limits.JobMemoryLimit = memory;
        }
        // SAFETY: the structure that the class takes.
        unsafe { self.set(JobObjectExtendedLimitInformation, &limits) }
    }

    /// # Safety
    ///
    /// `T` must be the plain structure that the class takes.
    unsafe fn set<T>(&self, class: JOBOBJECTINFOCLASS, value: &T) -> io::Result<()> {
        let value: *const c_void = std::ptr::from_ref(value).cast();
        // SAFETY: the handle is open, the value lives through the call, and its true size is given.
        checked(unsafe {
            SetInformationJobObject(self.handle.as_raw_handle(), class, value, size_of::<T>() as u32)
        })
    }

    pub(super) fn assign(&self, process: &impl AsHandle) -> io::Result<()> {
        // SAFETY: both handles are open.
        checked(unsafe {
            AssignProcessToJobObject(self.handle.as_raw_handle(), process.as_handle().as_raw_handle())
        })
    }

    /// Ends all members. Those that have ended already keep their exit codes.
    pub(super) fn terminate(&self) -> io::Result<()> {
        // SAFETY: the handle is open.
        checked(unsafe { TerminateJobObject(self.handle.as_raw_handle(), KILLED) })
    }

    /// How many members live, and the user and system time of all that there were.
    pub(super) fn accounts(&self) -> io::Result<Accounts> {
        let mut accounts = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: plain numbers, valid in any state.
        unsafe { self.query(JobObjectBasicAccountingInformation, &mut accounts) }?;
        Ok(Accounts {
            active: accounts.ActiveProcesses,
            user: ticks(accounts.TotalUserTime as u64),
            system: ticks(accounts.TotalKernelTime as u64),
        })
    }

    /// Whether others than this program live in the job. A console host is none of its descendants: the system starts
    /// it (Wine within the job), and it ends by itself when nobody is left to use the console.
    pub(super) fn has_others(&self, pid: u32) -> io::Result<bool> {
        let mut list = ProcessIds { assigned: 0, listed: 0, pids: [0; ROOM] };
        // SAFETY: the layout of JOBOBJECT_BASIC_PROCESS_ID_LIST, whose array is as long as there is room.
        match unsafe { self.query(JobObjectBasicProcessIdList, &mut list) } {
            Ok(()) => {
                let mut pids = list.pids.iter().take(list.listed as usize).map(|pid| *pid as u32);
                Ok(pids.any(|member| member != pid && !console::is_host(member)))
            }
            // They cannot all be hosts: each console has one, and somebody who uses it.
            Err(error) if error.raw_os_error() == Some(ERROR_MORE_DATA as i32) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// # Safety
    ///
    /// `T` must be the plain structure that the class answers.
    unsafe fn query<T>(&self, class: JOBOBJECTINFOCLASS, answer: &mut T) -> io::Result<()> {
        let answer_to: *mut c_void = std::ptr::from_mut(answer).cast();
        // SAFETY: the handle is open, the answer lives through the call, and its true size is given.
        checked(unsafe {
            QueryInformationJobObject(
                self.handle.as_raw_handle(),
                class,
                answer_to,
                size_of::<T>() as u32,
                std::ptr::null_mut(),
            )
        })
    }
}

/// For how many members of a job there is room when they are looked at one by one.
const ROOM: usize = 64;

#[repr(C)]
struct ProcessIds {
    assigned: u32,
    listed: u32,
    pids: [usize; ROOM],
}

pub(super) struct Accounts {
    pub(super) active: u32,
    pub(super) user: Duration,
    pub(super) system: Duration,
}

/// Windows counts in units of 100 ns.
fn ticks(ticks: u64) -> Duration {
    Duration::from_micros(ticks / 10) + Duration::from_nanos(ticks % 10 * 100)
}
