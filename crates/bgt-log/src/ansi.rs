//! Escape sequences of terminals, by ECMA-48.

use std::borrow::Cow;

const ESCAPE: u8 = 0x1b;

/// The bytes without escape sequences. One that has no end is taken out to the end.
pub(crate) fn strip(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(mut escape) = memchr::memchr(ESCAPE, bytes) else { return bytes.into() };
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        plain.extend_from_slice(&rest[..escape]);
        rest = after(&rest[escape..]);
        match memchr::memchr(ESCAPE, rest) {
            Some(next) => escape = next,
            None => break,
        }
    }
    plain.extend_from_slice(rest);
    plain.into()
}

/// What comes after the sequence that begins here.
fn after(sequence: &[u8]) -> &[u8] {
    let end = match sequence.get(1) {
        // CSI: parameters and intermediates up to a final byte.
        Some(b'[') => sequence.iter().skip(2).position(|byte| (0x40..=0x7e).contains(byte)).map(|n| n + 3),
        // OSC, DCS, SOS, PM, APC: up to BEL or ST.
        Some(b']' | b'P' | b'X' | b'^' | b'_') => {
            let rest = &sequence[2..];
            let bell = rest.iter().position(|byte| *byte == 0x07).map(|n| n + 3);
            let st = rest.windows(2).position(|two| two == [ESCAPE, b'\\']).map(|n| n + 4);
            [bell, st].into_iter().flatten().min()
        }
        // Intermediates up to a final byte.
        Some(0x20..=0x2f) => {
            sequence.iter().skip(2).position(|byte| (0x30..=0x7e).contains(byte)).map(|n| n + 3)
        }
        Some(0x30..=0x7e) => Some(2),
        _ => Some(1),
    };
    &sequence[end.unwrap_or(sequence.len()).min(sequence.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_titles_links_and_charsets_go_and_text_stays() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"plain", b"plain"),
            (b"\x1b[1;31mred\x1b[0m text", b"red text"),
            (b"\x1b]0;title\x07after", b"after"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", b"link"),
            (b"\x1b(Bascii", b"ascii"),
            (b"\x1b[2K\x1b[1G50%", b"50%"),
            (b"open\x1b[31", b"open"),
            (b"lone\x1b", b"lone"),
        ];
        for (coloured, plain) in cases {
            assert_eq!(strip(coloured), plain, "{coloured:?}");
        }
        assert!(matches!(strip(b"plain"), Cow::Borrowed(_)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_and_no_escape_is_left_behind_a_sequence(bytes: Vec<u8>) {
            let stripped = strip(&bytes);
            proptest::prop_assert!(stripped.len() <= bytes.len());
            if !bytes.contains(&ESCAPE) {
                proptest::prop_assert_eq!(&*stripped, &bytes[..]);
            }
        }
    }
}
