//! The folder of an attempt.
//!
//! Owns: the files in it, and the order in which they reach the disk. Calls block: they are for threads that may.
//! Never does: start or end anything.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bgt_core::RunId;
use bgt_log::LogFiles;
use bgt_sys::FileLock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{By, End, Known, Started};
use crate::policy::{Begun, Evidence};

#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn of(base: &Path, run: RunId, attempt: u32) -> Self {
        Self(base.join(run.to_string()).join(attempt.to_string()))
    }

    #[cfg(feature = "process")]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    pub(crate) fn log_files(&self, quota: u64) -> LogFiles {
        LogFiles::at(self.log()).quota_bytes(quota)
    }

    /// Makes the folder, the one of the run above it, and if need be that of all runs, for us alone.
    pub(crate) fn create(&self) -> io::Result<()> {
        for folder in self.0.ancestors().take(3).collect::<Vec<_>>().into_iter().rev() {
            match bgt_sys::create_private_folder(folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets the whole run. First its name is taken away, in one step: whoever is about to write something here finds
    /// that it is gone, instead of a folder without the files that have decided.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.0.parent().map_or(Ok(()), remove)
    }

    /// The lock, if nobody has it.
    pub(crate) fn lock(&self) -> io::Result<Option<FileLock>> {
        FileLock::try_new(&self.0.join("lock"))
    }

    /// The decision, made by whoever comes first: `false` if it was made before. Who has decided to start the program
    /// [signs](Self::sign) before it does.
    pub(crate) fn decide(&self) -> io::Result<bool> {
        match bgt_sys::create_private(&self.0.join("started")) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            made => made.map(|()| true),
        }
    }

    /// Writes who has decided. On disk when this has answered; until then, and if it never is, the program was not started.
    /// May be repeated, by whoever holds the lock.
    pub(crate) fn sign(&self, by: By) -> io::Result<()> {
        let started = Started { boot: bgt_sys::boot_id(), by };
        let mut file = OpenOptions::new().write(true).truncate(true).open(self.0.join("started"))?;
        file.write_all(&serde_json::to_vec(&started)?)?;
        file.sync_all()?;
        bgt_sys::sync_folder(&self.0)
    }

    /// Decides that it is not started. What the file says then is for people: without a word it means the same.
    pub(crate) fn refuse(&self) -> io::Result<bool> {
        let is_first = self.decide()?;
        if is_first {
            if let Err(error) = self.sign(By::Refused) {
                tracing::debug!(%error, "that an attempt is refused is not written down");
            }
        }
        Ok(is_first)
    }

    /// Who does it; `Err(InvalidData)` where that was never wholly written.
    pub(crate) fn started(&self) -> io::Result<Option<Started>> {
        self.read("started")
    }

    /// How it ended, for good.
    #[cfg(feature = "process")]
    pub(crate) fn finish(&self, end: &End) -> io::Result<()> {
        self.replace("exit", end, true)?;
        // What it was to do is in the records, and nobody starts it any more.
        let _ = fs::remove_file(self.0.join("order"));
        Ok(())
    }

    pub(crate) fn end(&self) -> io::Result<Option<End>> {
        self.read("exit")
    }

    #[cfg(feature = "process")]
    pub(crate) fn write_order(&self, order: &super::Order) -> io::Result<()> {
        self.replace("order", order, false)
    }

    #[cfg(feature = "process")]
    pub(crate) fn order(&self) -> io::Result<super::Order> {
        self.read("order")?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    #[cfg(feature = "process")]
    pub(crate) fn note_program(&self, program: Known) -> io::Result<()> {
        self.replace("program", &program, false)
    }

    /// Which process the program is, or was.
    pub(crate) fn program(&self) -> Option<Known> {
        self.read("program").ok().flatten()
    }

    /// Leaves word for whoever does it that it was asked to stop, so often.
    pub(crate) fn ask(&self, requests: u32) -> io::Result<()> {
        self.replace("asked", &requests, false)
    }

    #[cfg(feature = "process")]
    pub(crate) fn asked(&self) -> u32 {
        self.read("asked").ok().flatten().unwrap_or(0)
    }

    /// What is known of the attempt.
    pub(crate) fn evidence(&self) -> io::Result<Evidence> {
        let begun = match self.started() {
            Ok(None) => Begun::No,
            Ok(Some(Started { by: By::Refused, .. })) => Begun::Refused,
            Ok(Some(Started { boot: Some(then), .. })) if Some(&then) != bgt_sys::boot_id().as_ref() => {
                Begun::BeforeBoot
            }
            Ok(Some(_)) => Begun::Yes,
            Err(error) if error.kind() == ErrorKind::InvalidData => Begun::Torn,
            Err(error) => return Err(error),
        };
        // Its holder has done everything that it ever will when it is free, so the end is looked for after it.
        let is_locked = self.0.is_dir() && self.lock()?.is_none();
        let has_ended = match self.end() {
            Ok(end) => end.is_some(),
            // It was renamed when it was whole: the disk is to blame, and nobody can know any more.
            Err(error) if error.kind() == ErrorKind::InvalidData => false,
            Err(error) => return Err(error),
        };
        // Between the first look and the lock it may have begun and be over.
        let begun = if begun == Begun::No && self.0.join("started").exists() && !has_ended {
            return self.evidence();
        } else {
            begun
        };
        Ok(Evidence { has_ended, begun, is_locked })
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.0.join(name)) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all, for whoever reads it meanwhile; with `synced` also after a loss of power.
    fn replace(&self, name: &str, value: &impl Serialize, synced: bool) -> io::Result<()> {
        let beside = self.0.join(format!("{name}.new"));
        match bgt_sys::create_private(&beside) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).truncate(true).open(&beside)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        if synced {
            file.sync_all()?;
        }
        drop(file);
        fs::rename(&beside, self.0.join(name))?;
        if synced { bgt_sys::sync_folder(&self.0) } else { Ok(()) }
    }
}

/// What the folder of a run is called while it is removed.
pub(crate) const GONE: &str = "gone";

/// Removes the folder of a run.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    let gone = folder.with_extension(GONE);
    match fs::rename(folder, &gone) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        renamed => renamed?,
    }
    fs::remove_dir_all(gone)
}

#[cfg(test)]
mod tests {
    use bgt_testkit::Scratch;

    use super::*;

    fn folder(scratch: &Scratch) -> Folder {
        let folder = Folder::of(scratch.dir(), RunId::new(), 1);
        folder.create().unwrap();
        folder.create().unwrap();
        folder
    }

    #[test]
    fn of_many_who_decide_at_once_one_does() {
        let scratch = Scratch::new();
        let folder = folder(&scratch);
        let decided: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| folder.refuse().unwrap())).collect();
            threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(decided, 1);
        assert_eq!(folder.evidence().unwrap().begun, Begun::Refused);
    }

    #[test]
    fn a_torn_decision_one_before_the_boot_and_a_lock_are_told_apart() {
        let scratch = Scratch::new();
        let at = folder(&scratch);
        assert_eq!(at.evidence().unwrap(), Evidence { has_ended: false, begun: Begun::No, is_locked: false });
        let lock = at.lock().unwrap().unwrap();
        assert!(at.evidence().unwrap().is_locked);
        drop(lock);
        fs::write(at.path().join("started"), r#"{"boot":"#).unwrap();
        assert_eq!(at.evidence().unwrap().begun, Begun::Torn);
        let by = By::Shim(Known::of(std::process::id()));
        let other = Started { boot: Some("another".into()), by: by.clone() };
        fs::write(at.path().join("started"), serde_json::to_vec(&other).unwrap()).unwrap();
        assert_eq!(at.evidence().unwrap().begun, Begun::BeforeBoot);
        let ours = folder(&scratch);
        assert!(ours.decide().unwrap());
        assert_eq!(ours.evidence().unwrap().begun, Begun::Torn);
        ours.sign(by.clone()).unwrap();
        assert!(!ours.refuse().unwrap());
        assert_eq!(ours.evidence().unwrap().begun, Begun::Yes);
        assert_eq!(ours.started().unwrap().unwrap().by, by);
    }

    #[test]
    fn what_was_forgotten_comes_back_for_nobody() {
        let scratch = Scratch::new();
        let folder = folder(&scratch);
        let other = folder.clone();
        folder.remove().unwrap();
        folder.remove().unwrap();
        for gone in [other.decide().map(drop), other.ask(1), other.lock().map(drop)] {
            assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 0);
    }

    #[test]
    fn there_is_no_folder_and_nothing_has_begun() {
        let scratch = Scratch::new();
        let folder = Folder::of(scratch.dir(), RunId::new(), 1);
        let nothing = Evidence { has_ended: false, begun: Begun::No, is_locked: false };
        assert_eq!(folder.evidence().unwrap(), nothing);
        assert!(!folder.path().exists());
    }
}
