//! A child process with one verb per bad habit: `bad-child VERB [ARGUMENTS] then VERB [ARGUMENTS] …`.
//!
//! Verbs run in the order given; the table in `verbs.rs` is the whole list, and an unknown verb prints it. A sequence is
//! checked before its first verb runs, so a typing error never looks like a child that misbehaved half-way.
//!
//! Every process, descendants included, ends by itself within ten minutes of the first one's start. The program stays
//! single-threaded on Unix, because some verbs fork without exec.

mod number;
mod raw;
mod state;
mod sys;
mod verbs;

use std::ffi::OsString;
use std::process::exit;

use raw::Stream;
use state::State;
use verbs::{Trouble, VERBS, Verb};

/// What `sysexits.h` calls `EX_USAGE` and `EX_SOFTWARE`.
const BAD_USAGE: i32 = 64;
const BAD_LUCK: i32 = 70;

fn main() {
    let mut state = State::new();
    let steps = match plan(std::env::args_os().skip(1).collect()) {
        Ok(steps) => steps,
        Err(reason) => fail(BAD_USAGE, &format!("bad-child: {reason}\n{}", usage())),
    };
    for (verb, arguments) in steps {
        match (verb.run)(&mut state, &arguments) {
            Ok(()) => {}
            Err(Trouble::Usage(reason)) => fail(BAD_USAGE, &format!("bad-child: {}: {reason}\n", verb.name)),
            Err(Trouble::Failed(reason)) => fail(BAD_LUCK, &format!("bad-child: {}: {reason}\n", verb.name)),
        }
    }
}

/// Splits by what each verb takes, not by searching for `then`, so that `print then` prints it.
fn plan(arguments: Vec<OsString>) -> Result<Vec<(&'static Verb, Vec<OsString>)>, String> {
    let mut rest = arguments.into_iter();
    let mut steps = Vec::new();
    loop {
        let Some(name) = rest.next() else { return Err("a verb is missing".to_owned()) };
        let Some(verb) = VERBS.iter().find(|verb| name == verb.name) else {
            return Err(format!("unknown verb {name:?}"));
        };
        let taken: Vec<OsString> = match verb.arity() {
            Some(count) => rest.by_ref().take(count).collect(),
            None => rest.by_ref().collect(),
        };
        if verb.arity().is_some_and(|count| taken.len() < count) {
            return Err(format!("{} needs: {}", verb.name, verb.takes));
        }
        steps.push((verb, taken));
        match rest.next() {
            None => return Ok(steps),
            Some(word) if word == "then" => {}
            Some(word) => return Err(format!("after {} comes `then`, not {word:?}", verb.name)),
        }
    }
}

fn usage() -> String {
    let mut text = "bad-child VERB [ARGUMENTS] then VERB [ARGUMENTS] ...\n".to_owned();
    for verb in VERBS {
        let call = format!("{} {}", verb.name, verb.takes);
        text.push_str(&format!("  {call:<32} {}\n", verb.does));
    }
    text
}

fn fail(code: i32, message: &str) -> ! {
    raw::write(Stream::Err, message.as_bytes());
    exit(code)
}
