//! Which scripts can share a warm interpreter. Pure.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What an interpreter was started with that a script cannot change for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) program: PathBuf,
    variables: Vec<(OsString, OsString)>,
}

impl Key {
    pub(super) fn new(program: &Path, environment: &[(OsString, OsString)], more: &[OsString]) -> Self {
        let matters = |(name, _): &&(OsString, OsString)| matters(name) || more.contains(name);
        let mut variables: Vec<_> = environment.iter().filter(matters).cloned().collect();
        variables.sort();
        Self { program: program.to_owned(), variables }
    }
}

/// Variables that the interpreter, the C library or well-known modules look at once, when they start.
fn matters(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    const NAMES: [&str; 6] = ["HOME", "USERPROFILE", "APPDATA", "LANG", "LANGUAGE", "TZ"];
    const BEGINNINGS: [&str; 11] = [
        "PYTHON",
        "LC_",
        "LD_",
        "DYLD_",
        "MALLOC_",
        "GLIBC_",
        "OMP_",
        "MKL_",
        "OPENBLAS_",
        "NUMEXPR_",
        "CUDA_",
    ];
    NAMES.contains(&&*name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_looked_at_once_tells_interpreters_apart() {
        let key = |variables: &[(&str, &str)], more: &[&str]| {
            let variables: Vec<_> = variables.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
            let more: Vec<OsString> = more.iter().map(Into::into).collect();
            Key::new(Path::new("/usr/bin/python3"), &variables, &more)
        };
        let plain = key(&[("LANG", "C"), ("REQUEST", "1")], &[]);
        assert_eq!(plain, key(&[("REQUEST", "2"), ("LANG", "C")], &[]));
        assert_ne!(plain, key(&[("LANG", "C.UTF-8")], &[]));
        assert_ne!(plain, key(&[("LANG", "C"), ("PYTHONPATH", "/x")], &[]));
        assert_ne!(key(&[("MODEL", "1")], &["MODEL"]), key(&[("MODEL", "2")], &["MODEL"]));
    }
}
