//! `cargo xtask bench`: measures in release mode, for people or as JSON lines, and compares with an earlier run.

mod compare;
mod limits;
mod machine;
mod numbers;
pub(crate) mod page;
mod plot;
mod record;
mod rivals;
mod saved;
mod table;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::args::{Args, Spec};
use crate::workspace::Workspace;
use crate::{Result, shell};
use record::Record;

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "bench",
        summary: "measure suites in release mode, save and compare",
        help: "\
Usage: cargo xtask bench [SUITE…] [--json] [--quick] [--peers] [--save NAME] [--compare NAME]

Runs the named suites, or all of them, and prints a table; progress goes to stderr. A ratio above 1 means that ours is
better; its 95 % interval stands beside it. A goal that is missed is shown, it is no failure.

  --json          print one JSON object a line on stdout, nothing else
  --quick         less than a minute a suite
  --peers         suites with rivals from other crates as they are in benches/peers, a workspace of its own; rivals that
                  are programs of their own are built from benches/rivals
  --save NAME     keep the lines in benches/saved/NAME.jsonl, after one that names machine, date and commands;
                  the run `published` is part of the repository, and `cargo xtask doc` makes docs/benchmarks.md from it
  --compare NAME  show the change since that run; fail where an interval lies wholly on the worse side of the old one, or
                  a goal without a rival was met and is not any more, and the same comes of a second measurement
",
        flags: &["--json", "--quick", "--peers"],
        options: &["--save", "--compare"],
        words: true,
        trailing: false,
    },
    run,
};

/// The workspace that the suites are in: its manifest, and what tells cargo to take it.
struct Place {
    manifest: &'static str,
    choice: &'static [&'static str],
}

const OURS: Place = Place { manifest: "benches/Cargo.toml", choice: &["-p", "bgt-benches"] };
const PEERS: Place =
    Place { manifest: "benches/peers/Cargo.toml", choice: &["--manifest-path", "benches/peers/Cargo.toml"] };

fn run(args: &Args) -> Result {
    let root = shell::root()?;
    for name in args.value("--save").into_iter().chain(args.value("--compare")) {
        saved::check_name(name)?;
    }
    // Before anything takes an hour.
    let old = args.value("--compare").map(|name| saved::load(&root, name)).transpose()?;
    let with_rivals = if args.has("--peers") { suites(&root, &PEERS)? } else { Vec::new() };
    let suites = choose(&suites(&root, &OURS)?, &args.words)?;
    let place = |suite: &String| if with_rivals.contains(suite) { &PEERS } else { &OURS };

    build(&root, place, &suites)?;
    if args.has("--peers") {
        suites.iter().try_for_each(|suite| rivals::build(&root, suite))?;
    }
    let command = |suite: &String| -> Result<Command> {
        let mut command = suite_command(&root, place(suite), suite, args.has("--quick"));
        if args.has("--peers") {
            command.envs(rivals::path(suite)?.map(|path| (rivals::VARIABLE, path)));
        }
        Ok(command)
    };
    let mut records: Vec<Record> = Vec::new();
    let mut commands = Vec::new();
    for suite in &suites {
        let mut command = command(suite)?;
        // Without the folders in which rivals are on this machine.
        commands.push(shell::typed(&suite_command(&root, place(suite), suite, args.has("--quick"))));
        records.extend(measure(&mut command, suite, args.has("--json"))?);
    }

    if !args.has("--json") {
        print!("{}", table::of(&records));
    }
    let about = machine::describe(&root, &commands);
    if let Some(name) = args.value("--save") {
        let path = saved::save(&root, name, &about, &records)?;
        eprintln!("xtask: saved {path}");
    }
    let Some(old) = old else { return Ok(()) };
    for difference in compare::differences(&old.about, &about) {
        eprintln!("xtask: `{}` was measured {difference}", old.name);
    }
    let mut outcome = compare::against(&old, &records);
    if args.has("--json") {
        eprint!("{}", outcome.table);
    } else {
        print!("\n{}", outcome.table);
    }
    if !outcome.worse.is_empty() {
        // Two runs of the same program differ by more than the rounds of one do: what is worse has to be so twice.
        eprintln!("xtask: worse, measured once more: {}", outcome.worse.join(", "));
        let is_worse = |record: &&Record| outcome.worse.contains(&record.key());
        let again: BTreeSet<_> = records.iter().filter(is_worse).map(|record| record.suite.clone()).collect();
        let mut second = Vec::new();
        for suite in &again {
            second.extend(measure(&mut command(suite)?, suite, false)?);
        }
        let second = compare::against(&old, &second).worse;
        outcome.worse.retain(|key| second.contains(key));
    }
    match outcome.worse.as_slice() {
        [] if !outcome.compared => Err(format!("`{}` has nothing of what was measured", old.name).into()),
        [] => Ok(()),
        worse => Err(format!("worse than before: {}", worse.join(", ")).into()),
    }
}

/// The suites that exist: the programs of the workspace.
fn suites(root: &Path, place: &Place) -> Result<Vec<String>> {
    let manifest = place.manifest;
    if !root.join(manifest).is_file() {
        return Err(format!("{manifest} does not exist, so there are no such suites").into());
    }
    let folder = manifest.trim_end_matches("/Cargo.toml");
    let packages = Workspace::load(root, manifest)?.packages.into_iter();
    let packages = packages.filter(|package| package.folder.starts_with(folder));
    Ok(packages.flat_map(|package| package.bins).collect::<BTreeSet<_>>().into_iter().collect())
}

/// The suites to run: those named, or all.
fn choose(known: &[String], wanted: &[String]) -> Result<Vec<String>> {
    if known.is_empty() {
        return Err("there are no suites yet".into());
    }
    match wanted.iter().find(|name| !known.contains(name)) {
        Some(unknown) => {
            Err(format!("no suite is called `{unknown}`; there are {}", known.join(", ")).into())
        }
        None if wanted.is_empty() => Ok(known.to_vec()),
        None => Ok(wanted.to_vec()),
    }
}

/// Builds all suites first, so that no measurement shares the machine with a compiler.
fn build(root: &Path, place: impl Fn(&String) -> &'static Place, suites: &[String]) -> Result {
    for suite in suites {
        let mut cargo = shell::cargo(root);
        cargo.args(["build", "--release"]).args(place(suite).choice).args(["--bin", suite]);
        // Nothing but results on stdout.
        shell::run(cargo.stdout(Stdio::null()))?;
    }
    Ok(())
}

fn suite_command(root: &Path, place: &Place, suite: &str, quick: bool) -> Command {
    let mut cargo = shell::cargo(root);
    cargo.args(["run", "--release", "-q"]).args(place.choice).args(["--bin", suite, "--", "--json"]);
    if quick {
        cargo.arg("--quick");
    }
    cargo
}

/// How a suite ends that has nothing to measure on this machine, and has said why.
const NOTHING_MEASURED: i32 = 77;

/// Runs one suite and reads its lines; with `pass_on`, each goes to stdout as soon as it is there.
fn measure(command: &mut Command, suite: &str, pass_on: bool) -> Result<Vec<Record>> {
    let typed = shell::typed(command);
    eprintln!("$ {typed}");
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut records: Vec<Record> = Vec::new();
    for line in BufReader::new(child.stdout.take().ok_or("the suite has no stdout")?).lines() {
        let line = line?;
        if !line.starts_with('{') {
            eprintln!("{line}");
            continue;
        }
        let record = Record::read(&line).map_err(|what| format!("suite {suite}: {what}: {line}"))?;
        if records.iter().any(|earlier| earlier.key() == record.key()) {
            return Err(format!("suite {suite}: {} was reported twice", record.key()).into());
        }
        if pass_on {
            let mut stdout = std::io::stdout();
            writeln!(stdout, "{line}")?;
            stdout.flush()?;
        }
        records.push(record);
    }
    let status = child.wait()?;
    if status.code() == Some(NOTHING_MEASURED) && records.is_empty() {
        eprintln!("xtask: suite {suite} is skipped: it has nothing to measure here");
        return Ok(records);
    }
    if !status.success() {
        return Err(format!("`{typed}` failed: {status}").into());
    }
    if records.is_empty() {
        return Err(format!("suite {suite} reported nothing").into());
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_suite_is_refused_and_the_known_ones_are_named() {
        let known = ["pool".to_owned(), "spawn".to_owned()];
        assert_eq!(choose(&known, &[]).unwrap(), known);
        assert_eq!(choose(&known, &["spawn".to_owned()]).unwrap(), ["spawn"]);
        let text = choose(&known, &["spwan".to_owned()]).unwrap_err().to_string();
        assert!(text.contains("`spwan`") && text.contains("pool, spawn"), "{text}");
    }
}
