//! Text that is not Unicode.

use std::borrow::Cow;

/// A code page of Windows, which others do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodePage {
    /// That of consoles ("OEM").
    Console,
    /// That of programs that are not Unicode ("ANSI").
    System,
}

/// The text of bytes in a code page. What is no text becomes U+FFFD, or what the code page has in its place.
///
/// # Platform-specific behavior
///
/// Unix has no code pages: there it is UTF-8, whichever is asked for.
#[must_use]
pub fn decode(bytes: &[u8], page: CodePage) -> Cow<'_, str> {
    // The first half of each code page that a system can be set to.
    if bytes.is_ascii() {
        return String::from_utf8_lossy(bytes);
    }
    #[cfg(windows)]
    return Cow::Owned(crate::os::decode(bytes, page));
    #[cfg(not(windows))]
    {
        let _ = page;
        String::from_utf8_lossy(bytes)
    }
}
