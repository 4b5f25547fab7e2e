//! Features one by one: each crate compiles without warnings with none, with each alone, and with all.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::commands::judged;
use crate::finding::Finding;
use crate::shell;
use crate::workspace::{Package, Workspace};

pub(super) fn check(root: &Path, workspace: &Workspace) -> Vec<Finding> {
    let judge = |mut choice: Choice| {
        let what_to_do = "make the crate compile with these features";
        judged(&mut choice.command, &choice.manifest, what_to_do)
    };
    commands(root, workspace).into_iter().flat_map(judge).collect()
}

/// One crate with one choice of its features.
pub(crate) struct Choice {
    /// The crate's name, then its features in brackets.
    pub(crate) name: String,
    manifest: String,
    /// Compiles it; a warning is a failure.
    pub(crate) command: Command,
}

/// Every published crate with each choice of features that makes a difference.
pub(crate) fn commands(root: &Path, workspace: &Workspace) -> Vec<Choice> {
    let mut all = Vec::new();
    for package in workspace.published() {
        for features in choices(package) {
            // Clippy rather than check: it sees all that check sees, and can refuse the warnings of this crate alone.
            let mut command = shell::cargo(root);
            command.args(["clippy", "--quiet", "--no-deps", "-p", &package.name, "--no-default-features"]);
            if !features.is_empty() {
                command.args(["--features", &features]);
            }
            command.args(["--", "-D", "warnings"]);
            let name = format!("{} [{}]", package.name, if features.is_empty() { "none" } else { &features });
            all.push(Choice { name, manifest: package.manifest(), command });
        }
    }
    all
}

/// None, each feature, all; where two turn on the same, only the first.
fn choices(package: &Package) -> Vec<String> {
    let names: Vec<_> = package.features.keys().map(String::as_str).collect();
    let each = names.iter().map(|name| (*name).to_owned());
    let mut seen = BTreeSet::new();
    let choices = [String::new()].into_iter().chain(each).chain([names.join(",")]);
    // Those that say what they turn on come before names that only stand for them, such as `default`.
    let mut choices: Vec<_> = choices.collect();
    choices.sort_by_key(|choice| (turned_on(package, choice).len(), choice == "default"));
    choices.retain(|choice| seen.insert(effect(package, choice)));
    choices
}

/// All features that a comma-separated choice turns on.
fn turned_on<'a>(package: &'a Package, choice: &'a str) -> BTreeSet<&'a str> {
    let mut on = BTreeSet::new();
    let mut left: Vec<_> = choice.split(',').filter(|name| package.features.contains_key(*name)).collect();
    while let Some(name) = left.pop() {
        if on.insert(name) {
            let implied = package.features[name].iter().map(String::as_str);
            left.extend(implied.filter(|name| package.features.contains_key(*name)));
        }
    }
    on
}

/// What a choice changes: its features, but for those that only stand for others.
fn effect(package: &Package, choice: &str) -> BTreeSet<String> {
    let groups_others = |name: &&str| {
        let implies = &package.features[*name];
        matches!(*name, "default" | "full") && implies.iter().all(|name| package.features.contains_key(name))
    };
    turned_on(package, choice).into_iter().filter(|name| !groups_others(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(features: &[(&str, &[&str])]) -> Package {
        let features = features.iter();
        Package {
            name: "bgt-x".to_owned(),
            folder: String::new(),
            published: true,
            description: None,
            features: features
                .map(|(name, of)| ((*name).to_owned(), of.iter().map(|of| (*of).to_owned()).collect()))
                .collect(),
            dependencies: Vec::new(),
            bins: Vec::new(),
        }
    }

    #[test]
    fn each_choice_is_checked_once() {
        let package = package(&[
            ("default", &["process"]),
            ("full", &["process", "json", "serde"]),
            ("process", &["dep:bgt-process"]),
            ("json", &["process", "bgt-process/json"]),
            ("serde", &["bgt-core/serde"]),
        ]);
        assert_eq!(choices(&package), ["", "process", "serde", "json", "full"]);
    }

    #[test]
    fn a_crate_without_features_is_checked_once() {
        assert_eq!(choices(&package(&[])), [""]);
        assert_eq!(choices(&package(&[("default", &[])])), [""]);
    }

    #[test]
    fn all_together_is_a_choice_of_its_own() {
        assert_eq!(choices(&package(&[("a", &[]), ("b", &[])])), ["", "a", "b", "a,b"]);
    }
}
