//! What a round does, drawn from the seed alone: the same seed, the same plan.

/// One piece of work, and what has to come of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A child that does its work, and then ends so.
    Simple(Habit),
    /// A child that prints so many lines, all of which have to come.
    Streaming { lines: u32 },
    /// So many children at once, of which the first so many fail.
    Concurrent { items: u32, failing: u32 },
    /// A function on a schedule, until it has run so often.
    Periodic { ticks: u32 },
    /// Calls one after the other to warm workers, which are killed meanwhile.
    Pooled { calls: u32 },
    /// A program that outlives hosts: it must run once.
    Program { pause_ms: u64, exit: i32 },
    /// A function that must be done, though hosts are killed; the first attempt may fail.
    Function { pause_ms: u64, fails: bool },
}

/// How a child ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Habit {
    Exits(i32),
    Aborts,
    /// Floods its stdout first.
    Floods,
    /// Ignores the polite signal, with a grandchild that does so as well, until its deadline ends it.
    Hangs,
    /// Leaves a grandchild that keeps the pipes.
    LeavesGrandchild,
    /// Is killed −9 by somebody else.
    Killed,
}

/// Who is killed −9 while the round is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kill {
    Host,
    Worker,
}

#[derive(Debug, PartialEq)]
pub(super) struct Round {
    pub(super) steps: Vec<Step>,
    /// Each after so many milliseconds from the one before.
    pub(super) kills: Vec<(u64, Kill)>,
}

/// The round of this number: each pattern at least once, each habit in turn.
pub(super) fn round(seed: u64, number: u64) -> Round {
    let mut random = fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut habits = vec![
        Habit::Exits(random.i32(0..4)),
        Habit::Aborts,
        Habit::Floods,
        Habit::Hangs,
        Habit::LeavesGrandchild,
        Habit::Killed,
    ];
    random.shuffle(&mut habits);
    let mut steps: Vec<_> = habits.into_iter().map(Step::Simple).collect();
    for _ in 0..random.u32(1..4) {
        let items = random.u32(2..10);
        steps.push(Step::Streaming { lines: random.u32(1..2_000) });
        steps.push(Step::Concurrent { items, failing: random.u32(0..=items) });
        steps.push(Step::Periodic { ticks: random.u32(1..5) });
        steps.push(Step::Pooled { calls: random.u32(1..40) });
        steps.push(Step::Program { pause_ms: random.u64(..400), exit: random.i32(0..3) });
        steps.push(Step::Function { pause_ms: random.u64(..300), fails: random.bool() });
    }
    random.shuffle(&mut steps);
    let kill = |random: &mut fastrand::Rng| {
        let what = if random.u32(..3) == 0 { Kill::Host } else { Kill::Worker };
        (random.u64(..200), what)
    };
    let kills = (0..random.u32(1..4)).map(|_| kill(&mut random)).collect();
    Round { steps, kills }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_plan_and_another_is_another() {
        for number in 0..50 {
            assert_eq!(round(7, number), round(7, number));
            assert_ne!(round(7, number), round(8, number));
            assert_ne!(round(7, number), round(7, number + 1));
        }
    }

    #[test]
    fn every_round_has_all_patterns_and_kills_somebody() {
        for number in 0..200 {
            let round = round(3, number);
            let has = |wanted: fn(&Step) -> bool| round.steps.iter().any(wanted);
            assert!(has(|step| matches!(step, Step::Simple(Habit::Killed))));
            assert!(has(|step| matches!(step, Step::Simple(Habit::Hangs))));
            assert!(has(|step| matches!(step, Step::Streaming { .. })));
            assert!(has(|step| matches!(step, Step::Concurrent { items, failing } if failing <= items)));
            assert!(has(|step| matches!(step, Step::Periodic { .. })));
            assert!(has(|step| matches!(step, Step::Pooled { .. })));
            assert!(has(|step| matches!(step, Step::Program { .. })));
            assert!(has(|step| matches!(step, Step::Function { .. })));
            assert!(!round.kills.is_empty());
        }
        let kills: Vec<_> = (0..50).flat_map(|number| round(3, number).kills).map(|(_, kill)| kill).collect();
        assert!(kills.contains(&Kill::Host) && kills.contains(&Kill::Worker));
    }
}
