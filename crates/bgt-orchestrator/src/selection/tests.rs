//! Every combination of everything that a request can ask for.

use super::*;

fn every(mut look: impl FnMut(&Wishes)) -> usize {
    let patterns = Pattern::ALL.map(Some).into_iter().chain([None]);
    let mut seen = 0;
    for pattern in patterns {
        for max_concurrent in [None, Some(1), Some(4)] {
            for wait in [None, Some(false), Some(true)] {
                for bits in 0..=255_u8 {
                    let is = |bit: u8| bits & (1 << bit) != 0;
                    seen += 1;
                    look(&Wishes {
                        pattern,
                        schedule: is(0),
                        streaming: is(1),
                        many: is(2),
                        max_concurrent,
                        wait,
                        pool: is(3) || is(4),
                        pool_within: is(4),
                        needs: is(5),
                        durable: is(6),
                        name: is(7),
                    });
                }
            }
        }
    }
    seen
}

/// The order as it is written down.
fn by_the_book(w: &Wishes) -> Pattern {
    match w {
        Wishes { pattern: Some(named), .. } => *named,
        Wishes { schedule: true, .. } => Pattern::Periodic,
        Wishes { streaming: true, .. } => Pattern::Streaming,
        Wishes { many: true, .. } => Pattern::Concurrent,
        Wishes { wait: Some(false), .. } => Pattern::Detached,
        Wishes { pool: true, .. } => Pattern::Pooled,
        _ => Pattern::Simple,
    }
}

#[test]
fn every_combination_is_selected_by_the_book_or_refused_by_two_names() {
    let (mut selected, mut refused) = (std::collections::BTreeMap::new(), 0);
    let seen = every(|wishes| match select(wishes) {
        Ok(selection) => {
            assert_eq!(selection.pattern, by_the_book(wishes), "{wishes:?}");
            *selected.entry(selection.pattern).or_insert(0) += 1;
        }
        Err(Contradiction { one, other, .. }) => {
            refused += 1;
            assert_ne!(one, other, "{wishes:?}");
            for asked in [one, other] {
                assert!(was_asked(wishes, asked), "{asked} was not asked for: {wishes:?}");
            }
        }
    });
    assert_eq!(seen, 7 * 3 * 3 * 256);
    assert_eq!(selected.len(), 6, "{selected:?}");
    assert!(refused > 0);
}

fn was_asked(wishes: &Wishes, asked: Asked) -> bool {
    match asked {
        // Also one that was selected, where nothing else says so.
        Asked::Pattern(pattern) => by_the_book(wishes) == pattern,
        Asked::Schedule => wishes.schedule,
        Asked::Streaming => wishes.streaming,
        Asked::ForEach => wishes.many,
        Asked::MaxConcurrent(most) => wishes.max_concurrent == Some(most),
        Asked::NoWait => wishes.wait == Some(false),
        Asked::Wait => wishes.wait == Some(true),
        Asked::Pool => wishes.pool,
        Asked::Needs => wishes.needs,
        Asked::Name => wishes.name,
    }
}

/// What is accepted holds: whatever was asked for is what the pattern does, or is told to be set aside.
#[test]
fn what_is_accepted_holds_or_is_told_to_be_set_aside() {
    every(|wishes| {
        let Ok(Selection { pattern, set_aside, .. }) = select(wishes) else { return };
        let is_told = |asked: Asked| set_aside.contains(&asked);
        assert!(!wishes.schedule || pattern == Pattern::Periodic, "{wishes:?}");
        assert!(!wishes.many || pattern == Pattern::Concurrent, "{wishes:?}");
        assert_eq!(is_told(Asked::Streaming), wishes.streaming && pattern != Pattern::Streaming);
        assert!(!wishes.pool || pattern != Pattern::Simple, "{wishes:?}");
        let cannot_be_warm = pattern == Pattern::Detached && !wishes.pool_within;
        assert_eq!(is_told(Asked::Pool), wishes.pool && cannot_be_warm, "{wishes:?}");
        let waits = matches!(pattern, Pattern::Simple | Pattern::Pooled);
        assert!(wishes.wait != Some(false) || !waits, "{wishes:?}");
        let ends_with_its_handle = pattern == Pattern::Streaming;
        assert_eq!(is_told(Asked::NoWait), wishes.wait == Some(false) && ends_with_its_handle, "{wishes:?}");
        let answers_a_handle = matches!(pattern, Pattern::Periodic | Pattern::Streaming);
        assert!(wishes.wait != Some(true) || !answers_a_handle, "{wishes:?}");
        let has_a_name = pattern == Pattern::Periodic || pattern == Pattern::Detached && wishes.durable;
        assert_eq!(is_told(Asked::Name), wishes.name && !has_a_name, "{wishes:?}");
        assert!(wishes.max_concurrent.is_none() || pattern == Pattern::Concurrent, "{wishes:?}");
        assert!(!(wishes.needs && wishes.durable && pattern == Pattern::Detached), "{wishes:?}");
        if wishes.pattern.is_some() {
            let may_be = [Asked::Name, Asked::NoWait];
            assert!(set_aside.iter().all(|asked| may_be.contains(asked)), "{wishes:?}: {set_aside:?}");
        }
    });
}

#[test]
fn people_read_why_and_what_contradicts_what() {
    let wishes = Wishes { schedule: true, streaming: true, ..Wishes::default() };
    let selection = select(&wishes).unwrap();
    assert_eq!(selection.to_string(), "periodic, because of a schedule; streaming is set aside");
    assert_eq!(select(&Wishes::default()).unwrap().to_string(), "simple, because nothing else was asked for");
    let wishes = Wishes { pattern: Some(Pattern::Simple), ..wishes };
    let error = select(&wishes).unwrap_err();
    let said = "the pattern simple and a schedule contradict each other: leave out one of them";
    assert_eq!(error.to_string(), said);
}
