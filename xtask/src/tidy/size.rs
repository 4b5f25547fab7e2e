//! Files that a reader can hold in mind.

use crate::finding::Finding;
use crate::workspace::Files;

const MOST_LINES: usize = 500;

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let source = |path: &str| path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs");
    files.all().filter(|(path, _)| source(path)).filter_map(|(path, text)| too_long(path, text)).collect()
}

fn too_long(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().count();
    let what = format!("{lines} lines, more than {MOST_LINES}; split the file by idea");
    (lines > MOST_LINES).then(|| Finding::at(path, MOST_LINES + 1, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact_and_holds_for_source_only() {
        let (fits, long) = ("x\n".repeat(500), "x\n".repeat(501));
        assert_eq!(check(&Files::of(&[("crates/a/src/b.rs", &fits), ("crates/a/tests/b.rs", &long)])), []);
        let found = check(&Files::of(&[("crates/a/src/b/c.rs", &long)]));
        assert!(found[0].to_string().starts_with("crates/a/src/b/c.rs:501: 501 lines"), "{}", found[0]);
    }
}
