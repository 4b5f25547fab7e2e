//! What the workspace is made of: its packages as cargo sees them, its files as git sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Result, shell};

/// The members of a cargo workspace.
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
}

/// One member.
pub(crate) struct Package {
    pub(crate) name: String,
    /// From the repository's root, with `/`.
    pub(crate) folder: String,
    pub(crate) published: bool,
    pub(crate) description: Option<String>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) bins: Vec<String>,
}

/// One line of a manifest's dependencies.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) default_features: bool,
}

/// What a dependency is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

impl Workspace {
    /// Asks cargo about the workspace of `manifest`, a path from the repository's root.
    ///
    /// # Errors
    /// Where cargo cannot read it.
    pub(crate) fn load(root: &Path, manifest: &str) -> Result<Workspace> {
        let answer = shell::read(shell::cargo(root).args([
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--manifest-path",
            manifest,
        ]))?;
        let answer: Value = serde_json::from_str(&answer)?;
        let packages = list(&answer["packages"]).iter().map(|package| Package::read(root, package)).collect();
        Ok(Workspace { packages })
    }

    pub(crate) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.published)
    }
}

impl Package {
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    fn read(root: &Path, package: &Value) -> Package {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let folder = manifest.parent().unwrap_or(&manifest);
        let features = package["features"].as_object().into_iter().flatten();
        let is_bin = |target: &&Value| list(&target["kind"]).iter().any(|kind| kind == "bin");
        Package {
            name: text(&package["name"]),
            folder: folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().replace('\\', "/"),
            published: package["publish"].is_null(),
            description: package["description"].as_str().map(str::to_owned),
            features: features
                .map(|(name, of)| (name.clone(), list(of).iter().map(text).collect()))
                .collect(),
            dependencies: list(&package["dependencies"]).iter().map(Dependency::read).collect(),
            bins: list(&package["targets"])
                .iter()
                .filter(is_bin)
                .map(|target| text(&target["name"]))
                .collect(),
        }
    }
}

impl Dependency {
    fn read(dependency: &Value) -> Dependency {
        Dependency {
            name: text(&dependency["name"]),
            kind: match dependency["kind"].as_str() {
                Some("dev") => Kind::Dev,
                Some("build") => Kind::Build,
                _ => Kind::Normal,
            },
            default_features: dependency["uses_default_features"] == true,
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The repository's text files, by path from its root with `/`.
#[derive(Default)]
pub(crate) struct Files {
    texts: BTreeMap<String, String>,
    paths: BTreeSet<String>,
}

impl Files {
    /// Reads every file that git tracks or would add.
    ///
    /// # Errors
    /// Where git is missing or this is no clone.
    pub(crate) fn load(root: &Path) -> Result<Files> {
        let mut git = Command::new("git");
        git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let mut files = Files::default();
        for path in shell::read(&mut git)?.split_terminator('\0') {
            // What was deleted but not yet committed is listed too.
            if let Ok(bytes) = fs::read(root.join(path)) {
                let text = if bytes.contains(&0) {
                    String::new()
                } else {
                    String::from_utf8_lossy(&bytes).into_owned()
                };
                files.insert(path, text);
            }
        }
        Ok(files)
    }

    pub(crate) fn insert(&mut self, path: &str, text: impl Into<String>) {
        let mut folder = path;
        while let Some((parent, _)) = folder.rsplit_once('/') {
            self.paths.insert(parent.to_owned());
            folder = parent;
        }
        self.paths.insert(path.to_owned());
        self.texts.insert(path.to_owned(), text.into());
    }

    /// Whether a file or a folder has this path.
    pub(crate) fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.paths.contains(path)
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Every file, as path and text.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files below a folder.
    pub(crate) fn rust_in(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        let folder = format!("{folder}/");
        self.all().filter(move |(path, _)| path.starts_with(&folder) && path.ends_with(".rs"))
    }
}

#[cfg(test)]
impl Files {
    /// Files made up for a test.
    pub(crate) fn of(files: &[(&str, &str)]) -> Files {
        let mut made = Files::default();
        for (path, text) in files {
            made.insert(path, *text);
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_files_exist_too() {
        let files = Files::of(&[("docs/design/one.md", "")]);
        assert!(files.exists("docs/design/one.md") && files.exists("docs/design") && files.exists("docs"));
        assert!(!files.exists("docs/des") && !files.exists("design"));
    }

    #[test]
    fn a_package_is_read_from_what_cargo_answers() {
        let answer = serde_json::json!({
            "name": "bgt-x", "manifest_path": "/r/crates/bgt-x/Cargo.toml", "publish": null, "description": "d",
            "features": {"default": ["a"], "a": []},
            "dependencies": [{"name": "bgt-core", "kind": null, "uses_default_features": false},
                             {"name": "bgt-testkit", "kind": "dev", "uses_default_features": true}],
            "targets": [{"name": "bgt_x", "kind": ["lib"]}, {"name": "spawn", "kind": ["bin"]}],
        });
        let package = Package::read(Path::new("/r"), &answer);
        assert_eq!(package.manifest(), "crates/bgt-x/Cargo.toml");
        assert!(package.published);
        assert_eq!(package.bins, ["spawn"]);
        assert_eq!(package.features["default"], ["a"]);
        assert_eq!(package.dependencies[0].kind, Kind::Normal);
        assert_eq!(package.dependencies[1].kind, Kind::Dev);
        assert!(package.dependencies[1].default_features);
    }
}
