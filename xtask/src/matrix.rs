//! `cargo xtask matrix`: on which systems, with which features and compilers the libraries hold, and a run of it.

mod legs;
mod plan;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::args::{Args, Spec};
use crate::tidy::features;
use crate::workspace::Workspace;
use crate::{Result, shell};
use legs::{Features, Leg};
use plan::{Machine, Way};

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "matrix",
        summary: "systems, features and compilers: the table, or a run of it",
        help: "\
Usage: cargo xtask matrix [LEG…] [--json] [--run] [--via LEG=CMD]…

Prints the table of what is promised: system, features, compiler, and the command that shows it. With names, only those.

  --json         the table as one line of JSON, for a hosted workflow: {\"include\":[…]}
  --run          run every leg that this machine can, and say of each other why not; fails where a leg that ran failed, or
                 one that was named cannot run
  --via LEG=CMD  with --run: run this leg by that command line, from the repository's root; it is split at spaces.
                 For systems that are reached otherwise, such as `--via windows='ssh box cd bgt; cargo xtask test'`

The leg `msrv` runs where rustup has that toolchain. Where BGT_MSRV_RUSTC names a compiler of that version, everything is
type-checked by it.
",
        flags: &["--json", "--run"],
        options: &["--via"],
        words: true,
        trailing: false,
    },
    run,
};

/// What became of one leg, or of one part of it.
struct Outcome {
    name: String,
    seconds: Option<f64>,
    /// `ok`, `FAILED`, or why it was not run.
    word: String,
    failed: bool,
}

fn run(args: &Args) -> Result {
    let root = shell::root()?;
    let oldest = legs::oldest(&std::fs::read_to_string(root.join("Cargo.toml"))?)?;
    let legs = plan::choose(legs::all(), &args.words)?;
    let via = plan::via(&legs, args.values("--via"))?;
    // What would silently do nothing.
    if args.has("--json") && args.has("--run") {
        return Err("--json prints the table and runs nothing: leave one of --json and --run out".into());
    }
    if !via.is_empty() && !args.has("--run") {
        return Err("--via says how a leg is run: it needs --run".into());
    }
    if args.has("--json") {
        println!(
            "{}",
            serde_json::json!({"include": legs.iter().map(|leg| leg.json(&oldest)).collect::<Value>()})
        );
        return Ok(());
    }
    print!("{}", table(&legs, &oldest));
    if !args.has("--run") {
        return Ok(());
    }
    let machine = Machine::look(&root, &oldest);
    let mut outcomes = Vec::new();
    for leg in &legs {
        eprintln!("xtask: leg {}", leg.name);
        let given = via.iter().find(|(name, _)| *name == leg.name).map(|(_, command)| command.as_str());
        outcomes.extend(run_leg(&root, leg, plan::way(leg, given, &machine))?);
    }
    print!("\n{}", report(&outcomes));
    // A leg that was asked for by name is to run.
    let is_asked = |one: &Outcome| one.seconds.is_none() && args.words.contains(&one.name);
    let failed = outcomes.iter().filter(|one| one.failed || is_asked(one));
    let failed: Vec<_> = failed.map(|one| one.name.as_str()).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed or not run: {}", failed.join(", ")).into()) }
}

fn run_leg(root: &Path, leg: &Leg, way: Way) -> Result<Vec<Outcome>> {
    let one = |command: &mut Command, how: &str| vec![timed(leg.name.to_owned(), command, how)];
    Ok(match way {
        Way::Not(reason) => {
            vec![Outcome {
                name: leg.name.to_owned(),
                seconds: None,
                word: format!("not run: {reason}"),
                failed: false,
            }]
        }
        Way::Via(line) => {
            let mut words = line.split_whitespace();
            let mut command = Command::new(words.next().unwrap_or_default());
            one(command.current_dir(root).args(words), &format!("by `{line}`"))
        }
        Way::Rustup(toolchain) => {
            let mut command = Command::new("rustup");
            command
                .current_dir(root)
                .args(["run", &toolchain, "cargo", "xtask"])
                .args(leg.features.command());
            // Apart from the other compiler's work, so that each keeps its own.
            one(command.env("CARGO_TARGET_DIR", "target/msrv"), &format!("Rust {toolchain}"))
        }
        Way::Compiler { path, version } => {
            let mut command = shell::cargo(root);
            command.args(["check", "--workspace", "--all-targets", "--all-features"]);
            command.env("RUSTC", path).env("CARGO_TARGET_DIR", "target/msrv");
            one(&mut command, &format!("type-checked by {version}"))
        }
        Way::Here(version) if leg.features == Features::Each => {
            let choices = features::commands(root, &Workspace::load(root, "Cargo.toml")?);
            let each = choices.into_iter().map(|mut choice| {
                timed(format!("{}: {}", leg.name, choice.name), &mut choice.command, &version)
            });
            each.collect()
        }
        Way::Here(version) => {
            let mut command = Command::new(std::env::current_exe()?);
            one(command.current_dir(root).args(leg.features.command()), &version)
        }
    })
}

fn timed(name: String, command: &mut Command, how: &str) -> Outcome {
    let start = Instant::now();
    let outcome = shell::run(command);
    if let Err(error) = &outcome {
        eprintln!("xtask: {error}");
    }
    let word = match &outcome {
        Ok(()) => format!("ok, {how}"),
        // The command and its output stand above, where it was run.
        Err(_) => format!("FAILED, {how}"),
    };
    Outcome { name, seconds: Some(start.elapsed().as_secs_f64()), word, failed: outcome.is_err() }
}

fn table(legs: &[Leg], oldest: &str) -> String {
    let mut text = format!("{:<18}{:<9}{:<25}{:<7}shown by\n", "leg", "system", "features", "Rust");
    for leg in legs {
        let (system, features) = (leg.system.name(), leg.features.name());
        text += &format!(
            "{:<18}{system:<9}{features:<25}{:<7}{}\n",
            leg.name,
            leg.toolchain(oldest),
            leg.typed()
        );
    }
    text
}

fn report(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let line = |one: &Outcome| {
        let seconds = one.seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1} s"));
        format!("  {:<width$}{seconds:>10}  {}\n", one.name, one.word)
    };
    outcomes.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that is there on every system: this one.
    fn program() -> String {
        std::env::current_exe().unwrap().display().to_string()
    }

    #[test]
    fn a_leg_that_fails_is_told_from_one_that_was_not_run() {
        let failed = timed("a".to_owned(), Command::new(program()).arg("--no-such-option"), "here");
        let passed = timed("b".to_owned(), Command::new(program()).arg("--help"), "here");
        assert!(failed.failed && !passed.failed);
        let leg = legs::all().remove(0);
        let left = run_leg(Path::new("."), &leg, Way::Not("no such machine".to_owned())).unwrap().remove(0);
        assert!(!left.failed);
        let text = report(&[failed, passed, left]);
        let ends: Vec<_> = text.lines().map(|line| line.contains("FAILED")).collect();
        assert_eq!(ends, [true, false, false], "{text}");
        assert!(text.contains("not run: no such machine"), "{text}");
    }

    #[test]
    fn a_leg_by_another_command_fails_with_it() {
        let leg = legs::all().remove(0);
        let by = |line: String| run_leg(Path::new("."), &leg, Way::Via(line)).unwrap().remove(0);
        assert!(!by(format!("{} --help", program())).failed);
        assert!(by(format!("{} --no-such-option", program())).failed);
        assert!(by("no-such-program-anywhere".to_owned()).failed);
    }

    #[test]
    fn the_workflow_reads_the_table() {
        let workflow = include_str!("../../.github/workflows/ci.yml");
        assert!(workflow.contains("cargo xtask matrix --json") && workflow.contains("fromJSON"));
        for column in ["runner", "toolchain", "components", "command"] {
            assert!(legs::all()[0].json("1").get(column).is_some());
            assert!(workflow.contains(&format!("matrix.{column} ")), "{column}");
        }
        assert!(workflow.contains(&format!("rustup toolchain install {} ", legs::CURRENT)));
    }
}
