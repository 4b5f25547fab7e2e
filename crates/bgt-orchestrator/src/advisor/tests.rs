//! The table, by every combination around every threshold.

use std::time::Duration;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const NANO: Duration = Duration::from_nanos(1);

const DURATIONS: [Option<Duration>; 7] = [
    None,
    Some(Duration::ZERO),
    Some(Duration::from_secs(59)),
    Some(Duration::from_nanos(59_999_999_999)),
    Some(MINUTE),
    Some(Duration::from_nanos(60_000_000_001)),
    Some(Duration::MAX),
];
const TASKS: [usize; 4] = [0, 1, 2, usize::MAX];
const RATES: [Option<f64>; 9] = [
    None,
    Some(f64::NAN),
    Some(-1.0),
    Some(0.0),
    Some(9.999),
    Some(10.0),
    Some(10.001),
    Some(f64::MAX),
    Some(f64::INFINITY),
];

fn every(mut look: impl FnMut(&Requirements)) -> usize {
    let mut seen = 0;
    for expected in DURATIONS {
        for tasks in TASKS {
            for per_minute in RATES {
                for bits in 0..16_u8 {
                    let is = |bit: u8| bits & (1 << bit) != 0;
                    seen += 1;
                    look(&Requirements {
                        task: None,
                        expected,
                        watched: is(0),
                        tasks,
                        result_needed: is(1),
                        recurring: is(2),
                        frequent: is(3),
                        per_minute,
                    });
                }
            }
        }
    }
    seen
}

/// The requirement as it is written down, in one breath.
fn by_the_book(r: &Requirements) -> Pattern {
    if r.recurring {
        Pattern::Periodic
    } else if r.watched || r.expected.is_some_and(|expected| expected >= MINUTE + NANO) {
        Pattern::Streaming
    } else if r.tasks >= 2 {
        Pattern::Concurrent
    } else if !r.result_needed {
        Pattern::Detached
    } else if r.frequent || r.per_minute.is_some_and(|rate| rate > 10.0) {
        Pattern::Pooled
    } else {
        Pattern::Simple
    }
}

#[test]
fn every_combination_around_every_threshold_gets_the_pattern_of_the_book() {
    let mut counts = std::collections::BTreeMap::new();
    let seen = every(|requirements| {
        let pattern = Advisor::recommend(requirements).pattern;
        assert_eq!(pattern, by_the_book(requirements), "{requirements:?}");
        *counts.entry(pattern).or_insert(0) += 1;
    });
    assert_eq!(seen, 7 * 4 * 9 * 16);
    assert_eq!(counts.len(), 6, "{counts:?}");
}

#[test]
fn every_answer_has_reasons_and_weighs_the_other_five_once() {
    every(|requirements| {
        let advice = Advisor::recommend(requirements);
        assert!(!advice.reasons.is_empty());
        let mut all: Vec<_> = advice.alternatives.iter().map(|other| other.pattern).collect();
        all.push(advice.pattern);
        all.sort();
        let mut six = Pattern::ALL.to_vec();
        six.sort();
        assert_eq!(all, six, "{requirements:?}");
        for other in &advice.alternatives {
            assert_eq!(other.verdict == Weighed::Outranked, !other.reasons.is_empty(), "{other:?}");
        }
    });
}

#[test]
fn what_was_outranked_comes_first_and_in_the_order_of_precedence() {
    every(|requirements| {
        let advice = Advisor::recommend(requirements);
        let rank = |pattern| ORDER.iter().position(|other| *other == pattern).unwrap();
        let keys: Vec<_> = advice
            .alternatives
            .iter()
            .map(|other| (other.verdict == Weighed::NotNeeded, rank(other.pattern)))
            .collect();
        assert!(keys.is_sorted(), "{advice}");
        for (is_not_needed, place) in keys {
            assert!(is_not_needed || place > rank(advice.pattern), "{advice}");
        }
    });
}

#[test]
fn people_read_why_and_why_not() {
    let advice = Advisor::recommend(&Requirements::new().recurring().expected(MINUTE * 90).per_minute(40.0));
    let text = advice.to_string();
    assert!(text.starts_with("periodic, because it runs again and again\n  not streaming: "), "{text}");
    assert!(text.contains("5400s, which is longer than a minute, but only a schedule"), "{text}");
    assert!(text.contains("called 40 times a minute"), "{text}");
    assert!(text.contains("not detached: somebody waits for the result"), "{text}");
}

/// What people say of their work, and what a person who knows the six patterns would take.
#[test]
fn realistic_scenarios_get_what_an_expert_would_take() {
    use Pattern::{Concurrent, Detached, Periodic, Pooled, Simple, Streaming};
    let work = Requirements::new;
    let secs = Duration::from_secs;
    let scenarios = [
        ("validate an upload", work().expected(secs(2)), Simple),
        ("git rev-parse in a build", work().expected(secs(1)), Simple),
        ("a report on request, once an hour", work().expected(secs(20)).per_minute(1.0 / 60.0), Simple),
        ("a migration of unknown length", work(), Simple),
        ("train a model for hours", work().expected(secs(7200)), Streaming),
        ("a build whose log a browser shows", work().expected(secs(30)).watched(), Streaming),
        ("transcode with a progress bar", work().watched(), Streaming),
        ("resize 400 pictures", work().tasks(400).expected(secs(3)), Concurrent),
        ("lint every crate", work().tasks(13), Concurrent),
        ("fetch two pages", work().tasks(2).expected(secs(1)), Concurrent),
        ("send a mail after sign-up", work().result_not_needed().expected(secs(1)), Detached),
        ("reindex, nobody waits", work().result_not_needed().expected(secs(45)), Detached),
        ("a webhook, often", work().result_not_needed().per_minute(200.0), Detached),
        ("nightly backup", work().recurring().expected(secs(1800)), Periodic),
        ("clean up temporary files every ten minutes", work().recurring().result_not_needed(), Periodic),
        ("poll six feeds each minute", work().recurring().tasks(6), Periodic),
        ("score a text per request", work().per_minute(2400.0).expected(secs(1)), Pooled),
        ("query a database per request", work().high_frequency(), Pooled),
        ("a tool called twice a minute", work().per_minute(2.0), Simple),
        ("evaluate eight checkpoints", work().tasks(8).expected(secs(50)), Concurrent),
    ];
    for (what, requirements, expert) in scenarios {
        assert_eq!(Advisor::recommend(&requirements).pattern, expert, "{what}");
    }
}
