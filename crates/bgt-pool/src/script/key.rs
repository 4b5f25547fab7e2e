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

    /// What the interpreter is started with: of these variables, which are nobody's own, all that may differ between runs; of
    /// the runs only what they have in common, so that none sees what is another's.
    pub(super) fn environment(
        &self,
        base: Vec<(OsString, OsString)>,
        more: &[OsString],
    ) -> Vec<(OsString, OsString)> {
        // In the order of the base, as most runs have it: then little has to be changed when a script is ordered.
        let mut left = self.variables.clone();
        let mine = |(name, value): (OsString, OsString)| match left.iter().position(|(mine, _)| *mine == name)
        {
            Some(at) => Some(left.remove(at)),
            None => (!matters(&name) && !more.contains(&name)).then_some((name, value)),
        };
        let mut variables: Vec<_> = base.into_iter().filter_map(mine).collect();
        variables.append(&mut left);
        variables
    }
}

/// Variables that the interpreter, the C library or well-known modules look at once, when they start.
fn matters(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    const NAMES: [&str; 7] =
        ["HOME", "USERPROFILE", "APPDATA", "LANG", "LANGUAGE", "TZ", "__PYVENV_LAUNCHER__"];
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

    #[test]
    fn an_interpreter_is_started_with_nothing_that_is_one_run_s_own() {
        let pairs = |all: &[(&str, &str)]| -> Vec<(OsString, OsString)> {
            all.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let more: [OsString; 1] = ["MODEL".into()];
        let run = pairs(&[("LANG", "de"), ("MODEL", "2"), ("TOKEN", "alice")]);
        let key = Key::new(Path::new("python3"), &run, &more);
        let base = pairs(&[("PATH", "/bin"), ("LANG", "C"), ("MODEL", "1"), ("TZ", "UTC")]);
        let expected = pairs(&[("PATH", "/bin"), ("LANG", "de"), ("MODEL", "2")]);
        assert_eq!(key.environment(base, &more), expected);
    }
}
