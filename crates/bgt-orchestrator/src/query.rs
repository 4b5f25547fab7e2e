//! Which runs of the list. Pure.

use std::time::SystemTime;

use bgt_core::{Pattern, RunInfo, Status};

/// Which runs; all of them by default. Every word that is added leaves fewer.
///
/// # Examples
///
/// ```
/// use bgt_orchestrator::{Orchestrator, Pattern, RunQuery, Status};
///
/// let bgt = Orchestrator::new();
/// let failures = RunQuery::new().pattern(Pattern::Pooled).status(Status::Failed).status(Status::TimedOut);
/// assert!(bgt.find(&failures.latest(10)).is_empty());
/// assert!(bgt.find(&RunQuery::new().active()).is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct RunQuery {
    patterns: Vec<Pattern>,
    statuses: Vec<Status>,
    name: Option<String>,
    since: Option<SystemTime>,
    over: Option<bool>,
    latest: Option<usize>,
}

impl RunQuery {
    /// All runs that are known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this pattern, or another that is asked for.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.patterns.push(pattern);
        self
    }

    /// With this status, or another that is asked for.
    pub fn status(mut self, status: Status) -> Self {
        self.statuses.push(status);
        self
    }

    /// Of exactly this task.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Started at this time or later, by the wall clock.
    pub fn since(mut self, time: SystemTime) -> Self {
        self.since = Some(time);
        self
    }

    /// Not over yet.
    pub fn active(mut self) -> Self {
        self.over = Some(false);
        self
    }

    /// Over.
    pub fn over(mut self) -> Self {
        self.over = Some(true);
        self
    }

    /// The latest so many of those.
    pub fn latest(mut self, runs: usize) -> Self {
        self.latest = Some(runs);
        self
    }

    /// Whether the run is one of those. How many are wanted is not looked at.
    #[must_use]
    pub fn matches(&self, run: &RunInfo) -> bool {
        (self.patterns.is_empty() || self.patterns.contains(&run.pattern))
            && (self.statuses.is_empty() || self.statuses.contains(&run.status))
            && self.name.as_ref().is_none_or(|name| *name == *run.name)
            && self.since.is_none_or(|time| run.started_at >= time)
            && self.over.is_none_or(|over| over == run.status.is_final())
    }

    /// Those of them that are wanted, the latest start first.
    pub(crate) fn choose(&self, runs: impl IntoIterator<Item = RunInfo>) -> Vec<RunInfo> {
        let mut chosen: Vec<_> = runs.into_iter().filter(|run| self.matches(run)).collect();
        chosen.sort_by_key(|run| std::cmp::Reverse((run.started_at, run.id)));
        chosen.truncate(self.latest.unwrap_or(usize::MAX));
        chosen
    }
}

#[cfg(test)]
mod tests {
    use bgt_core::{Event, EventKind, Observer, RunId, Runs};

    use super::*;

    fn run(runs: &Runs, name: &str, pattern: Pattern, end: Option<Status>) -> RunId {
        let id = RunId::new();
        let mut kinds = vec![EventKind::Started, EventKind::AttemptStarted { attempt: 1 }];
        kinds.extend(end.map(|status| EventKind::Ended { status }));
        for kind in kinds {
            runs.event(&Event::new(id, name.into(), pattern, kind));
        }
        id
    }

    #[test]
    fn every_word_leaves_fewer_and_the_latest_come_first() {
        let runs = Runs::new();
        let one = run(&runs, "a", Pattern::Simple, Some(Status::Succeeded));
        let two = run(&runs, "a", Pattern::Pooled, Some(Status::Failed));
        let three = run(&runs, "b", Pattern::Pooled, None);
        let found = |query: RunQuery| {
            let all = runs.active().into_iter().chain(runs.recent());
            query.choose(all).iter().map(|run| run.id).collect::<Vec<_>>()
        };
        let all = RunQuery::new;
        assert_eq!(found(all()), [three, two, one]);
        assert_eq!(found(all().latest(2)), [three, two]);
        assert_eq!(found(all().name("a")), [two, one]);
        assert_eq!(found(all().name("a").pattern(Pattern::Simple)), [one]);
        assert_eq!(found(all().pattern(Pattern::Simple).pattern(Pattern::Pooled)), [three, two, one]);
        assert_eq!(found(all().status(Status::Failed)), [two]);
        assert_eq!((found(all().active()), found(all().over())), (vec![three], vec![two, one]));
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert_eq!(found(all().since(later)), []);
        assert_eq!(found(all().since(runs.get(three).unwrap().started_at)).first(), Some(&three));
    }
}
