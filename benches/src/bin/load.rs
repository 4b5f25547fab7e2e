//! The suite `load`, against what needs no further crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgt_benches::load::suite()
}
