//! The typed doors that have a file of their own.

#[cfg(all(feature = "pooled", feature = "process"))]
mod scripts;
