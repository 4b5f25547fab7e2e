//! Ten years of many schedules, on a clock that stops, sleeps and is set, with tasks that take long: every slot has one answer,
//! and it is the one that the policy gives.
//!
//! `BGT_SIMULATED_SCHEDULES=10000` simulates so many; a few hundred without it. How a run ends (success, failure, panic) is all
//! one to a plan, and is left to the tests of the scheduler.

use std::collections::{BTreeSet, HashSet};

use super::*;
use crate::cron::CronRule;
use crate::zone::Zone;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// 2026-01-01 00:00 UTC.
const START: i64 = 1_767_225_600 * SECOND;
const END: i64 = START + 3653 * DAY;

struct World {
    random: fastrand::Rng,
    wall: i64,
    steady: i64,
    plan: Plan<u64>,
    /// A copy, to ask what there should be.
    trigger: Trigger,
    rules: Rules,
    /// The last slot that has an answer.
    answered: i64,
    fired: HashSet<i64>,
    firings: u64,
    /// Admitted and neither refused nor over.
    waiting: BTreeSet<u64>,
    /// When those that run come to their end, by the steady clock.
    running: BTreeSet<(i64, u64)>,
    ran: u64,
    refused: u64,
}

#[test]
fn every_slot_has_one_answer_and_it_is_the_policys() {
    let schedules = std::env::var("BGT_SIMULATED_SCHEDULES").map_or(300, |n| n.parse().expect("a number"));
    let (mut slots, mut ran) = (0, 0);
    for seed in 0..schedules {
        let mut world = World::new(seed);
        while world.wall < END {
            world.step();
        }
        world.drain();
        slots += world.fired.len();
        ran += world.ran;
    }
    assert!(slots as u64 > 50 * schedules && ran > 50 * schedules, "{slots} slots fired, {ran} firings ran");
    println!("{schedules} schedules, {slots} slots fired, {ran} firings ran to their end");
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let (wall, steady) = (START + random.i64(0..DAY), random.i64(0..DAY));
        let patterns = [
            ("30 2 * * *", "America/New_York"),
            ("15 2 * * SUN", "Australia/Lord_Howe"),
            ("0 0 * * *", "Africa/Cairo"),
            ("0 */6 * * *", "Europe/London"),
            ("0 0 29 2 *", "Asia/Tokyo"),
            ("45 23 L * *", "America/Sao_Paulo"),
            ("0 12 13 * FRI", "UTC"),
            ("7 4 * * MON-FRI", "Asia/Kolkata"),
        ];
        let every = random.i64(HOUR..20 * DAY);
        let trigger = match random.u32(0..10) {
            0..6 => {
                let (pattern, zone) = patterns[random.usize(0..patterns.len())];
                Trigger::Cron(CronRule::shared(pattern, &Zone::named(zone)).unwrap())
            }
            6 | 7 => Trigger::Every { every, anchor: steady, clock: Clock::Steady },
            8 => Trigger::Every { every, anchor: 0, clock: Clock::Wall },
            _ => Trigger::AfterCompletion { after: every },
        };
        let rules = Rules {
            jitter: if random.bool() { random.i64(0..HOUR) } else { 0 },
            tolerance: 5 * SECOND,
            overlap: match random.u32(0..4) {
                0 => Overlap::Skip,
                1 => Overlap::Allow(random.u32(1..4)),
                2 => Overlap::Queue(random.u32(1..4)),
                _ => Overlap::Replace,
            },
            misfire: match random.u32(0..3) {
                0 => Misfire::Skip,
                1 => Misfire::Once { grace: Duration::from_secs(random.u64(0..90_000)) },
                _ => Misfire::All { cap: random.u32(1..20) },
            },
        };
        let now = if trigger.clock() == Clock::Wall { wall } else { steady };
        let plan = Plan::new(trigger.clone(), rules, now);
        Self {
            random,
            wall,
            steady,
            plan,
            trigger,
            rules,
            answered: now,
            fired: HashSet::new(),
            firings: 0,
            waiting: BTreeSet::new(),
            running: BTreeSet::new(),
            ran: 0,
            refused: 0,
        }
    }

    fn now(&self) -> i64 {
        if self.trigger.clock() == Clock::Wall { self.wall } else { self.steady }
    }

    fn pass(&mut self, time: i64) {
        self.wall += time;
        self.steady += time;
    }

    /// Whatever comes first: it is due, something has ended, something happens to the clock.
    fn step(&mut self) {
        let disturbance = self.random.i64(0..60 * DAY);
        let due = self.plan.wakes_at().map_or(i64::MAX, |at| (at - self.now()).max(0));
        let end = self.running.first().map_or(i64::MAX, |(at, _)| (at - self.steady).max(0));
        if due <= end && due <= disturbance {
            // A busy machine looks a little later.
            let late = if self.random.u32(0..10) == 0 { self.random.i64(0..20 * SECOND) } else { 1000 };
            self.pass(due + late);
            self.look();
        } else if end <= disturbance {
            self.pass(end);
            self.end();
        } else {
            self.pass(disturbance);
            self.disturb();
            self.look();
        }
    }

    fn disturb(&mut self) {
        match self.random.u32(0..8) {
            0 | 1 => {
                let slept = self.random.i64(0..10 * DAY);
                self.pass(slept);
            }
            2 => self.wall += self.random.i64(0..DAY),
            3 => self.wall -= self.random.i64(0..3 * HOUR),
            4 => self.admit(Cause::Manual),
            5 => self.plan.pause(),
            _ => {
                let (catches_up, now) = (self.random.bool(), self.now());
                if self.plan.is_paused() && !catches_up {
                    // As if they had never been, but for one whose jitter is still to come.
                    let after_completion = matches!(self.trigger, Trigger::AfterCompletion { .. });
                    self.answered = if after_completion { now } else { now - self.rules.jitter };
                }
                self.plan.resume(now, catches_up);
            }
        }
    }

    fn look(&mut self) {
        let now = self.now();
        let after_completion = matches!(self.trigger, Trigger::AfterCompletion { .. });
        let horizon = now - self.rules.jitter;
        let expected: Vec<i64> = if self.plan.is_paused() {
            Vec::new()
        } else if after_completion {
            self.plan
                .preview(now)
                .slots()
                .map(|at| at - self.rules.jitter)
                .filter(|at| *at <= horizon)
                .collect()
        } else {
            let slots = std::iter::successors(self.trigger.next_after(self.answered), |slot| {
                self.trigger.next_after(*slot)
            });
            slots.take_while(|slot| *slot <= horizon).collect()
        };
        let verdicts = look(&mut self.plan, now);
        self.check(&expected, &verdicts, horizon);
        if let Some(latest) = expected.last() {
            self.answered = *latest;
        }
        for verdict in verdicts {
            if let Fire { slot, cause, .. } = verdict {
                assert!(self.fired.insert(slot), "slot {slot} was fired before");
                self.admit(cause);
            }
        }
        if !self.plan.is_paused() && !after_completion {
            assert!(self.plan.wakes_at().unwrap() > now, "planned for a time that has passed");
        }
        if after_completion && self.plan.running() == 0 && !self.plan.is_paused() {
            assert!(self.plan.wakes_at().is_some(), "nothing runs and nothing will");
        }
    }

    /// Every slot once, and by the policy.
    fn check(&self, expected: &[i64], verdicts: &[Verdict], horizon: i64) {
        let (mut fired, mut answered) = (Vec::new(), 0);
        for verdict in verdicts {
            match verdict {
                Fire { slot, missed, .. } => {
                    fired.push(*slot);
                    answered += 1 + *missed;
                }
                Missed { count, .. } => answered += count,
            }
        }
        assert_eq!(answered, expected.len() as u64, "{expected:?} {verdicts:?}");
        assert!(expected.ends_with(&fired), "{expected:?} {verdicts:?}");
        let Some(latest) = expected.last() else { return };
        let late = horizon - latest;
        let on_time = late <= self.rules.tolerance;
        let wanted = match self.rules.misfire {
            Misfire::Skip => usize::from(on_time),
            Misfire::Once { grace } => usize::from(on_time || late <= crate::nanos::of(grace)),
            Misfire::All { cap } => expected.len().min(cap as usize + usize::from(on_time)),
        };
        assert_eq!(fired.len(), wanted, "{:?} late by {late}: {expected:?} {verdicts:?}", self.rules.misfire);
    }

    fn admit(&mut self, cause: Cause) {
        self.firings += 1;
        let firing = self.firings;
        self.waiting.insert(firing);
        match self.plan.admit(firing, cause) {
            Admission::Run(firing) => self.run(firing),
            Admission::Waits => {}
            Admission::Replaces(replaced) => {
                for firing in replaced {
                    self.refuse(firing);
                }
                // Asked to stop: soon, but not at once.
                let stopped: Vec<_> = std::mem::take(&mut self.running).into_iter().collect();
                for (_, firing) in stopped {
                    let end = self.steady + self.random.i64(0..10 * SECOND);
                    self.running.insert((end, firing));
                }
            }
            Admission::Skip(firing, _) => self.refuse(firing),
        }
        let limit = if let Overlap::Allow(n) = self.rules.overlap { n } else { 1 };
        assert!(self.plan.running() <= limit && self.running.len() == self.plan.running() as usize);
    }

    fn run(&mut self, firing: u64) {
        // Most are quick, some take longer than their interval.
        let most = if self.random.u32(0..20) == 0 { 3 * DAY } else { HOUR };
        self.running.insert((self.steady + self.random.i64(0..most), firing));
    }

    fn refuse(&mut self, firing: u64) {
        assert!(self.waiting.remove(&firing), "firing {firing} has had its answer");
        self.refused += 1;
    }

    fn end(&mut self) {
        let (_, firing) = self.running.pop_first().expect("one that runs");
        assert!(self.waiting.remove(&firing), "firing {firing} has had its answer");
        self.ran += 1;
        if let Some(next) = self.plan.ended(|| self.steady) {
            self.run(next);
        }
    }

    fn drain(&mut self) {
        while !self.running.is_empty() {
            self.end();
        }
        assert!(self.waiting.is_empty(), "firings without an answer: {:?}", self.waiting);
        assert_eq!(self.firings, self.ran + self.refused);
    }
}
