//! The program that does nothing, which suites start to see what starting takes.

use std::env;
use std::path::PathBuf;

use crate::Result;

/// A program that ends at once with success: `true`, or on Windows, which has none, `bad-child exit 0`.
#[derive(Clone, Debug)]
pub(crate) struct NoOp {
    /// Absolute, so that no side searches for it.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

impl NoOp {
    /// # Errors
    /// Where the system has none.
    pub(crate) fn find() -> Result<Self> {
        Self::find_any().ok_or_else(|| "there is no program `true` in PATH".into())
    }

    /// The same for whoever adds an argument of its own, which is ignored.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn that_takes_a_word() -> Result<Self> {
        let mut no_op = Self::find()?;
        if cfg!(windows) {
            // Never printed: it has ended before.
            no_op.args.extend(["then", "print"].map(str::to_owned));
        }
        Ok(no_op)
    }

    fn find_any() -> Option<Self> {
        if cfg!(windows) {
            let (program, args) = bgt_testkit::bad(["exit", "0"]);
            return Some(Self { program, args });
        }
        // Where it is on most systems, macOS among them; some have it elsewhere.
        let usual = ["/bin", "/usr/bin"].map(PathBuf::from).into_iter();
        let path = env::var_os("PATH").unwrap_or_default();
        let program = usual.chain(env::split_paths(&path)).map(|folder| folder.join("true"));
        let program = program.filter(|program| program.is_absolute()).find(|program| program.is_file())?;
        Some(Self { program, args: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn it_is_found_by_its_whole_path_and_does_nothing() {
        let no_op = NoOp::find().unwrap();
        assert!(no_op.program.is_absolute(), "{no_op:?}");
        assert!(Command::new(&no_op.program).args(&no_op.args).status().unwrap().success());
        let takes = NoOp::that_takes_a_word().unwrap();
        let output = Command::new(&takes.program).args(&takes.args).arg("7").output().unwrap();
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    }
}
