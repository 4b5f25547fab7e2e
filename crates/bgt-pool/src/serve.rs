//! The other side of the protocol: a worker written in Rust.
//!
//! Blocking on purpose, and without a runtime: a worker has one request at a time.

use std::fmt::Display;
use std::io::{self, BufRead, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Whether this process was started as a worker by a pool: then its stdin and stdout belong to [`serve`].
#[must_use]
pub fn is_worker() -> bool {
    std::env::var_os("BGT_WORKER").is_some()
}

/// Answers requests until there are no more: `handler` is called with the arguments of each, as a value that the request's
/// list of arguments can be read as, such as a tuple or a `Vec<String>`.
///
/// What it answers goes back as JSON. An error, or arguments that are not what it wants, are an answer with exit code 1; a
/// panic ends the worker, and the pool starts another one. While it works it must not write to stdout.
///
/// Says first that it is ready: with [`says_ready`](crate::WorkerBuilder::says_ready) the pool waits for that. Requests
/// that are cancelled are worked on to their end, for which the pool does not wait for longer than its
/// [`grace`](crate::WorkerBuilder::grace).
///
/// # Errors
///
/// What reading and writing says, and a request that is none.
///
/// # Examples
///
/// ```no_run
/// fn main() -> std::io::Result<()> {
///     let model = vec![1.0, 2.0]; // loaded once
///     bgt_pool::serve(|(text, scale): (String, f64)| {
///         if text.is_empty() { Err("nothing to score") } else { Ok(text.len() as f64 * scale * model[0]) }
///     })
/// }
/// ```
pub fn serve<A, T, E>(handler: impl FnMut(A) -> Result<T, E>) -> io::Result<()>
where
    A: DeserializeOwned,
    T: Serialize,
    E: Display,
{
    converse(io::stdin().lock(), io::stdout().lock(), handler)
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    request_id: u32,
    #[serde(default)]
    arguments: Value,
    #[serde(default)]
    cancel: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    request_id: u32,
    exit_code: i32,
    output: Value,
}

fn converse<A, T, E>(
    requests: impl BufRead,
    mut answers: impl Write,
    mut handler: impl FnMut(A) -> Result<T, E>,
) -> io::Result<()>
where
    A: DeserializeOwned,
    T: Serialize,
    E: Display,
{
    answers.write_all(b"{\"protocol\":1}\n")?;
    answers.flush()?;
    for line in requests.lines() {
        let Request { request_id, arguments, cancel } = serde_json::from_str(&line?)?;
        if cancel {
            // It was answered before this was read.
            continue;
        }
        let output = serde_json::from_value(arguments)
            .map_err(|error| format!("the arguments are not what the worker wants: {error}"))
            .and_then(|arguments| handler(arguments).map_err(|error| error.to_string()))
            .and_then(|value| serde_json::to_value(value).map_err(|error| error.to_string()));
        let (exit_code, output) = match output {
            Ok(value) => (0, value),
            Err(why) => (1, why.into()),
        };
        let mut line = serde_json::to_vec(&Answer { request_id, exit_code, output })?;
        line.push(b'\n');
        // In one write: half an answer is none.
        answers.write_all(&line)?;
        answers.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(requests: &str) -> Vec<String> {
        let mut said = Vec::new();
        let handler = |(text, times): (String, usize)| {
            if times == 0 { Err("never".to_owned()) } else { Ok(text.repeat(times)) }
        };
        converse(requests.as_bytes(), &mut said, handler).unwrap();
        String::from_utf8(said).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn it_is_ready_answers_in_turn_and_passes_over_what_it_does_not_know() {
        let requests = concat!(
            r#"{"requestId":7,"arguments":["ab",2],"new":{}}"#,
            "\n",
            r#"{"requestId":7,"cancel":true}"#,
            "\n",
            r#"{"requestId":8,"arguments":["ab",0]}"#,
            "\n",
            r#"{"requestId":9,"arguments":[1]}"#,
            "\n",
        );
        let answers = answers(requests);
        assert_eq!(answers[0], r#"{"protocol":1}"#);
        assert_eq!(answers[1], r#"{"requestId":7,"exitCode":0,"output":"abab"}"#);
        assert_eq!(answers[2], r#"{"requestId":8,"exitCode":1,"output":"never"}"#);
        assert!(answers[3].starts_with(r#"{"requestId":9,"exitCode":1,"output":"the arguments are not"#));
        assert_eq!(answers.len(), 4);
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        let converse = converse("hello\n".as_bytes(), io::sink(), |(): ()| Ok::<_, String>(()));
        assert_eq!(converse.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
