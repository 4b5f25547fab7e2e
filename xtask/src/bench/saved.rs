//! Runs kept in benches/saved: a line that says where they come from, then the lines as the suites printed them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::record::Record;
use crate::Result;

const FOLDER: &str = "benches/saved";

/// A run that was kept.
pub(super) struct Saved {
    pub(super) name: String,
    pub(super) about: Value,
    pub(super) records: Vec<Record>,
}

/// # Errors
/// Where the name could be a path.
pub(super) fn check_name(name: &str) -> Result {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain && !name.starts_with('.') {
        return Ok(());
    }
    Err(format!("`{name}` cannot name a saved run; use letters, digits, `-`, `_` and `.`").into())
}

/// Keeps a run under a name, in place of one that had it; gives back the file's path.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn save(root: &Path, name: &str, about: &Value, records: &[Record]) -> Result<String> {
    let path = format!("{FOLDER}/{name}.jsonl");
    let mut text = format!("{about}\n");
    for record in records {
        text += &format!("{}\n", record.json);
    }
    fs::create_dir_all(root.join(FOLDER))?;
    // Whole or not at all.
    let unfinished = root.join(format!("{path}.new"));
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, root.join(&path))?;
    Ok(path)
}

/// # Errors
/// Where there is no such run; names those that there are.
pub(super) fn load(root: &Path, name: &str) -> Result<Saved> {
    let path = format!("{FOLDER}/{name}.jsonl");
    match fs::read_to_string(root.join(&path)) {
        Ok(text) => parse(name, &text).map_err(|what| format!("{path}: {what}").into()),
        Err(error) => {
            let names = names(root);
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Err(format!("{path}: {error}; saved runs: {known}; `--save {name}` makes one").into())
        }
    }
}

/// Whether a run has this name.
pub(super) fn exists(root: &Path, name: &str) -> bool {
    root.join(format!("{FOLDER}/{name}.jsonl")).is_file()
}

fn parse(name: &str, text: &str) -> Result<Saved, String> {
    let mut lines = text.lines();
    let about = serde_json::from_str(lines.next().unwrap_or_default()).map_err(|error| error.to_string())?;
    let records = lines.map(Record::read).collect::<Result<_, _>>()?;
    Ok(Saved { name: name.to_owned(), about, records })
}

fn names(root: &Path) -> Vec<String> {
    let files = fs::read_dir(root.join(FOLDER)).into_iter().flatten().flatten();
    let name = |file: fs::DirEntry| file.file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned);
    let mut names: Vec<_> = files.filter_map(name).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::relative;
    use super::*;

    #[test]
    fn names_are_no_paths() {
        assert!(check_name("2026-03_v1.0").is_ok());
        for name in ["../x", "a/b", ".hidden", "a\\b", "a b"] {
            let text = check_name(name).unwrap_err().to_string();
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let text = format!("{}\n{}\n", serde_json::json!({"cores": 2}), relative("c1", 1.0, 1.0, 1.0).json);
        let saved = parse("x", &text).unwrap();
        assert_eq!((saved.about["cores"].as_i64(), saved.records.len()), (Some(2), 1));
        assert!(parse("x", "").is_err());
    }
}
