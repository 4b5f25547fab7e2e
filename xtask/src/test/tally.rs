//! Counting what test programs report in their closing lines.

use std::fmt;

/// The sum of all closing lines seen.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Test programs (and groups of documentation tests) that reported.
    pub(crate) runners: usize,
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Tally {
    /// Counts a line if it is a closing line: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.runners += 1;
        for part in counts.split(';') {
            let (number, what) = part.trim().split_once(' ').unwrap_or_default();
            let number = number.parse().unwrap_or(0);
            match what.trim() {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 { write!(f, ", {} ignored", self.ignored) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_and_other_lines_are_not() {
        let mut tally = Tally::default();
        for line in [
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s",
            "test result: \u{1b}[31mFAILED\u{1b}[0m. 10 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out",
            "test passed ... ok",
            "5 passed; 5 failed",
        ] {
            tally.read(line);
        }
        assert_eq!(tally, Tally { runners: 2, passed: 12, failed: 3, ignored: 1 });
        assert_eq!(tally.to_string(), "12 passed, 3 failed, 1 ignored");
    }
}
