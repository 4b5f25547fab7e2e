//! What the four workflows share: their options, a folder for what they make, and a clean end.

use std::error::Error;
use std::ffi::OsString;
use std::future::{Future, IntoFuture as _};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bgt_orchestrator::streaming::ProgressInfo;
use bgt_orchestrator::{Command, CommandError, Orchestrator, ShutDown};
use tempfile::TempDir;

/// What a workflow answers: nothing, or why not.
pub type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// How long everything may take to end after a Ctrl-C, and at the end.
pub const LAST_WORDS: Duration = Duration::from_secs(10);

/// What a workflow was asked for: `[--small] [--keep FOLDER]`, and words of its own.
pub struct Asked {
    /// Little work, for tests.
    pub small: bool,
    keep: Option<PathBuf>,
    words: Vec<String>,
}

impl Asked {
    /// What the command line says. These are the words of its own that the workflow knows; any other ends the program, which
    /// has begun nothing yet.
    pub fn from_args(known: &[&str]) -> Self {
        let mut asked = Self { small: false, keep: None, words: Vec::new() };
        let mut args = std::env::args_os().skip(1);
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--small") => asked.small = true,
                Some("--keep") => asked.keep = Some(folder_to_keep(args.next())),
                Some(word) if known.contains(&word) => asked.words.push(word.to_owned()),
                _ => {
                    let own: String = known.iter().map(|word| format!(" [{word}]")).collect();
                    refuse(&format!("{arg:?} is not known: use [--small] [--keep FOLDER]{own}"));
                }
            }
        }
        asked
    }

    /// Whether this word of its own was said.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// The folder for what it makes: the one that is kept, or a temporary one that goes with this value.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn folder(&self) -> io::Result<Folder> {
        if let Some(path) = &self.keep {
            std::fs::create_dir_all(path)?;
            return Ok(Folder { path: std::path::absolute(path)?, temporary: None });
        }
        let temporary = TempDir::with_prefix("bgt-workflow-")?;
        Ok(Folder { path: temporary.path().to_path_buf(), temporary: Some(temporary) })
    }
}

/// A folder that is kept is a new one: what was in it would be taken for what was made.
fn folder_to_keep(path: Option<OsString>) -> PathBuf {
    let Some(path) = path.map(PathBuf::from) else { refuse("--keep needs a folder") };
    if path.read_dir().is_ok_and(|mut files| files.next().is_some()) {
        refuse(&format!("{} is not empty: name a new folder", path.display()));
    }
    path
}

fn refuse(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(2)
}

/// A folder for what a workflow makes.
pub struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Folder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same, if it stays.
    pub fn kept(&self) -> Option<&Path> {
        self.temporary.is_none().then_some(&*self.path)
    }

    /// A file in it.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

/// The folder of the scripts.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// One of the scripts.
pub fn script(name: &str) -> Command {
    Command::script(scripts().join(name))
}

/// Refuses, in words for people, to begin without Python.
///
/// # Errors
///
/// When there is none.
pub async fn need_python(command: &Command) -> Result {
    match command.plan().await {
        Err(error @ (CommandError::NoInterpreter { .. } | CommandError::BrokenShim { .. })) => {
            let where_from = "get Python 3 from https://www.python.org/downloads/ or your package manager";
            Err(format!("its scripts cannot be run: {error}; {where_from}").into())
        }
        _ => Ok(()),
    }
}

/// Waits for Ctrl-C, or for SIGTERM where there is one.
///
/// # Errors
///
/// When the system does not let signals be handled.
pub async fn asked_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// Runs a workflow to its end or to Ctrl-C, then shuts everything down, and says how that went.
pub async fn to_the_end(bgt: &Orchestrator, work: impl Future<Output = Result>) -> ExitCode {
    let over = match bgt.shutdown_on_signal(LAST_WORDS) {
        Ok(over) => over,
        Err(error) => return say_end(Err(error.into()), None),
    };
    tokio::select! {
        result = work => {
            // After a signal this waits for the shutdown that it began.
            let end = bgt.shutdown(LAST_WORDS).await;
            say_end(result, Some(end))
        }
        (signal, end) = over.into_future() => say_end(Err(format!("stopped by {signal}").into()), Some(end)),
    }
}

/// Says how everything ended.
pub fn say_end(result: Result, end: Option<ShutDown>) -> ExitCode {
    if let Some(end) = &end {
        println!("\nShutdown: {end}.");
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The alternate form of a run's error is its whole story.
            eprintln!("\nNot finished: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Shows how far a run is: one line that is drawn over in a terminal, else a line for each tenth.
pub struct Meter {
    label: &'static str,
    is_terminal: bool,
    tenth: Option<u32>,
}

impl Meter {
    /// One that shows nothing yet.
    pub fn new(label: &'static str) -> Self {
        Self { label, is_terminal: io::stdout().is_terminal(), tenth: None }
    }

    /// Shows this.
    pub fn show(&mut self, progress: &ProgressInfo) {
        let part = progress.progress.fraction().unwrap_or(0.0);
        let (line, tenth) = (format!("{:<12}{} {progress}", self.label, bar(part)), (part * 10.0) as u32);
        let is_new = self.tenth.replace(tenth) != Some(tenth);
        if self.is_terminal {
            print!("\r\x1b[K{line}");
            _ = io::stdout().flush();
        } else if is_new {
            println!("{line}");
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.is_terminal && self.tenth.is_some() {
            println!();
        }
    }
}

/// A part from 0 to 1, drawn.
pub fn bar(part: f64) -> String {
    const WIDTH: usize = 24;
    let done = (part.clamp(0.0, 1.0) * WIDTH as f64) as usize;
    format!("[{}{}]", "#".repeat(done), "·".repeat(WIDTH - done))
}
