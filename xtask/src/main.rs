//! Everything that CI runs, as commands: `cargo xtask --help`.
//!
//! This file only dispatches. One file a command; what commands share is in the files named after it. Nothing here
//! knows a continuous-integration service: the YAML calls these commands and adds nothing.

mod args;
mod bench;
mod ci;
mod coverage;
mod doc;
mod features;
mod finding;
mod markdown;
mod matrix;
mod rust_source;
mod shell;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use args::{Args, Spec};

type Error = Box<dyn std::error::Error>;
type Result<T = (), E = Error> = std::result::Result<T, E>;

/// One command: what it takes, and what it does.
struct Command {
    spec: Spec,
    run: fn(&Args) -> Result,
}

const COMMANDS: &[Command] = &[
    test::COMMAND,
    tidy::COMMAND,
    doc::COMMAND,
    bench::COMMAND,
    features::COMMAND,
    coverage::COMMAND,
    matrix::COMMAND,
    soak::COMMAND,
    ci::COMMAND,
];

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result {
    let mut words = args::from_environment()?.into_iter();
    let name = words.next().unwrap_or_else(|| "--help".to_owned());
    if matches!(name.as_str(), "--help" | "-h" | "help") {
        print!("{}", overview());
        return Ok(());
    }
    let Some(command) = COMMANDS.iter().find(|command| command.spec.name == name) else {
        return Err(format!("no command is called `{name}`\n\n{}", overview()).into());
    };
    match command.spec.parse(words)? {
        Some(args) => (command.run)(&args),
        None => {
            print!("{}", command.spec.help);
            Ok(())
        }
    }
}

fn overview() -> String {
    let mut text = "Usage: cargo xtask COMMAND [--help]\n\n".to_owned();
    for Command { spec, .. } in COMMANDS {
        text += &format!("  {:<10}{}\n", spec.name, spec.summary);
    }
    text
}
