//! What this process holds more of than before, of those kinds that the system tells.

use std::time::Duration;

use bgt_testkit::{Resources, wait_until};

use crate::{Bench, Result};

/// They may be a moment behind the last run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Counts, each with the name that it has in a unit; `None` is what the system does not tell.
#[derive(Debug)]
pub(crate) struct Held(pub(crate) Vec<(&'static str, Option<usize>)>);

impl Held {
    /// Open files.
    pub(crate) fn descriptors(resources: &Resources) -> (&'static str, Option<usize>) {
        (if cfg!(windows) { "handles" } else { "descriptors" }, Some(resources.open_fds))
    }

    /// What both tell; one kind that became fewer makes up for no other.
    fn gained_since(&self, before: &Self) -> Vec<(&'static str, usize)> {
        let both = self.0.iter().zip(&before.0);
        both.filter_map(|((kind, now), (_, then))| Some((*kind, (*now)?.saturating_sub((*then)?)))).collect()
    }
}

/// Reports how much more is held than before so many runs, which is to be nothing, and says what was not counted.
pub(crate) fn back(bench: &Bench, name: &str, runs: u32, before: &Held, held: impl Fn() -> Held) -> Result {
    let mut now = held();
    let total = |now: &Held| now.gained_since(before).iter().map(|(_, gained)| gained).sum::<usize>();
    wait_until(PATIENCE, || {
        now = held();
        total(&now) == 0
    });
    bench.say(format_args!("{name}: {before:?} before, {now:?} after"));
    for (kind, count) in &now.0 {
        if count.is_none() {
            bench.say(format_args!("{name}: {kind} are not counted: the system does not tell"));
        }
    }
    let kinds: Vec<_> = now.gained_since(before).into_iter().map(|(kind, _)| kind).collect();
    let unit = format!("{} gained by {runs} runs", kinds.join(" + "));
    bench.at_most(name, total(&now) as f64, &unit, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_not_counted_and_fewer_makes_up_for_nothing() {
        let before = Held(vec![("descriptors", Some(5)), ("threads", Some(3)), ("zombies", None)]);
        let now = Held(vec![("descriptors", Some(7)), ("threads", Some(1)), ("zombies", None)]);
        assert_eq!(now.gained_since(&before), [("descriptors", 2), ("threads", 0)]);
    }
}
