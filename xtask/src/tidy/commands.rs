//! The checks that are commands of cargo's own; they name path and line themselves.

use std::path::Path;
use std::process::Command;

use crate::finding::Finding;
use crate::{Result, shell};

pub(super) fn fmt(root: &Path) -> Result<Vec<Finding>> {
    let mut cargo = shell::cargo(root);
    cargo.args(["fmt", "--all", "--check"]);
    Ok(judged(&mut cargo, "Cargo.toml", "see the differences above; run `cargo fmt --all`"))
}

pub(super) fn clippy(root: &Path) -> Result<Vec<Finding>> {
    let mut cargo = shell::cargo(root);
    cargo.args(["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]);
    Ok(judged(&mut cargo, "Cargo.toml", "repair the warnings above"))
}

pub(super) fn rustdoc(root: &Path) -> Result<Vec<Finding>> {
    let mut cargo = shell::cargo(root);
    cargo.args(["doc", "--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings");
    Ok(judged(&mut cargo, "Cargo.toml", "repair the warnings above"))
}

/// Runs a command; its failure is the finding, about the manifest that it was run for.
pub(super) fn judged(command: &mut Command, manifest: &str, what_to_do: &str) -> Vec<Finding> {
    let failure = shell::run(command).err();
    failure.map(|error| Finding::about(manifest, format!("{error}; {what_to_do}"))).into_iter().collect()
}
