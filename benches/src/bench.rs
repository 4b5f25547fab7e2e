//! A suite's run: its options, its progress on stderr, its lines on stdout.

use std::fmt::Display;
use std::io::Write;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::interval;
use crate::line::Line;
use crate::options::Options;
use crate::rounds::take;
use crate::{Better, Case, Result, Side};

/// How a suite ends that had nothing to measure here, and has said why. `cargo xtask bench` goes on with the next.
const NOTHING_MEASURED: u8 = 77;

/// What a suite measures with.
#[derive(Debug)]
pub struct Bench {
    suite: &'static str,
    options: Options,
    measured: AtomicBool,
}

impl Bench {
    /// Runs a suite as the program that it is.
    pub fn main(suite: &'static str, body: impl FnOnce(&Self) -> Result) -> ExitCode {
        let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| {
            let bench = Self { suite, options, measured: AtomicBool::new(false) };
            body(&bench).map(|()| bench.measured.into_inner())
        });
        match outcome {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => {
                eprintln!("{suite}: nothing was measured");
                NOTHING_MEASURED.into()
            }
            Err(error) => {
                eprintln!("{suite}: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Whether the suite has to be done within a minute.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.options.quick
    }

    /// Whether this case was asked for.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.options.only.as_deref().is_none_or(|only| only == name)
    }

    /// Whether this is the copy that [`in_a_copy`](Self::in_a_copy) started.
    #[must_use]
    pub fn is_the_copy(&self) -> bool {
        self.options.inside
    }

    /// Says by name which of the rivals that a case is measured against are not there.
    pub(crate) fn say_who_is_missing<'a>(
        &self,
        case: &str,
        wanted: impl IntoIterator<Item = &'a str>,
        there: &[&str],
    ) {
        for rival in wanted.into_iter().filter(|rival| !there.contains(rival)) {
            let reason = match rival {
                "pre-exec" if !cfg!(unix) => "only Unix has it",
                _ => "it is a crate in benches/peers; --peers measures against it",
            };
            self.say(format_args!("{case}: skipped {rival}: {reason}"));
        }
    }

    /// Measures one case in a copy of this program: what it allocates is gone afterwards.
    ///
    /// # Errors
    /// Where the copy fails.
    pub fn in_a_copy(&self, name: &str) -> Result {
        let mut copy = Command::new(std::env::current_exe()?);
        let status = copy.args(self.options.for_a_copy(name)).status()?;
        match status.code() {
            Some(0) => self.measured.store(true, Ordering::Relaxed),
            Some(code) if code == i32::from(NOTHING_MEASURED) => {}
            _ => return Err(format!("{name}: the copy measured in failed: {status}").into()),
        }
        Ok(())
    }

    /// Progress, for whoever waits.
    pub fn say(&self, what: impl Display) {
        eprintln!("{}: {what}", self.suite);
    }

    /// Measures ours and the rivals in turns and prints a line for each rival; without any, what ours comes to alone.
    ///
    /// # Errors
    /// What a side answered, with its name.
    pub fn compare<'a>(&self, case: &Case, ours: Side<'a>, rivals: Vec<Side<'a>>) -> Result {
        let rounds = case.rounds;
        if rounds < interval::FEWEST {
            return Err(format!("{}: {rounds} rounds give no 95 % interval", case.name).into());
        }
        let names: Vec<_> = rivals.iter().map(|rival| rival.name).collect();
        let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
        self.say(format_args!("{}: {rounds} rounds against {names}", case.name));
        let mut sides = vec![ours];
        sides.extend(rivals);
        let figures = take(&mut sides, rounds).map_err(|error| format!("{}: {error}", case.name))?;
        let (ours, theirs) = figures.split_first().ok_or("no side")?;
        if theirs.is_empty() {
            return self.absolute(case.name, interval::median(ours), case.better, case.unit, None);
        }
        for (rival, theirs) in sides[1..].iter().zip(theirs) {
            let ratios: Vec<_> =
                ours.iter().zip(theirs).map(|(&ours, &theirs)| case.better.ratio(ours, theirs)).collect();
            let (low, high) = interval::of_median(&ratios);
            self.print(&Line {
                suite: self.suite,
                name: case.name,
                against: Some(rival.name),
                ours: interval::median(ours),
                theirs: Some(interval::median(theirs)),
                unit: case.unit,
                better: case.better,
                ratio: Some(interval::median(&ratios)),
                low: Some(low),
                high: Some(high),
                goal: rival.goal,
                met: rival.goal.map(|goal| high >= goal),
            })?;
        }
        Ok(())
    }

    /// Prints a figure that is to be at most `goal`, and that has no rival.
    ///
    /// # Errors
    /// Where stdout is gone.
    pub fn at_most(&self, name: &str, figure: f64, unit: &str, goal: f64) -> Result {
        self.absolute(name, figure, Better::Lower, &format!("{unit} (goal ≤ {goal})"), Some(figure <= goal))
    }

    /// Prints a figure that is to be at least `goal`, and that has no rival.
    ///
    /// # Errors
    /// Where stdout is gone.
    pub fn at_least(&self, name: &str, figure: f64, unit: &str, goal: f64) -> Result {
        self.absolute(name, figure, Better::Higher, &format!("{unit} (goal ≥ {goal})"), Some(figure >= goal))
    }

    /// Prints a figure that is only to be known, such as what the disk can do: lower is better, nothing is its goal.
    ///
    /// # Errors
    /// Where stdout is gone.
    pub fn reported(&self, name: &str, figure: f64, unit: &str) -> Result {
        self.absolute(name, figure, Better::Lower, unit, None)
    }

    fn absolute(&self, name: &str, figure: f64, better: Better, unit: &str, met: Option<bool>) -> Result {
        self.print(&Line {
            suite: self.suite,
            name,
            against: None,
            ours: figure,
            theirs: None,
            unit,
            better,
            ratio: None,
            low: None,
            high: None,
            goal: None,
            met,
        })
    }

    fn print(&self, line: &Line<'_>) -> Result {
        self.measured.store(true, Ordering::Relaxed);
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", if self.options.json { line.json() } else { line.text() })?;
        Ok(stdout.flush()?)
    }
}
