//! Finding runs again, against a list that is filtered by hand.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use bgt_core::{Pattern, Status};

use super::Backend;
use super::support::{Must, Setup};
use crate::{Clock, NewRun, Outcome, Page, Retention, RunFilter, RunRecord};

/// Runs of all kinds, the one that was accepted last first.
async fn generated(setup: &Setup, count: u64) -> Vec<RunRecord> {
    let host = setup.host("h").await;
    // A generator whose numbers are the same everywhere; the upper bits are the good ones.
    let mut state = 1_u64;
    let mut pick = |choices: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % choices).unwrap_or(0)
    };
    let mut ids = Vec::new();
    for number in 0..count {
        let mut run = NewRun::new(["resize", "send", "re%ize"][pick(3)], "")
            .queue(["default", "mail"][pick(2)])
            .pattern([Pattern::Detached, Pattern::Periodic][pick(2)])
            .label("number", number.to_string());
        if pick(2) == 0 {
            run = run.label("customer", ["17", "18", "it's"][pick(3)]);
        }
        if pick(3) == 0 {
            run = run.label("Customer", "17");
        }
        let (id, queue) = (setup.accept(run.clone()).await, run.queue);
        ids.push(id);
        if pick(2) == 0 {
            setup.clock.advance(Duration::from_millis(100));
        }
        let end =
            [None, None, Some(Status::Succeeded), Some(Status::Failed), Some(Status::Cancelled)][pick(5)];
        if pick(3) > 0 {
            for held in setup.take(host, &queue).await {
                if let (true, Some(end)) = (held.run.id == id, end) {
                    setup.finish(held.lease, Outcome::new(end)).await.must("finish a run that is held");
                }
            }
        }
    }
    let mut runs = Vec::new();
    for id in ids.into_iter().rev() {
        runs.push(setup.known(id).await);
    }
    runs
}

/// Adds a word to a filter, perhaps about a time in the middle of all runs.
type Word = fn(RunFilter, SystemTime) -> RunFilter;

/// Every value of every word of a filter, each with all of the others.
fn filters(runs: &[RunRecord]) -> Vec<RunFilter> {
    let middle = runs[runs.len() / 2].created_at;
    let ways: [Vec<Word>; 6] = [
        vec![
            |filter, _| filter,
            |filter, _| filter.status(Status::Queued),
            |filter, _| filter.status(Status::Failed).status(Status::Running),
            |filter, _| filter.status(Status::Lost),
        ],
        vec![
            |filter, _| filter,
            |filter, _| filter.name("resize"),
            |filter, _| filter.name("re%ize"),
            |filter, _| filter.name("RESIZE"),
        ],
        vec![|filter, _| filter, |filter, _| filter.queue("mail"), |filter, _| filter.queue("' OR 1=1 --")],
        vec![|filter, _| filter, |filter, _| filter.pattern(Pattern::Periodic)],
        vec![
            |filter, _| filter,
            |filter, _| filter.label("customer", "17"),
            |filter, _| filter.label("customer", "it's"),
            |filter, _| filter.label("customer", "17").label("Customer", "17"),
            |filter, _| filter.label("customer", "17").label("customer", "18"),
        ],
        vec![
            |filter, _| filter,
            |filter, middle| filter.since(middle),
            |filter, middle| filter.before(middle),
            |filter, middle| filter.since(middle - Duration::from_secs(1)).before(middle),
        ],
    ];
    ways.into_iter().fold(vec![RunFilter::new()], |filters, words| {
        let pairs =
            filters.iter().flat_map(|filter| words.iter().map(move |word| word(filter.clone(), middle)));
        pairs.collect()
    })
}

/// What the docs of [`RunFilter`] say, once more.
fn matches(filter: &RunFilter, run: &RunRecord) -> bool {
    let RunFilter { statuses, name, queue, pattern, labels, since, before } = filter;
    let mut wanted = statuses.is_empty() || statuses.contains(&run.status);
    wanted &= name.is_none() || name.as_ref() == Some(&run.name);
    wanted &= queue.is_none() || queue.as_ref() == Some(&run.queue);
    wanted &= pattern.is_none() || *pattern == Some(run.pattern);
    for (key, value) in labels {
        wanted &= run.labels.get(key).is_some_and(|found| found == value);
    }
    wanted &= since.is_none_or(|time| run.created_at >= time);
    wanted && before.is_none_or(|time| run.created_at < time)
}

pub(super) async fn every_filter_and_all_together(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let runs = generated(&setup, 60).await;
    let mut found_some = 0;
    for filter in filters(&runs) {
        let wanted: Vec<_> = runs.iter().filter(|run| matches(&filter, run)).cloned().collect();
        let found = setup.all(filter.clone(), 1000).await;
        assert_eq!(found, wanted, "the runs that match {filter:?}, the one that was accepted last first");
        found_some += usize::from(!wanted.is_empty());
    }
    assert!(found_some > 100, "most filters are to find something: {found_some}");
    let all = RunFilter::new().before(setup.clock.now().wall + Duration::from_micros(1));
    let before = runs.iter().filter(|run| run.created_at < setup.clock.now().stored()).count();
    assert_eq!(setup.all(all, 1000).await.len(), before, "filters look at whole milliseconds");
}

pub(super) async fn counts_are_those_of_the_list(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let counts = setup.count(RunFilter::new()).await.must("count nothing");
    assert!(counts.is_empty(), "a status without runs is not listed: {counts:?}");
    let runs = generated(&setup, 40).await;
    for filter in filters(&runs) {
        let mut wanted = BTreeMap::new();
        for run in runs.iter().filter(|run| matches(&filter, run)) {
            *wanted.entry(run.status).or_insert(0) += 1;
        }
        let found = setup.count(filter.clone()).await.must("count runs");
        assert_eq!(found, wanted, "how many runs match {filter:?}");
    }
}

pub(super) async fn pages_of_every_size_are_the_same_list(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let empty = setup.list(RunFilter::new(), Page::first(1)).await.must("list nothing");
    assert!(empty.runs.is_empty() && empty.next.is_none(), "an empty list has no next page: {empty:?}");
    let runs = generated(&setup, 23).await;
    for filter in [RunFilter::new(), RunFilter::new().queue("mail")] {
        let wanted: Vec<_> = runs.iter().filter(|run| matches(&filter, run)).cloned().collect();
        for size in 1..=wanted.len() + 1 {
            assert_eq!(setup.all(filter.clone(), size).await, wanted, "all pages of {size}");
            let first = setup.list(filter.clone(), Page::first(size)).await.must("list runs");
            let more = wanted.len() > size;
            assert_eq!(
                first.next.is_some(),
                more,
                "a page of {size} of {} runs says if there is more",
                wanted.len()
            );
        }
    }
}

pub(super) async fn new_runs_do_not_move_the_next_page(backend: &dyn Backend) {
    let setup = Setup::of(backend).await;
    let runs = generated(&setup, 20).await;
    let mut page = Page::first(4);
    let mut found = Vec::new();
    loop {
        let read = setup.list(RunFilter::new(), page).await.must("list runs");
        found.extend(read.runs);
        let Some(cursor) = read.next else { break };
        page = Page::after(cursor, 4);
        setup.accept(NewRun::new("accepted meanwhile", "")).await;
    }
    assert_eq!(found, runs, "the list as it was when its first page was read");

    // Nor do they where the latest runs are forgotten meanwhile: nothing takes their place.
    let latest = setup.all(RunFilter::new(), 1000).await;
    let first = setup.list(RunFilter::new(), Page::first(2)).await.must("list runs");
    for run in &latest[..4] {
        setup.request_cancel(run.id).await.must("let anybody ask to stop a run");
    }
    setup.prune(Retention::new().keep(0), 1000).await.must("forget what is over");
    setup.accept(NewRun::new("accepted after that", "")).await;
    let cursor = first.next.unwrap_or_else(|| panic!("there is more than one page"));
    let rest = setup.list(RunFilter::new(), Page::after(cursor, 1000)).await.must("list runs").runs;
    let kept: Vec<_> = latest.into_iter().skip(4).filter(|run| !run.status.is_final()).collect();
    assert_eq!(rest, kept, "runs that were accepted after a page was read are not on the next one");
}
