//! A run against an earlier one. A ratio is worse where the two intervals do not touch, nothing less; a figure without a rival
//! where its goal was met and is not any more, as it has no interval, and its goal is where it matters.

use serde_json::Value;

use super::numbers::{plain, ratio};
use super::record::{Ratio, Record};
use super::saved::Saved;
use super::table::columns;

/// The comparison, for people, and what became worse.
pub(super) struct Outcome {
    pub(super) table: String,
    pub(super) worse: Vec<String>,
    /// Whether there was anything that both runs have.
    pub(super) compared: bool,
}

/// Why two runs are not of the same kind, from what they say of themselves.
pub(super) fn differences(was: &Value, is: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    if was["machine"] != is["machine"] {
        differences.push("on another machine".to_owned());
    }
    let has = |about: &Value, flag: &str| {
        about["commands"].as_array().is_some_and(|commands| {
            commands.iter().filter_map(Value::as_str).any(|command| command.contains(flag))
        })
    };
    for flag in ["--quick", "benches/peers"] {
        match (has(was, flag), has(is, flag)) {
            (true, false) => differences.push(format!("with {flag}, unlike this one")),
            (false, true) => differences.push(format!("without {flag}, unlike this one")),
            _ => {}
        }
    }
    differences
}

const HEADER: [&str; 5] = ["what", "before", "now", "change", ""];

pub(super) fn against(old: &Saved, new: &[Record]) -> Outcome {
    let mut rows = vec![HEADER.map(str::to_owned)];
    let mut worse = Vec::new();
    let mut compared = false;
    for record in new {
        let Some(before) = old.records.iter().find(|before| before.key() == record.key()) else {
            rows.push(lone(record, false));
            continue;
        };
        compared = true;
        let (row, is_worse) = pair(before, record);
        rows.push(row);
        if is_worse {
            worse.push(record.key());
        }
    }
    let measured = |suite: &str| new.iter().any(|record| record.suite == suite);
    let gone = old.records.iter().filter(|before| new.iter().all(|record| record.key() != before.key()));
    rows.extend(gone.filter(|before| measured(&before.suite)).map(|before| lone(before, true)));

    let said = |field: &str| old.about[field].as_str().unwrap_or("unknown").to_owned();
    let title = format!("against {}, measured {} on {}", old.name, said("date"), said("machine"));
    Outcome { table: format!("{title}\n{}", columns(&rows)), worse, compared }
}

fn pair(before: &Record, now: &Record) -> ([String; 5], bool) {
    let (was, is, change, verdict) = match (before.ratio, now.ratio) {
        (Some(was), Some(is)) => (interval(was), interval(is), is.value / was.value, verdict(was, is)),
        _ => {
            let verdict = match (before.met, now.met) {
                (Some(true), Some(false)) => WORSE,
                (Some(false), Some(true)) => "better",
                _ => "",
            };
            (figure(before), figure(now), now.ours / before.ours, verdict)
        }
    };
    let change =
        if change.is_finite() { format!("{:+.1} %", (change - 1.0) * 100.0) } else { "–".to_owned() };
    ([now.key(), was, is, change, verdict.to_owned()], verdict == WORSE)
}

const WORSE: &str = "worse";

fn verdict(was: Ratio, is: Ratio) -> &'static str {
    if is.high < was.low {
        WORSE
    } else if is.low > was.high {
        "better"
    } else {
        "same"
    }
}

fn lone(record: &Record, gone: bool) -> [String; 5] {
    let (value, none) = (record.ratio.map_or_else(|| figure(record), interval), "–".to_owned());
    let (was, is, word) = if gone { (value, none.clone(), "gone") } else { (none.clone(), value, "new") };
    [record.key(), was, is, none, word.to_owned()]
}

fn interval(r: Ratio) -> String {
    format!("{} [{}–{}]", ratio(r.value), ratio(r.low), ratio(r.high))
}

fn figure(record: &Record) -> String {
    let arrow = if record.higher_is_better { "↑" } else { "↓" };
    format!("{} {} {arrow}", plain(record.ours), record.unit)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{absolute, relative};
    use super::*;

    fn compare(before: Vec<Record>, now: &[Record]) -> Outcome {
        let about = serde_json::json!({"date": "then", "machine": "m"});
        against(&Saved { name: "old".to_owned(), about, records: before }, now)
    }

    #[test]
    fn worse_is_an_interval_wholly_below_the_old_one() {
        let before = || vec![relative("c1", 1.2, 1.1, 1.3)];
        assert_eq!(compare(before(), &[relative("c1", 1.0, 0.95, 1.05)]).worse, ["s c1 against tokio"]);
        for (value, low, high) in [(1.0, 0.9, 1.1), (1.2, 1.1, 1.3), (2.0, 1.9, 2.1)] {
            assert!(compare(before(), &[relative("c1", value, low, high)]).worse.is_empty());
        }
    }

    #[test]
    fn change_new_and_gone_are_shown() {
        let now = [relative("c1", 1.5, 1.4, 1.6), absolute("fresh", 3.0)];
        let outcome = compare(vec![relative("c1", 1.0, 0.9, 1.1), absolute("leaks", 0.0)], &now);
        let line = |name: &str| outcome.table.lines().find(|line| line.contains(name)).unwrap();
        assert!(line("c1").contains("+50.0 %") && line("c1").ends_with("better"), "{}", outcome.table);
        assert!(line("fresh").ends_with("new") && line("leaks").ends_with("gone"), "{}", outcome.table);
        assert!(outcome.table.starts_with("against old, measured then on m\n"), "{}", outcome.table);
    }

    #[test]
    fn a_run_is_worse_than_a_saved_one_only_beyond_the_noise_of_both() {
        let folder = std::env::temp_dir().join(format!("bgt-xtask-compare-{}", std::process::id()));
        let keep = |name: &str, low: f64, high: f64| {
            // As the suites print it and `--save` keeps it: the file is what is compared.
            let line = serde_json::json!({
                "suite": "spawn", "name": "c1", "against": "tokio", "ours": 1.0, "theirs": 1.0, "unit": "runs/s",
                "better": "higher", "ratio": f64::midpoint(low, high), "low": low, "high": high, "goal": 1.0, "met": true,
            });
            let record = Record::read(&line.to_string()).unwrap();
            super::super::saved::save(
                &folder,
                name,
                &serde_json::json!({"date": "d", "machine": "m"}),
                &[record],
            )
            .unwrap();
            super::super::saved::load(&folder, name).unwrap()
        };
        let (first, noisy, slow) =
            (keep("first", 1.0, 1.2), keep("noisy", 0.8, 1.05), keep("slow", 0.7, 0.9));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(against(&first, &noisy.records).worse.is_empty());
        assert_eq!(against(&first, &slow.records).worse, ["spawn c1 against tokio"]);
        assert!(against(&slow, &first.records).worse.is_empty());
    }

    #[test]
    fn a_figure_without_a_rival_is_worse_when_it_misses_the_goal_that_it_met() {
        let figure = |ours, met| Record { met, ..absolute("leaks", ours) };
        let worse = |was, is| compare(vec![was], &[is]).worse;
        assert_eq!(worse(figure(0.0, Some(true)), figure(9.0, Some(false))), ["s leaks"]);
        for (was, is) in
            [(Some(true), Some(true)), (Some(false), Some(false)), (Some(false), Some(true)), (None, None)]
        {
            assert!(worse(figure(0.0, was), figure(9.0, is)).is_empty(), "{was:?} {is:?}");
        }
    }

    #[test]
    fn runs_that_cannot_be_compared_are_told() {
        let other = compare(vec![absolute("a", 1.0)], &[absolute("b", 1.0)]);
        assert!(!other.compared, "{}", other.table);
        let about =
            |machine: &str, command: &str| serde_json::json!({"machine": machine, "commands": [command]});
        let told = |was, is| differences(&was, &is);
        assert!(told(about("m", "bench --quick"), about("m", "bench --quick")).is_empty());
        assert!(told(about("m", "bench"), about("n", "bench"))[0].contains("machine"));
        assert!(told(about("m", "bench"), about("m", "bench --quick"))[0].contains("--quick"));
    }
}
