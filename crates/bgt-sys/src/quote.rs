//! Words of a command line, as a person would type them. For logs and dry runs: nothing is ever started from these.

use std::ffi::OsStr;

/// A word quoted as this system's usual shell or argument parser wants it: POSIX single quotes on Unix, the rules of
/// `CommandLineToArgvW` on Windows. What is not valid Unicode is shown with replacement characters.
#[must_use]
pub fn quote(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if cfg!(windows) { argv(&word) } else { posix(&word) }
}

fn posix(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn argv(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '\n', '\u{b}', '"']) {
        return word.to_owned();
    }
    let mut quoted = String::from('"');
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            // Backslashes count only before a quote: each is doubled there, and one more escapes the quote.
            '"' => {
                quoted.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        quoted.push(c);
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes));
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posix_words() {
        for (word, quoted) in [
            ("plain-1.txt", "plain-1.txt"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
        ] {
            assert_eq!(posix(word), quoted);
        }
    }

    #[test]
    fn windows_words() {
        for (word, quoted) in [
            (r"C:\a\b", r"C:\a\b"),
            ("", "\"\""),
            (r"C:\my dir\", r#""C:\my dir\\""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            (r#"a\"b"#, r#""a\\\"b""#),
        ] {
            assert_eq!(argv(word), quoted);
        }
    }
}
