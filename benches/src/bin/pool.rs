//! The suite `pool`, against what needs no further crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgt_benches::pool::suite(&[])
}
