//! What is answered: a pattern, why, and why not the others.

use std::fmt;
use std::time::Duration;

use bgt_core::Pattern;

/// A pattern, with the reasons for it and a word on each of the other five.
///
/// `{}` is a few lines for people.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recommendation {
    /// The pattern to use.
    pub pattern: Pattern,
    /// Why: at least one.
    pub reasons: Vec<Reason>,
    /// The other five: those first that the requirements ask for too, in the order of precedence.
    pub alternatives: Vec<Alternative>,
    /// Where an unknown duration was taken from, if it was.
    pub from_history: Option<FromHistory>,
}

/// An unknown duration that was filled from earlier runs of the same task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FromHistory {
    /// Half of them took at most so long.
    pub median: Duration,
    /// How many runs that is known of.
    pub runs: usize,
}

/// Why a pattern is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// It runs again and again, at times.
    Recurring,
    /// Its output or progress is watched.
    Watched,
    /// It takes longer than a minute.
    Long {
        /// How long a run is expected to take.
        expected: Duration,
    },
    /// There is more than one task.
    Many {
        /// How many.
        tasks: usize,
    },
    /// Nobody waits for the result.
    NobodyWaits,
    /// It is called all the time.
    Frequent,
    /// It is called more than ten times a minute.
    PerMinute {
        /// How often.
        per_minute: f64,
    },
    /// Nothing asks for more than one run to its end.
    NothingElse,
}

/// A pattern that was weighed and not taken.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Alternative {
    /// The pattern.
    pub pattern: Pattern,
    /// What came of it.
    pub verdict: Weighed,
    /// What asks for it, if anything does.
    pub reasons: Vec<Reason>,
    /// Why it was not taken, in a sentence.
    pub because: &'static str,
}

/// What came of weighing a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weighed {
    /// The requirements ask for it too; another comes first.
    Outranked,
    /// Nothing asks for it.
    NotNeeded,
}

impl Alternative {
    pub(super) fn weigh(pattern: Pattern, chosen: Pattern, reasons: Vec<Reason>) -> Self {
        let verdict = if reasons.is_empty() { Weighed::NotNeeded } else { Weighed::Outranked };
        let because = match verdict {
            Weighed::NotNeeded => not_needed(pattern),
            Weighed::Outranked => outranked_by(chosen),
        };
        Self { pattern, verdict, reasons, because }
    }
}

/// Why nothing is lost without it.
fn not_needed(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Periodic => "it runs when it is asked to, not at times",
        Pattern::Streaming => "nobody watches it, and it is not known to take longer than a minute",
        Pattern::Concurrent => "there is only one task",
        Pattern::Detached => "somebody waits for the result",
        Pattern::Pooled => "it is not called often enough to keep anything warm",
        Pattern::Simple => "more is asked for than one run to its end",
    }
}

/// What the other one offers that this one cannot replace.
fn outranked_by(chosen: Pattern) -> &'static str {
    match chosen {
        Pattern::Periodic => "only a schedule starts it again; what it fires may use this pattern inside",
        Pattern::Streaming => "what is long or watched must be seen while it runs; the handle can be let go",
        Pattern::Concurrent => "many tasks need their limits first; each of them may use this pattern inside",
        Pattern::Detached => "what nobody waits for must not be lost; the function that runs may use a pool",
        Pattern::Pooled | Pattern::Simple => "it comes later in the order of precedence",
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recurring => f.write_str("it runs again and again"),
            Self::Watched => f.write_str("its output or progress is watched while it runs"),
            Self::Long { expected } => {
                write!(f, "it takes {expected:?}, which is longer than a minute")
            }
            Self::Many { tasks } => write!(f, "there are {tasks} tasks to run at the same time"),
            Self::NobodyWaits => f.write_str("nobody waits for the result"),
            Self::Frequent => f.write_str("it is called all the time"),
            Self::PerMinute { per_minute } => {
                write!(f, "it is called {per_minute} times a minute, which is more than ten")
            }
            Self::NothingElse => f.write_str("it is one task, run once, and somebody waits for the result"),
        }
    }
}

impl fmt::Display for Recommendation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, because ", self.pattern)?;
        list(f, &self.reasons)?;
        if let Some(FromHistory { median, runs }) = &self.from_history {
            write!(f, "\n  half of {runs} earlier runs took at most {median:.1?}")?;
        }
        for Alternative { pattern, verdict, reasons, because } in &self.alternatives {
            write!(f, "\n  not {pattern}: ")?;
            if *verdict == Weighed::Outranked {
                list(f, reasons)?;
                f.write_str(", but ")?;
            }
            f.write_str(because)?;
        }
        Ok(())
    }
}

fn list(f: &mut fmt::Formatter<'_>, reasons: &[Reason]) -> fmt::Result {
    for (place, reason) in reasons.iter().enumerate() {
        write!(f, "{}{reason}", if place == 0 { "" } else { ", and " })?;
    }
    Ok(())
}
