//! The typed doors, one a pattern: each adds what the orchestrator shares, and nothing else.

#[cfg(feature = "concurrent")]
mod concurrent;
#[cfg(feature = "detached")]
mod detached;
#[cfg(feature = "periodic")]
mod periodic;
#[cfg(feature = "pooled")]
mod pooled;
#[cfg(feature = "simple")]
mod simple;
#[cfg(feature = "streaming")]
mod streaming;
