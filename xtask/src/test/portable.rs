//! The second leg on Linux: the portable Unix backend, the one that macOS uses, under the same suites.
//!
//! The test programs of the first leg are run again directly. A `cargo test -p …` of the three crates would pick other
//! features of their dependencies than the whole workspace does, and build everything once more.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Result, shell};

const CRATES: [&str; 3] = ["bgt-sys", "bgt-process", "bgt-simple"];

/// Whether this leg exists here: for a given target, its backend is the only one.
pub(crate) fn applies(target: Option<&str>) -> bool {
    cfg!(target_os = "linux") && target.is_none()
}

/// The test programs to run, told to use the portable backend; `cargo_test` is the call that built them.
///
/// # Errors
/// Where cargo cannot say which programs there are.
pub(crate) fn programs(cargo_test: &Command, arguments: &[String]) -> Result<Vec<Command>> {
    let root = cargo_test.get_current_dir().unwrap_or(Path::new(".")).to_path_buf();
    let mut list = shell::cargo(&root);
    list.args(cargo_test.get_args().take_while(|word| *word != "--"));
    list.args(["--no-run", "--quiet", "--message-format=json-render-diagnostics"]);
    eprintln!("xtask: leg portable: {} with BGT_BACKEND=portable", CRATES.join(", "));

    let mut found: Vec<_> = shell::read(&mut list)?.lines().filter_map(test_program).collect();
    found.sort();
    let command = |(folder, program): (PathBuf, PathBuf)| {
        let mut command = Command::new(program);
        command
            .current_dir(&folder)
            .env("CARGO_MANIFEST_DIR", &folder)
            .env("BGT_BACKEND", "portable")
            .args(arguments);
        command
    };
    Ok(found.into_iter().map(command).collect())
}

/// The package's folder and the program, if this message tells of a test program of one of the crates.
fn test_program(message: &str) -> Option<(PathBuf, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let program = message["executable"].as_str()?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    let ours = CRATES.iter().any(|name| folder.ends_with(name));
    (ours && message["profile"]["test"] == true).then(|| (folder.to_path_buf(), PathBuf::from(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(manifest: &str, test: bool) -> String {
        serde_json::json!({
            "reason": "compiler-artifact", "manifest_path": manifest, "profile": {"test": test}, "executable": "/t/x-1",
        })
        .to_string()
    }

    #[test]
    fn only_test_programs_of_the_three_crates_are_run() {
        let found = test_program(&message("/r/crates/bgt-sys/Cargo.toml", true));
        assert_eq!(found, Some((PathBuf::from("/r/crates/bgt-sys"), PathBuf::from("/t/x-1"))));
        assert_eq!(test_program(&message("/r/crates/bgt-sys/Cargo.toml", false)), None);
        assert_eq!(test_program(&message("/r/crates/bgt-core/Cargo.toml", true)), None);
        assert_eq!(test_program(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
