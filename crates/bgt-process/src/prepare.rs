//! From a command to something that can be started: every check, every look-up, every file opened.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use bgt_sys::{Input, SpawnOptions};

use crate::command::Program;
use crate::feed::Feed;
use crate::secret::{Values, Word};
use crate::stdin::Taken;
use crate::{Command, CommandError, Plan, Stdin, interpreter, redirect, resolve};

/// A command whose every part is known to be there.
pub(crate) struct Prepared {
    pub(crate) program: PathBuf,
    pub(crate) std: std::process::Command,
    /// The values that must not be shown.
    pub(crate) secrets: Values,
}

impl Command {
    /// Checks and looks up everything that a run would, and answers what it would start. Starts nothing, except
    /// that an unknown version manager's shim is asked for its interpreter.
    ///
    /// # Errors
    ///
    /// What a run would be refused for.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use bgt_process::{Command, Secret};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_process::CommandError> {
    /// let plan = Command::new("/bin/echo")
    ///     .arg("it's")
    ///     .env_secret("TOKEN", Secret::literal("hunter2"))
    ///     .current_dir("/")
    ///     .plan()
    ///     .await?;
    /// assert_eq!(plan.to_string(), r"cd / && env TOKEN='***' /bin/echo 'it'\''s'");
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    pub async fn plan(&self) -> Result<Plan, CommandError> {
        self.check()?;
        let (program, mut args) = self.launch().await?;
        let shown = |word: &Word| match word {
            Word::Plain(word) => word.clone(),
            Word::Secret(_) => OsString::from("***"),
        };
        args.extend(self.args.iter().map(shown));
        let env = self.env.changes();
        Ok(Plan {
            program,
            args,
            current_dir: match &self.cwd {
                Some(cwd) => absolute(cwd),
                None => std::env::current_dir().unwrap_or_default(),
            },
            env_cleared: self.env.cleared,
            env: env.map(|(name, change)| (name.to_owned(), change.map(shown))).collect(),
        })
    }

    pub(crate) async fn prepare(&self) -> Result<Prepared, CommandError> {
        self.check()?;
        let (program, args) = self.launch().await?;
        let mut std = std::process::Command::new(&program);
        std.args(args);
        let mut secrets = Vec::new();
        for word in &self.args {
            std.arg(reveal(word, &mut secrets)?);
        }
        if self.env.cleared {
            std.env_clear();
        }
        for (name, change) in self.env.changes() {
            match change {
                Some(value) => std.env(name, reveal(value, &mut secrets)?),
                None => std.env_remove(name),
            };
        }
        if let Some(cwd) = &self.cwd {
            std.current_dir(absolute(cwd));
        }
        Ok(Prepared { program, std, secrets: secrets.into_iter().collect() })
    }

    /// Opens the files and takes the live stdin. Files are emptied last of all, so that a run which is refused leaves
    /// them as they were.
    pub(crate) async fn streams(&self) -> Result<(SpawnOptions, Option<Taken>), CommandError> {
        let (stdout, stderr) = redirect::open(&self.stdout, &self.stderr, self.combined).await?;
        let (stdin, taken) = self.input().await?;
        stdout.empty("stdout")?;
        stderr.empty("stderr")?;
        let (stdout, stderr) = (stdout.to, stderr.to);
        Ok((SpawnOptions { stdin, stdout, stderr, console_window: self.console_window }, taken))
    }

    async fn input(&self) -> Result<(Input, Option<Taken>), CommandError> {
        Ok(match &self.stdin {
            // Held open, so that it can be written to or closed when the program is to stop.
            Stdin::Null if self.stops_by_stdin() => (Input::Pipe, None),
            Stdin::Null => (Input::Null, None),
            Stdin::Bytes(_) => (Input::Pipe, None),
            Stdin::Live(live) => (Input::Pipe, Some(live.take().ok_or(CommandError::StdinUsed)?)),
            Stdin::Inherit => (Input::Inherit, None),
            Stdin::File(path) => {
                let file = redirect::open_file("stdin", path, OpenOptions::new().read(true)).await?;
                (Input::File(file), None)
            }
        })
    }

    /// What is written to the stdin of a program that was started.
    pub(crate) fn feed(&self, taken: Option<Taken>) -> Option<Feed> {
        match (&self.stdin, taken) {
            (Stdin::Null, _) if self.stops_by_stdin() => Some(Feed::idle()),
            (Stdin::Bytes(bytes), _) => Some(Feed::bytes(bytes.clone(), self.stops_by_stdin())),
            (_, Some(taken)) => Some(Feed::reader(taken.into_reader(), self.stops_by_stdin())),
            _ => None,
        }
    }

    async fn launch(&self) -> Result<interpreter::Launch, CommandError> {
        match &self.program {
            Program::Name(name) => {
                refuse_nul(name, || "the program".to_owned())?;
                Ok((resolve::program(name, &self.env)?, Vec::new()))
            }
            Program::Script { path, interpreter } => {
                refuse_nul(path.as_os_str(), || "the script's path".to_owned())?;
                interpreter::resolve(path, interpreter.as_deref(), &self.env, self.cwd.as_deref()).await
            }
        }
    }

    fn check(&self) -> Result<(), CommandError> {
        for (i, word) in self.args.iter().enumerate() {
            if let Word::Plain(word) = word {
                refuse_nul(word, || format!("argument {} ({:?})", i + 1, word.to_string_lossy()))?;
            }
        }
        for (name, change) in self.env.changes() {
            refuse_nul(name, || "the name of an environment variable".to_owned())?;
            if name.is_empty() || name.as_encoded_bytes().contains(&b'=') {
                return Err(CommandError::BadVariableName { name: name.to_owned() });
            }
            if let Some(Word::Plain(value)) = change {
                refuse_nul(value, || format!("the environment variable {:?}", name.to_string_lossy()))?;
            }
        }
        if let Some(cwd) = &self.cwd {
            refuse_nul(cwd.as_os_str(), || "current_dir".to_owned())?;
            let why = match cwd.metadata() {
                Ok(folder) if folder.is_dir() => None,
                Ok(_) => Some("is not a folder"),
                Err(_) => Some("does not exist or cannot be entered: create it first"),
            };
            if let Some(why) = why {
                return Err(CommandError::BadCurrentDir { path: absolute(cwd), why });
            }
        }
        match self.stdin {
            Stdin::File(_) if self.stops_by_stdin() => Err(CommandError::StopNeedsStdin { stdin: "a file" }),
            Stdin::Inherit if self.stops_by_stdin() => {
                Err(CommandError::StopNeedsStdin { stdin: "inherited from the host" })
            }
            _ => Ok(()),
        }
    }
}

fn reveal(word: &Word, secrets: &mut Vec<Vec<u8>>) -> Result<OsString, CommandError> {
    match word {
        Word::Plain(word) => Ok(word.clone()),
        Word::Secret(secret) => {
            let value =
                secret.reveal().map_err(|name| CommandError::SecretNotSet { name: name.to_owned() })?;
            refuse_nul(&value, || "a secret".to_owned())?;
            secrets.push(value.as_encoded_bytes().to_vec());
            Ok(value)
        }
    }
}

fn refuse_nul(word: &OsStr, what: impl FnOnce() -> String) -> Result<(), CommandError> {
    if word.as_encoded_bytes().contains(&0) { Err(CommandError::Nul { what: what() }) } else { Ok(()) }
}

pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
