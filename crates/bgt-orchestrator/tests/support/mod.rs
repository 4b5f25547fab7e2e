//! What the tests share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]

use std::time::Duration;

use bgt_orchestrator::{Command, EventKind, Events, Heard, Pattern, Status};

/// Far beyond slowness: who waits for so long waits for ever.
pub const HANG: Duration = Duration::from_secs(60);

#[track_caller]
pub fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let from = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(HANG, future).await {
            Ok(value) => value,
            Err(_) => panic!("{from}: it hangs"),
        }
    }
}

/// The misbehaving child.
pub fn bad<A: Into<String>>(verbs: impl IntoIterator<Item = A>) -> Command {
    let (program, args) = bgt_testkit::bad(verbs);
    Command::new(program).args(args)
}

/// Hears of ends until there were so many, and answers pattern, name and status of each.
pub async fn ends(events: &mut Events, many: usize) -> Vec<(Pattern, String, Status)> {
    let mut ends = Vec::new();
    while ends.len() < many {
        match soon(events.next()).await {
            Some(Heard::Event(event)) => {
                if let EventKind::Ended { status } = event.kind {
                    ends.push((event.pattern, event.name.to_string(), status));
                }
            }
            other => panic!("{other:?} after {ends:?}"),
        }
    }
    ends
}
