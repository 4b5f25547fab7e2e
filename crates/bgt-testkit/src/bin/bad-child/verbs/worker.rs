//! A worker that is asked, line by line, how to misbehave: `{"requestId":7,"arguments":["VERB","ARGUMENT"]}`.
//!
//! The verbs below, and every other verb of this program: it is run, and then the request is answered with `done`.
//! Arguments are text without escapes.

use std::ffi::OsString;
use std::process::exit;

use super::ending::hang;
use super::{Trouble, VERBS};
use crate::number::{number, size};
use crate::raw::{self, Stream};
use crate::state::{State, append};
use crate::sys;

pub(super) fn ready(_: &mut State, arguments: &[OsString]) -> Result<(), Trouble> {
    let version: u32 = number(&arguments[0])?;
    say(&format!("{{\"protocol\":{version}}}\n"));
    Ok(())
}

pub(super) fn serve(state: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    let mut input = Input::default();
    while let Some(line) = input.line()? {
        let Some(id) = id_of(&line) else { return Err(Trouble::Failed(format!("no request: {line}"))) };
        if !line.contains("\"cancel\":true") {
            answer(state, &mut input, id, &arguments_of(&line))?;
        }
    }
    Ok(())
}

/// Answers the first request before it has read it to its end, and takes the rest of it for the next one.
pub(super) fn hasty(state: &mut State, _: &[OsString]) -> Result<(), Trouble> {
    let mut input = Input::default();
    while !input.read.contains(&b',') {
        input.more()?;
    }
    if let Some(id) = id_of(&String::from_utf8_lossy(&input.read)) {
        whole(id, "hasty");
    }
    input.read.clear();
    while let Some(line) = input.line()? {
        let next = line.split_once("{\"requestId\"").map_or(&*line, |(before, _)| before);
        let Some(id) = id_of(&line) else { continue };
        whole(id, &format!("{} bytes before", next.len()));
    }
    serve(state, &[])
}

fn answer(state: &mut State, input: &mut Input, id: u32, arguments: &[String]) -> Result<(), Trouble> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["echo", text] => whole(id, text),
        ["pid"] => whole(id, &std::process::id().to_string()),
        ["fail", code, text] => {
            say(&format!("{{\"requestId\":{id},\"exitCode\":{code},\"output\":\"{text}\",\"new\":1}}\n"));
        }
        ["long", bytes] => {
            say(&format!("{{\"requestId\":{id},\"output\":\""));
            let mut left = size(bytes.as_ref())?;
            while left > 0 {
                let part = left.min(64 << 10);
                raw::write(Stream::Out, &vec![b'x'; part as usize]);
                left -= part;
            }
            say("\"}\n");
        }
        // Half a line, and nothing more.
        ["half"] => say(&format!("{{\"requestId\":{id},\"output\":\"ha")),
        ["half-exit", code] => {
            say(&format!("{{\"requestId\":{id},\"output\":\"ha"));
            exit(number(code.as_ref())?);
        }
        ["half-character"] => {
            raw::write(
                Stream::Out,
                &[format!("{{\"requestId\":{id},\"output\":\"").as_bytes(), b"\xc3\"}\n"].concat(),
            );
        }
        ["wrong-id"] => whole(id ^ 1, "not yours"),
        ["twice"] => say(&[line(id, "once"), line(id, "twice")].concat()),
        // An answer to a request that was not asked yet, as far as ids can be guessed.
        ["early"] => say(&[line(id, "in turn"), line(id + 1, "too early")].concat()),
        // When somebody else is waiting already.
        ["late", text] => {
            whole(id, "in turn");
            let Some(next) = input.line()? else { return Ok(()) };
            whole(id, text);
            if let Some(next) = id_of(&next) {
                whole(next, "hers");
            }
        }
        ["then-print", text] => say(&[&line(id, "in turn"), text, "\n"].concat()),
        ["then-half", text] => say(&[&line(id, "in turn"), text].concat()),
        ["then-later-half", text] => {
            whole(id, "in turn");
            std::thread::sleep(std::time::Duration::from_millis(20));
            say(text);
        }
        ["interrupted"] => say(&format!("{{\"requestId\":{id},\"wasCancelled\":true}}\n")),
        ["then-close"] => {
            whole(id, "in turn");
            sys::close(Stream::Out)?;
        }
        ["then-exit", code] => {
            whole(id, "in turn");
            exit(number(code.as_ref())?);
        }
        ["append-and-hang", path, text] => {
            append(path.as_ref(), format!("{text}\n").as_bytes())?;
            hang(state, &[])?;
        }
        ["when-cancelled", how] => {
            let cancelled = input.line()?;
            if cancelled.is_some_and(|line| line.contains("\"cancel\":true") && id_of(&line) == Some(id)) {
                match how {
                    "obey" => say(&format!("{{\"requestId\":{id},\"wasCancelled\":true}}\n")),
                    _ => whole(id, "after all"),
                }
            }
        }
        [name, ref rest @ ..] => {
            let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
                return Err(Trouble::Usage(format!("a worker does not know {name}")));
            };
            let rest: Vec<OsString> = rest.iter().map(Into::into).collect();
            (verb.run)(state, &rest)?;
            whole(id, "done");
        }
        [] => whole(id, "nothing"),
    }
    Ok(())
}

fn line(id: u32, output: &str) -> String {
    format!("{{\"requestId\":{id},\"exitCode\":0,\"output\":\"{output}\"}}\n")
}

fn whole(id: u32, output: &str) {
    say(&line(id, output));
}

fn say(text: &str) {
    raw::write(Stream::Out, text.as_bytes());
}

fn id_of(line: &str) -> Option<u32> {
    let digits = line.split_once("\"requestId\":")?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Texts between quotes, and whatever else there is between commas.
fn arguments_of(line: &str) -> Vec<String> {
    let list = line.split_once("\"arguments\":[").map_or("", |(_, list)| list);
    let list = list.rsplit_once(']').map_or("", |(list, _)| list);
    let mut arguments = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let (argument, more) = match rest.strip_prefix('"') {
            Some(text) => text.split_once('"').unwrap_or((text, "")),
            None => rest.split_once(',').map_or((rest, ""), |(one, more)| (one, more)),
        };
        arguments.push(argument.to_owned());
        rest = more.trim_start_matches(',');
    }
    arguments
}

/// Stdin as lines, read as they come.
#[derive(Default)]
struct Input {
    read: Vec<u8>,
}

impl Input {
    /// `None` at the end.
    fn line(&mut self) -> Result<Option<String>, Trouble> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if self.more()? == 0 {
                return Ok(None);
            }
        }
    }

    fn more(&mut self) -> Result<usize, Trouble> {
        let mut buffer = vec![0; 64 << 10];
        let read = raw::read(&mut buffer)?;
        self.read.extend_from_slice(&buffer[..read]);
        Ok(read)
    }
}
