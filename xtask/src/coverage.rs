//! `cargo xtask coverage`: which lines of the published crates their tests run, and whether that is enough.

mod summary;
mod tools;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::args::{Args, Spec};
use crate::workspace::Workspace;
use crate::{Result, shell};
use summary::Summary;
use tools::Tools;

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "coverage",
        summary: "line coverage of the published crates, against their goals",
        help: "\
Usage: cargo xtask coverage [-p CRATE]…

Builds the published crates with `-C instrument-coverage` in target/coverage, runs their unit and integration tests, and prints
the share of lines that ran, crate by crate; fails where a goal is missed. Takes llvm-profdata and llvm-cov of the compiler's own
LLVM version: from its llvm-tools component, or from the system.

  -p CRATE   measure this crate instead of all of them, by its own tests; may be given again

Counted are the lines of src/, their unit tests included, that are compiled on this system. A process that is killed says nothing
of the lines that it ran, and neither do documentation tests: the true share is a little higher.
",
        flags: &[],
        options: &["-p"],
        words: false,
        trailing: false,
    },
    run,
};

fn run(args: &Args) -> Result {
    let root = shell::root()?;
    let tools = Tools::find(&root)?;
    let workspace = Workspace::load(&root, "Cargo.toml")?;
    let mut crates: Vec<_> = workspace.published().map(|package| package.name.clone()).collect();
    let wanted: Vec<_> = args.values("-p").collect();
    if let Some(unknown) = wanted.iter().find(|name| !crates.iter().any(|known| known == *name)) {
        return Err(format!("{unknown} is no published crate, only {}", crates.join(", ")).into());
    }
    crates.retain(|name| wanted.is_empty() || wanted.contains(&&**name));

    let place = Place::new(&root)?;
    place.build_helpers(&root)?;
    let mut list = place.cargo_test(&root, &crates);
    let programs = test_programs(list.args(["--no-run", "--message-format=json-render-diagnostics"]))?;
    place.forget_profiles()?;
    let tested = shell::run(&mut place.cargo_test(&root, &crates));

    let data = place.folder.join("merged.profdata");
    // A process that was killed may leave half a profile.
    let mut merge = Command::new(&tools.profdata);
    merge.args(["merge", "--sparse", "--failure-mode=all", "--output"]).arg(&data).arg(&place.profiles);
    shell::run(&mut merge)?;
    let report = shell::read(&mut export(&tools.cov, &data, &programs))?;

    let summary = Summary::read(&root, &crates, &serde_json::from_str(&report)?);
    print!("{summary}");
    tested?;
    match summary.missed() {
        missed if missed.is_empty() => Ok(()),
        missed => Err(format!("below the goal: {}", missed.join(", ")).into()),
    }
}

/// Where everything of this command is built and written.
struct Place {
    folder: PathBuf,
    profiles: PathBuf,
}

impl Place {
    fn new(root: &Path) -> Result<Place> {
        let folder = root.join("target").join("coverage");
        let profiles = folder.join("profiles");
        fs::create_dir_all(&profiles)?;
        Ok(Place { folder, profiles })
    }

    fn cargo_test(&self, root: &Path, crates: &[String]) -> Command {
        let mut cargo = shell::cargo(root);
        cargo.args(["test", "--quiet", "--all-features", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        for name in crates {
            cargo.args(["-p", name]);
        }
        self.instrument(&mut cargo);
        cargo
    }

    /// The programs that the tests start. They count nothing: the runtime that counts sets a variable, and a program that tells
    /// its environment would tell that.
    fn build_helpers(&self, root: &Path) -> Result {
        let mut cargo = shell::cargo(root);
        cargo.args(["build", "--quiet", "-p", "bgt-testkit", "--bins"]).env("CARGO_TARGET_DIR", &self.folder);
        shell::run(&mut cargo)
    }

    /// Has what this command builds count its lines, and write the counts here: into a few files that all share, as the tests
    /// start many thousand programs.
    fn instrument(&self, command: &mut Command) {
        command
            .env("RUSTFLAGS", "-C instrument-coverage")
            .env("CARGO_TARGET_DIR", &self.folder)
            .env("LLVM_PROFILE_FILE", self.profiles.join("%8m.profraw"));
    }

    fn forget_profiles(&self) -> Result {
        fs::remove_dir_all(&self.profiles)?;
        Ok(fs::create_dir(&self.profiles)?)
    }
}

/// The programs that this call of cargo builds, by its messages.
fn test_programs(build: &mut Command) -> Result<Vec<String>> {
    let messages = shell::read(build)?;
    let programs = messages.lines().filter_map(|message| {
        let message: Value = serde_json::from_str(message).ok()?;
        message["executable"].as_str().map(str::to_owned)
    });
    Ok(programs.collect())
}

fn export(cov: &OsString, data: &Path, programs: &[String]) -> Command {
    let mut export = Command::new(cov);
    export.args(["export", "--summary-only", "--format=text"]);
    export.arg(format!("--instr-profile={}", data.display()));
    for program in programs {
        export.args(["--object", program]);
    }
    export
}
