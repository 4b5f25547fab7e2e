//! What the machine has: a Python, a real Windows.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A real Python 3, as its own executable says, or none.
///
/// The name on the search path may be a version manager's shim or the Windows Store's alias, so it is asked once for the
/// interpreter behind it and the answer is kept.
#[must_use]
pub fn python() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| ["python3", "python"].into_iter().find_map(ask)).clone()
}

fn ask(name: &str) -> Option<PathBuf> {
    let question = "import sys; print(sys.executable if sys.version_info[0] == 3 else '')";
    let output = Command::new(name).args(["-c", question]).stdin(Stdio::null()).output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    (output.status.success() && path.is_file()).then_some(path)
}

/// Whether this Windows is Wine: what fails only there is skipped by name.
#[must_use]
pub fn under_wine() -> bool {
    crate::sys::under_wine()
}
