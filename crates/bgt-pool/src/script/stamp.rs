//! Whether files are still what they were when they were imported.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use bgt_process::{FileId, file_id, path_from_bytes};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// Nanoseconds since 1970.
    changed: i128,
    bytes: u64,
    id: Option<FileId>,
}

impl State {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { changed: since_1970(file.modified().ok()?), bytes: file.len(), id: file_id(path).ok() })
    }
}

fn since_1970(time: SystemTime) -> i128 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
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
        let fields: Vec<&[u8]> = said.split(|byte| *byte == 0).collect();
        for field in fields.chunks_exact(4) {
            let number = |at: usize| std::str::from_utf8(field[at]).ok()?.parse::<i128>().ok();
            let Some(path) = path_from_bytes(field[0]) else {
                self.0.push((PathBuf::new(), None));
                continue;
            };
            let as_said = |state: &State| {
                Some(state.changed) == number(1)
                    && Some(i128::from(state.bytes)) == number(2)
                    && field[3] == b"1"
            };
            let state = State::of(&path).filter(as_said);
            self.0.push((path, state));
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
        // Another file in its place that is as old and as long.
        let before = Stamps::of(&file);
        let age = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(folder.path("b.py"), "33").unwrap();
        fs::File::options().write(true).open(folder.path("b.py")).unwrap().set_modified(age).unwrap();
        fs::rename(folder.path("b.py"), &file).unwrap();
        assert!(!before.hold());
        // One from before 1970 is a file as any other.
        let old = UNIX_EPOCH - std::time::Duration::from_secs(1_000_000);
        if fs::File::options().write(true).open(&file).unwrap().set_modified(old).is_ok() {
            assert!(Stamps::of(&file).hold());
        }
        fs::remove_file(&file).unwrap();
        assert!(!stamps(1).hold() && !Stamps::of(&file).hold());
    }
}
