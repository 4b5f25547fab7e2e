//! A folder for one test.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A new temporary folder. Dropping it removes the folder with all that is in it.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// Makes the folder.
    ///
    /// # Panics
    /// When the system's temporary folder cannot be written.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "a default that touches the disk would surprise")]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("bgt-").tempdir().expect("a temporary folder");
        Self { folder }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// A path inside the folder; nothing is created.
    #[must_use]
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text, which is what the arguments of `bad-child` are made of.
    ///
    /// # Panics
    /// When the system's temporary folder has a name that is not Unicode.
    #[must_use]
    pub fn text(&self, name: impl AsRef<Path>) -> String {
        self.path(name).into_os_string().into_string().expect("a temporary folder with a Unicode name")
    }

    /// What a file in the folder holds.
    ///
    /// # Panics
    /// When it is not there, or is no text.
    #[must_use]
    pub fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
