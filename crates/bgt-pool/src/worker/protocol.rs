//! Requests and answers as lines of JSON. Pure. `docs/worker-protocol.md` is the same in words.

use bytes::Bytes;
use memchr::memchr;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The version that the variable [`VARIABLE`] and a worker's first line speak of.
pub(crate) const VERSION: u32 = 1;

/// The environment variable by which a worker knows that it is one, and of which version.
pub(crate) const VARIABLE: &str = "BGT_WORKER";

/// The longest line, in bytes, in both directions.
pub(crate) const LONGEST: usize = 16 << 20;

/// A request: the id comes first, so that a shell finds it.
pub(crate) fn request(line: &mut Vec<u8>, id: u32, arguments: &[u8]) {
    line.clear();
    line.extend_from_slice(b"{\"requestId\":");
    line.extend_from_slice(id.to_string().as_bytes());
    line.extend_from_slice(b",\"arguments\":[");
    line.extend_from_slice(arguments);
    line.extend_from_slice(b"]}\n");
}

/// The request of this id is not wanted any more.
pub(crate) fn cancel(id: u32) -> Vec<u8> {
    format!("{{\"requestId\":{id},\"cancel\":true}}\n").into_bytes()
}

/// A line of a worker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is warm, and speaks this version.
    Ready { protocol: u32 },
    /// It answers this request. The output is JSON.
    Answer { id: u32, exit_code: i32, output: Bytes, cancelled: bool },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    request_id: Option<u32>,
    #[serde(default)]
    exit_code: i32,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(default)]
    was_cancelled: bool,
    protocol: Option<u32>,
}

/// What a line says; `None` when it is none of a worker's. Fields that are not known are passed over.
pub(crate) fn parse(line: &Bytes) -> Option<Said> {
    let said: Line<'_> = serde_json::from_slice(line).ok()?;
    match (said.request_id, said.protocol) {
        (Some(id), _) => Some(Said::Answer {
            id,
            exit_code: said.exit_code,
            output: said
                .output
                .map_or(Bytes::from_static(b"null"), |output| line.slice_ref(output.get().as_bytes())),
            cancelled: said.was_cancelled,
        }),
        (None, Some(protocol)) => Some(Said::Ready { protocol }),
        (None, None) => None,
    }
}

/// A worker's output as lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// What was not looked at yet.
    rest: Bytes,
    /// A line whose end has not come.
    begun: Vec<u8>,
}

/// A line is longer than [`LONGEST`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    /// Takes what came; all lines of what came before must have been taken.
    pub(crate) fn push(&mut self, piece: Bytes) {
        debug_assert!(self.rest.is_empty(), "lines were left");
        self.rest = piece;
    }

    /// The next line that is whole, without its end.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, TooLong> {
        let end = memchr(b'\n', &self.rest);
        if self.begun.len() + end.unwrap_or(self.rest.len()) > LONGEST {
            return Err(TooLong);
        }
        let Some(end) = end else {
            self.begun.extend_from_slice(&std::mem::take(&mut self.rest));
            return Ok(None);
        };
        let line = self.rest.split_to(end);
        drop(self.rest.split_to(1));
        if self.begun.is_empty() {
            return Ok(Some(line));
        }
        self.begun.extend_from_slice(&line);
        Ok(Some(std::mem::take(&mut self.begun).into()))
    }

    /// Whether more came than the lines that were taken.
    pub(crate) fn has_more(&self) -> bool {
        !self.rest.is_empty()
    }

    /// What came of a line that has not ended.
    pub(crate) fn begun(&self) -> &[u8] {
        &self.begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(line: &str) -> Option<Said> {
        parse(&Bytes::copy_from_slice(line.as_bytes()))
    }

    #[test]
    fn answers_are_read_with_what_is_left_out_and_what_is_not_known() {
        let answer = |id, exit_code, output: &'static str, cancelled| {
            Some(Said::Answer { id, exit_code, output: output.into(), cancelled })
        };
        assert_eq!(said(r#"{"requestId":7}"#), answer(7, 0, "null", false));
        assert_eq!(
            said("{\"exitCode\":3,\"output\":\"no\",\"requestId\":7}\r"),
            answer(7, 3, "\"no\"", false)
        );
        let more = r#" {"requestId":1,"output":{"a":[1, 2]},"wasCancelled":true,"new":{"x":null}} "#;
        assert_eq!(said(more), answer(1, 0, r#"{"a":[1, 2]}"#, true));
        assert_eq!(said(r#"{"protocol":1,"name":"scorer"}"#), Some(Said::Ready { protocol: 1 }));
    }

    #[test]
    fn what_is_no_line_of_a_worker_is_nothing() {
        for line in [
            "",
            "hello",
            "{}",
            "7",
            "[]",
            r#"{"requestId":"7"}"#,
            r#"{"requestId":-7}"#,
            r#"{"requestId":7"#,
            r#"{"requestId":7} {"requestId":8}"#,
            r#"{"requestId":7,"exitCode":"0"}"#,
            r#"{"requestId":7,"requestId":8}"#,
            r#"{"requestId":4294967296}"#,
        ] {
            assert_eq!(said(line), None, "{line}");
        }
        assert_eq!(parse(&Bytes::from_static(b"{\"requestId\":7,\"output\":\"\xc3\"}")), None);
    }

    #[test]
    fn requests_begin_with_their_id() {
        let mut line = b"something old".to_vec();
        request(&mut line, 7, br#""a",{"b":1}"#);
        assert_eq!(line, b"{\"requestId\":7,\"arguments\":[\"a\",{\"b\":1}]}\n");
        assert_eq!(cancel(7), b"{\"requestId\":7,\"cancel\":true}\n");
    }

    #[test]
    fn a_line_may_be_so_long_and_no_longer() {
        let mut lines = Lines::default();
        let half = Bytes::from(vec![b'x'; LONGEST / 2]);
        for _ in 0..2 {
            lines.push(half.clone());
            assert_eq!(lines.next(), Ok(None));
        }
        lines.push(Bytes::from_static(b"\n{}"));
        assert_eq!(lines.next().unwrap().unwrap().len(), LONGEST);
        assert_eq!(lines.next(), Ok(None));
        lines.push(half.clone());
        assert_eq!(lines.next(), Ok(None));
        lines.push(half);
        assert_eq!(lines.next(), Err(TooLong));
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_come(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0..200usize, 0..8),
        ) {
            let mut lines = Lines::default();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([text.len()]).collect();
            cuts.sort_unstable();
            let (mut found, mut at) = (Vec::new(), 0);
            for cut in cuts {
                lines.push(Bytes::copy_from_slice(&text[at..cut]));
                at = cut;
                while let Some(line) = lines.next().unwrap() {
                    found.push(line.to_vec());
                }
            }
            let mut expected: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let begun = expected.pop().unwrap();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(lines.begun(), &begun[..]);
        }
    }
}
