//! The last lines that a program printed, as errors show them. Pure.

use crate::secret::Values;
use crate::{Captured, Encoding};

const LINES: usize = 20;
const BYTES: usize = 4096;

/// The last lines of some output, at most 20 and at most 4 KiB, with every secret blotted out, also one that the
/// capture has cut in two.
pub(crate) fn last_lines(output: &Captured, secrets: &Values) -> String {
    let (head, tail) = output.head_and_tail();
    let whole = output.is_complete();
    let encoding = output.encoding();
    let mut shown = end_of(head, 0, encoding, Cut { before: false, after: !whole }, secrets);
    if !whole {
        if !head.is_empty() {
            shown.extend_from_slice(format!("\n[… {} bytes omitted …]\n", output.omitted()).as_bytes());
        }
        let at = output.total() - tail.len() as u64;
        shown.extend(end_of(tail, at, encoding, Cut { before: true, after: false }, secrets));
    }
    let narrow = &shown[shown.len().saturating_sub(BYTES)..];
    let text = String::from_utf8_lossy(narrow);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// As much of the end as is ever shown, as UTF-8, blotted. `at`: where the piece begins in the whole.
fn end_of(piece: &[u8], at: u64, encoding: Encoding, cut: Cut, secrets: &Values) -> Vec<u8> {
    let longest = secrets.iter().map(<[u8]>::len).max().unwrap_or(0);
    // Longer than any secret, so that none fills it and is recognised by neither end.
    let start = piece.len().saturating_sub(encoding.longest(BYTES + longest));
    let (end, cut) = (&piece[start..], Cut { before: cut.before || start > 0, ..cut });
    if encoding == Encoding::Utf8 {
        return blot(end, cut, secrets);
    }
    // Whoever passes on what others print may not have written it in the encoding that was said.
    let end = masked(end, cut, secrets);
    // Secrets are known in UTF-8, and stand at the very edge of a cut, where half a character may be.
    let text = encoding.decode(&end, at + start as u64);
    let text = if cut.before { text.trim_start_matches('\u{fffd}') } else { &text };
    let text = if cut.after { text.trim_end_matches('\u{fffd}') } else { text };
    blot(text.as_bytes(), cut, secrets)
}

/// On which sides of a piece something is missing, so that a part of a secret may stand there.
#[derive(Clone, Copy)]
struct Cut {
    before: bool,
    after: bool,
}

/// The text with `***` for every run of bytes that belong to a secret, however the secrets overlap.
pub(crate) fn blot_text(text: &str, secrets: &Values) -> String {
    let blotted = blot(text.as_bytes(), Cut { before: false, after: false }, secrets);
    String::from_utf8_lossy(&blotted).into_owned()
}

/// Some output in an encoding, as text that can be shown.
pub(crate) fn blot_output(output: &[u8], encoding: Encoding, secrets: &Values) -> String {
    let whole = Cut { before: false, after: false };
    match encoding {
        Encoding::Utf8 => blot_text(&String::from_utf8_lossy(output), secrets),
        _ => blot_text(&encoding.decode(&masked(output, whole, secrets), 0), secrets),
    }
}

fn blot(text: &[u8], cut: Cut, secrets: &Values) -> Vec<u8> {
    let hidden = hidden(text, cut, secrets);
    let mut blotted = Vec::with_capacity(text.len());
    for (at, byte) in text.iter().enumerate() {
        if !hidden[at] {
            blotted.push(*byte);
        } else if at == 0 || !hidden[at - 1] {
            blotted.extend_from_slice(b"***");
        }
    }
    blotted
}

/// The same, and as long as before, so that what is text of another encoding stays where it was.
fn masked(bytes: &[u8], cut: Cut, secrets: &Values) -> Vec<u8> {
    let hidden = hidden(bytes, cut, secrets);
    bytes.iter().zip(hidden).map(|(byte, is_hidden)| if is_hidden { b'*' } else { *byte }).collect()
}

/// Which bytes belong to a secret, or may.
fn hidden(text: &[u8], cut: Cut, secrets: &Values) -> Vec<bool> {
    let mut hidden = vec![false; text.len()];
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        for (at, window) in text.windows(secret.len()).enumerate() {
            if window == secret {
                hidden[at..at + secret.len()].fill(true);
            }
        }
        let parts = (1..secret.len().min(text.len() + 1)).rev();
        if let Some(length) =
            parts.clone().find(|length| cut.before && text.starts_with(ending(secret, *length)))
        {
            hidden[..length].fill(true);
        }
        if let Some(length) = parts.clone().find(|length| cut.after && text.ends_with(&secret[..*length])) {
            hidden[text.len() - length..].fill(true);
        }
    }
    hidden
}

fn ending(secret: &[u8], length: usize) -> &[u8] {
    &secret[secret.len() - length..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capture;
    use crate::capture::Collector;
    use proptest::prelude::*;

    fn captured(limits: Capture, text: &[u8]) -> Captured {
        let mut collector = Collector::new(limits);
        collector.push(text);
        collector.finish()
    }

    fn shown(text: &[u8], secrets: &[&str]) -> String {
        shown_of(Capture::default(), text, secrets)
    }

    fn shown_of(limits: Capture, text: &[u8], secrets: &[&str]) -> String {
        last_lines(
            &captured(limits, text),
            &secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect(),
        )
    }

    #[test]
    fn the_last_lines_and_no_more() {
        let many: String = (0..100).map(|n| format!("{n}\n")).collect();
        let tail = shown(many.as_bytes(), &[]);
        assert!(tail.starts_with("80\n") && tail.ends_with("\n99"), "{tail}");
        assert_eq!(shown(&vec![b'x'; 100_000], &[]).len(), BYTES);
        assert_eq!(shown(b"", &[]), "");
        assert_eq!(shown_of(Capture::new(2, 2), b"abcdef", &[]), "ab\n[… 2 bytes omitted …]\nef");
    }

    #[test]
    fn secrets_are_blotted_out_even_across_the_cut() {
        assert_eq!(shown(b"token hunter2 refused, hunter2!", &["hunter2"]), "token *** refused, ***!");
        let text = [&b"hunter2"[..], &vec![b'x'; BYTES - 3]].concat();
        let tail = shown(&text, &["hunter2"]);
        assert!(!tail.contains("er2"), "{}", &tail[..10]);
    }

    #[test]
    fn one_secret_inside_another_or_across_it_uncovers_nothing() {
        for secrets in [["hunter", "hunter2-long"], ["hunter2-long", "hunter"]] {
            assert_eq!(shown(b"<hunter2-long> <hunter>", &secrets), "<***> <***>");
        }
        assert_eq!(shown(b"<abcd>", &["abc", "bcd"]), "<***>");
    }

    #[test]
    fn a_secret_that_the_capture_cut_in_two_is_shown_by_neither_half() {
        let secrets = ["s3cr3t-hunter2"];
        let text = b"token s3cr3t-hunter2 refused";
        assert_eq!(shown_of(Capture::tail(12), text, &secrets), "*** refused");
        assert_eq!(shown_of(Capture::new(10, 3), text, &secrets), "token ***\n[… 15 bytes omitted …]\nsed");
    }

    #[test]
    fn secrets_are_blotted_out_of_text_that_is_not_utf_8_also_across_the_cut() {
        let secrets: Values = ["s3cr3t-hünter2"].iter().map(|secret| secret.as_bytes().to_vec()).collect();
        let text = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let whole = text("token s3cr3t-hünter2 refused");
        for (head, tail) in (0..whole.len()).flat_map(|head| [(head, 0), (0, head), (head, 25), (head, 26)]) {
            let captured = captured(Capture::new(head, tail), &whole).encoded_as(Encoding::Utf16);
            let shown = last_lines(&captured, &secrets);
            assert!(!["s3c", "3cr", "t-h", "ünt", "er2"].iter().any(|part| shown.contains(part)), "{shown}");
        }
        let captured_whole = captured(Capture::default(), &whole).encoded_as(Encoding::Utf16);
        assert_eq!(last_lines(&captured_whole, &secrets), "token *** refused");
        let long = text(&format!("s3cr3t-hünter2{}", "x".repeat(BYTES - 3)));
        let captured = captured(Capture::default(), &long).encoded_as(Encoding::Utf16);
        assert!(!last_lines(&captured, &secrets).contains("er2"));
    }

    #[test]
    fn a_secret_in_another_encoding_than_was_said_is_in_no_guise_there() {
        let secrets: Values = ["hunter2".as_bytes().to_vec()].into_iter().collect();
        let text = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        for before in ["", "x"] {
            let output = [&text("said: "), before.as_bytes(), b"hunter2!"].concat();
            for shown in [
                last_lines(&captured(Capture::default(), &output).encoded_as(Encoding::Utf16), &secrets),
                blot_output(&output, Encoding::Utf16, &secrets),
            ] {
                let again = String::from_utf8_lossy(&text(&shown)).into_owned();
                assert!(shown.starts_with("said: ") && !again.contains("nter"), "{shown}");
            }
        }
        assert_eq!(blot_output(&text("hunter2 ü"), Encoding::Utf16, &secrets), "*** ü");
    }

    #[test]
    fn what_the_blots_make_room_for_is_blotted_too() {
        let secret = "0123456789".repeat(20);
        let text = secret.repeat(100);
        assert_eq!(shown(format!("{text}!").as_bytes(), &[&secret]), "***!");
        // The margin begins within a secret, and every blot lets more of it be seen.
        let text = format!("{secret} ").repeat(100);
        let tail = shown(text.as_bytes(), &[&secret]);
        assert!(!tail.contains('9'), "{tail}");
    }

    proptest! {
        #[test]
        fn no_three_bytes_of_a_secret_are_ever_seen(
            before in "[x\n]{0,40}", after in "[x\n]{0,40}", head in 0..50usize, tail in 0..50usize,
        ) {
            let secret = "abcdefgh";
            let text = format!("{before}{secret}{after}");
            let shown = shown_of(Capture::new(head, tail), text.as_bytes(), &[secret, "abcd"]);
            // The mark of the cut has words of its own, without these.
            for part in secret.as_bytes().windows(3) {
                prop_assert!(!shown.contains(std::str::from_utf8(part).unwrap()), "{}", shown);
            }
        }
    }
}
