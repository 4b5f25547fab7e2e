//! A reader that leaves and comes back, at every line.

use std::time::SystemTime;

use bgt_log::{Chunk, Entry, Extent, From, Keep, Log, Sink, Source};
use proptest::prelude::*;

fn chunk(source: Source, bytes: Vec<u8>) -> Chunk {
    Chunk { source, at: SystemTime::UNIX_EPOCH, bytes: bytes.into() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

async fn rest(log: &Log, from: From) -> Vec<Entry> {
    let mut follower = log.subscribe(from);
    let mut entries = Vec::new();
    while let Some(entry) = follower.next().await {
        entries.push(entry);
    }
    entries
}

fn chunks() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let byte = prop_oneof![4 => Just(b'a'), 2 => Just(b'\n'), 1 => Just(b'\r'), 1 => any::<u8>()];
    proptest::collection::vec((any::<bool>(), proptest::collection::vec(byte, 0..40)), 0..40)
}

fn keeping(bytes: usize, lines: u64) -> Log {
    let mut keep = Keep::default();
    (keep.bytes, keep.lines) = (bytes, lines);
    Log::keeping(keep)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_seen_joined_is_the_log_or_has_one_gap_that_says_what_is_missing(
        chunks in chunks(), bytes in 1..400_usize, lines in 1..40_u64,
    ) {
        runtime().block_on(async {
            let (whole, bounded) = (Log::new(), keeping(bytes, lines));
            for (stderr, bytes) in chunks {
                let source = if stderr { Source::Stderr } else { Source::Stdout };
                for log in [&whole, &bounded] {
                    log.write(chunk(source, bytes.clone())).await.unwrap();
                }
            }
            whole.finish();
            bounded.finish();
            let all = rest(&whole, From::Start).await;
            let Extent { last, .. } = whole.extent();
            prop_assert_eq!(all.len() as u64, last);
            for seen in 0..=last {
                let resumed = rest(&whole, From::After(seen)).await;
                prop_assert_eq!(&resumed[..], &all[seen as usize..]);
                prop_assert_eq!(&rest(&whole, From::Tail(last - seen)).await, &resumed);

                let resumed = rest(&bounded, From::After(seen)).await;
                let held = bounded.extent().first;
                let missing = held.saturating_sub(seen + 1);
                if missing == 0 {
                    prop_assert_eq!(&resumed[..], &all[seen as usize..]);
                } else {
                    let Entry::Gap(gap) = &resumed[0] else { panic!("{resumed:?}") };
                    prop_assert_eq!((gap.first, gap.last), (seen + 1, held - 1));
                    prop_assert_eq!(&resumed[1..], &all[held as usize - 1..]);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn the_bytes_of_a_gap_are_those_that_were_not_read() {
    let log = keeping(8, u64::MAX);
    let mut reader = log.subscribe(From::Start);
    log.write(chunk(Source::Stdout, b"1\n22\n".to_vec())).await.unwrap();
    let Some(Entry::Line(line)) = reader.next().await else { panic!() };
    assert_eq!(line.text(), "1");
    for n in 0..10 {
        log.write(chunk(Source::Stdout, format!("line {n}\r\n").into_bytes())).await.unwrap();
    }
    // The rest of what it has taken, and then what it has missed.
    let Some(Entry::Line(line)) = reader.next().await else { panic!() };
    assert_eq!(line.text(), "22");
    let Some(Entry::Gap(gap)) = reader.next().await else { panic!() };
    assert_eq!((gap.first, gap.last, gap.bytes), (3, 11, Some(72)));
    let mut reader = log.subscribe(From::After(1));
    let Some(Entry::Gap(gap)) = reader.next().await else { panic!() };
    // Line 1 was seen, but by another reader: nobody knows how long it was.
    assert_eq!((gap.first, gap.last, gap.lines(), gap.bytes), (2, 11, 10, None));
    assert_eq!(log.extent().bytes, 5 + 80);
    let Some(Entry::Line(line)) = reader.next().await else { panic!() };
    assert_eq!((line.seq, &*line.text()), (12, "line 9"));
}

#[tokio::test]
async fn a_reader_hears_of_what_comes_and_of_the_end() {
    let log = Log::new();
    let mut reader = log.subscribe(From::Now);
    let task = tokio::spawn(async move { (reader.next().await, reader.next().await) });
    tokio::task::yield_now().await;
    log.write(chunk(Source::Stderr, b"hello\n".to_vec())).await.unwrap();
    log.finish();
    let (first, end) = task.await.unwrap();
    let Some(Entry::Line(line)) = first else { panic!() };
    assert_eq!((line.seq, line.source, end), (1, Source::Stderr, None));
    assert!(log.write(chunk(Source::Stdout, vec![])).await.is_err());
}
