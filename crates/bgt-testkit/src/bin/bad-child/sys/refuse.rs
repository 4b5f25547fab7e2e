//! Linux: a system that refuses pidfds, as that of an old container does.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Becomes another program, for which, and for all that it starts, there are no pidfds. Returns only when it cannot.
pub(crate) fn become_without_pidfds(program: &[OsString]) -> io::Error {
    let [name, arguments @ ..] = program else { return io::ErrorKind::InvalidInput.into() };
    if let Err(error) = refuse(&[libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal]) {
        return error;
    }
    Command::new(name).args(arguments).exec()
}

/// Has the kernel answer these calls with "not permitted".
fn refuse(calls: &[libc::c_long]) -> io::Result<()> {
    let step = |code: u32, yes: u8, k: u32| libc::sock_filter { code: code as u16, jt: yes, jf: 0, k };
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (n, call) in calls.iter().enumerate() {
        let to_the_last = (calls.len() - n) as u8;
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_the_last, *call as u32));
    }
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    filter.push(step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));
    let filter = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the first call has no memory arguments; the program of the second, and its steps, live through it.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    if refused { Ok(()) } else { Err(io::Error::last_os_error()) }
}
