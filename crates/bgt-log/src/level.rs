//! How serious a line says it is.
//!
//! Owns: the usual ways to say so. Never does: guess from words in the middle of a sentence.

/// How serious a line says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Level {
    /// Details for those who debug the program line by line.
    Trace,
    /// Details for those who debug the program.
    Debug,
    /// What goes on.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

impl Level {
    /// The name in lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

const WORDS: [(&str, Level); 17] = [
    ("trace", Level::Trace),
    ("debug", Level::Debug),
    ("info", Level::Info),
    ("notice", Level::Info),
    ("information", Level::Info),
    ("warn", Level::Warn),
    ("warning", Level::Warn),
    ("error", Level::Error),
    ("err", Level::Error),
    ("fatal", Level::Error),
    ("critical", Level::Error),
    ("crit", Level::Error),
    ("alert", Level::Error),
    ("emerg", Level::Error),
    ("emergency", Level::Error),
    ("panic", Level::Error),
    ("severe", Level::Error),
];

/// How far from its beginning a line may say it: after a time, a process, a thread.
const REACH: usize = 96;
/// How many words may come before it.
const WORDS_BEFORE: usize = 4;

pub(crate) fn of(line: &[u8]) -> Option<Level> {
    let line = crate::ansi::strip(&line[..line.len().min(4096)]);
    let line = line.trim_ascii_start();
    match line.first()? {
        b'{' => of_json(line),
        _ => of_text(&line[..line.len().min(REACH)]),
    }
}

/// `2026-01-01 12:00:00,123 WARNING module: …`, `[error] …`, `<3>…`, `E0101 …`, `level=warn msg=…`.
fn of_text(line: &[u8]) -> Option<Level> {
    if let Some(level) = of_priority(line).or_else(|| of_letter(line)).or_else(|| of_field(line)) {
        return Some(level);
    }
    let words =
        line.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').filter(|word| !word.is_empty());
    // What comes before it is no prose: numbers, or names in brackets.
    let mut before = 0;
    for (place, word) in words.enumerate() {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        let is_digits = word.iter().any(u8::is_ascii_digit);
        if let Some(level) = named(word) {
            let next = line.get(start + word.len());
            let is_marked = matches!(next, Some(b':' | b']' | b')' | b'|' | b'>' | b'/')) || is_upper(word);
            let is_first = place == 0 && !matches!(next, Some(b' ') | None);
            return (is_marked || is_first).then_some(level);
        }
        before += usize::from(!is_digits);
        if before > WORDS_BEFORE {
            return None;
        }
    }
    None
}

fn is_upper(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_uppercase)
}

fn named(word: &[u8]) -> Option<Level> {
    WORDS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word)).map(|(_, level)| *level)
}

/// As the kernel and systemd have it: <https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html>.
fn of_priority(line: &[u8]) -> Option<Level> {
    match line {
        [b'<', digit @ b'0'..=b'7', b'>', ..] => Some(match digit - b'0' {
            0..=3 => Level::Error,
            4 => Level::Warn,
            5 | 6 => Level::Info,
            _ => Level::Debug,
        }),
        _ => None,
    }
}

/// As glog and klog have it: a letter, then month and day.
fn of_letter(line: &[u8]) -> Option<Level> {
    let [letter, a, b, c, d, b' ', ..] = line else { return None };
    if ![a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    match letter {
        b'I' => Some(Level::Info),
        b'W' => Some(Level::Warn),
        b'E' | b'F' => Some(Level::Error),
        _ => None,
    }
}

/// As logfmt has it: `level=warn`.
fn of_field(line: &[u8]) -> Option<Level> {
    let mut fields = line.split(|byte| *byte == b' ');
    let value = fields.find_map(|field| {
        let split = memchr::memchr(b'=', field)?;
        let (key, value) = (&field[..split], &field[split + 1..]);
        is_key(key).then_some(value)
    })?;
    named(
        value
            .trim_ascii()
            .strip_prefix(b"\"")
            .map_or(value, |value| value.strip_suffix(b"\"").unwrap_or(value)),
    )
}

fn is_key(key: &[u8]) -> bool {
    [&b"level"[..], b"lvl", b"severity", b"log.level", b"levelname", b"loglevel"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(key))
}

/// The field of an object on one line, looked for without parsing the rest: `"level":"warn"`, or a number as bunyan and
/// pino have it.
fn of_json(line: &[u8]) -> Option<Level> {
    let mut rest = line;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        rest = &rest[quote + 1..];
        let end = memchr::memchr(b'"', rest)?;
        let key = &rest[..end];
        rest = &rest[end + 1..];
        let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        let Some(value) = value.filter(|_| is_key(key)) else { continue };
        return match value.strip_prefix(b"\"") {
            Some(text) => named(&text[..memchr::memchr(b'"', text)?]),
            None => of_number(value),
        };
    }
    None
}

fn of_number(value: &[u8]) -> Option<Level> {
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match std::str::from_utf8(&value[..digits]).ok()?.parse::<u32>().ok()? {
        10 => Some(Level::Trace),
        20 => Some(Level::Debug),
        30 => Some(Level::Info),
        40 => Some(Level::Warn),
        50 | 60 => Some(Level::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ways_to_say_it() {
        let cases = [
            ("ERROR something broke", Some(Level::Error)),
            ("error: could not compile", Some(Level::Error)),
            ("warning: unused variable", Some(Level::Warn)),
            ("[info] listening", Some(Level::Info)),
            ("[2026-01-01T12:00:00Z DEBUG my_crate::module] x", Some(Level::Debug)),
            ("2026-01-01 12:00:00,123 - root - WARNING - careful", Some(Level::Warn)),
            ("2026-01-01T12:00:00.123456Z  INFO run{id=1}: bgt: started", Some(Level::Info)),
            ("\u{1b}[2m2026-01-01T12:00:00Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m broke", Some(Level::Error)),
            ("WARNING:root:careful", Some(Level::Warn)),
            ("CRITICAL:root:gone", Some(Level::Error)),
            ("E0101 12:00:00.000000 1 file.go:1] gone", Some(Level::Error)),
            ("<4>careful", Some(Level::Warn)),
            ("time=2026-01-01 level=warn msg=\"careful\"", Some(Level::Warn)),
            ("level=\"error\" msg=x", Some(Level::Error)),
            (r#"{"ts":1,"level":"debug","msg":"x"}"#, Some(Level::Debug)),
            (r#"{"name":"a","pid":1,"level":50,"msg":"x"}"#, Some(Level::Error)),
            (r#"{"severity": "WARNING"}"#, Some(Level::Warn)),
            ("epoch 3 loss 0.2", None),
            ("no error was found", None),
            ("errors: 0", None),
            ("information about the thing", None),
            (r#"{"message":"level"}"#, None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(of(line.as_bytes()), expected, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = of(&bytes);
        }
    }
}
