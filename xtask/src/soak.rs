//! `cargo xtask soak`: all patterns at once, with children that misbehave and with kills, for as long as one likes.

use crate::args::{Args, Spec};
use crate::{Result, shell};

pub(crate) const COMMAND: crate::Command = crate::Command {
    spec: Spec {
        name: "soak",
        summary: "all patterns at once, with kills, for minutes or hours",
        help: "\
Usage: cargo xtask soak [--minutes N] [--seed S]

Does work by all six patterns at once, with children that hang, flood, abort and leave grandchildren, and kills children,
workers and the host of detached work at random (kill -9). Every piece of work writes to a ledger of its own accord;
after each round the ledger has to hold what was asked for, and every child has to be gone. No more calls may fail than
workers were killed, nothing may be done again but for a kill, and a schedule has to do each of its slots once, in order.

Once everything was ended the ledger of all rounds is judged again, for what came late, and nobody may be left whom the
soak has started: hosts, workers, and those who look after programs (this on Linux alone). Descriptors, threads and
zombies have to be back at what they were after the first round, those of a host at what they were before its first work,
and memory has to be flat. A soak of a minute or more that has killed no host, no worker or no child fails.

  --minutes N  for so long; 3 without it, fractions allowed
  --seed S     the same number, the same plan; without it one is chosen, and printed

With debug assertions and checks for overflow, which is what a soak is for.
",
        flags: &[],
        options: &["--minutes", "--seed"],
        words: false,
        trailing: false,
    },
    run,
};

fn run(args: &Args) -> Result {
    let (minutes, seed) = read(args)?;
    let root = shell::root()?;
    let mut cargo = shell::cargo(&root);
    cargo.args(["run", "-q", "-p", "bgt-benches", "--example", "soak", "--"]).args([minutes, seed]);
    shell::run(&mut cargo)
}

/// How long, and by which plan.
fn read(args: &Args) -> Result<(String, String)> {
    let minutes = args.value("--minutes").unwrap_or("3");
    if !minutes.parse::<f64>().is_ok_and(|minutes| minutes > 0.0 && minutes < 1e6) {
        return Err(format!("soak: `--minutes {minutes}` is no number of minutes above 0").into());
    }
    let seed = match args.value("--seed") {
        Some(seed) => {
            seed.parse().map_err(|_| format!("soak: `--seed {seed}` is no whole number from 0 up"))?
        }
        None => std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    Ok((minutes.to_owned(), seed.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Result<(String, String)> {
        let args = COMMAND.spec.parse(line.split_whitespace().map(str::to_owned)).unwrap().unwrap();
        read(&args)
    }

    #[test]
    fn time_and_seed_are_numbers() {
        assert_eq!(said("--minutes 0.5 --seed 7").unwrap(), ("0.5".to_owned(), "7".to_owned()));
        assert_eq!(said("--seed 7").unwrap().0, "3");
        for wrong in ["--minutes x", "--minutes 0", "--minutes -1", "--minutes NaN", "--seed -1", "--seed x"]
        {
            let text = said(wrong).unwrap_err().to_string();
            assert!(text.contains(wrong), "{text}");
        }
    }
}
