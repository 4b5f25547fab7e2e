//! Code pages.

use windows_sys::Win32::Globalization::{CP_ACP, CP_OEMCP, MultiByteToWideChar};

use crate::CodePage;

/// The system counts in `i32`: more than this is decoded in parts, and a character may be lost where they meet.
const PART: usize = 1 << 30;

pub(crate) fn decode(bytes: &[u8], page: CodePage) -> String {
    let number = match page {
        CodePage::Console => CP_OEMCP,
        CodePage::System => CP_ACP,
    };
    bytes.chunks(PART).map(|part| decode_part(part, number)).collect()
}

/// `bytes` are not empty, and at most [`PART`].
fn decode_part(bytes: &[u8], page: u32) -> String {
    let convert = |units: *mut u16, room: i32| {
        // SAFETY: the bytes live through the call, and their true length is given, as is the room there is for units;
        // none is asked for with a null pointer.
        unsafe { MultiByteToWideChar(page, 0, bytes.as_ptr(), bytes.len() as i32, units, room) }
    };
    let length = convert(std::ptr::null_mut(), 0);
    let mut units = vec![0_u16; usize::try_from(length).unwrap_or(0)];
    let written = convert(units.as_mut_ptr(), length);
    match usize::try_from(written) {
        Ok(written) if written > 0 => String::from_utf16_lossy(&units[..written.min(units.len())]),
        // No such code page. Never for those that are set.
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_pages_are_what_they_are_called() {
        for (page, bytes, text) in [
            (437, &b"f\x81r"[..], "für"),
            (850, b"\xe1\x9e", "ß×"),
            (1252, b"\x80 f\xfcr", "€ für"),
            (932, b"\x82\xa0", "あ"),
            (65001, b"\xc3\xbc\xff", "ü\u{fffd}"),
        ] {
            assert_eq!(decode_part(bytes, page), text, "{page}");
        }
    }

    #[test]
    fn a_code_page_that_is_not_there_is_no_reason_to_lose_text() {
        assert_eq!(decode_part(b"f\xfcr", 54321), "f\u{fffd}r");
    }
}
