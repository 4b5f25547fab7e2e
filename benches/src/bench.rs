//! A suite's run: its options, its progress on stderr, its lines on stdout.

use std::fmt::Display;
use std::io::Write;
use std::process::{Command, ExitCode};

use crate::interval;
use crate::line::Line;
use crate::options::Options;
use crate::rounds::take;
use crate::{Better, Case, Result, Side};

/// What a suite measures with.
#[derive(Debug)]
pub struct Bench {
    suite: &'static str,
    options: Options,
}

impl Bench {
    /// Runs a suite as the program that it is.
    pub fn main(suite: &'static str, body: impl FnOnce(&Self) -> Result) -> ExitCode {
        let outcome =
            Options::parse(std::env::args().skip(1)).and_then(|options| body(&Self { suite, options }));
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
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

    /// Measures one case in a copy of this program: what it allocates is gone afterwards.
    ///
    /// # Errors
    /// Where the copy fails.
    pub fn in_a_copy(&self, name: &str) -> Result {
        let mut copy = Command::new(std::env::current_exe()?);
        let status = copy.args(self.options.for_a_copy(name)).status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{name}: the copy measured in failed: {status}").into())
        }
    }

    /// Progress, for whoever waits.
    pub fn say(&self, what: impl Display) {
        eprintln!("{}: {what}", self.suite);
    }

    /// Measures ours and the rivals in turns and prints a line for each rival.
    ///
    /// # Errors
    /// What a side answered, with its name.
    pub fn compare<'a>(&self, case: &Case, ours: Side<'a>, rivals: Vec<Side<'a>>) -> Result {
        let rounds = case.rounds;
        if rounds < interval::FEWEST {
            return Err(format!("{}: {rounds} rounds give no 95 % interval", case.name).into());
        }
        let names: Vec<_> = rivals.iter().map(|rival| rival.name).collect();
        self.say(format_args!("{}: {rounds} rounds against {}", case.name, names.join(", ")));
        let mut sides = vec![ours];
        sides.extend(rivals);
        let figures = take(&mut sides, rounds).map_err(|error| format!("{}: {error}", case.name))?;
        let (ours, theirs) = figures.split_first().ok_or("no side")?;
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

    /// Prints a rate that is only to be known: higher is better.
    ///
    /// # Errors
    /// Where stdout is gone.
    pub fn reported_rate(&self, name: &str, figure: f64, unit: &str) -> Result {
        self.absolute(name, figure, Better::Higher, unit, None)
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
        let mut stdout = std::io::stdout();
        writeln!(stdout, "{}", if self.options.json { line.json() } else { line.text() })?;
        Ok(stdout.flush()?)
    }
}
