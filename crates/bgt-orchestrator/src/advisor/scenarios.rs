//! What people have to run, in their words, and what somebody would choose who knows all six patterns: not by the rule, but
//! by what each job needs. The advice has to agree in more than 95 of 100. R11.

use std::time::Duration;

use bgt_core::Pattern::{Concurrent, Detached, Periodic, Pooled, Simple, Streaming};

use super::*;

const fn one() -> Requirements {
    Requirements::new()
}

const fn of(seconds: u64) -> Requirements {
    one().expected(Duration::from_secs(seconds))
}

const MINUTES: u64 = 60;
const HOURS: u64 = 3600;

const SCENARIOS: &[(&str, Requirements, Pattern)] = &[
    // One, waited for.
    ("which ffmpeg is this? its version goes to the log at the start", of(0), Simple),
    ("make a thumbnail of the picture that was just uploaded, and answer with it", of(2), Simple),
    ("the user has asked for a PDF of her invoice", of(3), Simple),
    ("check the configuration with a script before the service starts", of(1), Simple),
    ("run the migrations of the database, then go on", of(20), Simple),
    ("turn one CSV file into Parquet, as a step of a longer function", of(30), Simple),
    ("is there a newer release? ask git", of(1), Simple),
    ("an admin presses a button twice a day, and reads what the script says", one(), Simple),
    ("unpack an archive that was sent to us", of(10), Simple),
    ("sign a release with gpg", of(1), Simple),
    ("a health check of the GPU at the start", of(5), Simple),
    (
        "a report is asked for about five times a minute, each in a fresh interpreter",
        of(4).per_minute(5.0),
        Simple,
    ),
    ("exactly ten lookups a minute with a small tool", of(0).per_minute(10.0), Simple),
    ("count the lines of a log before it is rotated by hand", of(50), Simple),
    // Long, or watched.
    ("train a model over night, and look at the loss now and then", of(9 * HOURS).watched(), Streaming),
    ("a build of the product, with its lines in a web page", of(10 * MINUTES).watched(), Streaming),
    ("encode a film, with a bar that says how far it is", of(40 * MINUTES).watched(), Streaming),
    ("an export of all data that takes an hour; the caller waits for it", of(HOURS), Streaming),
    ("tail the log of a container for whoever has the page open", one().watched(), Streaming),
    ("a deployment script whose steps are shown as they come", of(30).watched(), Streaming),
    (
        "simulate for two days, resume the view after the browser was closed",
        of(48 * HOURS).watched(),
        Streaming,
    ),
    ("fine-tune with progress and the time that is left", of(3 * HOURS).watched(), Streaming),
    ("a scan of a disk that takes three minutes", of(3 * MINUTES), Streaming),
    ("an answer of a language model, token by token", of(8).watched(), Streaming),
    ("restore a backup, and be told of each table", of(25 * MINUTES).watched(), Streaming),
    ("61 seconds of a benchmark", of(61), Streaming),
    (
        "a speech recognition of an hour of audio, with its text as it comes",
        of(12 * MINUTES).watched(),
        Streaming,
    ),
    // Many.
    ("thumbnails for 40 000 pictures", of(1).tasks(40_000), Concurrent),
    ("check 500 links, 20 at once", of(2).tasks(500), Concurrent),
    ("the same query to eight shards, and put the answers together", of(1).tasks(8), Concurrent),
    ("lint each crate of a workspace", of(20).tasks(30), Concurrent),
    ("evaluate a model on five sets of data, one GPU each", of(50).tasks(5), Concurrent),
    ("convert all recordings of the day, half a minute each", of(30).tasks(200), Concurrent),
    ("download 10 000 files, go on where it was cut off", of(3).tasks(10_000), Concurrent),
    ("score two variants of a page beside each other", of(5).tasks(2), Concurrent),
    ("send a thousand letters through an API with a limit of its own", of(1).tasks(1_000), Concurrent),
    ("render the frames of a scene", of(15).tasks(2_400), Concurrent),
    ("hash each file of an archive", of(1).tasks(100_000), Concurrent),
    ("a million rows through a function", of(0).tasks(1_000_000), Concurrent),
    // Nobody waits.
    ("send a welcome mail after the sign-up has been answered", of(2).result_not_needed(), Detached),
    ("tell a webhook, and again if it does not answer", of(1).result_not_needed(), Detached),
    ("make the search index of a document anew, some time soon", of(30).result_not_needed(), Detached),
    ("a payment has to be booked, whatever happens to this process", of(5).result_not_needed(), Detached),
    (
        "make smaller versions of an avatar; the page shows the old one until then",
        of(4).result_not_needed(),
        Detached,
    ),
    ("write the audit trail to the archive", of(1).result_not_needed(), Detached),
    ("warm a cache after a deploy", of(20).result_not_needed(), Detached),
    ("delete an account in all systems, by tomorrow", of(45).result_not_needed(), Detached),
    ("tell the data team that the training is over", one().result_not_needed(), Detached),
    (
        "hand a document to the scanner for viruses; the result comes by mail",
        of(25).result_not_needed(),
        Detached,
    ),
    // Again and again.
    ("a backup every night at half past two in New York", of(HOURS).recurring(), Periodic),
    ("remove old files once an hour", of(10).recurring(), Periodic),
    ("look at a folder every 250 ms", of(0).recurring(), Periodic),
    ("copy new orders into the warehouse every five minutes", of(20).recurring(), Periodic),
    ("the bill of the month on its first day", of(10 * MINUTES).recurring(), Periodic),
    ("renew certificates, daily, with jitter", of(5).recurring(), Periodic),
    ("train anew each Sunday, and watch it", of(5 * HOURS).recurring().watched(), Periodic),
    ("poll three sensors every second", of(0).recurring().tasks(3), Periodic),
    ("a heartbeat every ten seconds that nobody reads", of(0).recurring().result_not_needed(), Periodic),
    // All the time.
    ("score each review of a shop, forty a second", of(0).per_minute(2_400.0), Pooled),
    ("a Python function behind every request of an API", of(0).high_frequency(), Pooled),
    ("queries on ten connections that are kept", of(0).high_frequency(), Pooled),
    ("recognise the language of each message of a chat", of(0).per_minute(600.0), Pooled),
    (
        "resize pictures as they are asked for, 30 a minute, with a library that takes a second to load",
        of(1).per_minute(30.0),
        Pooled,
    ),
    ("spell-check while somebody types", of(0).high_frequency(), Pooled),
    ("embeddings of a model that takes 20 s to load", of(0).per_minute(60.0), Pooled),
    ("format code on each save of a team, about twelve times a minute", of(1).per_minute(12.0), Pooled),
    ("route each order by a rule in a script, three a second", of(0).per_minute(180.0), Pooled),
    ("render templates with a program of Node that is slow to start", of(0).high_frequency(), Pooled),
    // Where the rule, which puts what is long first, is not what is best.
    (
        "encode a film of two hours; nobody waits, and a deploy must not end it",
        of(2 * HOURS).result_not_needed(),
        Detached,
    ),
    ("transcode 300 clips, two minutes each", of(2 * MINUTES).tasks(300), Concurrent),
    ("cross-validate a model: ten folds, a quarter of an hour each", of(15 * MINUTES).tasks(10), Concurrent),
];

#[test]
fn the_advice_is_that_of_somebody_who_knows_in_more_than_95_of_100() {
    let is_wrong = |(_, requirements, best): &&(&str, Requirements, Pattern)| {
        Advisor::recommend(requirements).pattern != *best
    };
    let wrong: Vec<_> = SCENARIOS.iter().filter(is_wrong).map(|(said, ..)| *said).collect();
    assert!(SCENARIOS.len() >= 50);
    assert!(wrong.len() * 100 < SCENARIOS.len() * 5, "{} of {}: {wrong:#?}", wrong.len(), SCENARIOS.len());
    for (said, requirements, best) in SCENARIOS.iter().filter(|scenario| wrong.contains(&scenario.0)) {
        // It names what would have been better among those that it has weighed.
        let advice = Advisor::recommend(requirements);
        let weighed = advice.alternatives.iter().find(|alternative| alternative.pattern == *best);
        assert!(weighed.is_some_and(|weighed| weighed.verdict == Weighed::Outranked), "{said}: {advice}");
    }
}

#[test]
fn each_pattern_is_somebodys_best() {
    for pattern in Pattern::ALL {
        assert!(SCENARIOS.iter().filter(|(.., best)| *best == pattern).count() >= 9, "{pattern}");
    }
}
