//! Other ways to start what a command says: by an interpreter that was started ahead of it.
//!
//! Owns: what is ordered, and the start itself. What comes after is a run as any other: captured, supervised, stopped and
//! judged by the same code. Never does: decide which way, or keep anything warm. `bgt-pool` does.

mod prestarted;
mod zygote;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use bgt_core::{Context, TaskError, async_trait};
use bgt_sys::{SpawnOptions, Spawned};

use crate::command::Program;
use crate::feed::Feed;
use crate::prepare::{Prepared, absolute};
use crate::probe::Family;
use crate::{Command, CommandError, Output};

pub use prestarted::Prestarted;
pub use zygote::{Zygote, ZygoteDoor};

/// Somebody who starts what a command says in a way of his own: for those who keep programs warm.
#[async_trait]
pub trait Starter: Send + Sync {
    /// Starts what is ordered: by [`Prestarted::take_on`], by [`ZygoteDoor::birth`], or as ever, by [`Order::cold`].
    ///
    /// # Errors
    ///
    /// That it was not started: it is the run's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing running.
    async fn start(&self, order: Order<'_>) -> Result<Started, TaskError>;

    /// Gets ready for such an order, which is not given yet: [`Command::rehearse`].
    ///
    /// # Errors
    ///
    /// That it is not ready.
    async fn get_ready(&self, order: Order<'_>) -> Result<(), TaskError>;
}

/// What is to be started: a command, with every part looked up and every file opened.
pub struct Order<'a> {
    command: &'a Command,
    prepared: &'a mut Prepared,
    options: SpawnOptions,
}

/// A program that was started.
#[derive(Debug)]
pub struct Started(Spawned);

impl Command {
    /// Runs the program as a run does, but started by this starter.
    ///
    /// # Errors
    ///
    /// As a run of the command, and what the starter answers.
    ///
    /// # Cancel safety
    ///
    /// As a run of the command: dropping the future kills the program's tree at once.
    pub async fn run_by(&self, cx: Context, starter: &dyn Starter) -> Result<Output, TaskError> {
        self.supervised(cx, Some(starter)).await
    }

    /// The variables of the program that everybody may see: the host's, changed as this command says, without any that the
    /// command has as a secret, and without the one that is ours.
    #[must_use]
    pub fn open_environment(&self) -> Vec<(OsString, OsString)> {
        self.env.open()
    }

    /// Looks everything up and lets the starter get ready for it. Nothing is run, and no file of a redirection is opened.
    ///
    /// # Errors
    ///
    /// What a run would be refused for, and what the starter answers.
    pub async fn rehearse(&self, starter: &dyn Starter) -> Result<(), TaskError> {
        let mut prepared = self.prepare(false).await.map_err(CommandError::into_task_error)?;
        let order = Order { command: self, prepared: &mut prepared, options: SpawnOptions::default() };
        starter.get_ready(order).await
    }

    pub(crate) async fn start_by(
        &self,
        starter: &dyn Starter,
        prepared: &mut Prepared,
    ) -> Result<(Spawned, Option<Feed>), TaskError> {
        let (mut options, source) = self.streams().await.map_err(CommandError::into_task_error)?;
        options.environment.clone_from(&prepared.environment);
        let program = prepared.program.clone();
        let Started(mut spawned) = starter.start(Order { command: self, prepared, options }).await?;
        // What was started ahead of this could not know it.
        if let Err(source) = spawned.child.set_priority(self.priority) {
            return Err(CommandError::Spawn { program, source }.into_task_error());
        }
        let mut feed = self.feed(source);
        if let Some(feed) = &mut feed {
            feed.connect(spawned.stdin.take());
        }
        Ok((spawned, feed))
    }
}

impl Order<'_> {
    /// The program, or the interpreter of the script, as an absolute path.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.prepared.program
    }

    /// The script as an absolute path and the user's own arguments, where this is nothing but a script for Python.
    #[must_use]
    pub fn python_script(&self) -> Option<(&Path, Vec<&OsStr>)> {
        let Program::Script { path } = &self.command.program else { return None };
        if Family::of_program(self.program()) != Some(Family::Python) {
            return None;
        }
        let mut args = self.prepared.std.get_args();
        // Options that a #! line has for the interpreter come first.
        let script = args.next().map(Path::new).filter(|script| **script == *absolute(path))?;
        Some((script, args.collect()))
    }

    /// All variables of the program, but the one that is ours.
    #[must_use]
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let ours = |(name, _): &(OsString, OsString)| name == crate::environment::RESERVED;
        match &self.prepared.environment {
            Some(variables) => variables.iter().filter(|variable| !ours(variable)).cloned().collect(),
            None => std::env::vars_os().filter(|variable| !ours(variable)).collect(),
        }
    }

    /// Where the program is to run, as an absolute path.
    #[must_use]
    pub fn current_dir(&self) -> PathBuf {
        match self.prepared.std.get_current_dir() {
            Some(folder) => folder.to_owned(),
            None => std::env::current_dir().unwrap_or_default(),
        }
    }

    /// Starts it as a run of the command does.
    ///
    /// # Errors
    ///
    /// As a run of the command.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing running.
    pub async fn cold(self) -> Result<Started, TaskError> {
        let Self { command, prepared, options } = self;
        let spawned = command.spawn(prepared, &options).await;
        spawned.map(Started).map_err(CommandError::into_task_error)
    }
}

impl fmt::Debug for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").field("command", &self.command).finish_non_exhaustive()
    }
}

/// An order as what is warm reads it: so many bytes follow, flags, how long the `BGT_TREE` is, the `BGT_TREE`, the words.
fn frame(flags: u8, tree: &OsStr, words: &[u8]) -> Vec<u8> {
    let tree = tree.as_encoded_bytes();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    [&number(5 + tree.len() + words.len())[..], &[flags], &number(tree.len()), tree, words].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_says_how_long_it_is_and_where_the_words_begin() {
        assert_eq!(frame(8, "t:1".as_ref(), b"words"), *b"\x0d\0\0\0\x08\x03\0\0\0t:1words");
    }
}
