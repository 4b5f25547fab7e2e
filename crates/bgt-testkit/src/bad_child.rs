//! Where the misbehaving child is.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The target triple that this crate was built for, as Cargo names its folder.
const TARGET: &str = env!("BGT_TESTKIT_TARGET");
const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// A call of the child: `bad(["print", "x", "then", "exit", "3"])` answers the program and its arguments.
///
/// # Panics
/// As [`bad_child`].
#[must_use]
pub fn bad<A: Into<String>>(verbs: impl IntoIterator<Item = A>) -> (PathBuf, Vec<String>) {
    (bad_child(), verbs.into_iter().map(Into::into).collect())
}

/// The path of the `bad-child` program that belongs to the running test.
///
/// It lies beside the test's own executable. When it is missing or older than its sources (`cargo test -p` of another crate
/// does not build it), it is built first, once per process, with the same target and profile.
///
/// # Panics
/// When it cannot be built. Under Wine Cargo cannot run; the message then has the command.
#[must_use]
pub fn bad_child() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| Layout::of_this_test().bad_child()).clone()
}

/// Where Cargo puts things: `<target>/[triple/]<profile>/`, with tests in `deps/` below.
struct Layout {
    target_dir: PathBuf,
    triple: bool,
    profile: String,
}

impl Layout {
    fn of_this_test() -> Self {
        let test = env::current_exe().expect("the path of the running test");
        let folder = test.parent().expect("a folder around the running test");
        match folder.file_name().and_then(|name| name.to_str()) {
            Some("deps" | "examples") => Self::of_profile_folder(folder.parent().expect("a profile folder")),
            _ if folder.join("deps").is_dir() => Self::of_profile_folder(folder),
            // A documentation test runs from a temporary folder.
            _ => {
                let default = Path::new(CRATE).join("../../target");
                let target_dir = env::var_os("CARGO_TARGET_DIR").map_or(default, PathBuf::from);
                Self { target_dir, triple: false, profile: "debug".to_owned() }
            }
        }
    }

    fn of_profile_folder(folder: &Path) -> Self {
        let profile = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let above = folder.parent().unwrap_or(folder);
        let triple = above.ends_with(TARGET);
        let target_dir = if triple { above.parent().unwrap_or(above) } else { above };
        Self { target_dir: target_dir.to_owned(), triple, profile }
    }

    fn program(&self) -> PathBuf {
        let folder = if self.triple { self.target_dir.join(TARGET) } else { self.target_dir.clone() };
        folder.join(&self.profile).join(format!("bad-child{}", env::consts::EXE_SUFFIX))
    }

    fn build_arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["build", "-p", "bgt-testkit", "--bin", "bad-child"].map(str::to_owned).into();
        if self.triple {
            arguments.extend(["--target".to_owned(), TARGET.to_owned()]);
        }
        match self.profile.as_str() {
            "debug" => {}
            "release" => arguments.push("--release".to_owned()),
            other => arguments.extend(["--profile".to_owned(), other.to_owned()]),
        }
        arguments
    }

    fn bad_child(&self) -> PathBuf {
        let program = self.program();
        if !is_current(&program) {
            self.build();
            assert!(program.is_file(), "cargo built bad-child, but not as {}", program.display());
        }
        program
    }

    fn build(&self) {
        let arguments = self.build_arguments();
        let by_hand = format!("cargo {}", arguments.join(" "));
        let missing = format!("{} is missing or older than its sources", self.program().display());
        assert!(!crate::under_wine(), "{missing}, and cargo does not run under Wine. Run: {by_hand}");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let output = Command::new(cargo)
            .args(&arguments)
            .current_dir(Path::new(CRATE).join("../.."))
            .env("CARGO_TARGET_DIR", &self.target_dir)
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("{missing}; {by_hand}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => panic!("{missing}, and cargo does not start ({error}). Run: {by_hand}"),
        }
    }
}

/// Whether the program exists and is no older than any of its sources.
fn is_current(program: &Path) -> bool {
    let Some(built) = modified(program) else { return false };
    newest(&Path::new(CRATE).join("src/bin/bad-child")).is_none_or(|source| source <= built)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// The time of the newest file below; none when the sources are not on this machine.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.filter_map(|path| if path.is_dir() { newest(&path) } else { modified(&path) }).max()
}

/// Bytes as `bad-child hex` takes them and `echo-args` prints them.
#[must_use]
pub fn to_hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The way back.
///
/// # Panics
/// When the text is not an even number of hexadecimal digits.
#[must_use]
pub fn from_hex(text: &str) -> Vec<u8> {
    assert!(text.len() % 2 == 0 && text.is_ascii(), "{text:?} is not hexadecimal bytes");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}
