//! Reading Rust source without a parser: code apart from comments and literals, words, attributes.
//!
//! Enough for checks that look for a word or an attribute; it never judges whether the source compiles.

/// The source with every comment and literal replaced by spaces; lines and columns stay where they were.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = comment_end(bytes, at).or_else(|| literal_end(bytes, at));
        if let Some(end) = end {
            blank(&mut code[at..end]);
            at = end;
        } else if is_word(bytes[at]) {
            // A whole word at once, so that the `r` of `for"…` is not taken for a prefix.
            at += bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        } else {
            at += 1;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// The code without the items marked `#[cfg(test)]`; expects what [`code_only`] gives.
pub(crate) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut left = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(start) = code[from..].find(MARK).map(|found| from + found) {
        let end = item_end(code.as_bytes(), start + MARK.len());
        blank(&mut left[start..end]);
        from = end;
    }
    String::from_utf8_lossy(&left).into_owned()
}

/// The numbers of the lines on which `word` stands as a word of its own.
pub(crate) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    positions(code, word).map(|at| line_at(code, at)).collect()
}

/// Whether a function of this name is defined.
pub(crate) fn defines_fn(code: &str, name: &str) -> bool {
    positions(code, name).any(|at| {
        let before = code[..at].trim_end();
        before.len() < at
            && before.ends_with("fn")
            && !before[..before.len() - 2].ends_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

/// What stands between the parentheses of every `cfg(…)`, `cfg!(…)` and `cfg_attr(…)`, with its position.
pub(crate) fn cfg_arguments(code: &str) -> Vec<(usize, &str)> {
    ["cfg", "cfg_attr"]
        .into_iter()
        .flat_map(|word| positions(code, word).map(move |at| at + word.len()))
        .filter_map(|after| {
            let open = after + code[after..].strip_prefix('!').map_or(0, |_| 1);
            code[open..].starts_with('(').then(|| {
                let end = balanced_end(code.as_bytes(), open, b'(', b')');
                (open, &code[open..end])
            })
        })
        .collect()
}

/// Counted from 1.
pub(crate) fn line_at(text: &str, position: usize) -> usize {
    text.as_bytes()[..position].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let after = bytes.get(at + word.len()).copied();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return Some(at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut end) = (0_usize, 0);
    while end < rest.len() {
        match &rest[end..] {
            [b'/', b'*', ..] => (depth, end) = (depth + 1, end + 2),
            [b'*', b'/', ..] => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    Some(at + end)
}

fn literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let raw = [b"r".as_slice(), b"br", b"cr"].into_iter().find_map(|prefix| {
        let after = rest.strip_prefix(prefix)?;
        let hashes = after.iter().take_while(|byte| **byte == b'#').count();
        (after.get(hashes) == Some(&b'"')).then_some((prefix.len() + hashes + 1, hashes))
    });
    if let Some((start, hashes)) = raw {
        let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
        let found = rest[start..].windows(close.len()).position(|window| window == close);
        return Some(found.map_or(bytes.len(), |found| at + start + found + close.len()));
    }
    match rest {
        [b'"', ..] => Some(at + quoted_end(rest, b'"')),
        [b'\'', b'\\', ..] => Some(at + quoted_end(rest, b'\'')),
        [b'\'', first, ..] => {
            // One character and a closing quote, or else a lifetime.
            let width = match first {
                0x00..=0x7f => 1,
                0x80..=0xdf => 2,
                0xe0..=0xef => 3,
                _ => 4,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some(at + 2 + width)
        }
        _ => None,
    }
}

fn quoted_end(rest: &[u8], quote: u8) -> usize {
    let mut end = 1;
    while end < rest.len() {
        match rest[end] {
            b'\\' => end += 2,
            byte if byte == quote => return end + 1,
            _ => end += 1,
        }
    }
    rest.len()
}

fn item_end(code: &[u8], from: usize) -> usize {
    let open = code[from..].iter().position(|byte| matches!(byte, b'{' | b';')).map(|found| from + found);
    match open {
        Some(open) if code[open] == b'{' => balanced_end(code, open, b'{', b'}'),
        Some(semicolon) => semicolon + 1,
        None => code.len(),
    }
}

fn balanced_end(code: &[u8], from: usize, open: u8, close: u8) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.iter().enumerate().skip(from) {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth -= 1;
            if depth == 0 {
                return at + 1;
            }
        }
    }
    code.len()
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_spaces_and_code_stays_in_place() {
        let source = "a // x\nb /* x /* x */ x\n x */ c \"x \\\" x\" d r#\"x \" x\"# e b'x' f '\\'' g\n";
        let code = code_only(source);
        assert_eq!(code.len(), source.len());
        assert_eq!(code.lines().count(), 3);
        assert!(!code.contains('x') && !code.contains('\''), "{code}");
        assert_eq!(code.split_whitespace().filter(|word| *word != "b").collect::<String>(), "acdefg");
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        let source =
            "fn f<'a>(r#type: &'a str, c: char) -> bool { c == 'é' || c == '\u{1F600}' || is::<'static>() }";
        let code = code_only(source);
        assert!(code.contains("<'a>") && code.contains("r#type") && code.contains("'static"), "{code}");
        assert!(!code.contains('é'), "{code}");
    }

    #[test]
    fn an_unfinished_literal_reaches_to_the_end() {
        for source in ["\"x", "r#\"x\"", "/* x", "'\\", "// x"] {
            assert_eq!(code_only(source).trim(), "", "{source}");
        }
    }

    #[test]
    fn a_word_is_found_only_as_a_word() {
        let code = "unsafe_code\nunsafe {\n#![forbid(unsafe_code)] my_unsafe\n(unsafe)";
        assert_eq!(lines_with(code, "unsafe"), [2, 4]);
    }

    #[test]
    fn functions_are_found_by_their_definition() {
        let code = "async fn one() {}\nfn two<T>() {}\nmy_fn three(); four();\nfn\n    five() {}";
        let found = ["one", "two", "three", "four", "five", "tw"].map(|name| defines_fn(code, name));
        assert_eq!(found, [true, true, false, false, true, false]);
    }

    #[test]
    fn test_modules_are_left_out_and_what_follows_them_is_not() {
        let code = without_tests("a\n#[cfg(test)]\nmod tests { b { c } }\nd\n#[cfg(test)]\nmod more;\ne");
        assert_eq!(code.split_whitespace().collect::<String>(), "ade");
    }

    #[test]
    fn cfg_arguments_are_taken_whole() {
        let code = "#[cfg(all(unix, not(x)))] if cfg!(windows) {} #[cfg_attr(a, b(c))] cfg_other(d) cfg";
        let found: Vec<_> = cfg_arguments(code).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, ["(all(unix, not(x)))", "(windows)", "(a, b(c))"]);
    }
}
