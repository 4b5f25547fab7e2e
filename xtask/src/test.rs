//! `cargo xtask test`: every test, natively or for a target, and one honest line at the end.

mod portable;
mod skips;
mod stream;
mod tally;

use std::path::Path;
use std::process::Command;

use crate::args::{Args, Spec};
use crate::{Result, shell};
use skips::SkipLog;
use tally::Tally;

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "test",
        summary: "every test of the workspace, natively or for a target",
        help: "\
Usage: cargo xtask test [--target T] [-p CRATE]… [-- ARGS]

Runs `cargo test --workspace --all-features` with documentation tests. On Linux, without --target, bgt-sys, bgt-process
and bgt-simple are tested a second time on the portable Unix backend, the one that macOS uses (BGT_BACKEND=portable).

  --target T  test for this target; its runner is cargo's business (CARGO_TARGET_…_RUNNER)
  -p CRATE    test this crate instead of all of them; may be given again
  -- ARGS     passed on to the test programs, such as a name to filter by

A test that cannot run where it is appends `skipped: NAME: REASON` to the file named by BGT_SKIP_LOG and passes; those
are listed and counted at the end (the runners count them as passed).
",
        flags: &[],
        options: &["--target", "-p"],
        words: false,
        trailing: true,
    },
    run,
};

/// What is tested, and how its tests are called.
struct Selection<'a> {
    target: Option<&'a str>,
    crates: Vec<&'a str>,
    arguments: &'a [String],
}

fn run(args: &Args) -> Result {
    let selection = Selection {
        target: args.value("--target"),
        crates: args.values("-p").collect(),
        arguments: &args.trailing,
    };
    all(&shell::root()?, &selection)
}

/// Every test, natively.
///
/// # Errors
/// Where one failed or could not be built.
pub(crate) fn everything(root: &Path) -> Result {
    all(root, &Selection { target: None, crates: Vec::new(), arguments: &[] })
}

fn all(root: &Path, selection: &Selection<'_>) -> Result {
    let skips = SkipLog::create(root, selection.target)?;
    let mut tally = Tally::default();
    let mut failures = Vec::new();

    let name = selection.target.unwrap_or("native");
    eprintln!("xtask: leg {name}");
    if !selection.crates.is_empty() {
        build_bad_child(root, selection)?;
    }
    leg(&mut cargo_test(root, selection), &skips, &mut tally, &mut failures)?;

    let portable = portable::applies(selection.target);
    if portable && tally.runners == 0 {
        eprintln!("xtask: leg portable is left out, because nothing could be run natively");
    } else if portable {
        match portable::programs(&cargo_test(root, selection), selection.arguments) {
            Ok(programs) => {
                for mut program in programs {
                    leg(&mut program, &skips, &mut tally, &mut failures)?;
                }
            }
            Err(error) => failures.push(format!("leg portable: {error}")),
        }
    }

    let skipped = skips.read()?;
    for line in &skipped {
        println!("{line}");
    }
    println!("xtask: {tally}, {} skipped by name", skipped.len());
    if tally.runners == 0 && failures.is_empty() {
        failures.push("no test program reported anything".to_owned());
    }
    match failures.as_slice() {
        [] => Ok(()),
        failures => Err(failures.join("\nxtask: ").into()),
    }
}

fn cargo_test(root: &Path, selection: &Selection<'_>) -> Command {
    let mut cargo = shell::cargo(root);
    cargo.args(["test", "--all-features", "--no-fail-fast"]);
    if selection.crates.is_empty() {
        cargo.arg("--workspace");
    }
    for name in &selection.crates {
        cargo.args(["-p", name]);
    }
    if let Some(target) = selection.target {
        cargo.args(["--target", target]);
    }
    if !selection.arguments.is_empty() {
        cargo.arg("--").args(selection.arguments);
    }
    cargo
}

/// The helper program of the tests: a test of the whole workspace builds it, one of some crates does not.
fn build_bad_child(root: &Path, selection: &Selection<'_>) -> Result {
    let mut cargo = shell::cargo(root);
    cargo.args(["build", "--quiet", "-p", "bgt-testkit", "--bin", "bad-child"]);
    if let Some(target) = selection.target {
        cargo.args(["--target", target]);
    }
    shell::run(&mut cargo)
}

/// Runs one command that runs tests; its output passes through and is counted on the way.
fn leg(command: &mut Command, skips: &SkipLog, tally: &mut Tally, failures: &mut Vec<String>) -> Result {
    let typed = shell::typed(command);
    eprintln!("$ {typed}");
    let end = stream::run(skips.told_to(command), |line| tally.read(line))?;
    if !end.status.success() {
        failures.push(format!("`{typed}` failed: {}", end.status));
    }
    if end.output_held_open {
        failures.push(format!(
            "`{typed}` has ended, but a process that it left behind still holds its output open"
        ));
    }
    Ok(())
}
