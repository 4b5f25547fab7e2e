//! The last lines that a program printed, as errors show them. Pure.

const LINES: usize = 20;
const BYTES: usize = 4096;

/// The last lines of some output, at most 20 and at most 4 KiB, with every secret blotted out.
pub(crate) fn last_lines(output: &[u8], secrets: &[Vec<u8>]) -> String {
    // A secret may straddle the cut: look further back than what is shown, blot, then cut.
    let margin = secrets.iter().map(Vec::len).max().unwrap_or(0);
    let wide = &output[output.len().saturating_sub(BYTES + margin)..];
    let blotted = secrets.iter().fold(wide.to_vec(), |text, secret| blot(&text, secret));
    let narrow = &blotted[blotted.len().saturating_sub(BYTES)..];
    let text = String::from_utf8_lossy(narrow);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn blot(text: &[u8], secret: &[u8]) -> Vec<u8> {
    if secret.is_empty() {
        return text.to_vec();
    }
    let mut blotted = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(secret.len()).position(|window| window == secret) {
        blotted.extend_from_slice(&rest[..at]);
        blotted.extend_from_slice(b"***");
        rest = &rest[at + secret.len()..];
    }
    blotted.extend_from_slice(rest);
    blotted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_and_no_more() {
        let many: String = (0..100).map(|n| format!("{n}\n")).collect();
        let tail = last_lines(many.as_bytes(), &[]);
        assert!(tail.starts_with("80\n") && tail.ends_with("\n99"), "{tail}");
        assert_eq!(last_lines(&vec![b'x'; 100_000], &[]).len(), BYTES);
        assert_eq!(last_lines(b"", &[]), "");
    }

    #[test]
    fn secrets_are_blotted_out_even_across_the_cut() {
        let secrets = [b"hunter2".to_vec()];
        assert_eq!(last_lines(b"token hunter2 refused, hunter2!", &secrets), "token *** refused, ***!");
        let text = [&b"hunter2"[..], &vec![b'x'; BYTES - 3]].concat();
        let tail = last_lines(&text, &secrets);
        assert!(!tail.contains("er2"), "{}", &tail[..10]);
    }
}
