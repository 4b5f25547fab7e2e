//! Where the files are: on a disk, or the durable cases measure nothing.

use std::env;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Bench, Result};

/// Chooses the folder, for those who want another disk measured.
const VARIABLE: &str = "BGT_BENCH_DIR";

/// A new folder in the one that was chosen; else beside this program, or in the system's temporary folder, whichever is
/// not in memory.
pub(crate) fn fresh(bench: &Bench) -> Result<TempDir> {
    let (parent, kind) = parent(bench)?;
    let folder = tempfile::Builder::new().prefix("bgt-bench-").tempdir_in(&parent);
    let folder = folder.map_err(|error| format!("no folder can be made in {}: {error}", parent.display()))?;
    bench.say(format_args!("in {} ({})", folder.path().display(), kind.as_deref().unwrap_or("unknown kind")));
    Ok(folder)
}

fn parent(bench: &Bench) -> Result<(PathBuf, Option<String>)> {
    if let Some(chosen) = env::var_os(VARIABLE).map(PathBuf::from) {
        let kind = kind(&chosen);
        if kind.as_deref().is_some_and(is_in_memory) {
            bench
                .say(format_args!("{VARIABLE} is in memory: the durable cases do not say what a disk takes"));
        }
        return Ok((chosen, kind));
    }
    let beside = env::current_exe()?.parent().map(Path::to_path_buf);
    let known = beside.into_iter().chain([env::temp_dir()]).map(|folder| (kind(&folder), folder));
    let mut on_disk = known.filter(|(kind, _)| !kind.as_deref().is_some_and(is_in_memory));
    let (kind, folder) = on_disk
        .next()
        .ok_or_else(|| format!("the usual folders are in memory: name one on a disk in {VARIABLE}"))?;
    Ok((folder, kind))
}

fn is_in_memory(kind: &str) -> bool {
    matches!(kind, "tmpfs" | "ramfs")
}

/// The kind of file system, where Linux tells.
fn kind(folder: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    kind_in(&mounts, &folder.canonicalize().ok()?).map(str::to_owned)
}

/// From lines of `device folder kind options`: what is mounted nearest, and of several in one place the last.
fn kind_in<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let holds = |line: &'a str| {
        let mut words = line.split(' ').skip(1);
        let (mounted, kind) = (words.next()?.replace(r"\040", " "), words.next()?);
        folder.starts_with(&mounted).then_some((mounted.len(), kind))
    };
    mounts.lines().filter_map(holds).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_what_is_mounted_nearest() {
        let mounts = "/dev/a / ext4 rw 0 0\n/dev/b /t xfs rw 0 0\ntmpfs /t tmpfs rw 0 0\n\
                      /dev/c /t/a\\040b ext4 rw 0 0\n";
        let kind = |folder| kind_in(mounts, Path::new(folder));
        assert_eq!(kind("/home"), Some("ext4"));
        assert_eq!(kind("/tmp"), Some("ext4"));
        assert_eq!(kind("/t/x"), Some("tmpfs"));
        assert_eq!(kind("/t/a b/c"), Some("ext4"));
    }
}
