//! `cargo xtask doc`: documents that are made from the source, and documents that must agree with it.

mod comparison;
mod traps;

use std::fs;
use std::path::Path;

use crate::args::{Args, Spec};
use crate::bench::page;
use crate::finding::Finding;
use crate::workspace::Files;
use crate::{Result, shell};

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "doc",
        summary: "regenerate what is generated in docs/, and check what is written by hand",
        help: "\
Usage: cargo xtask doc [--check]

Writes the generated documents anew (docs/choosing.md, from what the facade explains of each pattern; docs/benchmarks.md
and its pictures, from the run benches/saved/published.jsonl where there is one), and checks that every test named in the last column of the tables in
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

/// Every generated document, by path from the root, as the repository has it now.
fn generated(root: &Path) -> Result<Vec<(String, String)>> {
    let mut documents = vec![("docs/choosing.md".to_owned(), comparison::page(root)?)];
    documents.extend(page::documents(root)?);
    Ok(documents)
}

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
    for (path, text) in generated(root)? {
        if let Some(folder) = root.join(&path).parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(root.join(&path), text)?;
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
    findings.extend(outdated(&generated(root)?, files));
    Ok(findings)
}

/// What is not as it would be made, and pictures that nothing makes any more.
fn outdated(generated: &[(String, String)], files: &Files) -> Vec<Finding> {
    let stale = generated.iter().filter(|(path, text)| files.text(path) != Some(text));
    let stale = stale.map(|(path, _)| Finding::about(path, "out of date; run `cargo xtask doc`"));
    let pictures =
        files.all().map(|(path, _)| path).filter(|path| path.starts_with(&format!("{}/", page::FOLDER)));
    let left = pictures.filter(|path| generated.iter().all(|(made, _)| made != path));
    stale.chain(left.map(|path| Finding::about(path, "is made from no run any more; remove it"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_date_missing_or_left_over_is_found() {
        let made =
            [("docs/benchmarks.md", "new"), ("docs/benchmarks/a.svg", "a"), ("docs/benchmarks/b.svg", "b")];
        let made = made.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let found = |files: &[(&str, &str)]| {
            outdated(&made, &Files::of(files)).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let fresh =
            [("docs/benchmarks.md", "new"), ("docs/benchmarks/a.svg", "a"), ("docs/benchmarks/b.svg", "b")];
        assert_eq!(found(&fresh), Vec::<String>::new());
        let other =
            [("docs/benchmarks.md", "old"), ("docs/benchmarks/a.svg", "a"), ("docs/benchmarks/z.svg", "z")];
        let found = found(&other);
        assert_eq!(found.len(), 3, "{found:?}");
        for (finding, path) in found.iter().zip(["benchmarks.md", "benchmarks/b.svg", "benchmarks/z.svg"]) {
            assert!(finding.starts_with(&format!("docs/{path}:1: ")), "{finding}");
        }
    }
}
