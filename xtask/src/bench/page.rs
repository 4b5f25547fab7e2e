//! `docs/benchmarks.md` and its pictures, made from the one saved run that is kept in the repository.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::limits;
use super::numbers::{plain, ratio};
use super::plot::{self, Outcome};
use super::record::{Ratio, Record};
use super::saved::{self, Saved};
use crate::Result;

/// The run that is shown; unlike all others it is part of the repository.
const RUN: &str = "published";

const PAGE: &str = "docs/benchmarks.md";

/// Where the pictures are.
pub(crate) const FOLDER: &str = "docs/benchmarks";

/// The documents, by path from the root; none where no run was published.
///
/// # Errors
/// Where the run cannot be read.
pub(crate) fn documents(root: &Path) -> Result<Vec<(String, String)>> {
    if !saved::exists(root, RUN) {
        return Ok(Vec::new());
    }
    Ok(of(&saved::load(root, RUN)?, &suites(root)))
}

/// The names of all suites there are.
fn suites(root: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(root.join("benches/src/bin")).into_iter().flatten().flatten();
    let name = |file: fs::DirEntry| file.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned);
    files.filter_map(name).collect()
}

fn of(run: &Saved, known: &BTreeSet<String>) -> Vec<(String, String)> {
    let measured: BTreeSet<_> = run.records.iter().map(|record| record.suite.clone()).collect();
    let mut page = head(run);
    page += &losses(&run.records);
    let missing: Vec<_> = known.difference(&measured).map(|suite| format!("`{suite}`")).collect();
    if !missing.is_empty() {
        let _ = write!(page, "\nThis run has no figures of {}.\n", missing.join(", "));
    }
    let mut documents = Vec::new();
    for suite in &measured {
        let records: Vec<_> = run.records.iter().filter(|record| record.suite == *suite).collect();
        let _ = write!(page, "\n## The suite `{suite}`\n\n");
        if let Some(svg) = plot::of(suite, &records) {
            let _ = write!(page, "![Ratios of {suite} with their intervals](benchmarks/{suite}.svg)\n\n");
            documents.push((format!("{FOLDER}/{suite}.svg"), svg));
        }
        page += &tables(&records);
    }
    documents.push((PAGE.to_owned(), page));
    documents
}

fn head(run: &Saved) -> String {
    let said = |field: &str| match &run.about[field] {
        Value::String(text) => text.clone(),
        Value::Null => "unknown".to_owned(),
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    let commands: Vec<_> =
        run.about["commands"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let quick = if commands.iter().any(|command| command.ends_with(" --quick")) {
        "It was a short run (`--quick`): fewer and shorter rounds, so the intervals are wider than they need be.\n\n"
    } else {
        ""
    };
    format!(
        "# Benchmarks: one run, as it was measured\n\n\
         <!-- Made by `cargo xtask doc` from benches/saved/{RUN}.jsonl; a change here is lost. -->\n\n\
         A ratio is ours against theirs, turned so that above 1 means that ours is better. Beside it stands its 95 % interval over\n\
         the rounds, in which both sides take turns. A goal counts as met where the interval reaches it; where the ratio itself does\n\
         not, the table says `only just`. What each case does, and what the rivals are spared, is in\n\
         [benches/README.md](../benches/README.md).\n\n\
         | | |\n| --- | --- |\n| date | {} |\n| machine | {}, {} cores |\n| system | {} |\n| compiler | {} |\n| commit | `{}` |\n| programs | {}; the crates are those of the lock files in `benches` |\n\n\
         ```sh\n{}\n```\n\n{quick}",
        said("date"),
        said("machine"),
        said("cores"),
        said("kernel"),
        said("rustc"),
        said("commit"),
        said("programs"),
        commands.join("\n"),
    )
}

/// What speaks against us, before what speaks for us.
fn losses(records: &[Record]) -> String {
    let relative: Vec<_> = records.iter().filter_map(|record| Some((record, record.ratio?))).collect();
    let outcome = |wanted| move |(_, r): &&(&Record, Ratio)| Outcome::of(*r) == wanted;
    let lines = |wanted: &dyn Fn(&&(&Record, Ratio)) -> bool| -> String {
        let chosen = relative.iter().filter(wanted);
        chosen.map(|(record, r)| format!("- {}: {}\n", named(record), interval(*r))).collect()
    };
    let mut text = "## Where we lose\n\n".to_owned();
    let lost = lines(&outcome(Outcome::Worse));
    text += if lost.is_empty() { "Nowhere in this run is an interval wholly below 1.\n" } else { &lost };

    let mut told = Vec::new();
    let missed: String = records
        .iter()
        .filter(|record| record.met == Some(false))
        .map(|record| missed(record) + &because(record, &mut told) + "\n")
        .collect();
    let judged = records.iter().filter(|record| record.met.is_some()).count();
    let met = records.iter().filter(|record| record.met == Some(true)).count();
    let _ = write!(text, "\n## Goals that are missed\n\n{met} of {judged} goals are met.");
    text += &if missed.is_empty() { "\n".to_owned() } else { format!(" These are not:\n\n{missed}") };

    let even = lines(&outcome(Outcome::Even));
    if !even.is_empty() {
        let _ = write!(text, "\n## Where no difference was seen\n\nThe interval holds 1.\n\n{even}");
    }
    text
}

fn missed(record: &Record) -> String {
    match (record.ratio, record.goal) {
        (Some(r), Some(goal)) => format!("- {}: {}, goal {}.", named(record), interval(r), plain(goal)),
        _ => format!("- {}: {} {}.", named(record), plain(record.ours), cell(&record.unit)),
    }
}

/// What limits it, where that is known; in full once.
fn because(record: &Record, told: &mut Vec<&'static str>) -> String {
    match limits::of(record) {
        None => String::new(),
        Some(why) if told.contains(&why) => " What limits it: as above.".to_owned(),
        Some(why) => {
            told.push(why);
            format!(" What limits it: {why}.")
        }
    }
}

fn named(record: &Record) -> String {
    let against = record.against.as_ref().map(|rival| format!(" against `{rival}`")).unwrap_or_default();
    format!("`{}` `{}`{against}", record.suite, record.name)
}

fn interval(r: Ratio) -> String {
    format!("{} [{}–{}]", ratio(r.value), ratio(r.low), ratio(r.high))
}

/// The ratios of a suite, then its figures that have no rival.
fn tables(records: &[&Record]) -> String {
    let durable = records.iter().any(|record| durability(record).is_some());
    let (relative, absolute): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.ratio.is_some());
    let mut text = String::new();
    if !relative.is_empty() {
        text += "| name | against | ours | theirs | unit | ratio | goal | met |";
        text += if durable { " what survives a power cut |\n" } else { "\n" };
        let _ = writeln!(text, "|{}", " --- |".repeat(8 + usize::from(durable)));
        for record in relative {
            text += &row(record);
            if durable {
                let _ = write!(text, " {} |", durability(record).unwrap_or("–"));
            }
            text.push('\n');
        }
    }
    if !absolute.is_empty() {
        text += if text.is_empty() { "" } else { "\n" };
        text += "| figure | | unit | met |\n| --- | --- | --- | --- |\n";
        for record in absolute {
            let (ours, unit, met) = (plain(record.ours), cell(&record.unit), met(record));
            let _ = writeln!(text, "| `{}` | {ours} | {unit} | {met} |", record.name);
        }
    }
    text
}

fn row(record: &Record) -> String {
    let none = || "–".to_owned();
    format!(
        "| `{}` | `{}` | {} | {} | {} | {} | {} | {} |",
        record.name,
        record.against.as_deref().unwrap_or_default(),
        plain(record.ours),
        record.theirs.map_or_else(none, plain),
        cell(&record.unit),
        record.ratio.map_or_else(none, interval),
        record.goal.map_or_else(none, |goal| format!("≥ {}", plain(goal))),
        met(record),
    )
}

fn met(record: &Record) -> &'static str {
    let short = record.ratio.zip(record.goal).is_some_and(|(r, goal)| r.value < goal);
    match record.met {
        Some(true) if short => "only just",
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "–",
    }
}

/// What both sides of a case promise of what they have accepted; only where something is kept on disk.
fn durability(record: &Record) -> Option<&'static str> {
    let rival = record.against.as_deref()?;
    match (record.suite.as_str(), record.name.as_str(), rival) {
        ("store", name, _) if name.starts_with("full_") => Some("all that was accepted, on both sides"),
        ("store", name, _) if name.starts_with("process_") => Some("all but the last moments, on both sides"),
        ("detached", "enqueue_durable" | "lifecycle", "apalis-sqlite") => {
            Some("ours: all. theirs: what a connection with `synchronous = FULL` wrote, nine of ten")
        }
        ("detached", "enqueue_durable" | "lifecycle", "apalis-sqlite-equal") => Some("all, on both sides"),
        ("detached", "enqueue_durable" | "lifecycle", "effectum") => {
            Some("ours: all. theirs: as a rollback journal with `synchronous = NORMAL` keeps it")
        }
        ("detached", "enqueue_durable", "pueue") => {
            Some("ours: all. theirs: what the system happened to write, as nothing is waited for")
        }
        _ => None,
    }
}

fn cell(words: &str) -> String {
    words.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{absolute, relative};
    use super::*;

    fn documents(records: Vec<Record>) -> Vec<(String, String)> {
        let about = serde_json::json!({
            "machine": "m", "cores": 2, "kernel": null, "rustc": "r", "commit": "c", "date": "d",
            "commands": ["cargo run --bin s -- --json --quick"],
        });
        let known = ["s", "t"].map(str::to_owned).into_iter().collect();
        of(&Saved { name: RUN.to_owned(), about, records }, &known)
    }

    fn page(records: Vec<Record>) -> String {
        documents(records).into_iter().find(|(path, _)| path == PAGE).unwrap().1
    }

    fn section<'a>(page: &'a str, heading: &str) -> &'a str {
        let from = page.find(heading).unwrap_or_else(|| panic!("no {heading}: {page}"));
        let rest = &page[from + heading.len()..];
        &rest[..rest.find("\n## ").unwrap_or(rest.len())]
    }

    #[test]
    fn what_is_lost_and_missed_comes_before_any_table() {
        let mut missed = relative("short", 1.2, 1.1, 1.3);
        (missed.goal, missed.met) = (Some(5.0), Some(false));
        let text = page(vec![
            relative("won", 2.0, 1.9, 2.1),
            relative("lost", 0.5, 0.4, 0.6),
            relative("even", 1.0, 0.9, 1.1),
            missed,
        ]);
        let lost = section(&text, "## Where we lose");
        assert_eq!(lost.trim(), "- `s` `lost` against `tokio`: 0.50 [0.40–0.60]");
        let missed = section(&text, "## Goals that are missed");
        assert!(
            missed.contains("3 of 4")
                && missed.contains("`short` against `tokio`: 1.20 [1.10–1.30], goal 5.\n")
        );
        assert!(section(&text, "## Where no difference was seen").contains("- `s` `even`"));
        assert!(text.find("## Where we lose") < text.find("## The suite"));
    }

    #[test]
    fn where_nothing_is_lost_that_is_said() {
        assert!(page(vec![relative("won", 2.0, 1.9, 2.1)]).contains("Nowhere in this run"));
    }

    #[test]
    fn a_goal_that_only_the_interval_reaches_is_met_only_just() {
        let text = page(vec![relative("near", 0.98, 0.9, 1.05), relative("won", 2.0, 1.9, 2.1)]);
        let line = |name: &str| text.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
        assert!(line("near").ends_with("| only just |") && line("won").ends_with("| yes |"), "{text}");
    }

    #[test]
    fn the_run_says_where_when_and_how_and_what_it_left_out() {
        let text = page(vec![relative("won", 2.0, 1.9, 2.1), absolute("leaks", 0.0)]);
        for said in [
            "| date | d |",
            "| machine | m, 2 cores |",
            "| system | unknown |",
            "cargo run --bin s",
            "a short run",
            "no figures of `t`",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(text.contains("| `leaks` | 0 |"), "{text}");
    }

    #[test]
    fn durable_cases_say_what_survives_and_every_row_has_all_columns() {
        let mut full = relative("full_16", 2.0, 1.9, 2.1);
        full.suite = "store".to_owned();
        let text = page(vec![full, relative("won", 2.0, 1.9, 2.1)]);
        let columns = |line: &str| line.matches('|').count();
        let of = |heading: &str| {
            section(&text, heading)
                .lines()
                .filter(|line| line.starts_with('|'))
                .map(columns)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(of("## The suite `store`"), [10].into());
        assert_eq!(of("## The suite `s`"), [9].into());
        assert!(section(&text, "## The suite `store`").contains("all that was accepted"));
    }

    #[test]
    fn a_suite_with_ratios_has_a_picture_and_one_without_has_none() {
        let paths = |records| documents(records).into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(paths(vec![relative("won", 2.0, 1.9, 2.1)]), ["docs/benchmarks/s.svg", PAGE]);
        assert_eq!(paths(vec![absolute("leaks", 0.0)]), [PAGE]);
        assert!(!page(vec![absolute("leaks", 0.0)]).contains(".svg"));
    }
}
