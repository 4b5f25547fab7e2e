//! The suite `spawn`, with rivals from other crates.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgt_benches::spawn::suite(bgt_peers::spawn::RIVALS)
}
