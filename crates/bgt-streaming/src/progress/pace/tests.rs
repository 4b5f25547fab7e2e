use super::*;
use proptest::prelude::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A pace, and the point in time at which its seconds begin.
struct Course {
    pace: Pace,
    start: Instant,
}

impl Course {
    fn of(pace: Pace) -> Self {
        Self { pace, start: Instant::now() }
    }

    fn percent(&mut self, percent: f64, at: f64) -> bool {
        self.pace.read(Progress::percent(percent), self.start + seconds(at))
    }

    /// One percent a second.
    fn steady(&mut self, from: f64, to: f64, start: f64) -> f64 {
        let mut percent = from;
        while percent <= to {
            self.percent(percent, start + percent - from);
            percent += 1.0;
        }
        start + to - from
    }

    fn rate(&self, at: f64) -> Option<f64> {
        self.pace.rate(self.start + seconds(at))
    }

    fn eta(&self, at: f64) -> Option<f64> {
        self.pace.eta(self.start + seconds(at)).map(|eta| eta.as_secs_f64())
    }
}

fn is_near(value: Option<f64>, expected: f64, by: f64) -> bool {
    value.is_some_and(|value| (value - expected).abs() <= expected * by)
}

#[test]
fn nothing_is_known_before_the_second_reading() {
    let mut course = Course::of(Pace::new());
    assert_eq!(course.pace.info(course.start, SystemTime::now()), None);
    course.percent(80.0, 0.0);
    assert_eq!((course.rate(0.0), course.eta(0.0)), (None, None));
    course.percent(81.0, 1.0);
    assert!(is_near(course.rate(1.0), 1.0, 1e-6), "{:?}", course.rate(1.0));
    assert!(is_near(course.eta(1.0), 19.0, 1e-6));
}

#[test]
fn the_time_left_counts_down_and_is_withdrawn_when_it_is_over() {
    let mut course = Course::of(Pace::new());
    let now = course.steady(0.0, 98.0, 0.0);
    assert!(is_near(course.eta(now), 2.0, 1e-6));
    assert!(is_near(course.eta(now + 1.5), 0.5, 1e-6));
    assert_eq!(course.eta(now + 2.5), None);
    course.percent(100.0, now + 3.0);
    assert_eq!(course.eta(now + 3.0), Some(0.0));
    assert_eq!(course.eta(now + 1e6), Some(0.0));
}

#[test]
fn a_pause_withdraws_what_was_known_and_does_not_count_afterwards() {
    let mut course = Course::of(Pace::new());
    let now = course.steady(0.0, 20.0, 0.0);
    assert!(course.eta(now + 14.0).is_some());
    assert_eq!((course.rate(now + 16.0), course.eta(now + 16.0)), (None, None));
    let now = course.steady(21.0, 25.0, now + 8.0 * 3600.0);
    assert!(is_near(course.rate(now), 1.0, 0.01), "{:?}", course.rate(now));
    assert!(is_near(course.eta(now), 75.0, 0.01));
}

#[test]
fn what_changes_every_hour_is_not_withdrawn_within_the_hour() {
    let mut course = Course::of(Pace::new());
    for hour in 0..=3 {
        course.percent(10.0 * f64::from(hour), 3600.0 * f64::from(hour));
    }
    assert!(is_near(course.eta(3.0 * 3600.0), 7.0 * 3600.0, 0.01));
    assert!(is_near(course.eta(4.9 * 3600.0), 5.1 * 3600.0, 0.01));
    assert_eq!(course.eta(6.1 * 3600.0), None);
}

#[test]
fn repeats_of_a_percent_are_neither_speed_nor_standstill() {
    let mut course = Course::of(Pace::new());
    for tick in 0..6000 {
        let now = f64::from(tick) / 10.0;
        course.percent((now / 20.0).floor(), now);
    }
    assert!(is_near(course.rate(599.9), 0.05, 0.01), "{:?}", course.rate(599.9));
    assert!(!course.percent(29.0, 600.0 - 0.05));
}

#[test]
fn a_leap_is_not_speed_and_two_are() {
    let mut course = Course::of(Pace::new());
    let now = course.steady(0.0, 20.0, 0.0);
    course.percent(70.0, now + 0.5);
    assert!(is_near(course.rate(now + 0.5), 1.0, 0.01));
    assert!(is_near(course.eta(now + 0.5), 30.0, 0.01));
    let now = course.steady(71.0, 75.0, now + 1.5);
    assert!(is_near(course.rate(now), 1.0, 0.01));

    course.percent(86.0, now + 0.5);
    course.percent(97.0, now + 1.0);
    assert!(course.rate(now + 1.0).unwrap() > 1.5);
}

#[test]
fn a_run_that_finds_most_of_it_done_is_not_fast() {
    let mut course = Course::of(Pace::new());
    course.percent(0.0, 0.0);
    course.percent(80.0, 2.0);
    let now = course.steady(81.0, 83.0, 3.0);
    assert!(is_near(course.rate(now), 1.0, 0.01), "{:?}", course.rate(now));
}

#[test]
fn buffers_that_are_written_out_at_once_are_one_reading() {
    let mut course = Course::of(Pace::new());
    for burst in 0..10 {
        for item in 0..50 {
            let position = burst * 50 + item;
            let at = course.start + seconds(10.0 * burst as f64 + 0.001 * item as f64);
            course.pace.read(Progress::of(position, 1000), at);
        }
    }
    assert!(is_near(course.rate(90.1), 5.0, 0.01), "{:?}", course.rate(90.1));
}

#[test]
fn a_lower_position_is_ignored_unless_it_may_fall() {
    let mut course = Course::of(Pace::new());
    let now = course.steady(0.0, 20.0, 0.0);
    assert!(!course.percent(5.0, now + 1.0));
    assert_eq!(course.pace.progress(), Some(&Progress::percent(20.0)));
    course.pace.restart();
    assert!(course.percent(5.0, now + 1.0));
    assert_eq!(course.rate(now + 1.0), None);

    let mut course = Course::of(Pace::new().may_fall());
    let now = course.steady(0.0, 20.0, 0.0);
    assert!(course.percent(5.0, now + 1.0));
    assert!(is_near(course.rate(now + 1.0), 1.0, 0.01));
    assert!(is_near(course.eta(now + 1.0), 95.0, 0.01));
    assert!(course.pace.read(Progress::of(1, 7), course.start + seconds(now + 2.0)));
    assert_eq!(course.rate(now + 2.0), None);
}

#[test]
fn a_total_may_come_change_and_go() {
    let mut pace = Pace::new();
    let start = Instant::now();
    let at = |second| start + Duration::from_secs(second);
    pace.read(Progress::count(1), at(0));
    pace.read(Progress::count(2), at(1));
    assert_eq!(pace.eta(at(1)), None);
    assert!(pace.read(Progress::of(2, 12), at(1)));
    assert!(is_near(pace.eta(at(1)).map(|eta| eta.as_secs_f64()), 10.0, 1e-6));
    assert!(pace.read(Progress::of(3, 103), at(2)));
    assert!(is_near(pace.eta(at(2)).map(|eta| eta.as_secs_f64()), 100.0, 1e-6));
    assert!(pace.read(Progress::of(4, 3), at(3)));
    assert_eq!(pace.eta(at(3)), None);
    assert!(pace.read(Progress::of(5, 0), at(4)));
    assert_eq!(pace.eta(at(4)), None);
    assert!(is_near(pace.rate(at(4)), 1.0, 1e-6));
}

#[test]
fn what_makes_no_sense_is_unknown_and_its_message_counts() {
    let mut pace = Pace::new();
    let start = Instant::now();
    let mut nonsense = Progress::of(3, 10);
    for position in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
        nonsense.position = position;
        assert!(!pace.read(nonsense.clone(), start));
    }
    pace.read(Progress::of(3, 10), start);
    assert!(pace.read(nonsense.message("epoch 2"), start));
    assert_eq!(pace.progress(), Some(&Progress::of(3, 10).message("epoch 2")));
    let mut nonsense = Progress::of(4, 10);
    nonsense.total = Some(f64::NAN);
    assert!(pace.read(nonsense, start));
    assert_eq!(pace.progress(), Some(&Progress::count(4)));
}

#[test]
fn its_info_knows_when_it_was_updated() {
    let mut course = Course::of(Pace::new());
    let now = course.steady(0.0, 42.0, 0.0);
    course.percent(42.0, now + 3.0);
    let wall = SystemTime::UNIX_EPOCH + seconds(1000.0);
    let info = course.pace.info(course.start + seconds(now + 5.0), wall).unwrap();
    assert_eq!(info.to_string(), "42 %, 1.0/s, 53 s left");
    assert_eq!(info.updated, wall - seconds(5.0));
}

fn any_progress() -> impl Strategy<Value = Progress> {
    let number = || prop_oneof![proptest::num::f64::ANY, 0.0..100.0_f64];
    (number(), proptest::option::of(number())).prop_map(|(position, total)| {
        let mut progress = Progress::default();
        progress.position = position;
        progress.total = total;
        progress
    })
}

proptest! {
    #[test]
    fn a_constant_speed_gives_that_rate_whatever_the_spacing(
        speed in 1e-3..1e6_f64,
        spacings in proptest::collection::vec(prop_oneof![2e-3..1e-1_f64, 0.1..10.0_f64, 10.0..1000.0_f64], 1..30),
        from in 0.0..1e6_f64,
        has_total: bool,
    ) {
        let mut pace = Pace::new();
        let start = Instant::now();
        let total = has_total.then_some(from + speed * 1e6);
        let mut now = 0.0;
        // Twice at least, for what looks like a pause at first, and until a few time constants are over.
        for (readings, spacing) in spacings.iter().cycle().enumerate() {
            if now > 60.0 && readings > 2 * spacings.len() + 2 {
                break;
            }
            let mut progress = Progress::default();
            progress.position = from + speed * now;
            progress.total = total;
            pace.read(progress, start + seconds(now));
            prop_assert!(pace.rate(start + seconds(now)).is_none_or(|rate| (rate / speed - 1.0).abs() < 0.01));
            // What a position of this size cannot say, its speed cannot say either.
            now += spacing.max(from * 1e-10 / speed);
        }
        let last = pace.seen.as_ref().unwrap().latest.at;
        let rate = pace.rate(last);
        prop_assert!(rate.is_some_and(|rate| (rate / speed - 1.0).abs() < 0.01), "{rate:?} for {speed}");
    }

    #[test]
    fn it_grows_and_its_answers_are_numbers(
        readings in proptest::collection::vec((any_progress(), 0.0..100.0_f64), 0..50),
        constant in 0.0..100.0_f64,
    ) {
        let mut pace = Pace::new().time_constant(seconds(constant));
        let start = Instant::now();
        let mut position = 0.0;
        for (reading, at) in readings {
            let now = start + seconds(at);
            pace.read(reading, now);
            let Some(info) = pace.info(now, SystemTime::now()) else { continue };
            prop_assert!(info.progress.position.is_finite() && info.progress.position >= position);
            prop_assert!(info.progress.total.is_none_or(|total| total.is_finite() && total > 0.0));
            prop_assert!(info.rate.is_none_or(|rate| rate.is_finite() && rate > 0.0));
            prop_assert!(info.eta.is_none_or(|eta| eta.as_secs_f64() < FAR));
            position = info.progress.position;
            let _ = info.to_string();
        }
    }

    #[test]
    fn what_may_fall_takes_every_reading_that_makes_sense(
        readings in proptest::collection::vec((any_progress(), 0.0..100.0_f64), 0..50),
    ) {
        let mut pace = Pace::new().may_fall();
        let start = Instant::now();
        for (reading, at) in readings {
            let now = start + seconds(at);
            pace.read(reading.clone(), now);
            if reading.position.is_finite() && reading.position >= 0.0 {
                prop_assert_eq!(pace.progress().unwrap().position, reading.position);
            }
            prop_assert!(pace.rate(now).is_none_or(|rate| rate.is_finite() && rate > 0.0));
        }
    }
}
