//! From a command to something that can be started: every check, every look-up, every file opened.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use bgt_sys::{Input, SpawnOptions};

use crate::command::Program;
use crate::feed::Feed;
use crate::secret::Word;
use crate::{Command, CommandError, Plan, Redirect, Stdin, interpreter, resolve};

/// A command whose every part is known to be there.
pub(crate) struct Prepared {
    pub(crate) program: PathBuf,
    pub(crate) std: std::process::Command,
    /// The values that must not be shown, for the tail of the output.
    pub(crate) secrets: Vec<Vec<u8>>,
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
        let env = self.env.changes.iter();
        Ok(Plan {
            program,
            args,
            current_dir: match &self.cwd {
                Some(cwd) => absolute(cwd),
                None => std::env::current_dir().unwrap_or_default(),
            },
            env_cleared: self.env.cleared,
            env: env.map(|(name, change)| (name.clone(), change.as_ref().map(shown))).collect(),
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
        for (name, change) in &self.env.changes {
            match change {
                Some(value) => std.env(name, reveal(value, &mut secrets)?),
                None => std.env_remove(name),
            };
        }
        if let Some(cwd) = &self.cwd {
            std.current_dir(absolute(cwd));
        }
        Ok(Prepared { program, std, secrets })
    }

    /// Opens the files and takes the live stdin: last of all, so that nothing is emptied or used up in vain.
    pub(crate) async fn streams(&self) -> Result<(SpawnOptions, Option<Feed>), CommandError> {
        let (stdin, feed) = self.input().await?;
        let options = SpawnOptions {
            stdin,
            stdout: output("stdout", &self.stdout).await?,
            stderr: if self.combined {
                bgt_sys::Output::Combined
            } else {
                output("stderr", &self.stderr).await?
            },
            console_window: self.console_window,
        };
        Ok((options, feed))
    }

    async fn input(&self) -> Result<(Input, Option<Feed>), CommandError> {
        Ok(match &self.stdin {
            // Held open, so that it can be written to or closed when the program is to stop.
            Stdin::Null if self.stops_by_stdin() => (Input::Pipe, Some(Feed::idle())),
            Stdin::Null => (Input::Null, None),
            Stdin::Bytes(bytes) => (Input::Pipe, Some(Feed::bytes(bytes.clone(), self.stops_by_stdin()))),
            Stdin::Live(live) => {
                let reader = live.take().ok_or(CommandError::StdinUsed)?;
                (Input::Pipe, Some(Feed::reader(reader, self.stops_by_stdin())))
            }
            Stdin::Inherit => (Input::Inherit, None),
            Stdin::File(path) => {
                (Input::File(open("stdin", path, OpenOptions::new().read(true).clone()).await?), None)
            }
        })
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
        for (name, change) in &self.env.changes {
            refuse_nul(name, || "the name of an environment variable".to_owned())?;
            if name.is_empty() || name.as_encoded_bytes().contains(&b'=') {
                return Err(CommandError::BadVariableName { name: name.clone() });
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

async fn output(stream: &'static str, redirect: &Redirect) -> Result<bgt_sys::Output, CommandError> {
    let mut options = OpenOptions::new();
    Ok(match redirect {
        Redirect::Capture => bgt_sys::Output::Pipe,
        Redirect::Inherit => bgt_sys::Output::Inherit,
        Redirect::Null => bgt_sys::Output::Null,
        Redirect::File(path) => {
            options.write(true).create(true).truncate(true);
            bgt_sys::Output::File(open(stream, path, options).await?)
        }
        Redirect::Append(path) => {
            options.append(true).create(true);
            bgt_sys::Output::File(open(stream, path, options).await?)
        }
    })
}

/// Opens a file without blocking the runtime.
async fn open(stream: &'static str, path: &Path, options: OpenOptions) -> Result<File, CommandError> {
    let path = absolute(path);
    let opened = if path.metadata().is_ok_and(|file| !file.is_file() && !file.is_dir()) {
        // A named pipe is open once somebody opens its other end, which may be never. A plain thread: the end of the
        // runtime would wait for one of its own.
        let (tell, told) = tokio::sync::oneshot::channel();
        let pipe = path.clone();
        let started = std::thread::Builder::new().name("bgt-open".into()).spawn(move || {
            let _ = tell.send(options.open(pipe));
        });
        match started {
            Ok(_) => told.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into())),
            Err(error) => Err(error),
        }
    } else {
        options.open(&path)
    };
    opened.map_err(|source| CommandError::File { stream, path, source })
}

fn refuse_nul(word: &OsStr, what: impl FnOnce() -> String) -> Result<(), CommandError> {
    if word.as_encoded_bytes().contains(&0) { Err(CommandError::Nul { what: what() }) } else { Ok(()) }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
