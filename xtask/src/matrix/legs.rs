//! The table itself: which systems, features and compilers are promised, and what shows that each holds.

use serde_json::{Value, json};

use crate::Result;

/// The compiler that the hosted runs use. Clippy learns with every release: a new one is a change of its own.
pub(super) const CURRENT: &str = "1.95";

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leg {
    /// What people call it, and what `--via` names.
    pub(super) name: &'static str,
    pub(super) system: System,
    pub(super) features: Features,
    pub(super) compiler: Compiler,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    Windows,
    MacOs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Features {
    /// All of them at once, every test.
    All,
    /// None, each alone, all: compiled without a warning.
    Each,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compiler {
    Current,
    /// The `rust-version` of the workspace.
    Oldest,
}

/// Every leg, those first that say most.
pub(super) fn all() -> Vec<Leg> {
    let leg = |name, system, features, compiler| Leg { name, system, features, compiler };
    vec![
        leg("windows", System::Windows, Features::All, Compiler::Current),
        leg("linux", System::Linux, Features::All, Compiler::Current),
        leg("macos", System::MacOs, Features::All, Compiler::Current),
        leg("msrv", System::Linux, Features::All, Compiler::Oldest),
        leg("windows-features", System::Windows, Features::Each, Compiler::Current),
        leg("linux-features", System::Linux, Features::Each, Compiler::Current),
        leg("macos-features", System::MacOs, Features::Each, Compiler::Current),
    ]
}

impl System {
    /// The value of [`std::env::consts::OS`] on it.
    pub(super) fn name(self) -> &'static str {
        match self {
            System::Linux => "linux",
            System::Windows => "windows",
            System::MacOs => "macos",
        }
    }

    fn runner(self) -> &'static str {
        match self {
            System::Linux => "ubuntu-latest",
            System::Windows => "windows-latest",
            System::MacOs => "macos-latest",
        }
    }
}

impl Features {
    pub(super) fn name(self) -> &'static str {
        match self {
            Features::All => "all at once, every test",
            Features::Each => "none, each alone, all",
        }
    }

    /// What is behind `cargo xtask`.
    pub(super) fn command(self) -> &'static [&'static str] {
        match self {
            Features::All => &["test"],
            Features::Each => &["tidy", "features"],
        }
    }
}

impl Leg {
    /// Whether this machine has the system that the leg is about.
    pub(super) fn is_native(&self) -> bool {
        self.system.name() == std::env::consts::OS
    }

    pub(super) fn toolchain<'a>(&self, oldest: &'a str) -> &'a str {
        match self.compiler {
            Compiler::Current => CURRENT,
            Compiler::Oldest => oldest,
        }
    }

    /// How people would type what shows that this leg holds.
    pub(super) fn typed(&self) -> String {
        format!("cargo xtask {}", self.features.command().join(" "))
    }

    /// The row as a hosted workflow reads it.
    pub(super) fn json(&self, oldest: &str) -> Value {
        json!({
            "name": self.name,
            "os": self.system.name(),
            "runner": self.system.runner(),
            "features": self.features.name(),
            "toolchain": self.toolchain(oldest),
            "components": if self.features == Features::Each { "clippy" } else { "" },
            "command": self.typed(),
        })
    }
}

/// The `rust-version` that a workspace's manifest asks for.
///
/// # Errors
/// Where it asks for none.
pub(super) fn oldest(manifest: &str) -> Result<String> {
    let value = |line: &str| Some(line.strip_prefix("rust-version = \"")?.split('"').next()?.to_owned());
    manifest.lines().find_map(value).ok_or_else(|| {
        "Cargo.toml has no line `rust-version = \"…\"`, so the oldest compiler is unknown".into()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_system_is_tested_whole_and_with_each_feature() {
        for system in [System::Linux, System::Windows, System::MacOs] {
            for features in [Features::All, Features::Each] {
                let found = all().into_iter().any(|leg| (leg.system, leg.features) == (system, features));
                assert!(found, "{system:?} {features:?}");
            }
        }
        assert!(all().iter().any(|leg| leg.compiler == Compiler::Oldest));
    }

    #[test]
    fn names_are_told_apart() {
        let names: BTreeSet<_> = all().iter().map(|leg| leg.name).collect();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn a_row_has_what_a_workflow_needs() {
        let msrv = all().into_iter().find(|leg| leg.name == "msrv").unwrap().json("1.85");
        assert_eq!(
            (&msrv["runner"], &msrv["toolchain"], &msrv["command"]),
            (&json!("ubuntu-latest"), &json!("1.85"), &json!("cargo xtask test"))
        );
    }

    #[test]
    fn the_oldest_compiler_is_the_one_of_the_manifest() {
        assert_eq!(oldest("[workspace.package]\nrust-version = \"1.85\"\n").unwrap(), "1.85");
        assert!(oldest("[package]").unwrap_err().to_string().contains("rust-version"));
    }
}
