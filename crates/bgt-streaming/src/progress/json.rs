//! Progress in the fields of a JSON object on one line.
//!
//! Owns: finding a handful of fields on the outermost level, without building the rest; and what they mean together.
//! A JSON library would do the first for every line of a structured log, with allocations and for everybody's build;
//! what is here borrows.
//! Never does: validate what it steps over, beyond strings and brackets.

use std::borrow::Cow;

use bgt_core::Progress;

use super::percent;

/// Whether it is worth reading.
pub(super) fn may_be(bytes: &[u8]) -> bool {
    match bytes.trim_ascii_start().first() {
        Some(b'{') => true,
        Some(0x1b) => memchr::memchr(b'{', bytes).is_some(),
        _ => false,
    }
}

/// The fields of an object that say how far something is.
#[derive(Debug, Default)]
pub(super) struct Object<'a> {
    progress: Option<Value<'a>>,
    percent: Option<Value<'a>>,
    position: Option<f64>,
    has_several_positions: bool,
    total: Option<Value<'a>>,
    message: Option<&'a str>,
    msg: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    /// As it is written, with its escapes.
    Text(&'a str),
    Number(f64),
    Null,
    Object(&'a str),
    Other,
}

impl<'a> Object<'a> {
    /// The object that the text is, if it is one from its beginning to its end.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim_ascii();
        let mut object = Self::default();
        while !rest.is_empty() {
            let (key, after) = string(rest)?;
            let after = after.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
            let (value, after) = value(after)?;
            object.take(key, value);
            rest = after.trim_ascii_start();
            if !rest.is_empty() {
                rest = rest.strip_prefix(',')?.trim_ascii_start();
            }
        }
        Some(object)
    }

    fn take(&mut self, key: &str, value: Value<'a>) {
        match (key, value) {
            ("progress", Value::Object(_)) => self.progress = Some(value),
            ("progressDetail", Value::Object(_)) => self.progress = Some(value),
            ("progress", _) if self.progress.is_none() => self.progress = Some(value),
            ("percent" | "percentage" | "pct", _) => self.percent = Some(value),
            ("current" | "n" | "done" | "completed" | "step", Value::Number(number)) => {
                self.has_several_positions |= self.position.is_some_and(|position| position != number);
                self.position = Some(number);
            }
            ("total", _) => self.total = Some(value),
            ("message", Value::Text(text)) => self.message = Some(text),
            ("msg", Value::Text(text)) => self.msg = Some(text),
            _ => {}
        }
    }

    /// What the fields say.
    pub(super) fn progress(&self) -> Option<Progress> {
        let inner = match self.progress {
            Some(Value::Object(text)) => Self::of(text),
            _ => None,
        };
        // One level down is usual, further down is something else.
        let progress = inner.as_ref().and_then(Self::own_progress).or_else(|| self.own_progress())?;
        let message = inner.and_then(|inner| inner.message).or(self.message).map(unescape);
        Some(match message.filter(|message| !message.trim().is_empty()) {
            Some(message) => progress.message(message),
            None => progress,
        })
    }

    fn own_progress(&self) -> Option<Progress> {
        let part = match self.progress {
            Some(Value::Number(part)) if self.total.is_none() => {
                (0.0..=1.0).contains(&part).then(|| Progress::percent(part * 100.0))
            }
            Some(Value::Text(text)) => percent::read(text),
            _ => None,
        };
        let percent = match self.percent {
            Some(Value::Number(percent)) => {
                (0.0..=100.0).contains(&percent).then(|| Progress::percent(percent))
            }
            Some(Value::Text(text)) => percent::read(text),
            _ => None,
        };
        part.or(percent).or_else(|| self.count())
    }

    fn count(&self) -> Option<Progress> {
        let position = match (self.position, self.progress) {
            (None, Some(Value::Number(position))) => position,
            (Some(position), _) if !self.has_several_positions => position,
            _ => return None,
        };
        let total = match self.total? {
            Value::Number(total) if total > 0.0 && position <= total => Some(total),
            Value::Null => None,
            _ => return None,
        };
        let mut progress = Progress::default();
        progress.position = Some(position).filter(|position| *position >= 0.0)?;
        progress.total = total;
        Some(progress)
    }

    /// What it says to people.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        self.message.or(self.msg).map(unescape)
    }
}

/// A string at the beginning, as it is written between its quotes, and what comes after it.
fn string(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let mut from = 0;
    loop {
        let stop = from + memchr::memchr2(b'"', b'\\', text.get(from..)?.as_bytes())?;
        if text.as_bytes()[stop] == b'"' {
            return Some((&text[..stop], &text[stop + 1..]));
        }
        // What is escaped may be the first byte of a longer letter only in what is no JSON: `get` above refuses.
        from = stop + 2;
    }
}

fn value(text: &str) -> Option<(Value<'_>, &str)> {
    match text.bytes().next()? {
        b'"' => string(text).map(|(text, rest)| (Value::Text(text), rest)),
        b'{' => nested(text).map(|(text, rest)| (Value::Object(text), rest)),
        b'[' => nested(text).map(|(_, rest)| (Value::Other, rest)),
        _ => {
            let end = text.find([',', '}', ']', '"', '{', '[', ':']).unwrap_or(text.len());
            let (word, rest) = text.split_at(end);
            Some((of_word(word.trim_ascii_end())?, rest))
        }
    }
}

fn of_word(word: &str) -> Option<Value<'_>> {
    match word {
        "null" => Some(Value::Null),
        // Python writes the last three.
        "true" | "false" | "NaN" | "Infinity" | "-Infinity" => Some(Value::Other),
        _ if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            let number = word.parse::<f64>().ok()?;
            Some(if number.is_finite() { Value::Number(number) } else { Value::Other })
        }
        _ => None,
    }
}

/// An object or an array at the beginning, whole, and what comes after it.
fn nested(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match rest.as_bytes()[0] {
            b'"' => {
                let (_, after) = string(rest)?;
                at = text.len() - after.len();
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(text.split_at(at));
        }
    }
    None
}

/// A string as it is meant.
fn unescape(written: &str) -> Cow<'_, str> {
    if !written.contains('\\') {
        return written.into();
    }
    let mut meant = String::with_capacity(written.len());
    let mut letters = written.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            meant.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => meant.push('\n'),
            Some('r') => meant.push('\r'),
            Some('t') => meant.push('\t'),
            Some('b' | 'f') => {}
            Some('u') => meant.push(unicode(&mut letters)),
            Some(other) => meant.push(other),
            None => {}
        }
    }
    meant.into()
}

/// The letter of `XXXX` or, for one beyond 16 bits, of `XXXX\uXXXX`; `�` for a half of one.
fn unicode(letters: &mut std::str::Chars<'_>) -> char {
    fn unit(text: &str) -> Option<u16> {
        let digits = text.get(..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    }
    let text = letters.as_str();
    let Some(first) = unit(text) else { return char::REPLACEMENT_CHARACTER };
    let second = text[4..].strip_prefix("\\u").and_then(unit);
    let pair = char::decode_utf16([Some(first), second].into_iter().flatten()).next();
    let letter = pair.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER);
    let taken = if letter.len_utf16() == 2 { 10 } else { 4 };
    *letters = text[taken..].chars();
    letter
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        Object::of(text)?.progress().map(|progress| progress.to_string())
    }

    #[test]
    fn what_is_unambiguous_is_read() {
        let cases = [
            (r#"{"progress":0.4}"#, Some("40 %")),
            (r#"{"progress":"40%"}"#, Some("40 %")),
            (r#"{"progress":1}"#, Some("100 %")),
            (r#"{"progress":{"current":3,"total":12}}"#, Some("3/12")),
            (r#"{"progress":{"current":3,"total":12,"message":"in"},"message":"out"}"#, Some("3/12 (in)")),
            (r#"{"progress":3,"total":12}"#, Some("3/12")),
            (r#"{"percent": 40.0, "message": "epoch 2"}"#, Some("40 % (epoch 2)")),
            (r#"{"pct":"40 %"}"#, Some("40 %")),
            (r#"  { "step" : 3 , "total" : 12 }  "#, Some("3/12")),
            (r#"{"step":3,"n":3,"total":12}"#, Some("3/12")),
            (r#"{"n":17,"total":null}"#, Some("17")),
            (r#"{"a":["}",{"b":"\"}"}],"done":1e1,"total":20}"#, Some("10/20")),
            (
                r#"{"done":1,"total":2,"message":"a \"b\" \u00e9 \ud83d\ude00 \ud83d"}"#,
                Some("1/2 (a \"b\" é 😀 �)"),
            ),
            (r#"{"done":1,"total":2,"message":""}"#, Some("1/2")),
            (
                r#"{"status":"Downloading","progressDetail":{"current":1,"total":2},"progress":"[> ] 1MB/2MB","id":"a"}"#,
                Some("1/2"),
            ),
            (r#"{"status":"Pulling","progressDetail":{},"id":"a"}"#, None),
            (r#"{"progress":40}"#, None),
            (r#"{"progress":-0.1}"#, None),
            (r#"{"percent":140}"#, None),
            (r#"{"step":3}"#, None),
            (r#"{"total":12}"#, None),
            (r#"{"step":3,"n":4,"total":12}"#, None),
            (r#"{"step":13,"total":12}"#, None),
            (r#"{"step":-3,"total":12}"#, None),
            (r#"{"step":0,"total":0}"#, None),
            (r#"{"step":NaN,"total":12}"#, None),
            (r#"{"step":1e999,"total":12}"#, None),
            (r#"{"progress":{"progress":{"current":3,"total":12}}}"#, None),
            (r#"{"progress":0.4"#, None),
            (r#"{"progress":0.4} and more"#, None),
            (r#"{'loss': 0.2, 'progress': 0.4}"#, None),
            ("{}", None),
            ("{", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in r#"(\{|"|\\|\}|\[|\]|:|,|progress|message|total|u00e9|é|[0-9]|.){0,40}"#) {
            let _ = read(&text);
            let _ = read(&format!("{{{text}}}"));
            let _ = unescape(&text);
        }
    }
}
