//! The real interpreter behind a version manager's shim.
//!
//! A shim is a shell script that works out, at every start, which interpreter is meant: measured at 128 to 368 ms
//! against 8 to 11 ms of the interpreter itself. It is asked once, the answer is kept for the life of the process.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::environment::Environment;
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

    pub(crate) fn of_program(path: &Path) -> Option<Self> {
        let name = path.file_stem()?.to_str()?;
        let starts = |prefix| name.starts_with(prefix);
        [("python", Self::Python), ("node", Self::Node), ("ruby", Self::Ruby), ("perl", Self::Perl)]
            .into_iter()
            .find_map(|(prefix, family)| starts(prefix).then_some(family))
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

/// What the answer of a shim may depend on.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    shim: PathBuf,
    cwd: PathBuf,
    variables: Vec<Option<OsString>>,
}

static ANSWERS: Mutex<Option<HashMap<Question, PathBuf>>> = Mutex::new(None);

/// The interpreter itself, where the program found is a shim; else the program found.
pub(crate) async fn real(
    found: PathBuf,
    family: Option<Family>,
    env: &Environment,
    cwd: Option<&Path>,
) -> Result<PathBuf, CommandError> {
    let Some(family) = family.filter(|_| is_shim(&found)) else { return Ok(found) };
    let cwd = cwd.map_or_else(|| std::env::current_dir().unwrap_or_default(), Path::to_owned);
    let names = ["PATH", "HOME", "PYENV_VERSION", "NODENV_VERSION", "RBENV_VERSION", "PLENV_VERSION"];
    let question =
        Question { shim: found.clone(), cwd: cwd.clone(), variables: names.map(|name| env.get(name)).into() };
    let known = answers(|answers| answers.get(&question).cloned());
    if let Some(real) = known.filter(|real| real.symlink_metadata().is_ok()) {
        return Ok(real);
    }
    let real = ask(&found, family, env, cwd).await?;
    answers(|answers| answers.insert(question, real.clone()));
    Ok(real)
}

fn answers<T>(with: impl FnOnce(&mut HashMap<Question, PathBuf>) -> T) -> T {
    with(ANSWERS.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

/// A script in front of an interpreter; on Windows also the launcher, and an alias of the Store.
fn is_shim(found: &Path) -> bool {
    if cfg!(windows) {
        let is = |extension: &str| found.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
        return is("bat")
            || is("cmd")
            || found.file_stem().is_some_and(|name| name.eq_ignore_ascii_case("py"));
    }
    let mut start = [0; 2];
    File::open(found).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"#!"
}

async fn ask(shim: &Path, family: Family, env: &Environment, cwd: PathBuf) -> Result<PathBuf, CommandError> {
    let broken = |why: String| CommandError::BrokenShim { shim: shim.to_owned(), why };
    let mut command = Command::new(shim).args(family.question()).current_dir(cwd).stop(Stop::at_once());
    command.env = env.clone();
    // Boxed, or the future would contain itself: this runs while a command is being prepared.
    let run = Box::pin(command.output(bgt_core::Context::standalone()));
    // Dropping the run at the time limit ends the shim's whole tree.
    let answered = tokio::time::timeout(Duration::from_secs(20), run).await;
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
