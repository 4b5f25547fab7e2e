//! Helpers for the tests of this workspace: a child process with every bad habit, and checks that nothing is left of it.
//!
//! ```no_run
//! use std::process::Command;
//! use std::time::Duration;
//! use bgt_testkit::{Scratch, assert_gone, bad, read_pids};
//!
//! let scratch = Scratch::new();
//! let pids = scratch.path("pids");
//! let (program, args) = bad(["pids-to", pids.to_str().unwrap(), "then", "quiet-grandchild", "60", "then", "exit", "3"]);
//! assert_eq!(Command::new(program).args(args).status().unwrap().code(), Some(3));
//! // … whatever is supposed to end the tree …
//! assert_gone(&read_pids(&pids), Duration::from_secs(5));
//! ```
//!
//! `bad-child` without arguments lists its verbs. What waits here polls with a bound and panics with what it saw; nothing
//! signals a process that the caller did not start.

mod bad_child;
mod interpreter;
mod ledger;
mod other;
mod resources;
mod scratch;
mod sentinel;
mod skip;
mod survivors;
mod sys;
mod wait;

pub use bad_child::{bad, bad_child, from_hex, to_hex};
pub use interpreter::{python, under_wine};
pub use ledger::Ledger;
pub use other::{Other, ROLE, hear, role, say};
pub use resources::{Resources, thread_count};
pub use scratch::Scratch;
pub use sentinel::Sentinel;
pub use skip::skipped;
pub use survivors::{alive, assert_gone, read_pids, wait_for_pids};
pub use wait::wait_until;
