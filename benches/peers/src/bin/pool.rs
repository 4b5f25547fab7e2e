//! The suite `pool`, with rivals from other crates.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgt_benches::pool::suite(bgt_peers::pool::RIVALS)
}
