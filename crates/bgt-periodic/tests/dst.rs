//! P18: local times that are skipped or come twice, by fixed vectors of many zones: as they are foretold, and as they are fired.

mod support;

use std::time::SystemTime;

use bgt_periodic::{ManualClock, Misfire, Schedule};
use jiff::Timestamp;
use support::{Fired, ticks};

/// A zone, a pattern, a time, and the next ones after it.
type Vector = (&'static str, &'static str, &'static str, &'static [&'static str]);

const VECTORS: &[Vector] = &[
    // New York: a gap from 02:00 to 03:00, a repeat of 01:00 to 02:00.
    (
        "America/New_York",
        "30 2 * * *",
        "2026-03-07T12:00-05:00",
        &["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"],
    ),
    (
        "America/New_York",
        "30 1 * * *",
        "2026-10-31T12:00-04:00",
        &["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"],
    ),
    (
        "America/New_York",
        "*/30 * * * *",
        "2026-11-01T00:45-04:00",
        &[
            "2026-11-01T01:00-04:00",
            "2026-11-01T01:30-04:00",
            "2026-11-01T01:00-05:00",
            "2026-11-01T01:30-05:00",
            "2026-11-01T02:00-05:00",
        ],
    ),
    (
        "America/New_York",
        "*/30 * * * *",
        "2026-03-08T01:15-05:00",
        &["2026-03-08T01:30-05:00", "2026-03-08T03:00-04:00", "2026-03-08T03:30-04:00"],
    ),
    (
        "America/New_York",
        "0 18 * * *",
        "2026-03-07T12:00-05:00",
        &["2026-03-07T18:00-05:00", "2026-03-08T18:00-04:00"],
    ),
    (
        "America/New_York",
        "0 18 * * *",
        "2026-10-31T12:00-04:00",
        &["2026-10-31T18:00-04:00", "2026-11-01T18:00-05:00"],
    ),
    // Times that are named and fall into one gap are one firing; with the end of the gap, too.
    (
        "America/New_York",
        "15,45 2 * * *",
        "2026-03-08T00:00-05:00",
        &["2026-03-08T03:00-04:00", "2026-03-09T02:15-04:00"],
    ),
    (
        "America/New_York",
        "0 2-3 * * *",
        "2026-03-08T00:00-05:00",
        &["2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00", "2026-03-09T03:00-04:00"],
    ),
    (
        "America/New_York",
        "0,30 1 * * *",
        "2026-11-01T00:00-04:00",
        &["2026-11-01T01:00-04:00", "2026-11-01T01:30-04:00", "2026-11-02T01:00-05:00"],
    ),
    // Asked in the second pass, the first one is behind.
    ("America/New_York", "30 1 * * *", "2026-11-01T01:10-05:00", &["2026-11-02T01:30-05:00"]),
    (
        "America/New_York",
        "*/20 59 1 * * *",
        "2026-03-08T01:58-05:00",
        &[
            "2026-03-08T01:59:00-05:00",
            "2026-03-08T01:59:20-05:00",
            "2026-03-08T01:59:40-05:00",
            "2026-03-09T01:59:00-04:00",
        ],
    ),
    // Lord Howe changes by half an hour.
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-03T12:00+10:30",
        &["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
    ),
    (
        "Australia/Lord_Howe",
        "45 1 * * *",
        "2026-04-04T12:00+11:00",
        &["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"],
    ),
    (
        "Australia/Lord_Howe",
        "*/15 * * * *",
        "2026-04-05T01:25+11:00",
        &[
            "2026-04-05T01:30+11:00",
            "2026-04-05T01:45+11:00",
            "2026-04-05T01:30+10:30",
            "2026-04-05T01:45+10:30",
            "2026-04-05T02:00+10:30",
        ],
    ),
    // Zones that change at midnight.
    (
        "Africa/Cairo",
        "0 0 * * *",
        "2026-04-23T12:00+02:00",
        &["2026-04-24T01:00+03:00", "2026-04-25T00:00+03:00"],
    ),
    (
        "Africa/Cairo",
        "30 0 * * *",
        "2026-04-23T12:00+02:00",
        &["2026-04-24T01:00+03:00", "2026-04-25T00:30+03:00"],
    ),
    (
        "Africa/Cairo",
        "30 23 * * *",
        "2026-10-29T12:00+03:00",
        &["2026-10-29T23:30+03:00", "2026-10-30T23:30+02:00"],
    ),
    (
        "Africa/Cairo",
        "0 0 * * *",
        "2026-10-29T12:00+03:00",
        &["2026-10-30T00:00+02:00", "2026-10-31T00:00+02:00"],
    ),
    (
        "America/Santiago",
        "0 0 * * *",
        "2026-09-05T12:00-04:00",
        &["2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"],
    ),
    (
        "America/Santiago",
        "30 23 * * *",
        "2026-04-04T12:00-03:00",
        &["2026-04-04T23:30-03:00", "2026-04-05T23:30-04:00"],
    ),
    // Of years that are over: Cuba has thought better of it since, which some systems' data know and some do not.
    (
        "America/Havana",
        "0 0 * * *",
        "2025-03-08T12:00-05:00",
        &["2025-03-09T01:00-04:00", "2025-03-10T00:00-04:00"],
    ),
    (
        "America/Havana",
        "30 0 * * *",
        "2025-11-01T12:00-04:00",
        &["2025-11-02T00:30-04:00", "2025-11-03T00:30-05:00"],
    ),
    (
        "Asia/Beirut",
        "0 0 * * *",
        "2026-03-28T12:00+02:00",
        &["2026-03-29T01:00+03:00", "2026-03-30T00:00+03:00"],
    ),
    // The gap is the last hour of a Saturday, and its end is a Sunday.
    (
        "America/Nuuk",
        "30 23 * * SAT",
        "2026-03-28T12:00-02:00",
        &["2026-03-29T00:00-01:00", "2026-04-04T23:30-01:00"],
    ),
    // Europe.
    (
        "Europe/London",
        "0 0 * * *",
        "2026-03-28T12:00+00:00",
        &["2026-03-29T00:00+00:00", "2026-03-30T00:00+01:00"],
    ),
    (
        "Europe/London",
        "30 1 * * *",
        "2026-03-28T12:00+00:00",
        &["2026-03-29T02:00+01:00", "2026-03-30T01:30+01:00"],
    ),
    (
        "Europe/London",
        "30 1 * * *",
        "2026-10-24T12:00+01:00",
        &["2026-10-25T01:30+01:00", "2026-10-26T01:30+00:00"],
    ),
    (
        "Europe/London",
        "@hourly",
        "2026-10-24T23:30+01:00",
        &[
            "2026-10-25T00:00+01:00",
            "2026-10-25T01:00+01:00",
            "2026-10-25T01:00+00:00",
            "2026-10-25T02:00+00:00",
        ],
    ),
    (
        "Europe/Berlin",
        "0 2 * * *",
        "2026-03-28T12:00+01:00",
        &["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"],
    ),
    (
        "Europe/Berlin",
        "30 2 * * *",
        "2026-10-24T12:00+02:00",
        &["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
    ),
    // In Dublin it is winter time that is the exception.
    (
        "Europe/Dublin",
        "30 1 * * *",
        "2026-03-28T12:00+00:00",
        &["2026-03-29T02:00+01:00", "2026-03-30T01:30+01:00"],
    ),
    // Half and quarter hours.
    (
        "Australia/Adelaide",
        "30 2 * * *",
        "2026-10-03T12:00+09:30",
        &["2026-10-04T03:00+10:30", "2026-10-05T02:30+10:30"],
    ),
    (
        "Australia/Adelaide",
        "30 2 * * *",
        "2026-04-04T12:00+10:30",
        &["2026-04-05T02:30+10:30", "2026-04-06T02:30+09:30"],
    ),
    (
        "America/St_Johns",
        "30 2 * * *",
        "2026-03-07T12:00-03:30",
        &["2026-03-08T03:00-02:30", "2026-03-09T02:30-02:30"],
    ),
    (
        "Pacific/Chatham",
        "0 3 * * *",
        "2026-09-26T12:00+12:45",
        &["2026-09-27T03:45+13:45", "2026-09-28T03:00+13:45"],
    ),
    (
        "Pacific/Chatham",
        "0 3 * * *",
        "2026-04-04T12:00+13:45",
        &["2026-04-05T03:00+13:45", "2026-04-06T03:00+12:45"],
    ),
    (
        "Asia/Kolkata",
        "30 5 * * *",
        "2026-01-01T00:00+05:30",
        &["2026-01-01T05:30+05:30", "2026-01-02T05:30+05:30"],
    ),
    ("Asia/Kathmandu", "0 0 * * *", "2026-01-01T12:00+05:45", &["2026-01-02T00:00+05:45"]),
    // Two hours at once, and a whole day.
    (
        "Antarctica/Troll",
        "30 1 * * *",
        "2026-03-28T12:00+00:00",
        &["2026-03-29T03:00+02:00", "2026-03-30T01:30+02:00"],
    ),
    (
        "Antarctica/Troll",
        "30 2 * * *",
        "2026-10-24T12:00+02:00",
        &["2026-10-25T02:30+02:00", "2026-10-26T02:30+00:00"],
    ),
    (
        "Pacific/Apia",
        "0 12 * * *",
        "2011-12-29T11:00-10:00",
        &["2011-12-29T12:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"],
    ),
    // Clocks are set back for a month in spring.
    (
        "Africa/Casablanca",
        "30 2 * * *",
        "2026-02-14T12:00+01:00",
        &["2026-02-15T02:30+01:00", "2026-02-16T02:30+00:00"],
    ),
    (
        "Africa/Casablanca",
        "30 2 * * *",
        "2026-03-21T12:00+00:00",
        &["2026-03-22T03:00+01:00", "2026-03-23T02:30+01:00"],
    ),
    // Days that not every year or month has, and days of both fields.
    ("UTC", "0 0 29 2 *", "2026-01-01T00:00Z", &["2028-02-29T00:00Z", "2032-02-29T00:00Z"]),
    ("UTC", "0 0 29 2 *", "2096-03-01T00:00Z", &["2104-02-29T00:00Z"]),
    (
        "UTC",
        "*/30 12 29 2 *",
        "2026-01-01T00:00Z",
        &["2028-02-29T12:00Z", "2028-02-29T12:30Z", "2032-02-29T12:00Z"],
    ),
    (
        "America/New_York",
        "* 0 29 2 *",
        "2026-01-01T00:00-05:00",
        &["2028-02-29T00:00-05:00", "2028-02-29T00:01-05:00"],
    ),
    (
        "UTC",
        "0 0 L 2 *",
        "2026-01-01T00:00Z",
        &["2026-02-28T00:00Z", "2027-02-28T00:00Z", "2028-02-29T00:00Z"],
    ),
    (
        "UTC",
        "0 0 13 * FRI",
        "2026-03-01T00:00Z",
        &["2026-03-06T00:00Z", "2026-03-13T00:00Z", "2026-03-20T00:00Z"],
    ),
    ("UTC", "0 0 13 * FRI", "2026-04-11T00:00Z", &["2026-04-13T00:00Z", "2026-04-17T00:00Z"]),
    ("UTC", "@weekly", "2026-01-01T00:00Z", &["2026-01-04T00:00Z", "2026-01-11T00:00Z"]),
    ("Australia/Sydney", "@yearly", "2026-06-01T00:00+10:00", &["2027-01-01T00:00+11:00"]),
];

fn time(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).into()
}

fn shown(time: SystemTime, zone: &str) -> String {
    Timestamp::try_from(time).unwrap().in_tz(zone).unwrap().to_string()
}

#[test]
fn next_times_are_those_of_the_vectors() {
    let mut wrong = Vec::new();
    for (zone, pattern, from, expected) in VECTORS {
        let next = Schedule::cron(*pattern).zone(zone).next(time(from), expected.len()).unwrap();
        let show = |times: &[SystemTime]| -> Vec<_> { times.iter().map(|time| shown(*time, zone)).collect() };
        let expected: Vec<_> = expected.iter().map(|text| time(text)).collect();
        if next != expected {
            let (next, expected) = (show(&next), show(&expected));
            wrong.push(format!("{pattern} in {zone} after {from}: {next:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn firings_are_those_of_the_vectors() {
    for (zone, pattern, from, expected) in VECTORS {
        let clock = ManualClock::at(time(from));
        let schedule = Schedule::cron(*pattern).zone(zone).misfire(Misfire::Skip);
        let Fired { mut ticks, handle, .. } = ticks(&clock, "vector", schedule).await;
        let mut now = time(from);
        for expected in expected.iter().map(|text| time(text)) {
            // A moment before it is not time yet.
            let nearly = expected - std::time::Duration::from_millis(1);
            if nearly > now {
                clock.advance(nearly.duration_since(now).unwrap());
                clock.settled().await;
                now = nearly;
            }
            let shown = shown(expected, zone);
            assert!(ticks.try_recv().is_err(), "{pattern} in {zone} fires before {shown}");
            clock.advance(expected.duration_since(now).unwrap());
            now = expected;
            clock.settled().await;
            handle.idle().await;
            let tick =
                ticks.try_recv().unwrap_or_else(|_| panic!("{pattern} in {zone} does not fire at {shown}"));
            assert_eq!(tick.scheduled_at, expected, "{pattern} in {zone}: {shown}");
        }
        handle.idle().await;
        let statistics = handle.statistics();
        assert_eq!(
            (statistics.succeeded, statistics.misfires),
            (expected.len() as u64, 0),
            "{pattern} in {zone}"
        );
    }
}

#[test]
fn every_zone_that_changes_its_clocks_is_gone_through_in_order() {
    // Nothing is known beforehand of these; whatever they do, times are strictly after one another and match.
    for zone in [
        "Asia/Gaza",
        "Africa/El_Aaiun",
        "America/Scoresbysund",
        "Asia/Tehran",
        "Pacific/Norfolk",
        "Europe/Chisinau",
    ] {
        for pattern in ["30 2 * * *", "0 0 * * *", "*/30 * * * *"] {
            let from = time("2026-01-01T00:00Z");
            let next = Schedule::cron(pattern).zone(zone).next(from, 1000).unwrap();
            assert_eq!(next.len(), 1000);
            assert!(next.windows(2).all(|two| two[0] < two[1]), "{pattern} in {zone}");
            if pattern == "0 0 * * *" {
                let days: Vec<_> = next.iter().map(|time| shown(*time, zone)[..10].to_owned()).collect();
                assert!(days.windows(2).all(|two| two[0] < two[1]), "every day once: {zone}");
            }
        }
    }
}
