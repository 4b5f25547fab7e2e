//! From the bytes that a program wrote to text. Pure, but for the code pages, which are the system's.

use std::borrow::Cow;

use bgt_sys::CodePage;

/// How the bytes of a program's output are text.
///
/// Said by [`Command::encoding`](crate::Command::encoding), for what shows output as text:
/// [`Captured::text`](crate::Captured::text) and the tails in errors. Bytes stay as they are.
///
/// # Platform-specific behavior
///
/// Most programs write UTF-8 into a pipe, on Windows many do not: what belongs to the system writes the code page of
/// [`Console`](Self::Console), and what uses the narrow functions of its language that of [`System`](Self::System).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// Windows: the code page of consoles ("OEM", 437 or 850 in the West), as `cmd`, `dir`, `ipconfig` and `tasklist` write
    /// it. Elsewhere UTF-8.
    Console,
    /// Windows: the code page of programs that are not Unicode ("ANSI", 1252 in the West), as Python writes it unless
    /// `PYTHONUTF8=1` says otherwise. Elsewhere UTF-8.
    System,
    /// UTF-16, the low byte first, with or without a mark in front: `wsl.exe`, `cmd /u`.
    Utf16,
}

impl Encoding {
    /// The text of `bytes`, the first of which has this offset in the whole. What is no text becomes U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8], offset: u64) -> Cow<'_, str> {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes),
            Self::Console => bgt_sys::decode(bytes, CodePage::Console),
            Self::System => bgt_sys::decode(bytes, CodePage::System),
            Self::Utf16 => Cow::Owned(utf16(bytes, offset)),
        }
    }

    /// The longest that the bytes of a text may be that is so long in UTF-8.
    pub(crate) fn longest(self, utf8: usize) -> usize {
        match self {
            Self::Utf8 => utf8,
            // One byte of UTF-8 is at most one unit of UTF-16, and two bytes of a code page.
            _ => utf8.saturating_mul(2),
        }
    }
}

fn utf16(bytes: &[u8], offset: u64) -> String {
    // The second half of a unit whose first half is not here.
    let half = usize::from(offset % 2 == 1).min(bytes.len());
    let (half, whole) = bytes.split_at(half);
    let pairs = whole.chunks_exact(2);
    let (first, last) = (!half.is_empty(), !pairs.remainder().is_empty());
    let units: Vec<u16> = pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = String::from_utf16_lossy(&units);
    let text = match text.strip_prefix('\u{feff}') {
        Some(text) if offset == 0 => text,
        _ => &text,
    };
    let broken = |is_broken| if is_broken { "\u{fffd}" } else { "" };
    format!("{}{text}{}", broken(first), broken(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_mark_in_front_is_no_text_and_half_a_unit_is_shown_as_such() {
        assert_eq!(Encoding::Utf16.decode(&bytes("\u{feff}aü\u{feff}"), 0), "aü\u{feff}");
        assert_eq!(Encoding::Utf16.decode(&bytes("ü😀")[..5], 0), "ü\u{fffd}\u{fffd}");
        assert_eq!(Encoding::Utf16.decode(&bytes("üa")[1..], 7), "\u{fffd}a");
        assert_eq!(Encoding::Utf16.decode(&bytes("üab")[1..5], 7), "\u{fffd}a\u{fffd}");
        assert_eq!(Encoding::Utf16.decode(b"", 1), "");
        assert_eq!(Encoding::Utf16.decode(b"x", 0), "\u{fffd}");
    }

    #[test]
    fn plain_letters_are_the_same_in_every_code_page() {
        for encoding in [Encoding::Utf8, Encoding::Console, Encoding::System] {
            assert_eq!(encoding.decode(b"plain text\r\n", 0), "plain text\r\n", "{encoding:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_text_there_is_comes_back(text in any::<String>(), at in 0..1000u64) {
            let text = text.trim_start_matches('\u{feff}');
            let decoded = Encoding::Utf16.decode(&bytes(text), at * 2).into_owned();
            prop_assert_eq!(decoded, text);
        }

        #[test]
        fn whatever_bytes_there_are_decode(bytes in proptest::collection::vec(any::<u8>(), 0..40), at in 0..3u64) {
            for encoding in [Encoding::Utf8, Encoding::Console, Encoding::System, Encoding::Utf16] {
                encoding.decode(&bytes, at);
            }
        }
    }
}
