//! Pools of any resource.
//!
//! `deadpool` hands out, takes back and queues. What it lacks is around it, one idea a file:
//!
//! - `pool`: the handle, and how callers get in.
//! - `lease`: what a caller holds, and who decides whether it goes back.
//! - `run`: work on a lease as a run.
//! - `waiting`: a caller for whom nothing is idle.
//! - `yard`: where resources wait, apart from the callers who want one; `making`: how they are made.
//! - `keeper`: the task that looks after a pool.
//! - `item`: a resource with its age and uses.
//! - `contain`: what users wrote, called so that its panics stay here.
//! - `policy`: when to make and when to retire one; `breaker`: when to stop trying. Both pure.

mod breaker;
mod builder;
mod contain;
mod item;
mod keeper;
mod lease;
mod making;
mod manager;
mod metrics;
mod policy;
mod pool;
mod run;
mod waiting;
mod weak;
mod yard;

pub use breaker::Backoff;
pub use builder::PoolBuilder;
#[cfg(feature = "process")]
pub(crate) use item::Place;
pub use lease::Lease;
pub use manager::{Factory, Managed, factory};
pub use metrics::{Metrics, Retired};
pub use pool::{Drained, Pool};
pub use run::Leased;
pub use weak::WeakPool;
