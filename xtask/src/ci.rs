//! `cargo xtask ci`: everything that must hold before a change is merged, in order, with the time each part took.

use std::path::Path;
use std::time::Instant;

use crate::args::{Args, Spec};
use crate::{Result, shell, test, tidy};

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "ci",
        summary: "tidy, then test, and how long each took",
        help: "\
Usage: cargo xtask ci

Runs `cargo xtask tidy` and `cargo xtask test`, both even if the first fails, and prints how long each took.
",
        flags: &[],
        options: &[],
        words: false,
        trailing: false,
    },
    run,
};

type Leg = (&'static str, fn(&Path) -> Result);

const LEGS: &[Leg] = &[("tidy", tidy::everything), ("test", test::everything)];

fn run(_: &Args) -> Result {
    let root = shell::root()?;
    let mut table = String::new();
    let mut failed = Vec::new();
    for (name, leg) in LEGS {
        let start = Instant::now();
        let outcome = leg(&root);
        let seconds = start.elapsed().as_secs_f64();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        table += &format!("  {name:<8}{seconds:>8.1} s  {word}\n");
        if let Err(error) = outcome {
            eprintln!("xtask: {error}");
            failed.push(*name);
        }
    }
    print!("\n{table}");
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}
