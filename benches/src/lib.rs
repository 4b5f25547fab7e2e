//! Whole programs measured against what people would use instead.
//!
//! A suite is a program: it prints one line for every (suite, name, against) and nothing else on stdout. Both sides of a
//! comparison run in turns, in the same process where they can, so that what the machine does meanwhile happens to both. Rivals that
//! need crates of their own are in `benches/peers`, which adds them to the same suites, and those whose crates cannot be in
//! one program with ours in `benches/rivals`.
//!
//! `benches/README.md` says how to run it and how to read a line.

mod bench;
pub mod combos;
pub mod concurrent;
pub mod detached;
mod held;
mod interval;
mod line;
pub mod load;
mod no_op;
mod options;
pub mod overhead;
mod peak;
pub mod periodic;
mod pinned;
pub mod pool;
mod rivals;
mod rounds;
pub mod soak;
pub mod spawn;
pub mod store;
pub mod streaming;

pub use bench::Bench;
pub use line::Better;
pub use rounds::{Case, Side};

/// What stops a suite: it is printed, and the program fails.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A result of this package.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;
