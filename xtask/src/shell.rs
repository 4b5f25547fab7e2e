//! Where the repository is, and how its commands are called. Knows no command of ours.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// The repository's root: the folder at or above the current one that holds `xtask/Cargo.toml`.
///
/// It is looked up when the program runs, not compiled in, so that a built `xtask` may be called directly.
///
/// # Errors
/// Outside of the repository.
pub(crate) fn root() -> Result<PathBuf> {
    let here = env::current_dir()?;
    here.ancestors()
        .find(|folder| folder.join("xtask").join("Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| {
            format!("{} is not inside the repository; call this from its root", here.display()).into()
        })
}

/// The cargo that called this program, or else the one on `PATH`; in the folder `root`.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// How people would type this command.
pub(crate) fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let is_cargo = program.file_stem().is_some_and(|stem| stem == "cargo");
    let mut text = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            text += &format!("{}={} ", name.to_string_lossy(), quoted(&value.to_string_lossy()));
        }
    }
    text += if is_cargo { "cargo".into() } else { program.to_string_lossy() }.as_ref();
    for word in command.get_args() {
        text += " ";
        text += &quoted(&word.to_string_lossy());
    }
    text
}

fn quoted(word: &str) -> String {
    if word.is_empty() || word.contains(|c: char| c.is_whitespace() || "'\"$*".contains(c)) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}

/// Runs a command to its end, its output where ours goes; says on stderr what it runs.
///
/// # Errors
/// Where it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result {
    let typed = typed(command);
    eprintln!("$ {typed}");
    let status = command.status().map_err(|error| format!("`{typed}` could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{typed}` failed: {status}").into()) }
}

/// Runs a command to its end and gives back its stdout as text; stderr goes where ours goes.
///
/// # Errors
/// Where it cannot be started, does not succeed, or answers with something other than text.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let typed = typed(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{typed}` could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{typed}` failed: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "two words"]).env("KEY", "-D warnings");
        assert_eq!(typed(&command), "KEY='-D warnings' cargo test 'two words'");
    }
}
