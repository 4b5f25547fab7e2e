//! `unsafe` only in the crates that exist for it.

use crate::finding::Finding;
use crate::rust_source::{code_only, lines_with};
use crate::workspace::Files;

/// The system layer, and the test kit whose misbehaving child needs system calls of its own.
const MAY: [&str; 2] = ["crates/bgt-sys/", "crates/bgt-testkit/"];
/// Where the rule holds.
const WHERE: [&str; 3] = ["crates/", "examples/", "xtask/"];
const FORBIDS: &str = "#![forbid(unsafe_code)]";

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let bound = |path: &str| {
        WHERE.iter().any(|place| path.starts_with(place)) && !MAY.iter().any(|place| path.starts_with(place))
    };
    files
        .all()
        .filter(|(path, _)| path.ends_with(".rs") && bound(path))
        .flat_map(|(path, text)| file(path, text))
        .collect()
}

fn file(path: &str, text: &str) -> Vec<Finding> {
    let code = code_only(text);
    let mut findings: Vec<_> = lines_with(&code, "unsafe")
        .into_iter()
        .map(|line| Finding::at(path, line, "`unsafe` here; put it behind a safe function of bgt-sys"))
        .collect();
    let is_library = path.starts_with("crates/") && path.ends_with("/src/lib.rs");
    if is_library && !code.lines().any(|line| line.trim() == FORBIDS) {
        findings.push(Finding::about(path, format!("nothing forbids unsafe code here; add `{FORBIDS}`")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_code_is_found_where_it_may_not_be() {
        let found = file("crates/bgt-core/src/id.rs", "// unsafe\nfn f() { unsafe { g() } }\n\"unsafe\"");
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("crates/bgt-core/src/id.rs:2: "), "{}", found[0]);
    }

    #[test]
    fn a_library_without_the_attribute_is_found() {
        assert_eq!(file("crates/bgt-core/src/lib.rs", "//! #![forbid(unsafe_code)]\n").len(), 1);
        assert_eq!(file("crates/bgt-core/src/lib.rs", "//! Docs.\n#![forbid(unsafe_code)]\n"), []);
        assert_eq!(file("crates/bgt-core/src/id.rs", ""), []);
    }

    #[test]
    fn the_system_layer_and_the_test_kit_may() {
        let text = "unsafe fn f() {}";
        let files =
            Files::of(&[("crates/bgt-sys/src/lib.rs", text), ("crates/bgt-testkit/src/lib.rs", text)]);
        assert_eq!(check(&files), []);
        assert_eq!(
            check(&Files::of(&[("crates/bgt-pool/tests/a.rs", text), ("examples/b.rs", text)])).len(),
            2
        );
    }
}
