//! What the report of llvm-cov says of each crate, and what was to be reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

/// What every published crate is to have, in percent of its lines.
const GOAL: f64 = 80.0;
/// Those on which all others stand.
const FOUNDATIONS: [&str; 3] = ["bgt-core", "bgt-simple", "bgt-store"];
const GOAL_OF_FOUNDATIONS: f64 = 90.0;
/// How many of a crate's files are named that miss the most lines.
const NAMED: usize = 3;

/// The lines of each crate.
pub(super) struct Summary {
    crates: BTreeMap<String, Lines>,
}

#[derive(Default)]
struct Lines {
    all: u64,
    covered: u64,
    /// The lines that each file misses.
    missed: Vec<(u64, String)>,
}

impl Summary {
    /// Sorts the files of a report by crate; what is in no `src` of one of them is left out.
    pub(super) fn read(root: &Path, crates: &[String], report: &Value) -> Summary {
        let mut lines: BTreeMap<_, Lines> =
            crates.iter().map(|name| (name.clone(), Lines::default())).collect();
        for file in report["data"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|data| data["files"].as_array())
            .flatten()
        {
            let path = Path::new(file["filename"].as_str().unwrap_or_default());
            let path = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            let Some((name, within)) = path.strip_prefix("crates/").and_then(|path| path.split_once("/src/"))
            else {
                continue;
            };
            let Some(of) = lines.get_mut(name) else { continue };
            let count = |what: &str| file["summary"]["lines"][what].as_u64().unwrap_or_default();
            of.all += count("count");
            of.covered += count("covered");
            of.missed.push((count("count").saturating_sub(count("covered")), within.to_owned()));
        }
        Summary { crates: lines }
    }

    /// The crates that are below their goal. One without lines is: nothing was measured.
    pub(super) fn missed(&self) -> Vec<String> {
        let below = self.crates.iter().filter(|(name, lines)| lines.percent() <= goal(name));
        below
            .map(|(name, lines)| format!("{name} has {:.1} % of {} %", lines.percent(), goal(name)))
            .collect()
    }
}

impl Lines {
    fn percent(&self) -> f64 {
        if self.all == 0 { 0.0 } else { self.covered as f64 * 100.0 / self.all as f64 }
    }
}

fn goal(name: &str) -> f64 {
    if FOUNDATIONS.contains(&name) { GOAL_OF_FOUNDATIONS } else { GOAL }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<18}{:>8}{:>10}{:>8}  most missed", "crate", "lines", "covered", "goal")?;
        for (name, lines) in &self.crates {
            let mut files: Vec<_> = lines.missed.iter().filter(|(missed, _)| *missed > 0).collect();
            files.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
            let files: Vec<_> =
                files.iter().take(NAMED).map(|(missed, file)| format!("{file} {missed}")).collect();
            let (percent, goal) = (lines.percent(), goal(name));
            writeln!(f, "{name:<18}{:>8}{percent:>8.1} %{goal:>6} %  {}", lines.all, files.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(files: &[(&str, u64, u64)]) -> Summary {
        let files: Vec<_> = files
            .iter()
            .map(|(name, count, covered)| {
                serde_json::json!({
                    "filename": name, "summary": {"lines": {"count": count, "covered": covered}},
                })
            })
            .collect();
        let report = serde_json::json!({"data": [{"files": files}]});
        Summary::read(Path::new("/r"), &["bgt-core".to_owned(), "bgt-log".to_owned()], &report)
    }

    #[test]
    fn files_count_for_their_crate_and_others_for_none() {
        let summary = summary(&[
            ("/r/crates/bgt-core/src/a.rs", 100, 95),
            ("/r/crates/bgt-core/src/b/c.rs", 100, 90),
            ("/r/crates/bgt-core/tests/t.rs", 100, 0),
            ("/r/crates/bgt-log/src/lib.rs", 10, 9),
            ("/home/registry/x/src/lib.rs", 100, 0),
        ]);
        assert_eq!(summary.missed(), [""; 0]);
        let text = summary.to_string();
        assert!(text.contains("200    92.5 %    90 %  b/c.rs 10, a.rs 5"), "{text}");
        assert!(text.contains("10    90.0 %    80 %  lib.rs 1"), "{text}");
    }

    #[test]
    fn a_goal_is_missed_by_reaching_it_only_and_by_nothing_measured() {
        let summary = summary(&[("/r/crates/bgt-core/src/a.rs", 100, 90)]);
        assert_eq!(summary.missed(), ["bgt-core has 90.0 % of 90 %", "bgt-log has 0.0 % of 80 %"]);
    }
}
