//! From a command to something that can be started: every check, every look-up, every file opened.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use bgt_sys::{Input, SpawnOptions};

use crate::command::{Background, Program};
use crate::feed::Feed;
use crate::secret::{Values, Word};
use crate::stdin::Taken;
use crate::{Command, CommandError, Plan, Stdin, interpreter, redirect, resolve};

/// A command whose every part is known to be there.
pub(crate) struct Prepared {
    pub(crate) program: PathBuf,
    pub(crate) std: std::process::Command,
    /// All variables, where they are not just the host's.
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
    /// The values that must not be shown.
    pub(crate) secrets: Values,
}

impl Prepared {
    /// How long arguments and environment are, as the system counts them: in bytes, with a zero behind each.
    fn size(&self) -> usize {
        let words = [self.program.as_os_str()].into_iter().chain(self.std.get_args());
        let words: usize = words.map(|word| word.len() + 1).sum();
        let size = |name: &OsStr, value: &OsStr| name.len() + value.len() + 2;
        let variables: usize = match &self.environment {
            Some(variables) => variables.iter().map(|(name, value)| size(name, value)).sum(),
            None => std::env::vars_os().map(|(name, value)| size(&name, &value)).sum(),
        };
        words + variables
    }
}

impl Command {
    /// Checks and looks up everything that a run would, all but opening the files of redirections, and answers what it
    /// would start. Starts nothing, except
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
                None => std::env::current_dir().map_err(no_current_dir)?,
            },
            env_cleared: self.env.cleared,
            env: env.map(|(name, change)| (name.to_owned(), change.map(shown))).collect(),
            priority: self.priority,
            quota: self.quota,
        })
    }

    /// `is_watched`: somebody wants the output as it comes.
    pub(crate) async fn prepare(&self, is_watched: bool) -> Result<Prepared, CommandError> {
        self.check()?;
        let (program, args) = self.launch().await?;
        let mut std = std::process::Command::new(&program);
        std.args(args);
        let mut secrets = Vec::new();
        for word in &self.args {
            std.arg(reveal(word, &mut secrets)?);
        }
        let environment = self.variables(is_watched && is_python(&program), &mut secrets)?;
        if let Some(cwd) = &self.cwd {
            std.current_dir(absolute(cwd));
        }
        Ok(Prepared { program, std, environment, secrets: secrets.into_iter().collect() })
    }

    /// All variables of the program, where they are not just the host's.
    fn variables(
        &self,
        unbuffered: bool,
        secrets: &mut Vec<Vec<u8>>,
    ) -> Result<Option<Vec<(OsString, OsString)>>, CommandError> {
        if !unbuffered && !self.env.cleared && self.env.changes().next().is_none() {
            return Ok(None);
        }
        let inherited = std::env::vars_os().filter(|_| !self.env.cleared);
        let mut variables: BTreeMap<OsString, (OsString, OsString)> =
            inherited.map(|(name, value)| (bgt_sys::variable_key(&name), (name, value))).collect();
        if unbuffered {
            let (name, key) = (OsString::from(UNBUFFERED), bgt_sys::variable_key(UNBUFFERED.as_ref()));
            variables.entry(key).or_insert_with(|| (name, "1".into()));
        }
        for (name, change) in self.env.changes() {
            let key = bgt_sys::variable_key(name);
            match change {
                Some(value) => variables.insert(key, (name.to_owned(), reveal(value, secrets)?)),
                None => variables.remove(&key),
            };
        }
        Ok(Some(variables.into_values().collect()))
    }

    /// Opens the files and takes the live stdin. Files are emptied last of all, so that a run which is refused leaves
    /// them as they were.
    pub(crate) async fn streams(&self) -> Result<(SpawnOptions, Option<Taken>), CommandError> {
        let (stdout, stderr) = redirect::open(&self.stdout, &self.stderr, self.combined).await?;
        let (stdin, taken) = self.input().await?;
        stdout.empty("stdout")?;
        stderr.empty("stderr")?;
        let (stdout, stderr) = (stdout.to, stderr.to);
        let (console_window, priority) = (self.console_window, self.priority);
        let may_live_on = self.background == Background::Keep;
        let environment = None;
        let options =
            SpawnOptions { stdin, stdout, stderr, environment, console_window, priority, may_live_on };
        Ok((options, taken))
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

    /// What to say of a program that was prepared, and that the system did not start.
    pub(crate) fn not_started(&self, prepared: &Prepared, source: io::Error) -> CommandError {
        let program = prepared.program.clone();
        let why = match source.kind() {
            io::ErrorKind::InvalidInput if is_batch_file(&program) => {
                return CommandError::BatchArguments { path: program, source };
            }
            _ if bgt_sys::is_too_long(&source) => {
                return CommandError::TooLong { program, bytes: prepared.size(), source };
            }
            _ if bgt_sys::is_bad_format(&source) => "it is no program of this system, and has no #! line",
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => {
                // The system says the same of the folder, which may have gone since it was looked at.
                if let Err(error) = self.check_folder() {
                    return error;
                }
                match source.kind() {
                    io::ErrorKind::PermissionDenied => "permission denied",
                    _ => "it, or the interpreter that its first line names, is not there any more",
                }
            }
            _ => return CommandError::Spawn { program, source },
        };
        CommandError::NotExecutable { path: program, why: why.to_owned() }
    }

    async fn launch(&self) -> Result<interpreter::Launch, CommandError> {
        let (program, args) = match &self.program {
            Program::Name(name) => (resolve::program(name, &self.env)?, Vec::new()),
            Program::Script { path } => {
                interpreter::resolve(path, self.interpreter.as_deref(), &self.env, self.cwd.as_deref())
                    .await?
            }
            Program::Python { code } => {
                let wanted = self.interpreter.as_deref();
                let python = interpreter::python(wanted, &self.env, self.cwd.as_deref()).await?;
                (python, vec!["-c".into(), code.into()])
            }
        };
        // Else it would depend on the folder that the program is to run in.
        debug_assert!(program.is_absolute(), "{program:?}");
        Ok((program, args))
    }

    fn check_program(&self) -> Result<(), CommandError> {
        if let Some(interpreter) = &self.interpreter {
            refuse_nul(interpreter, || format!("the interpreter {:?}", interpreter.to_string_lossy()))?;
        }
        match (&self.program, &self.interpreter) {
            (Program::Name(name), Some(interpreter)) => Err(CommandError::InterpreterWithoutScript {
                interpreter: interpreter.clone(),
                program: name.clone(),
            }),
            (Program::Name(name), None) => refuse_nul(name, || "the program".to_owned()),
            (Program::Script { path }, _) => refuse_nul(path.as_os_str(), || "the script's path".to_owned()),
            (Program::Python { code }, _) => refuse_nul(code.as_ref(), || "the Python code".to_owned()),
        }
    }

    fn check_folder(&self) -> Result<(), CommandError> {
        let Some(cwd) = &self.cwd else {
            return std::env::current_dir().map(drop).map_err(no_current_dir);
        };
        refuse_nul(cwd.as_os_str(), || "current_dir".to_owned())?;
        let missing = "does not exist or cannot be entered: create it first";
        let (why, source) = match cwd.metadata() {
            Ok(file) if !file.is_dir() => ("is not a folder", None),
            // What is in a folder can be looked at only by who may enter it.
            Ok(_) => match cwd.join(".").metadata() {
                Ok(_) => return Ok(()),
                Err(error) => (missing, Some(error)),
            },
            Err(error) => (missing, Some(error)),
        };
        Err(CommandError::BadCurrentDir { path: absolute(cwd), why, source })
    }

    fn check(&self) -> Result<(), CommandError> {
        self.check_program()?;
        for (i, word) in self.args.iter().enumerate() {
            if let Word::Plain(word) = word {
                refuse_nul(word, || format!("argument {} ({:?})", i + 1, word.to_string_lossy()))?;
            }
        }
        if let Some(name) = self.env.reserved() {
            return Err(CommandError::ReservedVariable { name: name.into() });
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
        self.check_folder()?;
        if let Some(why) = self.quota.fault() {
            return Err(CommandError::BadQuota { why });
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

fn no_current_dir(source: io::Error) -> CommandError {
    let why = "(the host's own current folder) is not there any more: name another one";
    CommandError::BadCurrentDir { path: PathBuf::from("."), why, source: Some(source) }
}

/// Python keeps back what it prints into a pipe until it has 8 KiB: who watches would see nothing for minutes.
const UNBUFFERED: &str = "PYTHONUNBUFFERED";

fn is_python(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.starts_with("python") || name.starts_with("pypy")
}

fn is_batch_file(program: &Path) -> bool {
    let extension = program.extension();
    extension.is_some_and(|is| is.eq_ignore_ascii_case("bat") || is.eq_ignore_ascii_case("cmd"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_went_away_meanwhile_is_blamed_and_not_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let here = std::env::current_exe().unwrap();
        let command = Command::new(here).current_dir(folder.path());
        let prepared = command.prepare(false).await.unwrap();
        let said = |kind: io::ErrorKind| command.not_started(&prepared, kind.into());
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
            assert!(matches!(said(kind), CommandError::NotExecutable { .. }), "{kind}");
        }
        assert!(matches!(said(io::ErrorKind::InvalidInput), CommandError::Spawn { .. }));
        drop(folder);
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
            assert!(matches!(said(kind), CommandError::BadCurrentDir { .. }), "{kind}");
        }
    }

    #[test]
    fn batch_files_are_told_by_their_extension() {
        for (name, is) in [("a.bat", true), ("a.CMD", true), ("a.exe", false), ("bat", false)] {
            assert_eq!(is_batch_file(Path::new(name)), is, "{name}");
        }
    }
}
