//! Which pattern a request asks for, and what in it cannot be together. Pure.
//!
//! Owns: the order of precedence and the table of contradictions. Never does: look at a task, or run anything.

#[cfg(test)]
mod tests;

use std::fmt;

use bgt_core::Pattern;

/// Something that a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// This pattern, by name.
    Pattern(Pattern),
    /// To run at times.
    Schedule,
    /// To be watched.
    Streaming,
    /// Many tasks, of one script or given one by one.
    ForEach,
    /// At most so many at once.
    MaxConcurrent(usize),
    /// Not to wait for the result.
    NoWait,
    /// To wait for the result.
    Wait,
    /// What is kept warm.
    Pool,
    /// A share of the limits.
    Needs,
    /// A name.
    Name,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => write!(f, "the pattern {pattern}"),
            Self::Schedule => f.write_str("a schedule"),
            Self::Streaming => f.write_str("streaming"),
            Self::ForEach => f.write_str("many tasks"),
            Self::MaxConcurrent(tasks) => write!(f, "max_concurrent({tasks})"),
            Self::NoWait => f.write_str("wait(false)"),
            Self::Wait => f.write_str("wait(true)"),
            Self::Pool => f.write_str("a pool"),
            Self::Needs => f.write_str("needs"),
            Self::Name => f.write_str("a name"),
        }
    }
}

/// The pattern that was selected for a request, and why.
///
/// `{}` is a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// The pattern.
    pub pattern: Pattern,
    /// What asked for it; nothing if it is simple because nothing else was asked for.
    pub because: Option<Asked>,
    /// What was asked for too and does not hold, as this pattern comes first.
    pub set_aside: Vec<Asked>,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.because {
            Some(asked) => write!(f, "{}, because of {asked}", self.pattern)?,
            None => write!(f, "{}, because nothing else was asked for", self.pattern)?,
        }
        for asked in &self.set_aside {
            write!(f, "; {asked} is set aside")?;
        }
        Ok(())
    }
}

/// Two things that a request asked for and that cannot both be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{one} and {other} contradict each other: {instead}")]
#[non_exhaustive]
pub struct Contradiction {
    /// One of them.
    pub one: Asked,
    /// The other.
    pub other: Asked,
    /// The way out.
    pub instead: &'static str,
}

/// What a request asks for, without the task.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) pattern: Option<Pattern>,
    pub(crate) schedule: bool,
    pub(crate) streaming: bool,
    pub(crate) many: bool,
    pub(crate) max_concurrent: Option<usize>,
    pub(crate) wait: Option<bool>,
    pub(crate) pool: bool,
    /// The task asks a pool by itself, whatever runs it.
    pub(crate) pool_within: bool,
    pub(crate) needs: bool,
    /// It would be detached on disk, where the limits of this process do not hold.
    pub(crate) durable: bool,
    pub(crate) name: bool,
}

/// Selects: what was named, else the first of schedule, streaming, many tasks, nobody waits, pool; else simple.
pub(crate) fn select(wishes: &Wishes) -> Result<Selection, Contradiction> {
    let by_order = [
        (wishes.schedule, Pattern::Periodic, Asked::Schedule),
        (wishes.streaming, Pattern::Streaming, Asked::Streaming),
        (wishes.many, Pattern::Concurrent, Asked::ForEach),
        (wishes.wait == Some(false), Pattern::Detached, Asked::NoWait),
        (wishes.pool, Pattern::Pooled, Asked::Pool),
    ];
    let first = by_order.into_iter().find(|(is_asked, ..)| *is_asked);
    let (pattern, because) = match (wishes.pattern, first) {
        (Some(named), _) => (named, Some(Asked::Pattern(named))),
        (None, Some((_, pattern, asked))) => (pattern, Some(asked)),
        (None, None) => (Pattern::Simple, None),
    };
    if let Some((one, other, instead)) = contradiction(wishes, pattern) {
        return Err(Contradiction { one, other, instead });
    }
    let mut set_aside = Vec::new();
    if wishes.streaming && pattern != Pattern::Streaming {
        set_aside.push(Asked::Streaming);
    }
    if wishes.wait == Some(false) && pattern == Pattern::Streaming {
        set_aside.push(Asked::NoWait);
    }
    if wishes.pool && !wishes.pool_within && pattern == Pattern::Detached {
        set_aside.push(Asked::Pool);
    }
    if wishes.name && !(pattern == Pattern::Periodic || pattern == Pattern::Detached && wishes.durable) {
        set_aside.push(Asked::Name);
    }
    Ok(Selection { pattern, because, set_aside })
}

/// The first two wishes that cannot both be, if there are such.
fn contradiction(wishes: &Wishes, pattern: Pattern) -> Option<(Asked, Asked, &'static str)> {
    use Asked::{ForEach, MaxConcurrent, Needs, NoWait, Pool, Schedule, Streaming, Wait};
    let watched = wishes.pattern.map_or(Streaming, Asked::Pattern);
    if let Some(named) = wishes.pattern {
        let asked = Asked::Pattern(named);
        let is = |other: Pattern| named == other;
        let by_name: [(bool, Asked, &'static str); 6] = [
            (wishes.schedule && !is(Pattern::Periodic), Schedule, "leave out one of them"),
            (wishes.streaming && !is(Pattern::Streaming), Streaming, "leave out one of them"),
            (wishes.many && !is(Pattern::Concurrent), ForEach, "run one task, or leave the pattern out"),
            (
                wishes.wait == Some(false) && matches!(named, Pattern::Simple | Pattern::Pooled),
                NoWait,
                "this pattern waits for the result; leave the pattern out to detach the run",
            ),
            (
                wishes.wait == Some(true) && matches!(named, Pattern::Detached | Pattern::Periodic),
                Wait,
                "wait for what execute answers, by its handle",
            ),
            (
                wishes.pool && (is(Pattern::Simple) || is(Pattern::Detached) && !wishes.pool_within),
                Pool,
                "leave out one of them",
            ),
        ];
        if let Some((_, other, instead)) = by_name.into_iter().find(|(is_so, ..)| *is_so) {
            return Some((asked, other, instead));
        }
    }
    let one_by_one =
        "a request for many tasks runs them once; let a scheduled or streamed function run a batch";
    let together = [
        (wishes.schedule && wishes.many, Schedule, ForEach, one_by_one),
        (wishes.streaming && wishes.many, Streaming, ForEach, one_by_one),
        (
            wishes.schedule && wishes.wait == Some(true),
            Schedule,
            Wait,
            "a schedule has no end to wait for; its handle waits for what runs",
        ),
        (
            pattern == Pattern::Streaming && wishes.wait == Some(true),
            watched,
            Wait,
            "what is watched is answered by its handle as soon as it runs; await that",
        ),
        (
            wishes.needs && wishes.durable && pattern == Pattern::Detached,
            Needs,
            if wishes.pattern.is_some() { Asked::Pattern(pattern) } else { NoWait },
            "runs on disk have queues with limits of their own; use those",
        ),
    ];
    if let Some((_, one, other, instead)) = together.into_iter().find(|(is_so, ..)| *is_so) {
        return Some((one, other, instead));
    }
    let most = wishes.max_concurrent.filter(|_| pattern != Pattern::Concurrent)?;
    let other = wishes.pattern.map_or(
        if wishes.schedule {
            Schedule
        } else if wishes.streaming {
            Streaming
        } else {
            Asked::Pattern(pattern)
        },
        Asked::Pattern,
    );
    Some((MaxConcurrent(most), other, "it is for many tasks: give them with for_each or Request::all"))
}
