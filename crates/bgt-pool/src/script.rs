//! Python scripts, unchanged, in interpreters that are warm.
//!
//! - `builder`, `pool`: what is asked for, and the handle; `run`: one script as a run.
//! - `starter`: which way a script is started, and what happens when it is not the wanted one.
//! - `hearth`: what is kept warm, one fire for each interpreter and environment that matters (`key`, pure).
//! - `zygote`, `shelf`: what burns there.
//! - `stamp`: whether the files are still those that were imported. `words`: an order as the interpreter reads it.

mod builder;
mod error;
mod hearth;
mod isolation;
mod key;
mod pool;
mod run;
mod shelf;
mod stamp;
mod starter;
mod words;
mod zygote;

pub use builder::ScriptPoolBuilder;
pub use error::ScriptError;
pub use isolation::{Isolation, ScriptMetrics, Warmth};
pub use pool::ScriptPool;
pub use run::{Pooled, PooledRun, ScriptRun};
