//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "process")]
use bgt_streaming::Command;
use bgt_streaming::{Gap, Keep, Line, StreamEvent, Subscription, Summary};
use tokio::time::timeout;

/// Far beyond everything that these tests wait for: reaching it is a hang, not slowness.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// The misbehaving child as a command.
#[cfg(feature = "process")]
pub(crate) fn bad(verbs: &[&str]) -> Command {
    let (program, args) = bgt_testkit::bad(verbs.iter().copied());
    Command::new(program).args(args)
}

pub(crate) fn keep_bytes(bytes: usize) -> Keep {
    Keep::bytes(bytes)
}

pub(crate) fn keep_lines(lines: u64) -> Keep {
    Keep::default().lines(lines)
}

/// The next event.
pub(crate) async fn next(events: &mut Subscription) -> Option<StreamEvent> {
    timeout(HANG, events.next()).await.expect("a subscription hangs")
}

/// The next line; other events before it are passed over.
pub(crate) async fn line(events: &mut Subscription) -> Line {
    loop {
        match next(events).await {
            Some(StreamEvent::Line(line)) => return line,
            Some(StreamEvent::End(summary)) => panic!("no line, but the end: {summary:?}"),
            Some(_) => {}
            None => panic!("no line, and no end"),
        }
    }
}

/// Everything that a subscriber hears, to its end.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) events: Vec<StreamEvent>,
}

/// Reads to the end, and sees to it that this is the last event.
pub(crate) async fn all(mut events: Subscription) -> Heard {
    let mut heard = Heard::default();
    while let Some(event) = next(&mut events).await {
        heard.events.push(event);
    }
    assert!(next(&mut events).await.is_none(), "an event after the end");
    let ends = heard.events.iter().filter(|event| matches!(event, StreamEvent::End(_))).count();
    assert_eq!(ends, 1, "{heard:?}");
    assert!(matches!(heard.events.last(), Some(StreamEvent::End(_))), "{heard:?}");
    heard
}

impl Heard {
    pub(crate) fn lines(&self) -> Vec<&Line> {
        self.events
            .iter()
            .filter_map(|event| if let StreamEvent::Line(line) = event { Some(line) } else { None })
            .collect()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.text().into_owned()).collect()
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let gap = |event: &StreamEvent| if let StreamEvent::Gap(gap) = event { Some(*gap) } else { None };
        self.events.iter().filter_map(gap).collect()
    }

    pub(crate) fn positions(&self) -> Vec<f64> {
        let position = |event: &StreamEvent| match event {
            StreamEvent::Progress(info) => Some(info.progress.position),
            _ => None,
        };
        self.events.iter().filter_map(position).collect()
    }

    pub(crate) fn summary(&self) -> Arc<Summary> {
        match self.events.last() {
            Some(StreamEvent::End(summary)) => summary.clone(),
            other => panic!("not an end: {other:?}"),
        }
    }
}

/// Waits for something that blocks, without keeping others from going on.
pub(crate) async fn blocking<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    timeout(HANG * 2, tokio::task::spawn_blocking(wait)).await.expect("a wait hangs").unwrap()
}

/// Windows asks nobody who has no console in common with us, and our children have none by default.
pub(crate) fn cannot_ask(test: &str) -> bool {
    if cfg!(windows) {
        bgt_testkit::skip!(test, "no polite signal reaches a program without a console; see docs/gotchas.md");
    }
    cfg!(windows)
}
