//! How far a run has come, how fast it goes, and how long it will take.
//!
//! Owns: reading progress from lines of output, and the arithmetic of speed and time left.
//! Never does: look at a clock, wait, or know a run.

mod average;
mod from;
mod info;
mod json;
mod pace;
mod percent;
mod ratio;

pub use from::ProgressFrom;
pub use info::ProgressInfo;
pub use pace::Pace;
