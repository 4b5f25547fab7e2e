//! The last ratio of a text: so many of so many.
//!
//! Owns: what a ratio looks like, and what only looks like one: dates, paths, versions.

use bgt_core::Progress;

/// More digits than this are no count.
const DIGITS: usize = 15;

/// How many slashes and *of*s are looked at: what is full of them is no progress, and looking is not free.
const TRIES: usize = 16;

/// Whether it is worth reading: after a slash or an *of* there is a number, a space, or an escape sequence.
pub(super) fn may_be_in(bytes: &[u8]) -> bool {
    memchr::memchr2_iter(b'/', b'f', bytes).any(|sign| {
        let next = if is_of(bytes, sign) { sign + 2 } else { sign + 1 };
        is_sign(bytes, sign)
            && bytes.get(next).is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | 0x1b))
    })
}

pub(super) fn read(text: &str) -> Option<Progress> {
    let bytes = text.as_bytes();
    let signs = memchr::memrchr2_iter(b'/', b'f', bytes).filter(|sign| is_sign(bytes, *sign));
    signs.take(TRIES).find_map(|sign| around(text, sign))
}

/// Whether it is a slash, or the end of an *of*.
fn is_sign(bytes: &[u8], sign: usize) -> bool {
    bytes[sign] == b'/' || is_of(bytes, sign)
}

/// Whether it is the end of the word *of*.
fn is_of(bytes: &[u8], sign: usize) -> bool {
    sign >= 2 && bytes[sign - 2..=sign] == *b" of" && bytes.get(sign + 1) == Some(&b' ')
}

/// The ratio whose slash, or the end of whose *of*, is there.
fn around(text: &str, sign: usize) -> Option<Progress> {
    let bytes = text.as_bytes();
    let (left, right) = match bytes[sign] {
        b'/' => {
            let (left, right) = (&text[..sign], &text[sign + 1..]);
            match (left.strip_suffix(' '), right.strip_prefix(' ')) {
                (Some(left), Some(right)) => (left, right),
                (None, None) => (left, right),
                _ => return None,
            }
        }
        _ => (&text[..sign - 2], &text[sign + 2..]),
    };
    let (rest, left) = Number::at_end_of(left)?;
    let (right, follows) = Number::at_start_of(right)?;
    if !may_come_before(rest) || !may_follow(follows) || is_date(rest, left, right, follows) {
        return None;
    }
    of(left, right)
}

fn of(left: Number<'_>, right: Number<'_>) -> Option<Progress> {
    // `42.3/100.0 MB` says the unit once; without one, a fraction is a version or a mark.
    let is_size = right.unit.is_some();
    let wants_unit = left.has_point() || right.has_point() || left.unit.is_some();
    if wants_unit && !is_size {
        return None;
    }
    let unit = right.unit.unwrap_or(1.0);
    // There are no parts of bytes; what floating point makes of `12.3 * 1e6` is not to be shown.
    let position = (left.digits.parse::<f64>().ok()? * left.unit.unwrap_or(unit)).round();
    let total = (right.digits.parse::<f64>().ok()? * unit).round();
    if total <= 0.0 || position > total {
        return None;
    }
    let mut progress = Progress::default();
    progress.position = position;
    progress.total = Some(total);
    Some(progress)
}

/// A number with, perhaps, the unit of a size.
#[derive(Clone, Copy)]
struct Number<'a> {
    digits: &'a str,
    unit: Option<f64>,
}

impl<'a> Number<'a> {
    fn at_end_of(text: &'a str) -> Option<(&'a str, Self)> {
        let without_unit = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[without_unit.len()..] {
            "" => None,
            name => Some(unit(name)?),
        };
        let without_unit = match unit {
            Some(_) => without_unit.strip_suffix(' ').unwrap_or(without_unit),
            None => without_unit,
        };
        let start = without_unit.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (rest, digits) = without_unit.split_at(start);
        is_number(digits).then_some((rest, Self { digits, unit }))
    }

    fn at_start_of(text: &'a str) -> Option<(Self, &'a str)> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        // The end of a sentence.
        let (digits, rest) = match digits.strip_suffix('.') {
            Some(digits) if rest.is_empty() || rest.starts_with(' ') => (digits, ""),
            _ => (digits, rest),
        };
        if !is_number(digits) {
            return None;
        }
        let after_space = rest.strip_prefix(' ').unwrap_or(rest);
        let end = after_space.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after_space.len());
        let (name, follows) = after_space.split_at(end);
        match unit(name) {
            unit @ Some(_) => Some((Self { digits, unit }, follows)),
            None => Some((Self { digits, unit: None }, rest)),
        }
    }

    fn has_point(&self) -> bool {
        self.digits.contains('.')
    }
}

fn is_number(digits: &str) -> bool {
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.len() <= DIGITS && is_digits(whole) && is_digits(part)
}

/// How many bytes a unit is: `B`, `kB`, `MB`, `MiB`, `M` and so on.
fn unit(name: &str) -> Option<f64> {
    if matches!(name, "B" | "bytes") {
        return Some(1.0);
    }
    let mut letters = name.chars();
    let power = match letters.next()? {
        'k' | 'K' => 1,
        'M' => 2,
        'G' => 3,
        'T' => 4,
        'P' => 5,
        _ => return None,
    };
    match letters.as_str() {
        "" | "B" => Some(1000_f64.powi(power)),
        "i" | "iB" => Some(1024_f64.powi(power)),
        _ => None,
    }
}

/// Not a longer number, word, path, date or version, and not what is still to do.
fn may_come_before(rest: &str) -> bool {
    let word = rest.rsplit(char::is_whitespace).next().unwrap_or_default();
    let is_left = ["chk=", "check=", "left=", "left:", "remaining=", "remaining:"]
        .iter()
        .any(|name| word.ends_with(name));
    if is_left || word.contains(['/', '\\', '@']) {
        return false;
    }
    match rest.chars().next_back() {
        None => true,
        Some(c) => !c.is_alphanumeric() && !matches!(c, '.' | ',' | '-' | '+' | '_' | '~' | '%'),
    }
}

fn may_follow(follows: &str) -> bool {
    let mut letters = follows.chars();
    match letters.next() {
        // The end of a sentence or a clause, not of a part of a number or a name.
        Some('.' | ',' | ':') => !letters.next().is_some_and(char::is_alphanumeric),
        Some(c) => !c.is_alphanumeric() && !matches!(c, '/' | '\\' | '-' | '_' | '~' | '+' | '@' | '%'),
        None => true,
    }
}

/// A month and a day at the beginning of a line, before a time: `11/23 07:36:32`.
fn is_date(rest: &str, left: Number<'_>, right: Number<'_>, follows: &str) -> bool {
    let is_time = |text: &[u8]| matches!(text, [b' ', a, b, b':', c, d, b':', ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()));
    rest.trim_start_matches(['[', '(']).is_empty()
        && left.digits.len() == 2
        && right.digits.len() == 2
        && is_time(follows.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_ratio_looks_like() {
        let cases = [
            ("epoch 3/10", Some((3.0, 10.0))),
            ("[12/345] CXX main.o", Some((12.0, 345.0))),
            ("[ 3 / 10 ]", Some((3.0, 10.0))),
            ("step=3/10,", Some((3.0, 10.0))),
            ("batch 3 of 10 files", Some((3.0, 10.0))),
            ("3/10.", Some((3.0, 10.0))),
            ("3/10: done", Some((3.0, 10.0))),
            ("0/10", Some((0.0, 10.0))),
            ("1/2 then 3/4", Some((3.0, 4.0))),
            ("█3/10", Some((3.0, 10.0))),
            ("12.3MB/45.6MB", Some((12.3e6, 45.6e6))),
            ("512kB/1.5MB", Some((512e3, 1.5e6))),
            ("42.3/100.0 MB 10.2 MB/s", Some((42.3e6, 100e6))),
            ("1 KiB of 2 MiB", Some((1024.0, 2_097_152.0))),
            ("3/10 in src/a", Some((3.0, 10.0))),
            ("2026/11/23", None),
            ("11/23/2026", None),
            ("26/11/23 07:36:32 INFO", None),
            ("11/23 07:36:32 INFO", None),
            ("a/b", None),
            ("src/1/2", None),
            ("/1/2", None),
            ("1/2/", None),
            ("1/2.ts", None),
            ("v1/2", None),
            ("1.2/1.3", None),
            ("1/1.2.3", None),
            ("HTTP/1.1", None),
            ("10.0.0.0/24", None),
            ("http://host/3/10", None),
            ("http://host:3/10", None),
            ("user@1/2", None),
            ("24/7", None),
            ("3/0", None),
            ("1,234/5,678", None),
            ("3/10-rc", None),
            ("to-chk=3/10", None),
            ("3/ 10", None),
            ("12.3 MB/s", None),
            ("out of 10", None),
            ("9999999999999999/9999999999999999", None),
            ("/", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = read(text).map(|progress| (progress.position, progress.total.unwrap()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
