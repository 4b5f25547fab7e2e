//! Job queues of other crates, each a program of its own: their SQLite cannot be in one program with ours.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use super::pueue;
use crate::{Bench, Result, Side, rivals};

/// What is in `benches/rivals`, with the least ratios that ours is to have.
struct Rival {
    name: &'static str,
    program: &'static str,
    /// Held to what ours promises, and given what ours takes, instead of its own settings.
    is_equal: bool,
    enqueue_durable: Option<f64>,
    lifecycle: Option<f64>,
}

const RIVALS: &[Rival] = &[
    Rival {
        name: "apalis-sqlite",
        program: "apalis-sqlite",
        is_equal: false,
        enqueue_durable: Some(5.0),
        lifecycle: Some(10.0),
    },
    Rival {
        name: "apalis-sqlite-equal",
        program: "apalis-sqlite",
        is_equal: true,
        enqueue_durable: None,
        lifecycle: None,
    },
    Rival { name: "effectum", program: "effectum", is_equal: false, enqueue_durable: None, lifecycle: None },
];

/// Those that are built, each with a new database in `folder` and a process of its own for every slice.
pub(super) fn sides<'a>(
    bench: &Bench,
    case: &'static str,
    slice: Duration,
    folder: &'a Path,
) -> Vec<Side<'a>> {
    let mut sides = Vec::new();
    for rival in RIVALS {
        let Some(program) = rivals::find(rival.program) else {
            bench.say(format_args!("{case}: skipped {}: it is not built; --peers builds it", rival.name));
            continue;
        };
        let goal = if case == "lifecycle" { rival.lifecycle } else { rival.enqueue_durable };
        let measure = move || {
            let folder = tempfile::tempdir_in(folder)?;
            let mut command = Command::new(&program);
            command.arg(case).arg(folder.path().join("jobs.db")).arg(slice.as_millis().to_string());
            if rival.is_equal {
                command.env("BGT_EQUAL", "1");
            }
            once(&mut command)
        };
        sides.push(Side { name: rival.name, goal, measure: Box::new(measure) });
    }
    if case == "enqueue_durable" {
        sides.extend(pueue::enqueue(bench, slice, folder));
    }
    sides
}

/// Lets it get warm, has it do one slice, and answers how many a second.
fn once(command: &mut Command) -> Result<f64> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(child.stdout.take().ok_or("a child without stdout")?).lines();
    let figure = child.stdin.take().ok_or("a child without stdin").map_err(Into::into).and_then(|mut go| {
        next(&mut said).and_then(|word| if word == "ready" { Ok(()) } else { Err(odd(&word)) })?;
        writeln!(go)?;
        let line = next(&mut said)?;
        let (done, seconds) = line.split_once(' ').ok_or_else(|| odd(&line))?;
        Ok(done.parse::<f64>().map_err(|_| odd(&line))? / seconds.parse::<f64>().map_err(|_| odd(&line))?)
    });
    if figure.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    match figure {
        Ok(_) if !status.success() => Err(format!("ended with {status}").into()),
        figure => figure,
    }
}

fn next(said: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    Ok(said.next().ok_or("it ended before it had measured")??)
}

fn odd(said: &str) -> crate::Error {
    format!("it said {said:?}").into()
}
