//! Knowing that a program has ended, without a thread for each: the system's thread pool watches 63 at a time.

use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::sync::Arc;

use tokio::sync::Notify;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, WAIT_FAILED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
    WaitForSingleObject,
};

use super::checked;

/// Whether a process has ended. Its exit code does not tell: 259 may be one, or mean that there is none yet.
pub(super) fn has_ended(process: &OwnedHandle) -> io::Result<bool> {
    // SAFETY: the handle is open; the call does not wait.
    match unsafe { WaitForSingleObject(process.as_raw_handle(), 0) } {
        WAIT_FAILED => Err(io::Error::last_os_error()),
        answer => Ok(answer == WAIT_OBJECT_0),
    }
}

/// A watch over a process. It must be dropped before the handle is closed.
#[derive(Debug)]
pub(super) struct Wait {
    /// Of the registration. Never dereferenced.
    registration: HANDLE,
    ended: Arc<Notify>,
}

// SAFETY: the registration is a name that any thread may give back; it is given back once, by drop.
unsafe impl Send for Wait {}
// SAFETY: as above; a shared Wait only lends the Notify, which is Sync.
unsafe impl Sync for Wait {}

impl Wait {
    pub(super) fn new(process: &OwnedHandle) -> io::Result<Self> {
        let ended = Arc::new(Notify::new());
        let mut registration = std::ptr::null_mut();
        // SAFETY: the caller keeps the process open and `ended` lives, both until drop has unregistered the wait.
        checked(unsafe {
            RegisterWaitForSingleObject(
                &raw mut registration,
                process.as_raw_handle(),
                Some(callback),
                Arc::as_ptr(&ended).cast(),
                INFINITE,
                WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE,
            )
        })?;
        Ok(Self { registration, ended })
    }

    /// Waits until the process may have ended. Cancel-safe: a call that comes after the end returns too, once.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        // SAFETY: registered once, unregistered once. INVALID_HANDLE_VALUE waits for a callback that is running, so
        // that nobody uses `ended` afterwards.
        let gone = unsafe { UnregisterWaitEx(self.registration, INVALID_HANDLE_VALUE) };
        if gone == 0 {
            // The callback may still come: better to leak what it uses than to free it.
            std::mem::forget(Arc::clone(&self.ended));
        }
    }
}

/// # Safety
///
/// `ended` points to a [`Notify`] that lives through the call.
unsafe extern "system" fn callback(ended: *mut std::ffi::c_void, _timed_out: bool) {
    // SAFETY: by the contract above, kept by `Wait`.
    unsafe { &*ended.cast::<Notify>() }.notify_one();
}
