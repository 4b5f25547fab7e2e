//! Advice that looks at earlier runs first.

use std::time::{Duration, SystemTime};

#[cfg(feature = "detached")]
use bgt_core::RunInfo;
use bgt_core::Status;

use crate::{Advisor, FromHistory, Orchestrator, Recommendation, Requirements, RunQuery};

/// So many of the latest runs are looked at.
const LATEST: usize = 100;

impl Orchestrator {
    /// Recommends a pattern, as [`Advisor::recommend`] does. If it is not known how long the [task](Requirements::task) takes, the
    /// latest hundred of its earlier runs are looked at first, those on disk included, and the answer says so.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "simple")] {
    /// use bgt_orchestrator::{Orchestrator, Requirements, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_orchestrator::Error> {
    /// let bgt = Orchestrator::new();
    /// bgt.simple(task_fn("resize", |_cx| async { Ok(()) })).await?;
    /// let advice = bgt.recommend(&Requirements::new().task("resize")).await;
    /// assert_eq!(advice.from_history.as_ref().map(|history| history.runs), Some(1));
    /// println!("{advice}");
    /// # Ok(()) } main().unwrap();
    /// # }
    /// ```
    pub async fn recommend(&self, requirements: &Requirements) -> Recommendation {
        let (None, Some(task)) = (requirements.expected, &requirements.task) else {
            return Advisor::recommend(requirements);
        };
        let query = [Status::Succeeded, Status::TimedOut].into_iter().fold(RunQuery::new(), RunQuery::status);
        let runs = self.find(&query.name(&**task).latest(LATEST));
        let here = runs.iter().filter_map(|run| Some((run.started_at, run.elapsed()?)));
        #[cfg(feature = "detached")]
        let here = here.chain(self.on_disk(task, &runs).await);
        let mut took = latest(here.collect());
        let Some(median) = median(&mut took) else { return Advisor::recommend(requirements) };
        let mut advice = Advisor::recommend(&requirements.clone().expected(median));
        advice.from_history = Some(FromHistory { median, runs: took.len() });
        advice
    }

    /// How long runs took that are kept on disk, but those that are known already.
    #[cfg(feature = "detached")]
    async fn on_disk(&self, task: &str, known: &[RunInfo]) -> Vec<Began> {
        use bgt_detached::{Page, RunFilter};
        let Some(detached) = &self.detached else { return Vec::new() };
        let filter = RunFilter::new().name(task).status(Status::Succeeded).status(Status::TimedOut);
        // A fault of the records is told by those who need them; advice is given without.
        let Ok(page) = detached.list(filter, Page::first(LATEST)).await else { return Vec::new() };
        let unknown = page.runs.into_iter().filter(|run| known.iter().all(|other| other.id != run.id));
        let began = unknown.filter_map(|run| Some((run.started_at?, run.ended_at?)));
        began.filter_map(|(began, ended)| Some((began, ended.duration_since(began).ok()?))).collect()
    }
}

/// When a run began, and how long it took.
type Began = (SystemTime, Duration);

/// How long those took that began last.
fn latest(mut runs: Vec<Began>) -> Vec<Duration> {
    runs.sort_unstable_by_key(|(began, _)| std::cmp::Reverse(*began));
    runs.into_iter().take(LATEST).map(|(_, took)| took).collect()
}

fn median(took: &mut [Duration]) -> Option<Duration> {
    took.sort_unstable();
    took.get(took.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_all_that_are_known_the_latest_hundred_count() {
        let run =
            |second| (SystemTime::UNIX_EPOCH + Duration::from_secs(second), Duration::from_secs(second));
        let (on_disk, here): (Vec<_>, Vec<_>) =
            (0..200).map(run).partition(|(_, took)| took.as_secs() % 3 == 0);
        let took = latest(here.into_iter().chain(on_disk).collect());
        assert_eq!((took.len(), took[0].as_secs(), took[99].as_secs()), (100, 199, 100));
    }

    #[test]
    fn half_of_them_took_at_most_the_median() {
        let of = |seconds: &[u64]| {
            let mut took: Vec<_> = seconds.iter().copied().map(Duration::from_secs).collect();
            median(&mut took).map(|median| median.as_secs())
        };
        assert_eq!((of(&[]), of(&[7])), (None, Some(7)));
        assert_eq!((of(&[9, 1]), of(&[9, 1, 5]), of(&[100, 1, 2, 3])), (Some(1), Some(5), Some(2)));
    }
}
