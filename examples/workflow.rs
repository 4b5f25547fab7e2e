//! What the four workflows share: their options, a folder for what they make, and a clean end.

use std::error::Error;
use std::future::{Future, IntoFuture as _};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bgt_orchestrator::streaming::{StreamEvent, Subscription};
use bgt_orchestrator::{Command, CommandError, Orchestrator, ShutDown};
use tempfile::TempDir;

/// What a workflow answers: nothing, or why not.
pub type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// How long everything may take to end after a Ctrl-C, and at the end.
pub const LAST_WORDS: Duration = Duration::from_secs(10);

/// What a workflow was asked for: `[--small] [--keep FOLDER]` and words of its own.
pub struct Asked {
    /// Little work, for tests.
    pub small: bool,
    keep: Option<PathBuf>,
    words: Vec<String>,
}

impl Asked {
    /// What the command line says.
    ///
    /// # Panics
    ///
    /// On an argument that is not UTF-8.
    pub fn from_args() -> Self {
        let mut asked = Self { small: false, keep: None, words: Vec::new() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match &*arg {
                "--small" => asked.small = true,
                "--keep" => asked.keep = args.next().map(PathBuf::from),
                _ => asked.words.push(arg),
            }
        }
        asked
    }

    /// Whether this word is among those of its own.
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
            return Ok(Folder { path: path.canonicalize()?, temporary: None });
        }
        let temporary = TempDir::with_prefix("bgt-workflow-")?;
        Ok(Folder { path: temporary.path().to_path_buf(), temporary: Some(temporary) })
    }
}

/// A folder for what a workflow makes.
pub struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Folder {
    /// Where it is, if it stays.
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

fn say_end(result: Result, end: Option<ShutDown>) -> ExitCode {
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

/// Shows the progress of a run to its end: one line that is drawn over in a terminal, else a line for each tenth.
pub async fn show_progress(label: &str, mut events: Subscription, mut also: impl FnMut(&StreamEvent)) {
    let (is_terminal, mut shown) = (io::stdout().is_terminal(), None);
    while let Some(event) = events.next().await {
        also(&event);
        if let StreamEvent::Progress(progress) = event {
            let part = progress.progress.fraction().unwrap_or(0.0);
            let line = format!("{label:<12}{} {progress}", bar(part));
            if is_terminal {
                print!("\r\x1b[K{line}");
                _ = io::stdout().flush();
            } else if shown.replace((part * 10.0) as u32) != Some((part * 10.0) as u32) {
                println!("{line}");
            }
        }
    }
    if is_terminal {
        println!();
    }
}

/// A part from 0 to 1, drawn.
pub fn bar(part: f64) -> String {
    const WIDTH: usize = 24;
    let done = (part.clamp(0.0, 1.0) * WIDTH as f64) as usize;
    format!("[{}{}]", "#".repeat(done), "·".repeat(WIDTH - done))
}
