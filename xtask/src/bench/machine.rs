//! What a saved run was measured on, when, and by which commands.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use serde_json::{Value, json};

/// The first line of a saved run. What cannot be found out is null.
pub(super) fn describe(root: &Path, commands: &[String]) -> Value {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "machine": processor(),
        "cores": thread::available_parallelism().ok().map(usize::from),
        "kernel": kernel(root),
        "rustc": line(root, &env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), &["--version"]),
        "commit": line(root, "git", &["describe", "--always", "--dirty"]),
        "date": utc(since_epoch.as_secs()),
        "commands": commands,
        "programs": programs(),
    })
}

/// What the programs that are compared with say of their versions; the crates' are in the lock files of `benches`.
fn programs() -> Vec<String> {
    let said = |name: &&str| {
        let output = Command::new(super::rivals::installed(name)?).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
    };
    ["xargs", "parallel", "rust-parallel", "pueue", "python3"].iter().filter_map(said).collect()
}

fn processor() -> String {
    let linux = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = linux.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let named = model.map(|(_, name)| name.trim().to_owned());
    named.or_else(|| env::var("PROCESSOR_IDENTIFIER").ok()).unwrap_or_else(|| env::consts::ARCH.to_owned())
}

fn kernel(root: &Path) -> Option<String> {
    if cfg!(windows) { line(root, "cmd", &["/c", "ver"]) } else { line(root, "uname", &["-sr"]) }
}

fn line(root: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(root).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// Seconds since 1970 as `2026-03-29T01:02:03Z`.
fn utc(seconds: u64) -> String {
    let (mut day, time) = (seconds / 86_400, seconds % 86_400);
    let leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_years() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }
}
