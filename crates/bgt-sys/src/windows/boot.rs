//! The clock that counts from boot, and the boot's id.

use std::time::Duration;

use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, REG_ROUTINE_FLAGS, RRF_RT_REG_DWORD, RRF_RT_REG_SZ, RRF_SUBKEY_WOW6464KEY,
    RegGetValueW,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::core::{PCWSTR, w};

/// It counts sleep and hibernation, as `QueryInterruptTime` does, which Wine 8 does not have and a program that imports
/// it does not start without.
pub(crate) fn since_boot() -> Duration {
    // SAFETY: no arguments.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// The count of boots is what the kubelet takes for a node's boot id too. The time of boot will not do: the system moves
/// it when the wall clock is set. A count alone is no identity, for each machine has had its tenth boot.
pub(crate) fn boot_id() -> Option<String> {
    let machine = text(w!(r"SOFTWARE\Microsoft\Cryptography"), w!("MachineGuid"))?;
    let boot = number(
        w!(r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"),
        w!("BootId"),
    )?;
    Some(format!("{machine}-{boot}"))
}

fn number(key: PCWSTR, name: PCWSTR) -> Option<u32> {
    let mut number = [0; size_of::<u32>()];
    (value(key, name, RRF_RT_REG_DWORD, &mut number)? == number.len()).then(|| u32::from_le_bytes(number))
}

/// `None` also for a text longer than 127 units.
fn text(key: PCWSTR, name: PCWSTR) -> Option<String> {
    let mut bytes = [0; 256];
    let length = value(key, name, RRF_RT_REG_SZ, &mut bytes)?;
    let units: Vec<u16> =
        bytes[..length].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let text = units.split(|unit| *unit == 0).next()?;
    String::from_utf16(text).ok()
}

/// How many bytes of the buffer the value fills. The keys' 64-bit view, whatever this process is: the other one has a
/// `MachineGuid` of its own, or none.
fn value(key: PCWSTR, name: PCWSTR, kind: REG_ROUTINE_FLAGS, buffer: &mut [u8]) -> Option<usize> {
    let mut length = buffer.len() as u32;
    // SAFETY: our callers' names end with a zero and are never freed; the buffer lives through the call, and its true
    // length is given. The kind of the value is not asked for.
    let answer = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key,
            name,
            kind | RRF_SUBKEY_WOW6464KEY,
            std::ptr::null_mut(),
            buffer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (answer == ERROR_SUCCESS).then_some(length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On every Windows, and under Wine.
    const VERSION: PCWSTR = w!(r"SOFTWARE\Microsoft\Windows NT\CurrentVersion");

    #[test]
    fn values_are_read_as_what_they_are() {
        assert!(number(VERSION, w!("InstallDate")).unwrap() > 0);
        assert!(text(VERSION, w!("ProductName")).unwrap().contains("Windows"));
        let machine = text(w!(r"SOFTWARE\Microsoft\Cryptography"), w!("MachineGuid")).unwrap();
        assert_eq!(machine.len(), 36, "{machine:?}");
    }

    #[test]
    fn a_value_of_another_kind_or_none_is_none() {
        assert_eq!(number(VERSION, w!("ProductName")), None);
        assert_eq!(text(VERSION, w!("InstallDate")), None);
        assert_eq!(text(VERSION, w!("no such value")), None);
        assert_eq!(number(w!("no such key"), w!("BootId")), None);
    }
}
