//! A clone is whole: nothing refers to what happens to lie beside it.

use crate::finding::Finding;
use crate::workspace::Files;

// In two parts, or this file would be its own finding.
const BESIDE: &str = concat!("..", "/shared");
/// Uses what lies there if it is there, and does without if not.
const MAY: &str = ".ci/run";

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in files.all().filter(|(path, _)| *path != MAY) {
        let lines = text.lines().enumerate().filter(|(_, line)| line.contains(BESIDE));
        findings.extend(lines.map(|(index, _)| {
            Finding::at(
                path,
                index + 1,
                format!("refers to `{BESIDE}`, outside the repository; bring what is needed inside"),
            )
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ci_script_looks_beside_the_repository() {
        let text = format!("one\nsee ../{BESIDE}/x\n");
        assert_eq!(check(&Files::of(&[(MAY, &text), ("README.md", "the shared/ folder")])), []);
        let found = check(&Files::of(&[("docs/a.md", &text)]));
        assert!(found[0].to_string().starts_with("docs/a.md:2: "), "{}", found[0]);
    }
}
