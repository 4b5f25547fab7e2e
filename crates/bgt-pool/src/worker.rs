//! Pools of worker processes.
//!
//! - `builder`, `pool`: what is asked for, and the handle.
//! - `request`: what is asked and answered; `protocol`: the same as lines. Pure.
//! - `call`: one request as a run, from the queue to the answer.
//! - `workers`: starts workers for the pool; `worker`: one of them, as a caller has it.
//! - `minder`: the task beside each worker that reads what it says, judges it, and ends it; `desk`: where the caller and
//!   the minder meet; `chatter`: stderr as lines.

mod builder;
mod call;
mod chatter;
mod desk;
mod error;
mod minder;
mod pool;
mod process;
mod protocol;
mod python;
mod request;
mod weak;
mod workers;

pub use builder::WorkerBuilder;
pub use call::Call;
pub use error::{CallError, CallStop, StartError};
pub use pool::WorkerPool;
pub use request::{Answer, Request};
pub use weak::WeakWorkerPool;
