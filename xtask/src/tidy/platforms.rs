//! Platforms are told apart in `bgt-sys` and in tests, not in the libraries above.

use crate::finding::Finding;
use crate::rust_source::{cfg_arguments, code_only, line_at, lines_with, without_tests};
use crate::workspace::Files;

const PREDICATES: [&str; 6] =
    ["unix", "windows", "target_os", "target_family", "target_env", "target_vendor"];
/// The system layer, and the test kit that checks it from outside.
const MAY: [&str; 2] = ["crates/bgt-sys/", "crates/bgt-testkit/"];
/// Files of libraries that may tell platforms apart, each with the reason.
const ALLOWED: &[(&str, &str)] = &[
    (
        "crates/bgt-process/src/interpreter.rs",
        "which file names and interpreters a system has; calls nothing of it",
    ),
    (
        "crates/bgt-process/src/probe.rs",
        "what interpreters and their shims are called; calls nothing of the system",
    ),
    (
        "crates/bgt-orchestrator/src/signals.rs",
        "tokio names its signals by system; bgt-sys is not compiled for who runs functions alone",
    ),
];

pub(super) fn check(files: &Files) -> Vec<Finding> {
    check_with(files, ALLOWED)
}

fn check_with(files: &Files, allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let library = |path: &str| {
        path.starts_with("crates/")
            && path.contains("/src/")
            && !MAY.iter().any(|place| path.starts_with(place))
    };
    for (path, text) in files.all().filter(|(path, _)| path.ends_with(".rs") && library(path)) {
        let lines = platform_lines(text);
        let reason = allowed.iter().find(|(file, _)| *file == path);
        match (reason, lines.is_empty()) {
            (Some(_), true) => findings.push(Finding::about(
                path,
                "tells no platforms apart any more; take it off the list in xtask/src/tidy/platforms.rs",
            )),
            (Some(_), false) => {}
            (None, _) => findings.extend(lines.into_iter().map(|(line, word)| {
                Finding::at(
                    path,
                    line,
                    format!("`{word}` here; tell platforms apart in bgt-sys, behind one interface"),
                )
            })),
        }
    }
    let gone = allowed.iter().filter(|(file, _)| !files.exists(file));
    findings.extend(gone.map(|(file, _)| {
        Finding::about(*file, "does not exist; take it off the list in xtask/src/tidy/platforms.rs")
    }));
    findings
}

fn platform_lines(text: &str) -> Vec<(usize, &'static str)> {
    let code = without_tests(&code_only(text));
    let mut lines = Vec::new();
    for (position, arguments) in cfg_arguments(&code) {
        let first = line_at(&code, position);
        for word in PREDICATES {
            lines.extend(lines_with(arguments, word).into_iter().map(|line| (first + line - 1, word)));
        }
    }
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_tell_platforms_apart_is_found() {
        for text in [
            "#[cfg(unix)]",
            "#[cfg(not(windows))]",
            "#[cfg(all(feature = \"x\", target_os = \"linux\"))]",
            "if cfg!(windows) {}",
            "#[cfg_attr(unix, path = \"unix.rs\")]",
            "#[cfg(any(\n    target_family = \"wasm\",\n))]",
        ] {
            assert_eq!(platform_lines(text).len(), 1, "{text}");
        }
        assert_eq!(platform_lines("a\n#[cfg(any(\n    unix,\n))]"), [(3, "unix")]);
    }

    #[test]
    fn features_comments_and_test_modules_are_not_platforms() {
        for text in [
            "#[cfg(feature = \"unix\")]",
            "/// #[cfg(unix)]",
            "#[cfg(test)]\nmod tests {\n    #[cfg(unix)]\n    fn f() {}\n}",
            "let windows = unix(1);",
            "#![cfg_attr(docsrs, feature(doc_cfg))]",
        ] {
            assert_eq!(platform_lines(text), [], "{text}");
        }
    }

    #[test]
    fn tests_and_the_system_layer_may() {
        let text = "#[cfg(unix)] mod a;";
        let may = [
            ("crates/bgt-sys/src/lib.rs", text),
            ("crates/bgt-pool/tests/a.rs", text),
            ("benches/src/a.rs", text),
        ];
        assert_eq!(check_with(&Files::of(&may), &[]), []);
        assert_eq!(check_with(&Files::of(&[("crates/bgt-pool/src/a.rs", text)]), &[]).len(), 1);
    }

    #[test]
    fn the_list_of_exceptions_is_kept_short() {
        let files = Files::of(&[
            ("crates/bgt-process/src/a.rs", "#[cfg(unix)] b"),
            ("crates/bgt-process/src/c.rs", ""),
        ]);
        assert_eq!(check_with(&files, &[("crates/bgt-process/src/a.rs", "why")]), []);
        assert_eq!(
            check_with(&files, &[("crates/bgt-process/src/a.rs", ""), ("crates/bgt-process/src/c.rs", "")])
                .len(),
            1
        );
        assert_eq!(
            check_with(&files, &[("crates/bgt-process/src/a.rs", ""), ("crates/bgt-process/src/d.rs", "")])
                .len(),
            1
        );
    }
}
