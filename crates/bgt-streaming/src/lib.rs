//! Watch a long run live: its lines from any point, its progress, its end.
//!
//! ```
//! # #[cfg(all(unix, feature = "process"))] {
//! use bgt_streaming::{Command, From, ProgressFrom, StreamEvent, stream};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_streaming::Error> {
//! let script = "for n in 1 2 3; do echo epoch $n/3; done";
//! let run = stream(Command::new("sh").args(["-c", script])).progress(ProgressFrom::ratio()).start();
//!
//! // Any number of watchers, from any line on, also after the end.
//! let mut events = run.subscribe(From::Start);
//! while let Some(event) = events.next().await {
//!     match event {
//!         StreamEvent::Line(line) => println!("{:>4} {}", line.seq, line.text()),
//!         StreamEvent::Gap(gap) => println!("{} lines are not held any more", gap.lines()),
//!         StreamEvent::Progress(progress) => println!("{progress}"),
//!         StreamEvent::End(summary) => println!("{} after {:?}", summary.status, summary.elapsed),
//!         _ => {}
//!     }
//! }
//! assert!(run.await?.exit.success());
//! # Ok(()) } main().unwrap();
//! # }
//! ```
//!
//! **What is guaranteed.** A slow or dead watcher slows neither the run nor others. Lines are numbered without a gap, and a
//! watcher can go on from any number: what is no longer held is one gap that says how much. What was printed before the
//! end is there at the end. All that `bgt-simple` guarantees of a run holds here: one final status, the whole process
//! tree gone.
//!
//! **What is not.** The memory of a run is bounded: without log files (feature `files`, [`Stream::log`]), old lines are given
//! up for new ones.
//!
//! **Dropping** the [`Handle`] stops the run, politely; [`Handle::release`] lets it go on. Subscriptions and
//! [`Watch`]es never keep a run alive.
//!
//! **Over HTTP**, with the feature `sse`: the module `sse` has routes for runs and their events, which a browser resumes.
//!
//! **Neighbours.** `bgt-simple` runs a task to its end and hands back everything; nobody watches.
//!
//! Types that come from `bgt-core`, `bgt-process` and `bgt-log` are re-exported here; their examples say those names,
//! write `bgt_streaming` instead. Runs need a tokio runtime with its time and I/O drivers enabled.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod builder;
mod event;
mod handle;
mod hub;
mod progress;
mod rates;
#[cfg(feature = "sse")]
#[cfg_attr(docsrs, doc(cfg(feature = "sse")))]
pub mod sse;
mod subscription;

pub use bgt_log::{Bytes, Entry, Extent, Follower, From, Gap, Keep, Level, Line, LineEnd, Log};
#[cfg(feature = "files")]
#[cfg_attr(docsrs, doc(cfg(feature = "files")))]
pub use bgt_log::{FileError, LogFiles, LogReader, Retention, Swept};
pub use bgt_simple::*;
pub use builder::{Stream, start, stream};
pub use event::{Snapshot, StreamEvent, Summary};
pub use handle::{Handle, Watch};
pub use progress::{Pace, ProgressFrom, ProgressInfo};
pub use subscription::Subscription;
