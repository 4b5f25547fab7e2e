//! Rivals that are programs of their own.

use std::env;
use std::path::PathBuf;

/// Where one is: in the folders that `BGT_RIVALS` names, or in `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let folders = env::var_os("BGT_RIVALS").into_iter().chain(env::var_os("PATH"));
    let folders = folders.flat_map(|list| env::split_paths(&list).collect::<Vec<_>>());
    folders.map(|folder| folder.join(&name)).find(|path| path.is_file())
}
