//! The suite `streaming`, against what needs no further crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgt_benches::streaming::suite()
}
