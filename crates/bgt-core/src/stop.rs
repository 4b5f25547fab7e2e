//! How a program is stopped. Plain data; `bgt-process` acts on it.

use std::time::Duration;

/// How to end a program: ask, wait the grace period, kill its whole tree, wait for the real end.
///
/// The waits add up: a stop takes no longer than `grace + drain + reap`, and up to 3 s more on a machine so busy that
/// looking for strays takes that long.
///
/// # Examples
///
/// ```
/// use bgt_core::{Polite, Stop};
/// use std::time::Duration;
///
/// let stop = Stop::default().polite(Polite::Interrupt).grace(Duration::from_secs(30));
/// assert_eq!(stop.budget(), Duration::from_secs(30 + 1 + 5));
/// assert_eq!(Stop::at_once().grace, Duration::ZERO);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
#[must_use]
pub struct Stop {
    /// How to ask.
    pub polite: Polite,
    /// How long the program may take after it was asked. Its output is read all the while.
    pub grace: Duration,
    /// How long output may still arrive after the program itself has ended, from descendants that hold its pipes.
    /// Counted from the end, not from the last byte: a chatty descendant does not extend it.
    pub drain: Duration,
    /// How long to wait for the system to end a killed program before it is left to the background reaper.
    pub reap: Duration,
}

/// How to ask a program to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Polite {
    /// SIGTERM to the process group; on Windows `CTRL_BREAK` where it can be delivered.
    Terminate,
    /// SIGINT to the process group, as Ctrl-C does; on Windows `CTRL_BREAK` where it can be delivered.
    Interrupt,
    /// SIGHUP to the process group; on Windows `CTRL_BREAK` where it can be delivered.
    Hangup,
    /// Write these bytes to the program's stdin, then close it. For programs with a quit command.
    StdinText(Vec<u8>),
    /// Close the program's stdin.
    CloseStdin,
    /// Do not ask: kill at once, without a grace period.
    Kill,
}

impl Default for Stop {
    /// SIGTERM, 5 s of grace, 1 s for output to drain, 5 s for the system to end what was killed.
    fn default() -> Self {
        Self {
            polite: Polite::Terminate,
            grace: Duration::from_secs(5),
            drain: Duration::from_secs(1),
            reap: Duration::from_secs(5),
        }
    }
}

impl Stop {
    /// Kill at once, without asking.
    pub fn at_once() -> Self {
        Self { polite: Polite::Kill, grace: Duration::ZERO, ..Self::default() }
    }

    /// Sets how to ask.
    pub fn polite(mut self, polite: Polite) -> Self {
        self.polite = polite;
        self
    }

    /// Sets how long the program may take after it was asked.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how long output may still arrive after the program's end.
    pub fn drain(mut self, drain: Duration) -> Self {
        self.drain = drain;
        self
    }

    /// The longest that a stop takes: grace, drain and reap together.
    #[must_use]
    pub fn budget(&self) -> Duration {
        self.grace.saturating_add(self.drain).saturating_add(self.reap)
    }
}
