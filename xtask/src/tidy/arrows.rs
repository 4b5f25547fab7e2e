//! The arrows between crates: who may depend on whom, and that what is optional is not compiled.

use std::path::Path;

use crate::finding::Finding;
use crate::workspace::{Files, Kind, Package, Workspace};
use crate::{Result, shell};

/// The arrows of docs/architecture: a crate and what it may depend on. One that is not drawn here must not exist.
const ARROWS: &[(&str, &[&str])] = &[
    ("bgt-core", &[]),
    ("bgt-sys", &[]),
    ("bgt-process", &["bgt-core", "bgt-sys"]),
    ("bgt-simple", &["bgt-core", "bgt-process"]),
    ("bgt-store", &["bgt-core", "bgt-sys"]),
    ("bgt-log", &["bgt-core", "bgt-sys"]),
    ("bgt-streaming", &["bgt-simple", "bgt-log", "bgt-core"]),
    ("bgt-concurrent", &["bgt-simple", "bgt-store", "bgt-core"]),
    ("bgt-detached", &["bgt-simple", "bgt-log", "bgt-store", "bgt-core", "bgt-sys"]),
    ("bgt-periodic", &["bgt-simple", "bgt-store", "bgt-core", "bgt-sys"]),
    ("bgt-pool", &["bgt-simple", "bgt-core", "bgt-process"]),
    (
        "bgt-orchestrator",
        &[
            "bgt-simple",
            "bgt-streaming",
            "bgt-concurrent",
            "bgt-detached",
            "bgt-periodic",
            "bgt-pool",
            "bgt-core",
            "bgt-log",
            "bgt-store",
        ],
    ),
];

/// The facade's features of one pattern each.
const PATTERNS: [&str; 6] = ["simple", "streaming", "concurrent", "detached", "periodic", "pooled"];
const FACADE: &str = "bgt-orchestrator";

pub(super) fn check(root: &Path, workspace: &Workspace, files: &Files) -> Result<Vec<Finding>> {
    let mut findings: Vec<_> =
        workspace.published().flat_map(|package| drawn(package, workspace, files)).collect();
    for (package, feature, absent) in promises(workspace) {
        let mut tree = shell::cargo(root);
        tree.args(["tree", "--quiet", "-p", &package.name, "--no-default-features", "-e", "normal"]);
        tree.args(["--prefix", "none", "--format", "{p}"]);
        if let Some(feature) = feature {
            tree.args(["--features", feature]);
        }
        let compiled = shell::read(&mut tree)?;
        findings.extend(absent.into_iter().filter(|name| is_compiled(&compiled, name)).map(|name| {
            let with = feature
                .map_or("without features".to_owned(), |feature| format!("with feature `{feature}` alone"));
            Finding::about(
                package.manifest(),
                format!("{with} {name} is compiled too; make that dependency optional"),
            )
        }));
    }
    Ok(findings)
}

/// Arrows of one crate that are not drawn, and internal dependencies whose features could not be switched off.
fn drawn(package: &Package, workspace: &Workspace, files: &Files) -> Vec<Finding> {
    let manifest = package.manifest();
    let text = files.text(&manifest).unwrap_or_default();
    let line =
        |name: &str| 1 + text.lines().position(|line| line.trim_start().starts_with(name)).unwrap_or(0);
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == package.name) else {
        let what = format!(
            "{} is not in the table of arrows; draw its arrows in xtask/src/tidy/arrows.rs",
            package.name
        );
        return vec![Finding::about(manifest, what)];
    };
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let Some(internal) = workspace.package(name) else { continue };
        if dependency.kind != Kind::Dev && !allowed.contains(&name) {
            let what = format!(
                "{} may not depend on {name}; move the code, or change the architecture first",
                package.name
            );
            findings.push(Finding::at(&manifest, line(name), what));
        }
        if internal.published && dependency.default_features {
            let what =
                format!("{name} comes with its default features; declare it with `default-features = false`");
            findings.push(Finding::at(&manifest, line(name), what));
        }
    }
    findings
}

type Promise<'a> = (&'a Package, Option<&'a str>, Vec<String>);

/// A crate, at most one feature of it, and what must then not be compiled.
fn promises(workspace: &Workspace) -> Vec<Promise<'_>> {
    let programs = ["bgt-process", "bgt-sys"];
    let mut promises = Vec::new();
    for package in workspace.published().filter(|package| package.features.contains_key("process")) {
        // Who may use the system layer directly, may do so without programs.
        let direct =
            |name: &str| package.dependencies.iter().any(|d| d.name == name && d.kind == Kind::Normal);
        let absent =
            programs.into_iter().filter(|name| *name != "bgt-sys" || !direct(name)).map(str::to_owned);
        promises.push((package, None, absent.collect()));
    }
    if let Some(facade) = workspace.package(FACADE) {
        for feature in PATTERNS.into_iter().filter(|feature| facade.features.contains_key(*feature)) {
            let others = PATTERNS.into_iter().filter(|other| *other != feature && *other != "simple");
            promises.push((facade, Some(feature), others.map(crate_of).collect()));
        }
    }
    promises
}

/// The crate of a pattern.
fn crate_of(pattern: &str) -> String {
    match pattern {
        "pooled" => "bgt-pool".to_owned(),
        pattern => format!("bgt-{pattern}"),
    }
}

/// Whether `cargo tree` lists the crate; a line is `name v0.1.0 (/path)`.
fn is_compiled(tree: &str, name: &str) -> bool {
    tree.lines().any(|line| line.split_whitespace().next() == Some(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, Kind, bool)]) -> Package {
        let dependencies = dependencies.iter();
        Package {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            published: name != "bgt-testkit",
            description: None,
            features: BTreeMap::from([("process".to_owned(), Vec::new()), ("simple".to_owned(), Vec::new())]),
            dependencies: dependencies
                .map(|(name, kind, defaults)| Dependency {
                    name: (*name).to_owned(),
                    kind: *kind,
                    default_features: *defaults,
                })
                .collect(),
            bins: Vec::new(),
        }
    }

    fn findings(name: &str, dependencies: &[(&str, Kind, bool)]) -> Vec<String> {
        let others = ["bgt-core", "bgt-process", "bgt-simple", "bgt-testkit"];
        let workspace = Workspace { packages: others.into_iter().map(|name| package(name, &[])).collect() };
        let files = Files::of(&[(
            "crates/bgt-simple/Cargo.toml",
            "[dependencies]\nbgt-core.workspace = true\nbgt-streaming = 1\n",
        )]);
        drawn(&package(name, dependencies), &workspace, &files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn drawn_arrows_are_fine() {
        let dependencies = [
            ("bgt-core", Kind::Normal, false),
            ("bgt-process", Kind::Normal, false),
            ("bgt-testkit", Kind::Dev, true),
            ("tokio", Kind::Normal, true),
        ];
        assert_eq!(findings("bgt-simple", &dependencies), Vec::<String>::new());
        assert_eq!(findings("bgt-process", &[("bgt-simple", Kind::Dev, false)]), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_found() {
        for kind in [Kind::Normal, Kind::Build] {
            assert_eq!(findings("bgt-core", &[("bgt-simple", kind, false)]).len(), 1);
        }
        let found = findings("bgt-simple", &[("bgt-testkit", Kind::Normal, true)]);
        assert!(found[0].starts_with("crates/bgt-simple/Cargo.toml:1: "), "{found:?}");
        assert_eq!(findings("bgt-new", &[]).len(), 1);
    }

    #[test]
    fn default_features_of_our_own_are_found_with_their_line() {
        let found = findings("bgt-simple", &[("bgt-core", Kind::Normal, true)]);
        assert!(found[0].starts_with("crates/bgt-simple/Cargo.toml:2: "), "{found:?}");
    }

    #[test]
    fn what_is_compiled_is_read_from_the_tree() {
        let tree =
            "bgt-simple v0.1.0 (/r/crates/bgt-simple)\nbgt-core v0.1.0 (/r/crates/bgt-core)\nbytes v1.0.0\n";
        assert!(is_compiled(tree, "bgt-core"));
        assert!(!is_compiled(tree, "bgt-process") && !is_compiled(tree, "bgt"));
    }

    #[test]
    fn programs_are_optional_but_the_system_layer_may_be_used_directly() {
        let simple = package("bgt-simple", &[("bgt-process", Kind::Normal, false)]);
        let detached = package("bgt-detached", &[("bgt-sys", Kind::Normal, false)]);
        let facade = package(FACADE, &[]);
        let workspace = Workspace { packages: vec![simple, detached, facade] };
        let promises = promises(&workspace);
        assert_eq!(promises[0].2, ["bgt-process", "bgt-sys"]);
        assert_eq!(promises[1].2, ["bgt-process"]);
        let (_, feature, absent) = promises.last().unwrap();
        assert_eq!(*feature, Some("simple"));
        assert!(absent.contains(&"bgt-pool".to_owned()) && !absent.contains(&"bgt-simple".to_owned()));
    }
}
