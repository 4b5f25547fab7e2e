//! Rivals from other crates, for the suites of `bgt-benches`: one module a suite.

pub mod periodic;
pub mod pool;
pub mod spawn;
