//! The first line of a script. Pure.

/// What a shebang line names: a program, and what goes between it and the script.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shebang {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    /// Whether `env` was to look it up in the `PATH`.
    pub(crate) by_name: bool,
}

/// Parses the beginning of a file.
///
/// As Linux does it, everything after the program is one argument; `env` takes a name, and with `-S` splits at
/// spaces ([execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html), [env(1)](https://man7.org/linux/man-pages/man1/env.1.html)).
pub(crate) fn parse(beginning: &[u8]) -> Option<Shebang> {
    let line = beginning.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
    let line = std::str::from_utf8(line).ok()?.trim();
    let (program, rest) = match line.split_once([' ', '\t']) {
        Some((program, rest)) => (program, rest.trim()),
        None => (line, ""),
    };
    if program.is_empty() {
        return None;
    }
    if program.rsplit(['/', '\\']).next() != Some("env") || rest.is_empty() {
        let args = if rest.is_empty() { Vec::new() } else { vec![rest.to_owned()] };
        return Some(Shebang { program: program.to_owned(), args, by_name: false });
    }
    let split = rest.strip_prefix("-S").or_else(|| rest.strip_prefix("--split-string="));
    let mut words: Vec<String> = match split {
        Some(rest) => rest.split_whitespace().map(str::to_owned).collect(),
        None => vec![rest.to_owned()],
    };
    // Variables and further options are env's own affair: leave the line to it.
    if words.first().is_none_or(|word| word.starts_with('-') || word.contains('=')) {
        let args = split.map_or_else(|| vec![rest.to_owned()], |_| [vec!["-S".to_owned()], words].concat());
        return Some(Shebang { program: program.to_owned(), args, by_name: false });
    }
    let program = words.remove(0);
    Some(Shebang { program, args: words, by_name: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (String, Vec<String>, bool) {
        let shebang = parse(line.as_bytes()).unwrap();
        (shebang.program, shebang.args, shebang.by_name)
    }

    #[test]
    fn the_usual_spellings() {
        for (line, program, args, by_name) in [
            ("#!/bin/sh\necho", "/bin/sh", vec![], false),
            ("#! /bin/sh -e\r\n", "/bin/sh", vec!["-e"], false),
            ("#!/usr/bin/awk -f -x", "/usr/bin/awk", vec!["-f -x"], false),
            ("#!/usr/bin/env python3\n", "python3", vec![], true),
            ("#!/usr/bin/env -S deno run --allow-net\n", "deno", vec!["run", "--allow-net"], true),
            ("#!/usr/bin/env FOO=1 sh", "/usr/bin/env", vec!["FOO=1 sh"], false),
        ] {
            let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
            assert_eq!(parsed(line), (program.to_owned(), args, by_name), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_shebang() {
        for text in ["", "#", "#!", "#!   \n", "echo hi", "\u{feff}#!/bin/sh"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse(b"#!\xff\xfe"), None);
    }
}
