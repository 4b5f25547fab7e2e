//! Prints the page on how to choose a pattern: `cargo run -p bgt-orchestrator --example comparison`.
#![forbid(unsafe_code)]

fn main() {
    print!("{}", bgt_orchestrator::comparison());
}
