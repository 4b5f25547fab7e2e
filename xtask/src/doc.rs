//! `cargo xtask doc`: documents that are made from the source, and documents that must agree with it.

mod comparison;
mod traps;

use std::fs;
use std::path::Path;

use crate::args::{Args, Spec};
use crate::finding::Finding;
use crate::workspace::Files;
use crate::{Result, shell};

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "doc",
        summary: "regenerate what is generated in docs/, and check what is written by hand",
        help: "\
Usage: cargo xtask doc [--check]

Writes the generated documents anew (docs/choosing.md, from what the facade explains of each pattern), and checks that every test named in the last column of the tables in
docs/gotchas.md exists: as `crate/tests/file.rs::test_name` or as `crate::module::test_name`.

  --check  write nothing; fail where a generated document is out of date (part of `cargo xtask tidy`)
",
        flags: &["--check"],
        options: &[],
        words: false,
        trailing: false,
    },
    run,
};

/// A document, and how it is made from the repository.
type Generated = (&'static str, fn(&Path) -> Result<String>);

/// Every generated document.
const GENERATED: &[Generated] = &[("docs/choosing.md", comparison::page)];

fn run(args: &Args) -> Result {
    let root = shell::root()?;
    if !args.has("--check") {
        write(&root)?;
    }
    let findings = check(&root, &Files::load(&root)?)?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        Ok(())
    } else {
        Err(format!("{} to repair in the documents", findings.len()).into())
    }
}

fn write(root: &Path) -> Result {
    for (path, make) in GENERATED {
        fs::write(root.join(path), make(root)?)?;
        eprintln!("xtask: wrote {path}");
    }
    Ok(())
}

/// What in the documents does not agree with the source.
///
/// # Errors
/// Where a document cannot be made.
pub(crate) fn check(root: &Path, files: &Files) -> Result<Vec<Finding>> {
    let mut findings = traps::check(files);
    for (path, make) in GENERATED {
        if files.text(path) != Some(make(root)?.as_str()) {
            findings.push(Finding::about(*path, "out of date; run `cargo xtask doc`"));
        }
    }
    Ok(findings)
}
