//! Rivals that are programs of their own: their crates cannot be in one program with ours, so each has a workspace of its own.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::{Result, shell};

/// The suites that start such programs, and the folders of `benches/rivals` that hold these.
const RIVALS: &[(&str, &[&str])] = &[("detached", &["apalis", "effectum"])];

/// Where they are built, seen from the root.
const TARGET: &str = "target/rivals";

/// Where suites look for programs before they look in `PATH`.
pub(super) const VARIABLE: &str = "BGT_RIVALS";

/// Builds the rivals that this suite starts.
pub(super) fn build(root: &Path, suite: &str) -> Result {
    for rival in of(suite) {
        let manifest = format!("benches/rivals/{rival}/Cargo.toml");
        let mut cargo = shell::cargo(root);
        cargo.args(["build", "--release", "--target-dir", TARGET, "--manifest-path", &manifest]);
        // Nothing but results on stdout.
        shell::run(cargo.stdout(Stdio::null()))?;
    }
    Ok(())
}

/// What [`VARIABLE`] has to be for this suite: where its rivals are built, before what it is already.
pub(super) fn path(suite: &str) -> Result<Option<OsString>> {
    if of(suite).is_empty() {
        return Ok(None);
    }
    let already = env::var_os(VARIABLE);
    let already = already.iter().flat_map(|folders| env::split_paths(folders));
    let built = PathBuf::from(TARGET).join("release");
    Ok(Some(env::join_paths([built].into_iter().chain(already))?))
}

/// Where a suite would find this program.
pub(super) fn installed(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os(VARIABLE).into_iter().chain(env::var_os("PATH"));
    let mut folders = folders.flat_map(|list| env::split_paths(&list).collect::<Vec<_>>());
    folders.find_map(|folder| Some(folder.join(&name)).filter(|path| path.is_file()))
}

fn of(suite: &str) -> &'static [&'static str] {
    RIVALS.iter().find(|(name, _)| *name == suite).map_or(&[], |(_, rivals)| *rivals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rival_has_a_workspace_and_every_workspace_is_somebodys_rival() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/rivals");
        let mut there: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("Cargo.toml").is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        there.sort();
        let named: Vec<_> = RIVALS.iter().flat_map(|(_, rivals)| *rivals).copied().collect();
        assert_eq!(there, named);
    }
}
