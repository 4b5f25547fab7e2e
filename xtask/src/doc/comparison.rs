//! The page on how to choose a pattern, which the facade prints.

use std::path::Path;

use crate::{Result, shell};

/// The page, as the facade has it now. Without features: the words need no pattern to be compiled.
pub(super) fn page(root: &Path) -> Result<String> {
    let mut cargo = shell::cargo(root);
    cargo.args([
        "run",
        "--quiet",
        "-p",
        "bgt-orchestrator",
        "--no-default-features",
        "--example",
        "comparison",
    ]);
    shell::read(&mut cargo)
}
