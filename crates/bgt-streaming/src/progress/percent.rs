//! The last percent of a text.
//!
//! Owns: what a percent looks like, and what only looks like one.

use bgt_core::Progress;

/// Names whose value is progress, in lower case: `progress=42%`.
const NAMES: [&str; 7] = ["progress", "percent", "percentage", "pct", "done", "complete", "completed"];

/// Whether it is worth reading: before a percent sign there is a digit, a space of any kind, or the end of a colour.
pub(super) fn may_be_in(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'%', bytes)
        .filter_map(|sign| bytes.get(sign.checked_sub(1)?))
        .any(|before| before.is_ascii_digit() || matches!(before, b' ' | b'm' | 0x80..))
}

pub(super) fn read(text: &str) -> Option<Progress> {
    memchr::memrchr_iter(b'%', text.as_bytes()).find_map(|sign| before(text, sign)).map(Progress::percent)
}

/// The number that this percent sign belongs to.
fn before(text: &str, sign: usize) -> Option<f64> {
    let follows = text.as_bytes().get(sign + 1);
    if follows.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'_')) {
        return None;
    }
    let text = &text[..sign];
    let text = text.strip_suffix([' ', '\u{a0}', '\u{202f}']).unwrap_or(text);
    let start = text.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')).len();
    let (rest, number) = text.split_at(start);
    let is_another_thing = match rest.chars().next_back() {
        Some('=') => is_value_of_another(&rest[..rest.len() - 1]),
        Some(c) => c.is_alphanumeric() || matches!(c, '+' | '-' | '_' | '/' | '%'),
        None => false,
    };
    if is_another_thing {
        return None;
    }
    parse(number).filter(|percent| *percent <= 100.0)
}

/// Whether what comes before an equals sign is a name, not a bar, and not one of progress.
fn is_value_of_another(rest: &str) -> bool {
    let start = rest.trim_end_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')).len();
    let name = &rest[start..];
    name.contains(char::is_alphabetic) && !NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Digits, perhaps with a decimal point, or a decimal comma that cannot be one of thousands.
fn parse(number: &str) -> Option<f64> {
    let (whole, part) = match number.split_once(['.', ',']) {
        Some((whole, part)) => (whole, part),
        None => (number, "0"),
    };
    let is_thousands = part.len() == 3 && number.contains(',');
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_thousands || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    format!("{whole}.{part}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_percent_looks_like() {
        let cases = [
            ("42%", Some(42.0)),
            ("42.5%", Some(42.5)),
            ("42,5 %", Some(42.5)),
            ("42\u{a0}%", Some(42.0)),
            ("(100%)", Some(100.0)),
            ("10% then 20%.", Some(20.0)),
            ("progress=42%", Some(42.0)),
            ("[=====42%     ]", Some(42.0)),
            ("42%|██| 42/100 [acc=93%]", Some(42.0)),
            ("━━━42%", Some(42.0)),
            ("acc=93%", None),
            ("coverage +3%", None),
            ("10-20%", None),
            ("250%", None),
            ("1,234%", None),
            ("1.2.3%", None),
            ("http://x/a%20b", None),
            ("http://x/a20%2Fb", None),
            ("100%% sure", None),
            ("printf %d %s", None),
            ("x42%", None),
            ("%", None),
            (".%", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected.map(Progress::percent), "{text}");
        }
    }
}
