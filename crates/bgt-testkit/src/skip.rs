//! Tests that cannot run here say so, by name and with the reason.

use std::io::Write;

/// Prints `skipped: NAME: REASON` on stderr. The caller returns.
///
/// ```
/// let Some(_python) = bgt_testkit::python() else {
///     bgt_testkit::skip!("runs_a_python_script", "there is no Python here");
///     return;
/// };
/// ```
#[macro_export]
macro_rules! skip {
    ($name:expr, $reason:expr) => {
        $crate::skipped(&$name, &$reason)
    };
}

/// What [`skip!`](crate::skip) calls.
pub fn skipped(name: &dyn std::fmt::Display, reason: &dyn std::fmt::Display) {
    let line = format!("skipped: {name}: {reason}\n");
    // Not eprintln: the test harness swallows that for tests that pass, and these pass.
    let _ = std::io::stderr().write_all(line.as_bytes());
    // `cargo xtask test` collects them from all test programs in one file.
    if let Some(log) = std::env::var_os("BGT_SKIP_LOG") {
        let log = std::fs::OpenOptions::new().append(true).create(true).open(log);
        let _ = log.and_then(|mut log| log.write_all(line.as_bytes()));
    }
}
