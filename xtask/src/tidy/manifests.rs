//! Published crates: what their readers and docs.rs need.

use crate::finding::Finding;
use crate::rust_source::code_only;
use crate::workspace::{Files, Package, Workspace};

const DOCSRS: &str = "#![cfg_attr(docsrs, feature(doc_cfg))]";

pub(super) fn check(workspace: &Workspace, files: &Files) -> Vec<Finding> {
    workspace.published().flat_map(|package| one(package, files)).collect()
}

fn one(package: &Package, files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    let library = format!("{}/src/lib.rs", package.folder);
    let code = code_only(files.text(&library).unwrap_or_default());
    if !code.lines().any(|line| line.trim() == DOCSRS) {
        findings.push(Finding::about(
            &library,
            format!("docs.rs would not show which feature an item needs; add `{DOCSRS}`"),
        ));
    }
    let readme = format!("{}/README.md", package.folder);
    if files.text(&readme).is_none_or(|text| text.trim().is_empty()) {
        findings.push(Finding::about(&readme, "is missing or empty; crates.io shows it first, so write one"));
    }
    if package.description.as_deref().is_none_or(|text| text.trim().is_empty()) {
        findings.push(Finding::about(
            package.manifest(),
            "has no `description`; say in one line what the crate is for",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn package(description: Option<&str>) -> Package {
        Package {
            name: "bgt-x".to_owned(),
            folder: "crates/bgt-x".to_owned(),
            published: true,
            description: description.map(str::to_owned),
            features: BTreeMap::new(),
            dependencies: Vec::new(),
            bins: Vec::new(),
        }
    }

    #[test]
    fn a_complete_crate_is_fine_and_everything_missing_is_told() {
        let library = format!("//! Docs.\n{DOCSRS}\n");
        let files =
            Files::of(&[("crates/bgt-x/src/lib.rs", &library), ("crates/bgt-x/README.md", "# bgt-x")]);
        assert_eq!(one(&package(Some("does x")), &files), []);
        let bare = Files::of(&[("crates/bgt-x/src/lib.rs", "//! #![cfg_attr(docsrs, feature(doc_cfg))]")]);
        assert_eq!(one(&package(None), &bare).len(), 3);
    }
}
