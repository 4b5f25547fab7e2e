//! How far a run has come, and how fast.
