//! Arguments as numbers, times, sizes and bytes. Pure.

use std::ffi::OsStr;
use std::str::FromStr;
use std::time::Duration;

use crate::state::LONGEST_LIFE;
use crate::verbs::Trouble;

pub(crate) fn text(argument: &OsStr) -> Result<&str, Trouble> {
    argument.to_str().ok_or_else(|| Trouble::Usage(format!("{argument:?} is not text")))
}

pub(crate) fn number<T: FromStr>(argument: &OsStr) -> Result<T, Trouble> {
    text(argument)?
        .parse()
        .map_err(|_| Trouble::Usage(format!("{argument:?} is not a number that fits here")))
}

/// Seconds with a fraction, never longer than the program may live.
pub(crate) fn seconds(argument: &OsStr) -> Result<Duration, Trouble> {
    let seconds: f64 = number(argument)?;
    Duration::try_from_secs_f64(seconds)
        .map(|time| time.min(LONGEST_LIFE))
        .map_err(|_| Trouble::Usage(format!("{argument:?} is not a length of time in seconds")))
}

/// Bytes, with K, M and G as powers of 1024.
pub(crate) fn size(argument: &OsStr) -> Result<u64, Trouble> {
    let text = text(argument)?;
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| Trouble::Usage(format!("{argument:?} is not a size such as 100, 64K, 10M or 1G")))
}

pub(crate) fn from_hex(argument: &OsStr) -> Result<Vec<u8>, Trouble> {
    let text = text(argument)?;
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        _ => Err(Trouble::Usage(format!("{argument:?} is not an even number of hexadecimal digits"))),
    }
}

/// The bytes of an argument or variable: as they are on Unix, UTF-8 (WTF-8 for lone surrogates) on Windows, so that a
/// test expects the same digits everywhere.
pub(crate) fn to_hex(value: &OsStr) -> String {
    value.as_encoded_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
