//! P21: a watcher begins anywhere, is cut anywhere, and goes on from there.
#![cfg(feature = "process")]

mod support;

use bgt_streaming::{Context, From, Source, StreamEvent, Watch, start, stream, task_fn};
use bgt_testkit::Scratch;
use proptest::prelude::*;
use support::{HANG, all, bad, keep_lines, line, next};

#[tokio::test]
async fn every_beginning_during_the_run_and_after_it() {
    let scratch = Scratch::new();
    let go = scratch.text("go");
    let run = start(bad(&["alternate", "5", "then", "wait-file", &go, "then", "print", "6 out"]));
    let mut first = run.subscribe(From::Start);
    while line(&mut first).await.seq < 5 {}
    let beginnings = [
        (From::Start, 1),
        (From::After(0), 1),
        (From::After(3), 4),
        (From::After(99), 6),
        (From::Tail(0), 6),
        (From::Tail(2), 4),
        (From::Tail(99), 1),
        (From::Now, 6),
    ];
    let during: Vec<_> = beginnings.into_iter().map(|(from, first)| (run.subscribe(from), first)).collect();
    std::fs::write(go, "").unwrap();
    for (events, first) in during {
        let heard = all(events).await;
        assert!(heard.lines().iter().map(|line| line.seq).eq(first..=6), "from {first}: {heard:?}");
    }
    assert_eq!(first.seq(), 5);
    assert_eq!(all(first).await.texts(), ["6 out"]);

    for (from, first) in [
        (From::Start, 1),
        (From::After(3), 4),
        (From::After(6), 7),
        (From::After(99), 7),
        (From::Tail(2), 5),
        (From::Now, 7),
    ] {
        let heard = all(run.subscribe(from)).await;
        assert!(heard.lines().iter().map(|line| line.seq).eq(first..=6), "{from:?}: {heard:?}");
        assert!(heard.gaps().is_empty());
    }
}

/// Reads a whole run with a watcher that is cut after every so many events and replaced by another, and answers what it
/// read and missed.
async fn in_pieces(run: &Watch, cuts: impl Iterator<Item = usize>) -> (Vec<(u64, String)>, Vec<(u64, u64)>) {
    let (mut lines, mut gaps, mut from) = (Vec::new(), Vec::new(), From::Start);
    for cut in cuts {
        let mut events = run.subscribe(from);
        for _ in 0..cut {
            match next(&mut events).await {
                Some(StreamEvent::Line(line)) => lines.push((line.seq, line.text().into_owned())),
                Some(StreamEvent::Gap(gap)) => gaps.push((gap.first, gap.last)),
                Some(StreamEvent::End(_)) => return (lines, gaps),
                _ => {}
            }
        }
        from = From::After(events.seq());
    }
    panic!("it was cut more often than there are events");
}

/// Every line of a log once, in order, and what is missing named once.
fn assert_joined(count: u64, lines: &[(u64, String)], gaps: &[(u64, u64)]) {
    let mut seen: Vec<_> = lines.iter().map(|(seq, _)| (*seq, *seq)).chain(gaps.iter().copied()).collect();
    seen.sort_unstable();
    let mut next = 1;
    for (first, last) in seen {
        assert_eq!(first, next, "{gaps:?}");
        next = last + 1;
    }
    assert_eq!(next, count + 1);
    assert!(lines.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

/// Writes numbered lines, in pieces of so many bytes, on one stream.
fn numbered(count: u64, piece: usize) -> impl bgt_streaming::Task<Output = ()> {
    let text: String = (1..=count).map(|n| format!("{n} {}\n", "y".repeat((n % 17) as usize))).collect();
    task_fn("numbered", move |cx: Context| {
        let text = text.clone();
        async move {
            for piece in text.as_bytes().chunks(piece) {
                cx.emit(Source::Stdout, piece.to_vec()).await?;
            }
            Ok(())
        }
    })
}

#[tokio::test]
async fn a_watcher_cut_at_any_event_joins_to_the_whole_log() {
    let run = start(numbered(60, 7));
    run.ended().await;
    for cut in 1..=62 {
        // A first piece of this size, and then pieces that are never empty of news.
        let cuts = std::iter::once(cut).chain(std::iter::repeat(2));
        let (lines, gaps) = in_pieces(&run, cuts.take(200)).await;
        assert_joined(60, &lines, &gaps);
        assert!(gaps.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_that_are_cut_all_the_time_join_to_the_whole_log_of_a_live_program() {
    let run = start(bad(&["alternate", "3000"]));
    let watchers = [3, 5, 64].map(|every| {
        let watch = run.watch();
        tokio::spawn(async move { in_pieces(&watch, std::iter::repeat_n(every, 10_000)).await })
    });
    run.ended().await;
    let log: Vec<_> = all(run.subscribe(From::Start)).await.texts();
    for watcher in watchers {
        let (lines, gaps) = tokio::time::timeout(HANG, watcher).await.expect("a watcher hangs").unwrap();
        assert_joined(3000, &lines, &gaps);
        assert!(lines.into_iter().map(|(_, text)| text).eq(log.iter().cloned()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_kept_a_resumed_watcher_has_the_log_or_one_gap(
        count in 1..200u64, piece in 1..300usize, kept in 1..100u64, seen in 0..220u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let keep = keep_lines(kept);
            let run = stream(numbered(count, piece)).keep(keep).start();
            run.ended().await;
            let first = run.snapshot().first_held;
            let heard = all(run.subscribe(From::After(seen))).await;
            let seqs: Vec<_> = heard.lines().iter().map(|line| line.seq).collect();
            let gaps: Vec<_> = heard.gaps().iter().map(|gap| (gap.first, gap.last)).collect();
            let seen = seen.min(count);
            let begins = first.max(seen + 1);
            assert_eq!(gaps, if first > seen + 1 { vec![(seen + 1, first - 1)] } else { vec![] });
            assert_eq!(seqs, (begins..=count).collect::<Vec<_>>());
        });
    }

    #[test]
    fn whatever_is_kept_a_watcher_that_is_cut_has_every_line_or_its_gap(
        count in 1..150u64, piece in 1..300usize, kept in 1..100u64, every in 2..20usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let keep = keep_lines(kept);
            let run = stream(numbered(count, piece)).keep(keep).start();
            let (lines, gaps) = in_pieces(&run, std::iter::repeat_n(every, 1000)).await;
            assert_joined(count, &lines, &gaps);
            for (seq, text) in lines {
                assert_eq!(text.split(' ').next(), Some(&*seq.to_string()));
            }
        });
    }
}
