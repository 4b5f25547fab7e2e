//! The suite `periodic`, with rivals from other crates.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgt_benches::periodic::suite(bgt_peers::periodic::RIVALS)
}
