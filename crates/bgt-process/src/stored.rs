//! A command as it is kept for later: everything that it depends on, and no secret.
//!
//! Owns: which commands can be kept, and the form they are kept in.
//! Never does: keep them.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use bgt_core::Stop;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::command::{Accept, Program};
use crate::environment::{Environment, RESERVED};
use crate::prepare::absolute;
use crate::secret::Word;
use crate::{Background, Capture, Command, CommandError, Encoding, Priority, Quota, Redirect, Secret, Stdin};

/// A [`Command`] that can be serialised, and run later by another process: the program as an absolute path, its folder,
/// and all the variables of its environment, so that nothing depends on who runs it.
///
/// **Secrets** are kept as the names of the variables that they come from ([`Secret::from_env`]), and looked up by whoever
/// runs it. Such a variable of the host is not kept under its own name either. All other variables of the host are kept
/// with their values: a host that has secrets in its environment uses [`Command::env_clear`].
///
/// # Examples
///
/// ```
/// # #[cfg(unix)] {
/// use bgt_process::{Command, StoredCommand};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stored = Command::new("echo").arg("hello").stored().await?;
/// let text = serde_json::to_string(&stored)?;
/// let again: StoredCommand = serde_json::from_str(&text)?;
/// assert_eq!(bgt_simple::run(again.into_command()).await?.stdout_text(), "hello\n");
/// # Ok(()) } main().unwrap();
/// # }
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredCommand {
    name: String,
    program: Text,
    args: Vec<Value>,
    env: Vec<(Text, Value)>,
    current_dir: Text,
    #[serde(default, skip_serializing_if = "Input::is_null")]
    stdin: Input,
    #[serde(default, skip_serializing_if = "Target::is_capture")]
    stdout: Target,
    #[serde(default, skip_serializing_if = "Target::is_capture")]
    stderr: Target,
    #[serde(default)]
    combined: bool,
    capture: (usize, usize),
    #[serde(default, skip_serializing_if = "is_utf8")]
    encoding: Encoding,
    stop: Stop,
    #[serde(default)]
    keep_background: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    search_background: bool,
    /// The exit codes that are a success; any if absent.
    ok_exits: Option<Vec<i32>>,
    #[serde(default)]
    console_window: bool,
    #[serde(default, skip_serializing_if = "Back::is_normal")]
    priority: Back,
    #[serde(default, skip_serializing_if = "Bounds::is_none")]
    quota: Bounds,
}

/// [`Quota`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Bounds {
    memory: Option<u64>,
    processors: Option<f64>,
    best_effort: bool,
}

/// A [`Priority`].
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Back {
    #[default]
    Normal,
    Low,
    Idle,
}

/// Text for people where it is Unicode; what the system has in other cases.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Unicode(String),
    Raw(OsString),
}

/// Text, or where to find a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Secret { secret_from_env: Text },
    Plain(Text),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Input {
    #[default]
    Null,
    Bytes(Vec<u8>),
    Text(String),
    File(Text),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    #[default]
    Capture,
    Null,
    File(Text),
    Append(Text),
}

impl Command {
    /// What is kept of this command, to be run later and by whomever. Makes the checks and look-ups of a run, all but
    /// opening files.
    ///
    /// # Errors
    ///
    /// What a run would be refused for; [`CommandError::LiteralSecret`], and [`CommandError::NotStorable`] for streams that
    /// only this process has.
    pub async fn stored(&self) -> Result<StoredCommand, CommandError> {
        let plan = self.plan().await?;
        let first = plan.args.len() - self.args.len();
        let mut args: Vec<_> = plan.args[..first].iter().map(|arg| Value::Plain(arg.into())).collect();
        for word in &self.args {
            args.push(value(word)?);
        }
        Ok(StoredCommand {
            name: bgt_core::Task::name(self).into_owned(),
            program: plan.program.as_os_str().into(),
            args,
            env: self.stored_environment()?,
            current_dir: plan.current_dir.as_os_str().into(),
            stdin: match &self.stdin {
                Stdin::Null => Input::Null,
                Stdin::Bytes(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => Input::Text(text.to_owned()),
                    Err(_) => Input::Bytes(bytes.to_vec()),
                },
                Stdin::File(path) => Input::File(absolute(path).as_os_str().into()),
                Stdin::Inherit => return Err(not_storable("stdin", "is inherited from the host")),
                Stdin::Live(_) => {
                    return Err(not_storable("stdin", "is read from something in this process"));
                }
            },
            stdout: target("stdout", &self.stdout)?,
            stderr: target("stderr", &self.stderr)?,
            combined: self.combined,
            capture: self.capture.parts(),
            encoding: self.encoding,
            stop: self.stop.clone(),
            keep_background: self.background == Background::Keep,
            search_background: self.background == Background::Search,
            ok_exits: match &self.accept {
                Accept::Any => None,
                Accept::Codes(codes) => Some(codes.clone()),
            },
            console_window: self.console_window,
            priority: match self.priority {
                Priority::Low => Back::Low,
                Priority::Idle => Back::Idle,
                _ => Back::Normal,
            },
            quota: self.quota.into(),
        })
    }

    /// All variables, but for those that hold secrets.
    fn stored_environment(&self) -> Result<Vec<(Text, Value)>, CommandError> {
        let mut hidden: HashSet<OsString> = HashSet::from([bgt_sys::variable_key(RESERVED.as_ref())]);
        let changed = self.env.changes().filter_map(|(_, change)| change);
        for word in self.args.iter().chain(changed) {
            if let Word::Secret(secret) = word {
                hidden.extend(secret.variable().map(bgt_sys::variable_key));
            }
        }
        let mut variables: Vec<(Text, Value)> = Vec::new();
        for (name, change) in self.env.changes() {
            hidden.insert(bgt_sys::variable_key(name));
            if let Some(word) = change {
                variables.push((name.into(), value(word)?));
            }
        }
        if !self.env.cleared {
            let inherited =
                std::env::vars_os().filter(|(name, _)| !hidden.contains(&bgt_sys::variable_key(name)));
            variables
                .extend(inherited.map(|(name, value)| ((&*name).into(), Value::Plain((&*value).into()))));
        }
        Ok(variables)
    }
}

impl StoredCommand {
    /// The name under which runs are listed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is stopped.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The command to run. Its secrets are looked up when it runs.
    pub fn into_command(self) -> Command {
        let mut env = Environment::default();
        env.clear();
        for (name, value) in self.env {
            env.change(name.into(), Some(value.into()));
        }
        Command {
            program: Program::Name(self.program.into()),
            interpreter: None,
            args: self.args.into_iter().map(Word::from).collect(),
            env,
            cwd: Some(path(self.current_dir)),
            stdin: match self.stdin {
                Input::Null => Stdin::Null,
                Input::Bytes(bytes) => Stdin::Bytes(bytes.into()),
                Input::Text(text) => Stdin::Bytes(Bytes::from(text)),
                Input::File(file) => Stdin::File(path(file)),
            },
            stdout: self.stdout.into(),
            stderr: self.stderr.into(),
            combined: self.combined,
            capture: Capture::new(self.capture.0, self.capture.1),
            encoding: self.encoding,
            stop: self.stop,
            background: match (self.keep_background, self.search_background) {
                (true, _) => Background::Keep,
                (false, true) => Background::Search,
                (false, false) => Background::Kill,
            },
            accept: self.ok_exits.map_or(Accept::Any, Accept::Codes),
            console_window: self.console_window,
            priority: match self.priority {
                Back::Normal => Priority::Normal,
                Back::Low => Priority::Low,
                Back::Idle => Priority::Idle,
            },
            quota: self.quota.into(),
            name: Some(self.name),
        }
    }
}

fn value(word: &Word) -> Result<Value, CommandError> {
    match word {
        Word::Plain(word) => Ok(Value::Plain((&**word).into())),
        Word::Secret(secret) => match secret.variable() {
            Some(name) => Ok(Value::Secret { secret_from_env: name.into() }),
            None => Err(CommandError::LiteralSecret),
        },
    }
}

fn target(stream: &'static str, to: &Redirect) -> Result<Target, CommandError> {
    Ok(match to {
        Redirect::Capture => Target::Capture,
        Redirect::Null => Target::Null,
        Redirect::File(path) => Target::File(absolute(path).as_os_str().into()),
        Redirect::Append(path) => Target::Append(absolute(path).as_os_str().into()),
        Redirect::Inherit => return Err(not_storable(stream, "is inherited from the host")),
    })
}

fn not_storable(stream: &'static str, why: &'static str) -> CommandError {
    CommandError::NotStorable { stream, why }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

fn is_utf8(encoding: &Encoding) -> bool {
    *encoding == Encoding::Utf8
}

fn path(text: Text) -> PathBuf {
    OsString::from(text).into()
}

impl Input {
    fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl Back {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_normal(&self) -> bool {
        matches!(self, Self::Normal)
    }
}

impl Bounds {
    fn is_none(&self) -> bool {
        self.memory.is_none() && self.processors.is_none()
    }
}

impl From<Quota> for Bounds {
    fn from(quota: Quota) -> Self {
        let (memory, processors) = (quota.max_memory(), quota.max_processors());
        Self { memory, processors, best_effort: quota.is_best_effort() }
    }
}

impl From<Bounds> for Quota {
    fn from(bounds: Bounds) -> Self {
        let mut quota = Quota::new();
        quota = bounds.memory.map_or(quota, |bytes| quota.memory(bytes));
        quota = bounds.processors.map_or(quota, |processors| quota.processors(processors));
        if bounds.best_effort { quota.best_effort() } else { quota }
    }
}

impl Target {
    fn is_capture(&self) -> bool {
        matches!(self, Self::Capture)
    }
}

impl From<&OsStr> for Text {
    fn from(text: &OsStr) -> Self {
        text.to_str().map_or_else(|| Self::Raw(text.to_owned()), |text| Self::Unicode(text.to_owned()))
    }
}

impl From<&OsString> for Text {
    fn from(text: &OsString) -> Self {
        (&**text).into()
    }
}

impl From<Text> for OsString {
    fn from(text: Text) -> Self {
        match text {
            Text::Unicode(text) => text.into(),
            Text::Raw(text) => text,
        }
    }
}

impl From<Value> for Word {
    fn from(value: Value) -> Self {
        match value {
            Value::Plain(text) => Self::Plain(text.into()),
            Value::Secret { secret_from_env } => Self::Secret(Secret::from_env(secret_from_env)),
        }
    }
}

impl From<Target> for Redirect {
    fn from(target: Target) -> Self {
        match target {
            Target::Capture => Self::Capture,
            Target::Null => Self::Null,
            Target::File(file) => Self::File(path(file)),
            Target::Append(file) => Self::Append(path(file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn here() -> Command {
        Command::new(std::env::current_exe().unwrap())
    }

    async fn text(command: &Command) -> String {
        serde_json::to_string(&command.stored().await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_literal_secret_is_refused_and_a_named_one_is_kept_by_its_name_alone() {
        let literal = here().arg_secret(Secret::literal("hunter2"));
        assert!(matches!(literal.stored().await, Err(CommandError::LiteralSecret)));
        // Set for every test program by Cargo, so that nobody has to change the environment.
        let value = std::env::var("CARGO_MANIFEST_DIR").unwrap();
        let named = here().env_secret("TOKEN", Secret::from_env("CARGO_MANIFEST_DIR")).current_dir("/");
        let text = text(&named).await;
        assert!(text.contains(r#"["TOKEN",{"secret_from_env":"CARGO_MANIFEST_DIR"}]"#), "{text}");
        assert!(!text.contains(&format!(r#"["CARGO_MANIFEST_DIR","{}"#, value.escape_default())), "{text}");
    }

    #[tokio::test]
    async fn streams_that_only_this_process_has_are_refused_by_name() {
        for (command, stream) in [
            (here().stdin(Stdin::Inherit), "stdin"),
            (here().stdout(Redirect::Inherit), "stdout"),
            (here().stderr(Redirect::Inherit), "stderr"),
        ] {
            let refused = command.stored().await.unwrap_err().to_string();
            assert!(refused.contains(stream), "{refused}");
        }
    }

    #[tokio::test]
    async fn what_is_read_again_is_the_same_command() {
        let command = here()
            .args(["a", "ä"])
            .env_clear()
            .env("X", "1")
            .stdin("text")
            .stderr(Redirect::append("log"))
            .combine_output()
            .capture(Capture::new(1, 2))
            .encoding(Encoding::Console)
            .priority(Priority::Idle)
            .quota(Quota::new().memory(1 << 30).processors(0.5).best_effort())
            .stop(Stop::at_once())
            .ok_exits([0, 3]);
        for background in [Background::Kill, Background::Search, Background::Keep] {
            let command = command.clone().background(background);
            let stored: StoredCommand = serde_json::from_str(&text(&command).await).unwrap();
            assert_eq!(stored.into_command().background, background);
        }
        for priority in [Priority::Normal, Priority::Low, Priority::Idle] {
            let command = command.clone().priority(priority);
            let stored: StoredCommand = serde_json::from_str(&text(&command).await).unwrap();
            assert_eq!(stored.into_command().priority, priority);
        }
        let command = command.background(Background::Keep);
        let stored: StoredCommand = serde_json::from_str(&text(&command).await).unwrap();
        let again = stored.into_command();
        let folder = std::env::current_dir().unwrap();
        let expected = command.current_dir(folder).stderr(Redirect::append(absolute(Path::new("log"))));
        assert_eq!(format!("{again:?}"), format!("{expected:?}"));
        assert_eq!((again.background, again.accept), (expected.background, expected.accept));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn words_that_are_not_unicode_survive() {
        use std::os::unix::ffi::OsStrExt;
        let word = OsStr::from_bytes(b"\xff\xfe");
        let stored: StoredCommand = serde_json::from_str(&text(&here().arg(word)).await).unwrap();
        assert!(matches!(&stored.into_command().args[..], [Word::Plain(kept)] if kept == word));
    }
}
