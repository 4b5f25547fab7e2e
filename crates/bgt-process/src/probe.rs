//! The real interpreter behind a version manager's shim.
//!
//! A shim is a shell script that works out, at every start, which interpreter is meant: measured at 128 to 368 ms
//! against 8 to 11 ms of the interpreter itself. It is asked once for every choice of version, and the answer is
//! kept.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::environment::Environment;
use crate::prepare::absolute;
use crate::{Command, CommandError, Stop, tail};

/// Interpreters that can say where they really are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Python,
    Node,
    Ruby,
    Perl,
}

impl Family {
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "py" | "pyw" => Self::Python,
            "js" | "mjs" | "cjs" => Self::Node,
            "rb" => Self::Ruby,
            "pl" => Self::Perl,
            _ => return None,
        })
    }

    /// By the name of a program: the interpreter's, with or without a version behind it.
    pub(crate) fn of_program(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = [".exe", ".bat", ".cmd"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        match name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
            "python" => Some(Self::Python),
            "node" => Some(Self::Node),
            "ruby" => Some(Self::Ruby),
            "perl" => Some(Self::Perl),
            _ => None,
        }
    }

    /// The names to look for, the best first.
    pub(crate) fn programs(self) -> &'static [&'static str] {
        match self {
            // On Windows python.org installs no python3.exe, but a launcher.
            Self::Python if cfg!(windows) => &["python", "python3", "py"],
            Self::Python => &["python3", "python"],
            Self::Node => &["node"],
            Self::Ruby => &["ruby"],
            Self::Perl => &["perl"],
        }
    }

    /// The files by which version managers choose a version for a folder and those below it.
    fn version_files(self) -> &'static [&'static str] {
        match self {
            Self::Python => &[".python-version", ".tool-versions"],
            Self::Node => &[".node-version", ".nvmrc", ".tool-versions"],
            Self::Ruby => &[".ruby-version", ".tool-versions"],
            Self::Perl => &[".perl-version", ".tool-versions"],
        }
    }

    /// What makes it print its own path and nothing else.
    fn question(self) -> [&'static str; 2] {
        match self {
            Self::Python => ["-c", "import sys; print(sys.executable)"],
            Self::Node => ["-e", "console.log(process.execPath)"],
            Self::Ruby => ["-e", "puts RbConfig.ruby"],
            Self::Perl => ["-e", "print $^X"],
        }
    }
}

/// What the answer of a shim may depend on. Not the working folder itself: a host may have a new one for every job.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    shim: PathBuf,
    variables: Vec<Option<OsString>>,
    version_files: Vec<Option<(PathBuf, Option<SystemTime>)>>,
}

/// When there are more than this, all are asked again.
const MOST: usize = 64;

const PATIENCE: Duration = Duration::from_secs(20);

static ANSWERS: Mutex<Option<HashMap<Question, PathBuf>>> = Mutex::new(None);

/// Whose turn it is to ask: of many first runs at once, one asks and the others hear its answer.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The interpreter itself, where the program found is a shim; else the program found.
pub(crate) async fn real(
    found: PathBuf,
    family: Option<Family>,
    env: &Environment,
    cwd: Option<&Path>,
) -> Result<PathBuf, CommandError> {
    let Some(family) = family.filter(|_| is_shim(&found)) else { return Ok(found) };
    let cwd = match cwd {
        Some(cwd) => absolute(cwd),
        None => std::env::current_dir().unwrap_or_default(),
    };
    let names = ["PATH", "HOME", "PYENV_VERSION", "NODENV_VERSION", "RBENV_VERSION", "PLENV_VERSION"];
    let question = Question {
        shim: found.clone(),
        variables: names.map(|name| env.get(name)).into(),
        version_files: family.version_files().iter().map(|name| nearest(name, &cwd)).collect(),
    };
    if let Some(real) = known(&question) {
        return Ok(real);
    }
    // Not for ever: whoever has the turn may have stopped polling its run.
    let _turn = tokio::time::timeout(PATIENCE, TURN.lock()).await;
    if let Some(real) = known(&question) {
        return Ok(real);
    }
    let real = ask(&found, family, env, cwd).await?;
    answers(|answers| {
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(question, real.clone());
    });
    Ok(real)
}

fn known(question: &Question) -> Option<PathBuf> {
    let known = answers(|answers| answers.get(question).cloned());
    known.filter(|real| real.symlink_metadata().is_ok())
}

fn answers<T>(with: impl FnOnce(&mut HashMap<Question, PathBuf>) -> T) -> T {
    with(ANSWERS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

/// The file of this name in the folder or the nearest one above it, and when it was last changed.
fn nearest(name: &str, folder: &Path) -> Option<(PathBuf, Option<SystemTime>)> {
    folder.ancestors().find_map(|folder| {
        let path = folder.join(name);
        let file = path.metadata().ok()?;
        Some((path, file.modified().ok()))
    })
}

/// Whether a version manager stands in front of the interpreter. Other scripts in front of one set up what it needs
/// (Nix, conda, environment modules), and are used as they are.
///
/// On Windows a batch file, the launcher, or an alias of the Store.
fn is_shim(found: &Path) -> bool {
    if cfg!(windows) {
        let is = |extension: &str| found.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
        return is("bat")
            || is("cmd")
            || bgt_sys::is_store_alias(found)
            || found.file_stem().is_some_and(|name| name.eq_ignore_ascii_case("py"));
    }
    let mut start = Vec::new();
    let read = File::open(found).and_then(|file| file.take(1024).read_to_end(&mut start));
    read.is_ok()
        && start.starts_with(b"#!")
        && (found.components().any(|part| part.as_os_str() == "shims") || names_a_manager(&start))
}

fn names_a_manager(text: &[u8]) -> bool {
    let mut words = text.split(|byte| !byte.is_ascii_alphanumeric());
    words.any(|word| MANAGERS.iter().any(|manager| word == manager.as_bytes()))
}

const MANAGERS: [&str; 8] = ["pyenv", "rbenv", "nodenv", "plenv", "asdf", "mise", "volta", "jenv"];

async fn ask(shim: &Path, family: Family, env: &Environment, cwd: PathBuf) -> Result<PathBuf, CommandError> {
    let broken = |why: String| CommandError::BrokenShim { shim: shim.to_owned(), why };
    let mut command = Command::new(shim).args(family.question()).current_dir(cwd).stop(Stop::at_once());
    command.env = env.clone();
    // Boxed, or the future would contain itself: this runs while a command is being prepared.
    let run = Box::pin(command.output(bgt_core::Context::standalone()));
    // Dropping the run at the time limit ends the shim's whole tree.
    let answered = tokio::time::timeout(PATIENCE, run).await;
    let output = answered
        .map_err(|_| broken("it did not answer within 20 s".to_owned()))?
        .map_err(|error| broken(error.tail().map_or_else(|| error.to_string(), str::to_owned)))?;
    let real = PathBuf::from(output.stdout_text().trim());
    // Not `is_file`: a link of the Store cannot be followed, and yet be started.
    if real.is_absolute() && real.symlink_metadata().is_ok() {
        Ok(real)
    } else {
        Err(broken(format!("it answered {:?}", tail::last_lines(&output.stdout, &output.secrets))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_by_its_name_and_version_and_nothing_else() {
        for (name, family) in [
            ("python", Some(Family::Python)),
            ("/usr/bin/python3", Some(Family::Python)),
            ("python3.11", Some(Family::Python)),
            ("Python.EXE", Some(Family::Python)),
            ("node", Some(Family::Node)),
            ("node20", Some(Family::Node)),
            ("ruby3.2", Some(Family::Ruby)),
            ("perl5.36", Some(Family::Perl)),
            ("nodemon", None),
            ("perlcritic", None),
            ("python3-config", None),
            ("pythonw", None),
            ("sh", None),
        ] {
            assert_eq!(Family::of_program(Path::new(name)), family, "{name}");
        }
    }

    #[test]
    fn a_manager_is_a_word_and_not_a_part_of_one() {
        assert!(names_a_manager(b"#!/bin/sh\nexec \"/root/.pyenv/libexec/pyenv\" exec"));
        assert!(names_a_manager(b"#!/bin/sh\nasdf exec node"));
        assert!(!names_a_manager(b"#!/bin/sh\n# no compromise\nexec python3"));
    }

    #[test]
    fn the_nearest_version_file_is_part_of_the_question() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let name = ".bgt-test-version";
        assert_eq!(nearest(name, &below), None);
        std::fs::write(folder.path().join(name), "1").unwrap();
        let far = nearest(name, &below).unwrap();
        std::fs::write(folder.path().join("a").join(name), "2").unwrap();
        let near = nearest(name, &below).unwrap();
        assert_eq!((far.0.parent(), near.0.parent()), (Some(folder.path()), below.parent()));
    }
}
