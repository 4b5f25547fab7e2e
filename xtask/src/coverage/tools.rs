//! The tools that read what instrumented programs write. Their LLVM has to be the compiler's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Result, shell};

/// Two tools of the compiler's LLVM version.
pub(super) struct Tools {
    pub(super) profdata: OsString,
    pub(super) cov: OsString,
}

impl Tools {
    /// Those of the compiler's own component, else those of the system.
    ///
    /// # Errors
    /// Where there are none of the right version.
    pub(super) fn find(root: &Path) -> Result<Tools> {
        let rustc = |words: &[&str]| {
            let mut rustc = Command::new("rustc");
            shell::read(rustc.current_dir(root).args(words))
        };
        let about = rustc(&["--version", "--verbose"])?;
        let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let (host, llvm) = (field("host: "), major(field("LLVM version: ")));
        let component =
            Path::new(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib").join(host).join("bin");
        let find = |tool: &str| {
            let names = [component.join(tool), PathBuf::from(format!("{tool}-{llvm}")), PathBuf::from(tool)];
            names.into_iter().map(PathBuf::into_os_string).find(|name| is_of(name, llvm)).ok_or_else(|| {
                format!(
                    "there is no {tool} of LLVM {llvm}, the compiler's: `rustup component add llvm-tools`, or the \
                     package llvm-{llvm} of the system"
                )
            })
        };
        Ok(Tools { profdata: find("llvm-profdata")?, cov: find("llvm-cov")? })
    }
}

/// Whether the tool can be started, and says that it is of this version.
fn is_of(tool: &OsString, llvm: &str) -> bool {
    let said = Command::new(tool).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    said.is_ok_and(|said| says(&String::from_utf8_lossy(&said.stdout), llvm))
}

fn says(said: &str, llvm: &str) -> bool {
    said.split_once("LLVM version ").is_some_and(|(_, version)| major(version) == llvm)
}

fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_of_another_version_is_not_taken() {
        assert_eq!(major("22.1.2"), "22");
        assert!(says("Debian LLVM version 22.1.4\n  Optimized build.", "22"));
        assert!(says("LLVM (http://llvm.org/):\n  LLVM version 22.1.2-rust-1.95.0-stable", "22"));
        assert!(!says("Debian LLVM version 14.0.6\n", "22"));
        assert!(!says("not a word of it", "22"));
    }
}
