//! What fits into a record. Checked before anything is written, the same for every backend.

use crate::StoreError;

/// The longest name of a run, queue, host, schedule, journal, and the longest key, in bytes.
const NAME: usize = 512;
/// The largest payload, result or journal value, in bytes.
const VALUE: usize = 16 << 20;
/// The longest error or note, in bytes; a longer one is cut in the middle.
const TEXT: usize = 64 << 10;
/// The most labels of a run.
pub(crate) const LABELS: usize = 64;
/// The most entries of one page.
pub(crate) const PAGE: usize = 1000;

pub(crate) fn name(what: &str, value: &str) -> Result<(), StoreError> {
    let expected = "1 to 512 bytes without NUL";
    if value.len() > NAME {
        return Err(StoreError::invalid(what, format!("{} bytes long", value.len()), expected));
    }
    if value.is_empty() || value.contains('\0') {
        return Err(StoreError::invalid(what, format!("{value:?}"), expected));
    }
    Ok(())
}

pub(crate) fn value(what: &str, value: &[u8]) -> Result<(), StoreError> {
    if value.len() > VALUE {
        let expected = "at most 16 MiB; keep more in a file and its path here";
        return Err(StoreError::invalid(what, format!("{} bytes long", value.len()), expected));
    }
    Ok(())
}

pub(crate) fn page(what: &str, limit: usize) -> Result<(), StoreError> {
    if (1..=PAGE).contains(&limit) {
        return Ok(());
    }
    Err(StoreError::invalid(what, limit.to_string(), "1 to 1000"))
}

/// The text, or its head and tail: a record must not fail for what somebody's program had to say.
pub(crate) fn text(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let (mut head, mut tail) = (TEXT / 2, text.len() - TEXT / 2);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}\n[… {} bytes left out …]\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_head_and_tail_at_character_borders() {
        let long = format!("head{}tail", "ä".repeat(TEXT));
        let cut = text(&long);
        assert!(cut.starts_with("head") && cut.ends_with("tail"));
        let left_out = long.len() - (cut.len() - "\n[…  bytes left out …]\n".len() - 5);
        assert!(cut.contains(&format!("{left_out} bytes left out")), "{left_out}");
        assert_eq!(text("short"), "short");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for bad in ["", "a\0b"] {
            assert!(name("the name", bad).unwrap_err().to_string().contains(&format!("{bad:?}")));
        }
        assert!(name("the name", &"x".repeat(513)).unwrap_err().to_string().contains("513 bytes"));
        assert!(value("the payload", &vec![0; VALUE + 1]).is_err() && value("p", &vec![0; VALUE]).is_ok());
        assert!(page("l", 0).is_err() && page("l", 1001).is_err() && page("l", 1000).is_ok());
    }
}
