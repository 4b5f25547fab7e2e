//! What each feature of the facade costs: how many crates are built for it, and how long that takes from nothing.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::args::{Args, Spec};
use crate::workspace::Workspace;
use crate::{Command, Result, shell};

const FACADE: &str = "bgt-orchestrator";

pub(crate) const COMMAND: Command = Command {
    spec: Spec {
        name: "features",
        summary: "what each feature of the facade costs to build",
        help: HELP,
        flags: &[],
        options: &[],
        words: false,
        trailing: false,
    },
    run,
};

const HELP: &str = "\
Usage: cargo xtask features

Builds bgt-orchestrator with each of its features alone, with those that it has by default, and with all of them, each from
nothing, and prints a table: how many crates were built, and in how many seconds. Some minutes long.
";

fn run(_args: &Args) -> Result {
    let root = shell::root()?;
    let workspace = Workspace::load(&root, "Cargo.toml")?;
    let facade = workspace.package(FACADE).ok_or("the facade is not a member of the workspace")?;
    let target = root.join("target").join("features");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "| features | crates built | seconds from nothing, {processors} processors |\n| --- | --- | --- |"
    );
    let mut choices: Vec<&str> = vec![""];
    let names = || facade.features.keys().map(String::as_str);
    choices.extend(names().filter(|name| !matches!(*name, "default" | "full")));
    choices.extend(names().filter(|name| matches!(*name, "default" | "full")));
    for choice in choices {
        let _ = fs::remove_dir_all(&target);
        let mut cargo = shell::cargo(&root);
        cargo.args(["build", "--locked", "-p", FACADE, "--no-default-features", "--features", choice]);
        cargo.arg("--target-dir").arg(&target);
        let (crates, took) = built(&mut cargo)?;
        let choice = if choice.is_empty() { "none".to_owned() } else { format!("`{choice}`") };
        println!("| {choice} | {crates} | {:.0} |", took.as_secs_f64());
        std::io::stdout().flush()?;
    }
    fs::remove_dir_all(&target)?;
    Ok(())
}

/// How many crates it compiled, and how long it took.
fn built(cargo: &mut std::process::Command) -> Result<(usize, Duration)> {
    let began = Instant::now();
    let output = cargo.output()?;
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("`{}` failed:\n{said}", shell::typed(cargo)).into());
    }
    Ok((compiled(&said), took))
}

/// The lines with which cargo says that it compiles a crate.
fn compiled(said: &str) -> usize {
    said.lines().filter(|line| line.trim_start().starts_with("Compiling ")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crate_is_counted_once() {
        let said =
            "   Compiling a v1.0.0\n   Compiling b v2.0.0 (/b)\nwarning: Compiling\n    Finished `dev`\n";
        assert_eq!(compiled(said), 2);
    }
}
