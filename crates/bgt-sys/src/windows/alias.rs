//! The aliases of the Store, which look like programs.

use std::os::windows::ffi::OsStrExt;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_REPARSE_POINT, GetFileAttributesW, INVALID_FILE_ATTRIBUTES,
};

/// Whether a file is one of the aliases by which Windows offers to install a program instead of running it: a link in
/// a folder `Microsoft\WindowsApps`.
///
/// A program that was installed from the Store has an alias there too, and the two look alike from here: look for
/// another program first, and take an alias only for want of one.
#[must_use]
pub fn is_store_alias(path: &Path) -> bool {
    is_in_aliases_folder(path) && is_link(path)
}

fn is_in_aliases_folder(path: &Path) -> bool {
    let mut folders = path.ancestors().skip(1).filter_map(Path::file_name);
    folders.next().is_some_and(|name| name.eq_ignore_ascii_case("WindowsApps"))
        && folders.next().is_some_and(|name| name.eq_ignore_ascii_case("Microsoft"))
}

/// By the attributes alone: opening an alias would follow it.
fn is_link(path: &Path) -> bool {
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: the path ends with a zero and lives through the call.
    let attributes = unsafe { GetFileAttributesW(path.as_ptr()) };
    attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_of_the_aliases_counts() {
        let aliases = r"C:\Users\me\AppData\Local\Microsoft\WindowsApps\python3.exe";
        assert!(is_in_aliases_folder(Path::new(aliases)));
        assert!(is_in_aliases_folder(Path::new(&aliases.to_lowercase())));
        assert!(!is_in_aliases_folder(Path::new(r"C:\Microsoft\WindowsApps\Python\python3.exe")));
        assert!(!is_in_aliases_folder(Path::new(r"C:\Program Files\WindowsApps\python3.exe")));
        assert!(!is_in_aliases_folder(Path::new("python3.exe")));
    }

    #[test]
    fn a_plain_file_is_no_link() {
        assert!(!is_link(&std::env::current_exe().unwrap()));
        assert!(!is_link(Path::new(r"C:\no such file")));
    }
}
