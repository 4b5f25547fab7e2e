//! The file in which tests say that they could not run here.
//!
//! A runner swallows what a passing test prints, so a test kit appends its `skipped: NAME: REASON` lines to the file
//! that `BGT_SKIP_LOG` names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io, process};

use crate::Result;

/// Owns the file; dropping this removes it.
pub(crate) struct SkipLog {
    file: PathBuf,
    /// The file as the test programs see it.
    seen_as: String,
}

impl SkipLog {
    /// # Errors
    /// Where the file cannot be made.
    pub(crate) fn create(root: &Path, target: Option<&str>) -> Result<SkipLog> {
        let folder = root.join("target");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("skipped-{}.log", process::id()));
        fs::write(&file, "")?;
        let name = file.to_str().ok_or_else(|| format!("{} is not Unicode", file.display()))?;
        let seen_as = seen_by(name, target);
        Ok(SkipLog { file, seen_as })
    }

    /// Tells a command, and what it starts, where the file is.
    pub(crate) fn told_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("BGT_SKIP_LOG", &self.seen_as)
    }

    /// The lines so far: sorted, each once.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(crate) fn read(&self) -> io::Result<Vec<String>> {
        let text = String::from_utf8_lossy(&fs::read(&self.file)?).into_owned();
        let lines: BTreeSet<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Ok(lines.into_iter().map(str::to_owned).collect())
    }
}

impl Drop for SkipLog {
    fn drop(&mut self) {
        // What is left behind is a small file in `target`.
        let _ = fs::remove_file(&self.file);
    }
}

/// Windows programs that run under Wine see the root of this file system as drive Z.
fn seen_by(file: &str, target: Option<&str>) -> String {
    let windows = target.is_some_and(|target| target.contains("windows"));
    if windows && file.starts_with('/') { format!("Z:{file}") } else { file.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_windows_program_under_wine_gets_a_drive() {
        assert_eq!(seen_by("/r/f", Some("x86_64-pc-windows-gnu")), "Z:/r/f");
        assert_eq!(seen_by("C:\\r\\f", Some("x86_64-pc-windows-gnu")), "C:\\r\\f");
        assert_eq!(seen_by("/r/f", Some("x86_64-unknown-linux-musl")), "/r/f");
        assert_eq!(seen_by("/r/f", None), "/r/f");
    }
}
