//! The table of traps: every trap names the test that would fall into it, and that test exists.

use crate::finding::Finding;
use crate::markdown::{self, Row};
use crate::rust_source;
use crate::workspace::Files;

const DOCUMENT: &str = "docs/gotchas.md";

/// Rows whose test does not exist, or that name none under a heading that asks for one.
pub(crate) fn check(files: &Files) -> Vec<Finding> {
    let Some(text) = files.text(DOCUMENT) else {
        return vec![Finding::about(
            DOCUMENT,
            "is missing; write the table of traps and the tests that cover them",
        )];
    };
    markdown::rows(text).iter().flat_map(|row| check_row(files, row)).collect()
}

fn check_row(files: &Files, row: &Row) -> Vec<Finding> {
    let finding = |what: String| Finding::at(DOCUMENT, row.line, what);
    let asks_for_test = row.heading.to_lowercase().contains("test");
    if asks_for_test && row.last.is_empty() {
        return vec![finding(
            "names no test; name one in the last column, or say there why there is none".to_owned(),
        )];
    }
    let named = markdown::code_spans(&row.last).filter(|span| span.contains("::"));
    named.filter_map(|span| missing(files, span)).map(finding).collect()
}

/// Why the test is not there, if it is not: `crate/tests/file.rs::test_name` or `crate::module::test_name`.
fn missing(files: &Files, named: &str) -> Option<String> {
    let (place, name) = named.rsplit_once("::")?;
    if let Some(end) = place.find(".rs") {
        let path = &place[..end + ".rs".len()];
        let candidates = [path.to_owned(), format!("crates/{path}")];
        let Some(text) = candidates.iter().find_map(|path| files.text(path)) else {
            return Some(format!("`{named}` is a test in no file of ours; correct the path `{path}`"));
        };
        return (!defines(text, name))
            .then(|| format!("`{path}` has no `fn {name}`; correct `{named}` or write it"));
    }
    let folder = format!("crates/{}", place.split("::").next().unwrap_or_default().replace('_', "-"));
    if !files.exists(&folder) {
        return Some(format!("`{named}` names no crate of ours; {folder} does not exist"));
    }
    let found = files.rust_in(&folder).any(|(_, text)| defines(text, name));
    (!found).then(|| format!("{folder} has no `fn {name}`; correct `{named}` or write it"))
}

fn defines(text: &str, name: &str) -> bool {
    text.contains(name) && rust_source::defines_fn(&rust_source::code_only(text), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_cell(cell: &str) -> Vec<String> {
        let table = format!("| trap | test |\n| --- | --- |\n| x | {cell} |\n");
        let files = Files::of(&[
            (DOCUMENT, &table),
            ("crates/bgt-sys/tests/group.rs", "#[test]\nfn kills_all() {}\n// fn only_said() {}\n"),
            (
                "crates/bgt-core/src/retry.rs",
                "#[cfg(test)]\nmod tests {\n    #[test]\n    fn stays_below() {}\n}\n",
            ),
        ]);
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tests_that_exist_are_found_in_both_spellings() {
        for cell in [
            "`bgt-sys/tests/group.rs::kills_all`",
            "`crates/bgt-sys/tests/group.rs::kills_all`",
            "`bgt_core::retry::tests::stays_below` and `bgt-core::retry::stays_below`",
            "none: only a power cut shows it",
        ] {
            assert_eq!(check_cell(cell), Vec::<String>::new(), "{cell}");
        }
    }

    #[test]
    fn tests_that_do_not_exist_are_named() {
        for cell in [
            "`bgt-sys/tests/group.rs::kills_some`",
            "`bgt-sys/tests/group.rs::only_said`",
            "`bgt-sys/tests/other.rs::kills_all`",
            "`bgt_core::retry::stays`",
            "`bgt_none::kills_all`",
        ] {
            let found = check_cell(cell);
            assert_eq!(found.len(), 1, "{cell}");
            assert!(found[0].starts_with("docs/gotchas.md:3: "), "{found:?}");
            assert!(found[0].contains(cell.trim_matches('`').rsplit("::").next().unwrap()), "{found:?}");
        }
    }

    #[test]
    fn a_trap_without_a_word_on_its_test_is_refused() {
        assert_eq!(check_cell("").len(), 1);
    }

    #[test]
    fn a_missing_document_is_told() {
        assert_eq!(check(&Files::default()).len(), 1);
    }
}
