//! The examples as their users have them: the programs themselves, in their small form, and what they leave behind, which is
//! worked out here a second time.

mod film;
mod live_log;
mod orders;
mod service;
mod training;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use bgt_testkit::Scratch;

/// A program of the examples; `None` after a skip by this test's name, when it cannot be run here.
fn example(test: &str, name: &str) -> Option<Command> {
    if bgt_testkit::python().is_none() {
        bgt_testkit::skip!(test, "there is no Python 3 to run its scripts with");
        return None;
    }
    // Beside the tests, where cargo builds examples.
    let this = std::env::current_exe().unwrap();
    let built = this.parent().and_then(Path::parent).unwrap().join("examples");
    let path = built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        bgt_testkit::skip!(test, "cargo was told not to build the examples");
        return None;
    }
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Some(command)
}

/// What a workflow left in its folder, and what it said.
struct Done {
    folder: Scratch,
    said: String,
}

impl Done {
    /// Runs it in its small form.
    fn small(test: &str, name: &str, args: &[&str]) -> Option<Self> {
        let folder = Scratch::new();
        let mut command = example(test, name)?;
        let command = command.args(args).arg("--small").arg("--keep").arg(folder.dir());
        let Output { status, stdout, stderr } = command.stderr(Stdio::piped()).output().unwrap();
        let (said, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{name} ended with {status}\n{said}\n{stderr}");
        assert!(said.contains("Shutdown: everything came to its end"), "{said}");
        Some(Self { folder, said })
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn files(&self, folder: &str) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            std::fs::read_dir(self.folder.path(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

/// Ends the program, whatever becomes of the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a terminal sends at Ctrl-C.
#[cfg(unix)]
fn interrupt(program: &Child) {
    let sent = Command::new("kill").args(["-INT", &program.id().to_string()]).status().unwrap();
    assert!(sent.success(), "the signal is sent");
}
