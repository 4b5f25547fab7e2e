//! Columns of text, for people.

use super::numbers::{plain, ratio};
use super::record::Record;

const HEADER: [&str; 9] =
    ["suite", "name", "against", "ours", "theirs", "unit", "ratio [low–high]", "goal", "met"];

/// The records as a table, and how many goals were met.
pub(super) fn of(records: &[Record]) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(records.iter().map(row));
    let judged = records.iter().filter_map(|record| record.met);
    let (met, all) = judged.fold((0, 0), |(met, all), one| (met + usize::from(one), all + 1));
    format!("{}\n{met} of {all} goals met\n", columns(&rows))
}

fn row(record: &Record) -> [String; 9] {
    let none = || "–".to_owned();
    [
        record.suite.clone(),
        record.name.clone(),
        record.against.clone().unwrap_or_else(none),
        plain(record.ours),
        record.theirs.map_or_else(none, plain),
        record.unit.clone(),
        record
            .ratio
            .map_or_else(none, |r| format!("{} [{}–{}]", ratio(r.value), ratio(r.low), ratio(r.high))),
        record.goal.map_or_else(none, |goal| format!("≥ {}", plain(goal))),
        match record.met {
            Some(true) => "✓".to_owned(),
            Some(false) => "✗".to_owned(),
            None => none(),
        },
    ]
}

/// Rows in columns as wide as their widest cell.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{absolute, relative};
    use super::*;

    #[test]
    fn columns_are_aligned_and_goals_counted() {
        let mut missed = relative("longer_name", 0.5, 0.4, 0.6);
        missed.met = Some(false);
        let text = of(&[relative("c1", 1.1, 1.0, 1.2), missed, absolute("leaks", 0.0)]);
        let lines: Vec<_> = text.lines().collect();
        let column = |line: &str| line.chars().take_while(|c| *c != '[').count();
        assert_eq!(column(lines[1]), column(lines[2]));
        assert!(lines[1].contains("1.10 [1.00–1.20]") && lines[1].ends_with('✓'), "{text}");
        assert!(lines[2].ends_with('✗') && lines[3].contains('–'), "{text}");
        assert!(text.ends_with("2 of 3 goals met\n"), "{text}");
    }
}
