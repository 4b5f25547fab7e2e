//! How each leg can be run here, or why it cannot: decided from what is known about the machine.

use std::path::Path;
use std::process::Command;

use super::legs::{Compiler, Leg};
use crate::Result;

/// What matters about this machine.
pub(super) struct Machine {
    /// `rustc --version` of the compiler that cargo uses here.
    pub(super) rustc: Option<String>,
    pub(super) oldest: Oldest,
}

/// How the oldest compiler can be had.
pub(super) enum Oldest {
    /// By rustup, under this name.
    Rustup(String),
    /// As a program alone.
    Given { path: String, version: String },
    /// It cannot, for this reason.
    No(String),
}

/// How to run a leg.
#[derive(Debug, PartialEq)]
pub(super) enum Way {
    /// By the compiler that cargo uses here, which is named.
    Here(String),
    Via(String),
    Rustup(String),
    Compiler {
        path: String,
        version: String,
    },
    Not(String),
}

const VARIABLE: &str = "BGT_MSRV_RUSTC";

impl Machine {
    /// Looks at this machine; `oldest` is the oldest compiler that is promised.
    pub(super) fn look(root: &Path, oldest: &str) -> Machine {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        let given = std::env::var(VARIABLE).ok();
        let given = given.map(|path| (answer(Command::new(&path).arg("--version")), path));
        let installed = answer(Command::new("rustup").current_dir(root).args(["toolchain", "list"]));
        Machine {
            rustc: answer(Command::new(rustc).current_dir(root).arg("--version")),
            oldest: Oldest::of(oldest, given, installed.as_deref().unwrap_or_default()),
        }
    }
}

impl Oldest {
    /// From a compiler that was given, with what it says it is, and the toolchains that rustup lists.
    fn of(oldest: &str, given: Option<(Option<String>, String)>, installed: &str) -> Oldest {
        match given {
            Some((Some(version), path)) if is_version(&version, oldest) => Oldest::Given { path, version },
            Some((Some(version), path)) => {
                Oldest::No(format!("{VARIABLE}={path} is {version}, not Rust {oldest}"))
            }
            Some((None, path)) => Oldest::No(format!("{VARIABLE}={path} does not answer to --version")),
            None => {
                let mut names = installed.lines().filter_map(|line| line.split_whitespace().next());
                let name = names.find(|name| is_version(&format!("rustc {name}"), oldest));
                name.map_or_else(
                    || {
                        Oldest::No(format!(
                            "no Rust {oldest}; `rustup toolchain install {oldest} --profile minimal` or {VARIABLE}=FILE"
                        ))
                    },
                    |name| Oldest::Rustup(name.to_owned()),
                )
            }
        }
    }
}

/// Whether `rustc 1.85.1 (…)` or `rustc 1.85-x86_64-…` is of version 1.85.
fn is_version(said: &str, version: &str) -> bool {
    let rest = said.strip_prefix("rustc ").and_then(|said| said.strip_prefix(version));
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// How `leg` can be run here; `given` is the command line that `--via` gave for it.
pub(super) fn way(leg: &Leg, given: Option<&str>, machine: &Machine) -> Way {
    if let Some(line) = given {
        return Way::Via(line.to_owned());
    }
    if !leg.is_native() {
        let (here, name) = (std::env::consts::OS, leg.name);
        return Way::Not(format!("this is {here}; `--via {name}=CMD` reaches another machine"));
    }
    match (leg.compiler, &machine.oldest, &machine.rustc) {
        (Compiler::Current, _, Some(rustc)) => Way::Here(rustc.clone()),
        (Compiler::Current, _, None) => Way::Not("`rustc --version` does not answer".to_owned()),
        (Compiler::Oldest, Oldest::Rustup(name), _) => Way::Rustup(name.clone()),
        (Compiler::Oldest, Oldest::Given { path, version }, _) => {
            Way::Compiler { path: path.clone(), version: version.clone() }
        }
        (Compiler::Oldest, Oldest::No(why), _) => Way::Not(why.clone()),
    }
}

/// The legs that are named, or all.
///
/// # Errors
/// Where there is none of a name.
pub(super) fn choose(legs: Vec<Leg>, wanted: &[String]) -> Result<Vec<Leg>> {
    wanted.iter().try_for_each(|name| known(&legs, name))?;
    Ok(legs
        .into_iter()
        .filter(|leg| wanted.is_empty() || wanted.iter().any(|name| name == leg.name))
        .collect())
}

/// The command lines that `--via` gave, by leg.
///
/// # Errors
/// Where one is not `LEG=CMD` or names no leg.
pub(super) fn via<'a>(legs: &[Leg], given: impl Iterator<Item = &'a str>) -> Result<Vec<(&'a str, String)>> {
    let one = |text: &'a str| match text.split_once('=') {
        Some((name, command)) if !command.trim().is_empty() => {
            known(legs, name)?;
            Ok((name, command.to_owned()))
        }
        _ => Err(format!("`--via {text}` says no command; write `--via LEG=CMD`").into()),
    };
    given.map(one).collect()
}

fn known(legs: &[Leg], name: &str) -> Result {
    let names: Vec<_> = legs.iter().map(|leg| leg.name).collect();
    if names.contains(&name) {
        return Ok(());
    }
    Err(format!("no leg is called `{name}`; there are {}", names.join(", ")).into())
}

/// What a program answers, where it is there and succeeds.
fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::legs;
    use super::*;

    fn named(name: &str) -> Leg {
        legs::all().into_iter().find(|leg| leg.name == name).unwrap()
    }

    fn native() -> Leg {
        named(std::env::consts::OS)
    }

    #[test]
    fn another_system_needs_a_way_there() {
        let other = legs::all().into_iter().find(|leg| !leg.is_native()).unwrap();
        let machine = Machine { rustc: Some("rustc 1.95.0".to_owned()), oldest: Oldest::No(String::new()) };
        let Way::Not(reason) = way(&other, None, &machine) else { panic!("ran elsewhere") };
        assert!(reason.contains(&format!("--via {}=CMD", other.name)), "{reason}");
        assert_eq!(way(&other, Some("ssh box"), &machine), Way::Via("ssh box".to_owned()));
        assert_eq!(way(&native(), None, &machine), Way::Here("rustc 1.95.0".to_owned()));
    }

    #[test]
    fn the_oldest_compiler_is_one_of_that_version_and_no_other() {
        let given = |said: &str| Oldest::of("1.85", Some((Some(said.to_owned()), "/r".to_owned())), "");
        assert!(matches!(given("rustc 1.85.0 (4d91de4e4 2025-02-17)"), Oldest::Given { .. }));
        for said in ["rustc 1.95.0 (x)", "rustc 1.850.0", "gcc 1.85"] {
            assert!(matches!(given(said), Oldest::No(why) if why.contains(said)), "{said}");
        }
        let mute = Oldest::of("1.85", Some((None, "/none".to_owned())), "");
        assert!(matches!(mute, Oldest::No(why) if why.contains("/none")));
    }

    #[test]
    fn rustup_is_asked_where_no_compiler_was_given() {
        let list = "stable-x86_64-unknown-linux-gnu (default)\n1.85-x86_64-unknown-linux-gnu\n";
        assert!(matches!(Oldest::of("1.85", None, list), Oldest::Rustup(name) if name.starts_with("1.85-")));
        assert!(
            matches!(Oldest::of("1.86", None, list), Oldest::No(why) if why.contains("rustup toolchain install"))
        );
    }

    #[test]
    fn what_means_no_leg_is_refused() {
        let legs = legs::all();
        for wrong in ["plan9=x", "windows", "windows= "] {
            assert!(via(&legs, [wrong].into_iter()).is_err(), "{wrong}");
        }
        assert_eq!(via(&legs, ["windows=a b=c"].into_iter()).unwrap(), [("windows", "a b=c".to_owned())]);
        assert_eq!(choose(legs::all(), &["msrv".to_owned()]).unwrap(), [named("msrv")]);
        let text = choose(legs::all(), &["mrsv".to_owned()]).unwrap_err().to_string();
        assert!(text.contains("`mrsv`") && text.contains("msrv"), "{text}");
    }
}
