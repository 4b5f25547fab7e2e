//! `cargo xtask tidy`: what must hold of the source itself, from formatting to the arrows between crates.

mod arrows;
mod commands;
pub(crate) mod features;
mod links;
mod manifests;
mod outside;
mod platforms;
mod size;
mod unsafe_code;

use std::path::Path;

use crate::args::{Args, Spec};
use crate::finding::Finding;
use crate::workspace::{Files, Workspace};
use crate::{Result, doc, shell};

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "tidy",
        summary: "formatting, lints, docs, features, arrows between crates, source checks",
        help: "\
Usage: cargo xtask tidy [CHECK]…

Runs every check, or those that are named, and prints each finding as `path:line: what and what to do`.

  unsafe     `unsafe` only where it may be, forbidden by attribute elsewhere
  platforms  `cfg(unix)` and its like only where they may be
  size       no source file longer than 500 lines
  outside    nothing refers to what lies beside the repository
  links      relative links and their anchors lead somewhere
  docs       generated documents are fresh, named tests exist
  manifests  published crates have what their readers need
  arrows     crates depend only on what the architecture allows
  fmt        cargo fmt
  clippy     cargo clippy, warnings are errors
  rustdoc    cargo doc, warnings are errors
  features   every crate with each feature alone, with none and with all
",
        flags: &[],
        options: &[],
        words: true,
        trailing: false,
    },
    run,
};

/// What a check may look at.
struct Repository<'a> {
    root: &'a Path,
    files: Files,
    workspace: Workspace,
}

struct Check {
    name: &'static str,
    run: fn(&Repository<'_>) -> Result<Vec<Finding>>,
}

/// Every check: those first that answer at once.
const CHECKS: &[Check] = &[
    Check { name: "unsafe", run: |r| Ok(unsafe_code::check(&r.files)) },
    Check { name: "platforms", run: |r| Ok(platforms::check(&r.files)) },
    Check { name: "size", run: |r| Ok(size::check(&r.files)) },
    Check { name: "outside", run: |r| Ok(outside::check(&r.files)) },
    Check { name: "links", run: |r| Ok(links::check(&r.files)) },
    Check { name: "docs", run: |r| doc::check(r.root, &r.files) },
    Check { name: "manifests", run: |r| Ok(manifests::check(&r.workspace, &r.files)) },
    Check { name: "arrows", run: |r| arrows::check(r.root, &r.workspace, &r.files) },
    Check { name: "fmt", run: |r| commands::fmt(r.root) },
    Check { name: "clippy", run: |r| commands::clippy(r.root) },
    Check { name: "rustdoc", run: |r| commands::rustdoc(r.root) },
    Check { name: "features", run: |r| Ok(features::check(r.root, &r.workspace)) },
];

fn run(args: &Args) -> Result {
    if let Some(unknown) =
        args.words.iter().find(|word| CHECKS.iter().all(|check| check.name != word.as_str()))
    {
        let names: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
        return Err(format!("tidy: no check is called `{unknown}`; there are {}", names.join(", ")).into());
    }
    tidy(&shell::root()?, |name| args.words.is_empty() || args.words.iter().any(|word| word == name))
}

/// Every check.
///
/// # Errors
/// Where one found something.
pub(crate) fn everything(root: &Path) -> Result {
    tidy(root, |_| true)
}

fn tidy(root: &Path, wanted: impl Fn(&str) -> bool) -> Result {
    let repository =
        Repository { root, files: Files::load(root)?, workspace: Workspace::load(root, "Cargo.toml")? };
    let (mut count, mut checks) = (0, Vec::new());
    for check in CHECKS.iter().filter(|check| wanted(check.name)) {
        eprintln!("xtask: tidy {}", check.name);
        let mut findings = (check.run)(&repository)?;
        findings.sort();
        for finding in &findings {
            println!("{finding}");
        }
        if !findings.is_empty() {
            count += findings.len();
            checks.push(check.name);
        }
    }
    if count == 0 {
        println!("xtask: tidy");
        return Ok(());
    }
    Err(format!("{count} to repair, found by: {}", checks.join(", ")).into())
}
