//! The suite `overhead`, against what needs no further crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgt_benches::overhead::suite()
}
