//! From a name to an absolute path, as the program's own `PATH` has it.
//!
//! Done before the start and not left to the system, because a bare name together with a changed `PATH` makes the
//! standard library fall back from `posix_spawn` to `fork`.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf, absolute};

use crate::CommandError;
use crate::environment::Environment;

/// The absolute path of a program.
pub(crate) fn program(name: &OsStr, env: &Environment) -> Result<PathBuf, CommandError> {
    if name.is_empty() {
        return Err(CommandError::EmptyProgram);
    }
    if is_path(name) {
        return by_path(Path::new(name));
    }
    let path = env.path();
    first_in_path(name, &path, |_| true).ok_or_else(|| CommandError::ProgramNotFound {
        program: name.to_owned(),
        searched: format!("PATH ({})", env.shown_path()),
    })
}

/// The first program of that name in a `PATH` that is wanted.
pub(crate) fn first_in_path(name: &OsStr, path: &OsStr, wanted: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    which::which_in_all(name, Some(path), here).ok()?.find(|found| wanted(found))
}

/// Whether a name is a path and not to be looked up.
pub(crate) fn is_path(name: &OsStr) -> bool {
    let mut parts = Path::new(name).components();
    parts.next();
    parts.next().is_some() || name.as_encoded_bytes().ends_with(b"/") || Path::new(name).is_absolute()
}

fn by_path(path: &Path) -> Result<PathBuf, CommandError> {
    // The common case, at the price of one system call.
    if path.is_absolute() && bgt_sys::is_executable(path) {
        return Ok(path.to_owned());
    }
    let path = absolute(path).map_err(|source| not_found(path, &source))?;
    if let Ok(found) = which::which_in(&path, None::<&OsStr>, "") {
        return Ok(found);
    }
    match path.metadata() {
        Err(error) => Err(not_found(&path, &error)),
        Ok(file) => {
            let why =
                if file.is_dir() { "it is a folder" } else { "it lacks the permission or the extension" };
            Err(CommandError::NotExecutable { path, why: why.to_owned() })
        }
    }
}

fn not_found(path: &Path, error: &io::Error) -> CommandError {
    CommandError::ProgramNotFound { program: path.into(), searched: format!("the file system ({error})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        for (name, path) in
            [("ffmpeg", false), ("./ffmpeg", true), ("a/b", true), ("/bin/sh", true), ("x.exe", false)]
        {
            assert_eq!(is_path(OsStr::new(name)), path, "{name}");
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_the_place_that_was_searched() {
        let mut env = Environment::default();
        let path = crate::secret::Word::Plain("/no/such/folder".into());
        env.change("PATH".into(), Some(path));
        let error = program(OsStr::new("no-such-program"), &env).unwrap_err().to_string();
        assert!(error.contains("\"no-such-program\"") && error.contains("/no/such/folder"), "{error}");
        assert!(matches!(program(OsStr::new(""), &env), Err(CommandError::EmptyProgram)));
        let error = program(OsStr::new("./no/such/file"), &env).unwrap_err();
        assert!(matches!(error, CommandError::ProgramNotFound { .. }), "{error}");
    }
}
