//! The typed doors, one a pattern: each adds what the orchestrator shares, and nothing else.

#[cfg(feature = "concurrent")]
mod concurrent;
#[cfg(feature = "detached")]
mod detached;
#[cfg(feature = "periodic")]
mod periodic;
#[cfg(feature = "pooled")]
mod pooled;
#[cfg(all(feature = "pooled", feature = "process"))]
mod scripts;
#[cfg(feature = "simple")]
mod simple;
#[cfg(feature = "streaming")]
mod streaming;
