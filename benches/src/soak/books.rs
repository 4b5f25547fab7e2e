//! What was done, what should have been, and what is wrong: for all rounds, until the end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};

use bgt_testkit::{Ledger, Scratch};

use crate::Result;

/// What the ledger must hold: a line, and how often at least and at most.
pub(super) type Expected = (String, u32, u32);

/// One ledger for all rounds, so that what is done again long after its round is found at the end. What is expected is in a
/// file as well: memory has to stay flat.
pub(super) struct Books {
    folder: Scratch,
    ledger: Ledger,
    /// So many bytes of the ledger were read by the rounds.
    read: u64,
    pub(super) faults: Faults,
}

/// What went wrong, other than in the ledger.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) survivors: u64,
    pub(super) stuck: u64,
    pub(super) otherwise: u64,
    /// The keys of steps that failed: what they left in the ledger says nothing more.
    pub(super) failed: Vec<String>,
    first: Option<String>,
}

impl Faults {
    /// Tells it at once, and keeps the first.
    pub(super) fn note(&mut self, what: String) {
        eprintln!("soak: {what}");
        self.first.get_or_insert(what);
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// What the ledger comes to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Judgement {
    pub(super) lines: u64,
    /// Lines that are there again, as they may be after a kill.
    pub(super) repeated: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) uncalled_for: u64,
    /// In words, one for each line that is wrong.
    pub(super) wrong: Vec<String>,
}

impl Books {
    pub(super) fn new() -> Self {
        let folder = Scratch::new();
        let ledger = Ledger::at(folder.path("ledger"));
        Self { folder, ledger, read: 0, faults: Faults::default() }
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// The file for the process ids of a round. It stays: what is done again after its round writes there first.
    pub(super) fn pids(&self, round: u64) -> String {
        self.folder.text(format!("pids.{round}"))
    }

    /// Judges what this round has written. Lines of earlier ones are left to the [end](Self::close).
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub(super) fn judge(&mut self, round: u64, expected: &[Expected]) -> Result<Judgement> {
        let mut file = File::options().create(true).append(true).open(self.folder.path("expected"))?;
        let text = expected.iter().map(|(line, least, most)| format!("{least} {most} {line}\n"));
        file.write_all(text.collect::<String>().as_bytes())?;
        let (lines, end) = lines_from(&self.ledger, self.read)?;
        self.read = end;
        let own = format!("r{round}.");
        let lines = lines.into_iter().filter(|line| line.starts_with(&own));
        Ok(judge(lines, expected.iter().cloned(), &self.faults.failed))
    }

    /// Judges all rounds, once nobody is left who could write.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub(super) fn close(&self) -> Result<Judgement> {
        let (lines, _) = lines_from(&self.ledger, 0)?;
        let (expected, _) = lines_from(&Ledger::at(self.folder.path("expected")), 0)?;
        let expected: Option<Vec<_>> = expected.iter().map(|line| read_expected(line)).collect();
        let expected = expected.ok_or("what is expected cannot be read")?;
        Ok(judge(lines, expected, &self.faults.failed))
    }
}

fn read_expected(line: &str) -> Option<Expected> {
    let mut words = line.splitn(3, ' ');
    let (least, most) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((words.next()?.to_owned(), least, most))
}

/// The complete lines from this byte on, and where they end.
fn lines_from(ledger: &Ledger, start: u64) -> Result<(Vec<String>, u64)> {
    let mut file = BufReader::new(File::open(ledger.path())?);
    let (mut lines, mut end) = (Vec::new(), file.seek(SeekFrom::Start(start))?);
    let mut line = String::new();
    while file.read_line(&mut line)? > 0 && line.ends_with('\n') {
        end += line.len() as u64;
        lines.push(line.trim_end().to_owned());
        line.clear();
    }
    Ok((lines, end))
}

/// Whether there is what must be, and nothing else. Of steps that failed nothing is known.
fn judge(
    lines: impl IntoIterator<Item = String>,
    expected: impl IntoIterator<Item = Expected>,
    failed: &[String],
) -> Judgement {
    let mut found = BTreeMap::<String, u32>::new();
    lines.into_iter().for_each(|line| *found.entry(line).or_default() += 1);
    let mut judgement =
        Judgement { lines: found.values().map(|n| u64::from(*n)).sum(), ..Judgement::default() };
    for (line, least, most) in expected {
        let times = found.remove(&line).unwrap_or(0);
        judgement.lost += u64::from(least.saturating_sub(times));
        judgement.doubled += u64::from(times.saturating_sub(most));
        judgement.repeated += u64::from(times.min(most).saturating_sub(least));
        if !(least..=most).contains(&times) {
            let wrong = format!("`{line}` is {times} times in the ledger, not {least} to {most} times");
            judgement.wrong.push(wrong);
        }
    }
    let of = |line: &str, key: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '.']));
    for (line, times) in found {
        if !failed.iter().any(|key| of(&line, key)) {
            judgement.uncalled_for += u64::from(times);
            judgement.wrong.push(format!("`{line}` is {times} times in the ledger, and nobody asked for it"));
        }
    }
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(line: &str) -> Expected {
        (line.to_owned(), 1, 1)
    }

    #[test]
    fn the_ledger_is_judged_by_what_is_lost_doubled_or_uncalled_for() {
        let judge = |lines: &[&str], failed: &[&str]| {
            let expected = [once("r1.1 done"), ("r1.2 done".to_owned(), 1, 3)];
            let lines = lines.iter().map(|line| (*line).to_owned());
            let failed: Vec<_> = failed.iter().map(|key| (*key).to_owned()).collect();
            let Judgement { repeated, lost, doubled, uncalled_for, wrong, .. } =
                judge(lines, expected, &failed);
            (repeated, lost, doubled, uncalled_for, wrong.len())
        };
        assert_eq!(judge(&["r1.1 done", "r1.2 done", "r1.2 done"], &[]), (1, 0, 0, 0, 0));
        assert_eq!(judge(&["r1.2 done"], &[]), (0, 1, 0, 0, 1));
        assert_eq!(judge(&["r1.1 done", "r1.1 done", "r1.2 done"], &[]), (0, 0, 1, 0, 1));
        let four = ["r1.1 done", "r1.2 done", "r1.2 done", "r1.2 done", "r1.2 done"];
        assert_eq!(judge(&four, &[]), (2, 0, 1, 0, 1));
        let more = ["r1.1 done", "r1.2 done", "r1.3 done", "r1.30 done", "r1.3.1 done"];
        assert_eq!(judge(&more, &[]), (0, 0, 0, 3, 3));
        assert_eq!(judge(&more, &["r1.3"]), (0, 0, 0, 1, 1));
    }

    #[test]
    fn what_comes_after_its_round_is_found_at_the_end() {
        let mut books = Books::new();
        books.ledger.append("r1.0 done");
        assert_eq!(books.judge(1, &[once("r1.0 done")]).unwrap().lines, 1);
        books.ledger.append("r2.0 done");
        books.ledger.append("r1.0 done");
        assert_eq!(
            books.judge(2, &[once("r2.0 done")]).unwrap(),
            Judgement { lines: 1, ..Judgement::default() }
        );
        let end = books.close().unwrap();
        assert_eq!((end.lines, end.lost, end.doubled, end.uncalled_for), (3, 0, 1, 0), "{end:?}");
    }
}
