//! The plan by hand, and ten years of it by chance.

mod ten_years;

use super::Verdict::{Fire, Missed};
use super::*;
use std::time::Duration;

fn rules(overlap: Overlap, misfire: Misfire) -> Rules {
    Rules { jitter: 0, tolerance: 5, overlap, misfire }
}

/// Every 10, from 0 on.
fn plan(misfire: Misfire) -> Plan<u32> {
    let trigger = Trigger::Every { every: 10, anchor: 0, clock: Clock::Steady };
    Plan::new(trigger, rules(Overlap::Skip, misfire), 0)
}

fn look<P>(plan: &mut Plan<P>, now: i64) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    plan.look(now, &mut verdicts);
    plan.forward();
    verdicts
}

fn scheduled(slot: i64) -> Verdict {
    Fire { slot, cause: Cause::Scheduled, missed: 0 }
}

fn caught_up(slot: i64) -> Verdict {
    Fire { slot, cause: Cause::CatchUp, missed: 0 }
}

#[test]
fn at_its_time_it_fires_once_and_looks_beyond_now() {
    let mut plan = plan(Misfire::Skip);
    assert_eq!((look(&mut plan, 9), plan.wakes_at()), (vec![], Some(10)));
    assert_eq!((look(&mut plan, 10), plan.wakes_at()), (vec![scheduled(10)], Some(20)));
    assert_eq!(look(&mut plan, 10), []);
    assert_eq!((look(&mut plan, 25), plan.wakes_at()), (vec![scheduled(20)], Some(30)));
}

#[test]
fn misfires_by_policy() {
    let grace = |nanos| Misfire::Once { grace: Duration::from_nanos(nanos) };
    let all = |cap| Misfire::All { cap };
    let missed = |latest, count| Missed { latest, count };
    let once = |slot, cause, missed| Fire { slot, cause, missed };
    for (misfire, now, expected) in [
        // The latest is at its time, three before it are not.
        (Misfire::Skip, 43, vec![missed(39, 3), scheduled(40)]),
        (grace(0), 43, vec![once(40, Cause::Scheduled, 3)]),
        (all(2), 43, vec![missed(19, 1), caught_up(20), caught_up(30), scheduled(40)]),
        (all(9), 43, vec![caught_up(10), caught_up(20), caught_up(30), scheduled(40)]),
        // None is at its time.
        (Misfire::Skip, 48, vec![missed(40, 4)]),
        (grace(8), 48, vec![once(40, Cause::CatchUp, 3)]),
        (grace(7), 48, vec![missed(40, 4)]),
        (all(2), 48, vec![missed(29, 2), caught_up(30), caught_up(40)]),
    ] {
        let mut plan = plan(misfire);
        assert_eq!(look(&mut plan, now), expected, "{misfire:?} at {now}");
        assert_eq!(plan.wakes_at(), Some(50), "{misfire:?} at {now}");
    }
}

#[test]
fn jitter_moves_the_firing_and_not_the_time_that_it_is_for() {
    let trigger = Trigger::Every { every: 10, anchor: 0, clock: Clock::Steady };
    let rules = Rules { jitter: 7, ..rules(Overlap::Skip, Misfire::Skip) };
    let mut plan = Plan::<u32>::new(trigger, rules, 0);
    assert_eq!((look(&mut plan, 16), plan.wakes_at()), (vec![], Some(17)));
    assert_eq!((look(&mut plan, 17), plan.wakes_at()), (vec![scheduled(10)], Some(27)));
    assert_eq!(preview(&plan, 17), [27, 37]);
}

#[test]
fn who_goes_on_misses_none_whose_jitter_is_still_to_come() {
    let trigger = Trigger::Every { every: 10, anchor: 0, clock: Clock::Steady };
    let rules = Rules { jitter: 7, ..rules(Overlap::Skip, Misfire::Skip) };
    for (resumed, wakes_at) in [(11, 17), (16, 17), (17, 27), (18, 27)] {
        let mut plan = Plan::<u32>::new(trigger.clone(), rules, 0);
        plan.pause();
        assert_eq!(preview(&plan, resumed), [wakes_at, wakes_at + 10]);
        plan.resume(resumed, false);
        assert_eq!((look(&mut plan, resumed), plan.wakes_at()), (vec![], Some(wakes_at)));
    }
}

#[test]
fn a_single_time_that_passes_in_a_pause_is_as_if_it_had_never_been() {
    for (catches_up, expected) in [(false, vec![]), (true, vec![caught_up(10)])] {
        let mut plan = Plan::<u32>::new(
            Trigger::At(10),
            rules(Overlap::Skip, Misfire::Once { grace: Duration::from_nanos(100) }),
            i64::MIN,
        );
        plan.pause();
        plan.resume(50, catches_up);
        assert_eq!(plan.is_over(), !catches_up);
        assert_eq!(look(&mut plan, 50), expected);
    }
    let mut plan = Plan::<u32>::new(
        Trigger::At(10),
        rules(Overlap::Skip, Misfire::Once { grace: Duration::from_nanos(100) }),
        i64::MIN,
    );
    plan.pause();
    plan.resume(9, false);
    assert_eq!(plan.wakes_at(), Some(10));
}

#[test]
fn a_time_of_long_ago_is_missed_and_not_a_matter_of_arithmetic() {
    let mut plan =
        Plan::<u32>::new(Trigger::At(-i64::MAX), rules(Overlap::Skip, Misfire::All { cap: 1 }), i64::MIN);
    assert_eq!(look(&mut plan, i64::MAX - 1), [caught_up(-i64::MAX)]);
}

fn preview(plan: &Plan<u32>, now: i64) -> Vec<i64> {
    plan.preview(now).slots().take(2).collect()
}

#[test]
fn a_pause_is_forgotten_or_made_up_for() {
    for (catches_up, expected) in [(false, vec![]), (true, vec![caught_up(10), caught_up(20)])] {
        let mut plan = plan(Misfire::All { cap: 9 });
        plan.pause();
        assert_eq!((look(&mut plan, 26), plan.wakes_at()), (vec![], None));
        plan.resume(26, catches_up);
        assert_eq!(look(&mut plan, 26), expected);
        assert_eq!(plan.wakes_at(), Some(30));
        // Nothing was paused: nothing is forgotten.
        plan.resume(35, false);
        assert_eq!(plan.wakes_at(), Some(30));
    }
}

#[test]
fn after_completion_waits_for_the_end() {
    let trigger = Trigger::AfterCompletion { after: 10 };
    let mut plan = Plan::new(trigger, rules(Overlap::Skip, Misfire::Skip), 0);
    assert_eq!(look(&mut plan, 10), [scheduled(10)]);
    assert!(matches!(plan.admit(1, Cause::Scheduled), Admission::Run(1)));
    assert_eq!(plan.wakes_at(), None);
    assert_eq!((plan.ended(|| 33), plan.wakes_at()), (None, Some(43)));
    // Too late by policy: it goes on from there all the same.
    assert_eq!((look(&mut plan, 90), plan.wakes_at()), (vec![Missed { latest: 43, count: 1 }], Some(100)));
}

#[test]
fn a_single_time_is_over_when_it_has_run() {
    let mut plan = Plan::new(Trigger::At(10), rules(Overlap::Skip, Misfire::Skip), i64::MIN);
    assert!(!plan.is_over());
    assert_eq!(look(&mut plan, 10), [scheduled(10)]);
    assert!(matches!(plan.admit(1, Cause::Scheduled), Admission::Run(1)) && !plan.is_over());
    assert!(plan.ended(|| 11).is_none() && plan.is_over());
}

/// What becomes of four firings while the first runs, and who follows it.
fn overlap(overlap: Overlap, cause: Cause) -> (Vec<String>, Vec<u32>) {
    let trigger = Trigger::Every { every: 10, anchor: 0, clock: Clock::Steady };
    let mut plan = Plan::new(trigger, rules(overlap, Misfire::Skip), 0);
    let said = (1..=4).map(|n| match plan.admit(n, cause) {
        Admission::Run(n) => format!("run {n}"),
        Admission::Waits => "wait".to_owned(),
        Admission::Replaces(replaced) => format!("stop for {n}, not {replaced:?}"),
        Admission::Skip(_, reason) => format!("{reason:?}"),
    });
    let said = said.collect();
    let followers = std::iter::from_fn(|| if plan.running() > 0 { Some(plan.ended(|| 0)) } else { None });
    (said, followers.flatten().collect())
}

#[test]
fn overlap_by_policy() {
    for (policy, said, followers) in [
        (Overlap::Skip, ["run 1", "Overlap", "Overlap", "Overlap"], vec![]),
        (Overlap::Allow(2), ["run 1", "run 2", "Overlap", "Overlap"], vec![]),
        (Overlap::Queue(2), ["run 1", "wait", "wait", "QueueFull"], vec![2, 3]),
        (
            Overlap::Replace,
            ["run 1", "stop for 2, not []", "stop for 3, not [2]", "stop for 4, not [3]"],
            vec![4],
        ),
    ] {
        assert_eq!(
            overlap(policy, Cause::Scheduled),
            (said.map(str::to_owned).to_vec(), followers),
            "{policy:?}"
        );
        // What is made up for comes one after the other, whatever the policy.
        let (said, followers) = overlap(policy, Cause::CatchUp);
        assert!(said.iter().all(|said| said.starts_with("run") || said == "wait"), "{policy:?} {said:?}");
        assert_eq!(followers.len(), said.iter().filter(|said| *said == "wait").count());
    }
}

#[test]
fn a_clock_that_was_wrong_is_planned_by_anew() {
    let trigger = Trigger::Every { every: 10, anchor: 0, clock: Clock::Wall };
    let mut plan = Plan::<u32>::new(trigger, rules(Overlap::Skip, Misfire::Skip), 1_000_005);
    assert_eq!(plan.wakes_at(), Some(1_000_010));
    plan.plan_from(42);
    assert_eq!((plan.wakes_at(), look(&mut plan, 50)), (Some(50), vec![scheduled(50)]));
}
