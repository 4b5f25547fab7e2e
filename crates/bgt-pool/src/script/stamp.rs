//! Whether files are still what they were when they were imported.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Nanoseconds since 1970.
    changed: u128,
    bytes: u64,
}

impl State {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        Some(Self { changed, bytes: file.len() })
    }
}

/// Files, and their states at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamps(Vec<(PathBuf, Option<State>)>);

impl Stamps {
    /// Of the interpreter, now.
    pub(super) fn of(program: &Path) -> Self {
        Self(vec![(program.to_owned(), State::of(program))])
    }

    /// Adds what an interpreter says of the files that it has imported: of each four fields, its path, when it was changed, its
    /// size, and whether that was long enough ago for a further change to show.
    pub(super) fn add(&mut self, said: &[u8]) {
        let text = String::from_utf8_lossy(said);
        let fields: Vec<&str> = text.split('\0').collect();
        for field in fields.chunks_exact(4) {
            let state = match (field[1].parse(), field[2].parse(), field[3]) {
                (Ok(changed), Ok(bytes), "1") => Some(State { changed, bytes }),
                _ => None,
            };
            self.0.push((field[0].into(), state));
        }
    }

    /// Whether all are as they were.
    pub(super) fn hold(&self) -> bool {
        self.0.iter().all(|(path, state)| state.is_some() && State::of(path) == *state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_or_went_or_may_have_changed_is_not_what_it_was() {
        let folder = bgt_testkit::Scratch::new();
        let file = folder.path("a.py");
        fs::write(&file, "1").unwrap();
        let state = State::of(&file).unwrap();
        let said = |settled| format!("{}\0{}\0{}\0{settled}", file.display(), state.changed, state.bytes);
        let stamps = |settled| {
            let mut stamps = Stamps::default();
            stamps.add(said(settled).as_bytes());
            stamps
        };
        assert!(stamps(1).hold() && !stamps(0).hold() && Stamps::of(&file).hold());
        fs::write(&file, "22").unwrap();
        assert!(!stamps(1).hold());
        fs::remove_file(&file).unwrap();
        assert!(!stamps(1).hold() && !Stamps::of(&file).hold());
    }
}
