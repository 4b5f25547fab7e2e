//! One line of a file. Pure.
//!
//! The [CRI log format](https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md) of
//! Kubernetes, which `kubectl`, fluent-bit and others read:
//!
//! ```text
//! 2026-01-01T12:00:00.123456789Z stdout F a line
//! 2026-01-01T12:00:00.123456789Z stdout P the first part of a very long line, which goes
//! 2026-01-01T12:00:00.123456789Z stdout F on here
//! 2026-01-01T12:00:00.123456789Z stderr F:return 42 %
//! 2026-01-01T12:00:00.123456789Z stdout F:eof what was never ended
//! 2026-01-01T12:00:00.123456789Z stdout P:end
//! ```
//!
//! Time, stream, tags, each followed by one space; then bytes up to a newline, as they came. Tags are separated by
//! colons; the first is `F`, or `P` where the line goes on in the next record of the same stream. `return` and `eof` say
//! that no newline ended the line. `end` says that nothing follows; it is no line and has no number. Who knows only the
//! first tag takes it for a part without text.

use std::time::SystemTime;

use bgt_core::Source;

use super::time;
use crate::{Line, LineEnd};

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// A line, whose text begins here.
    Line { at: SystemTime, source: Source, end: LineEnd, text: usize },
    /// Nothing follows.
    End,
}

/// Writes records, one after the other, to the end of a buffer.
#[derive(Debug, Default)]
pub(super) struct Formatter {
    /// Lines that came together have one time.
    at: Option<(SystemTime, String)>,
}

impl Formatter {
    pub(super) fn line(&mut self, line: &Line, to: &mut Vec<u8>) {
        let tags = match line.end {
            LineEnd::Newline => "F",
            LineEnd::Return => "F:return",
            LineEnd::Part => "P",
            LineEnd::Eof => "F:eof",
        };
        self.record(line.at, line.source, tags, &line.bytes, to);
    }

    pub(super) fn end(&mut self, at: SystemTime, to: &mut Vec<u8>) {
        self.record(at, Source::Stdout, "P:end", b"", to);
    }

    fn record(&mut self, at: SystemTime, source: Source, tags: &str, text: &[u8], to: &mut Vec<u8>) {
        if self.at.as_ref().is_none_or(|(known, _)| *known != at) {
            self.at = Some((at, time::format(at)));
        }
        let time = self.at.as_ref().map_or("", |(_, text)| text);
        let source = match source {
            Source::Stderr => " stderr ",
            _ => " stdout ",
        };
        for piece in [time.as_bytes(), source.as_bytes(), tags.as_bytes(), b" ", text, b"\n"] {
            to.extend_from_slice(piece);
        }
    }
}

/// What a line of a file says, without its newline; `None` if that is no record.
pub(super) fn parse(line: &[u8]) -> Option<Record> {
    let at = time::parse(line.get(..time::LENGTH)?)?;
    let rest = &line[time::LENGTH..];
    let source = match rest.get(..8)? {
        b" stdout " => Source::Stdout,
        b" stderr " => Source::Stderr,
        _ => return None,
    };
    let rest = &rest[8..];
    let tags = memchr::memchr(b' ', rest)?;
    let text = time::LENGTH + 8 + tags + 1;
    let mut tags = rest[..tags].split(|byte| *byte == b':');
    let mut end = match tags.next()? {
        b"F" => LineEnd::Newline,
        b"P" => LineEnd::Part,
        _ => return None,
    };
    // One that is not known is of a later version.
    for tag in tags {
        match tag {
            b"return" => end = LineEnd::Return,
            b"eof" => end = LineEnd::Eof,
            b"end" => return Some(Record::End),
            _ => {}
        }
    }
    Some(Record::Line { at, source, end, text })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn line(source: Source, end: LineEnd, bytes: &[u8]) -> Line {
        let at = UNIX_EPOCH + Duration::from_millis(1_234_567_890_500);
        Line { seq: 1, at, source, bytes: bytes.to_vec().into(), end }
    }

    #[test]
    fn it_is_what_other_readers_of_the_format_expect() {
        let mut formatter = Formatter::default();
        let mut written = Vec::new();
        formatter.line(&line(Source::Stdout, LineEnd::Newline, b"hello world"), &mut written);
        formatter.line(&line(Source::Stderr, LineEnd::Part, b"lo"), &mut written);
        formatter.line(&line(Source::Stderr, LineEnd::Return, b""), &mut written);
        formatter.end(UNIX_EPOCH, &mut written);
        let expected = "2009-02-13T23:31:30.500000000Z stdout F hello world\n\
                        2009-02-13T23:31:30.500000000Z stderr P lo\n\
                        2009-02-13T23:31:30.500000000Z stderr F:return \n\
                        1970-01-01T00:00:00.000000000Z stdout P:end \n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn what_is_no_record_is_refused_and_unknown_tags_are_not() {
        let time = "2009-02-13T23:31:30.500000000Z";
        for refused in ["", "stdout F", " stdout F", " stdin F x", " stdout X x", " stdout  x", "stdout F x"]
        {
            assert_eq!(parse(format!("{time}{refused}").as_bytes()), None, "{refused}");
        }
        let later = parse(format!("{time} stdout F:later text").as_bytes());
        assert!(matches!(later, Some(Record::Line { end: LineEnd::Newline, text: 46, .. })), "{later:?}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(stderr: bool, which in 0..4_usize, mut bytes: Vec<u8>) {
            bytes.retain(|byte| *byte != b'\n');
            let end = [LineEnd::Newline, LineEnd::Return, LineEnd::Part, LineEnd::Eof][which];
            let line = line(if stderr { Source::Stderr } else { Source::Stdout }, end, &bytes);
            let mut written = Vec::new();
            Formatter::default().line(&line, &mut written);
            prop_assert_eq!(written.pop(), Some(b'\n'));
            prop_assert_eq!(memchr::memchr(b'\n', &written), None);
            let Some(Record::Line { at, source, end, text }) = parse(&written) else { panic!() };
            prop_assert_eq!((at, source, end, &written[text..]), (line.at, line.source, line.end, &line.bytes[..]));
        }

        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
