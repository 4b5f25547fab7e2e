//! All six patterns at once, with children that misbehave and with kills: `cargo xtask soak --minutes N --seed S`.
fn main() -> std::process::ExitCode {
    // In a process that looks after a detached program this never returns.
    bgt_detached::shim_entry();
    bgt_benches::soak::main()
}
