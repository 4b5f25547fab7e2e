//! Work on resources that are kept warm.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod resource;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "process")]
mod worker;

pub use bgt_simple::*;
pub use deadpool::managed::{Manager, Metrics as ObjectMetrics, RecycleError, RecycleResult};
pub use error::{BuildError, PoolError};
pub use resource::{
    Backoff, Drained, Factory, Lease, Leased, Managed, Metrics, Pool, PoolBuilder, Retired, factory,
};
#[cfg(feature = "serve")]
#[cfg_attr(docsrs, doc(cfg(feature = "serve")))]
pub use serve::{is_worker, serve};
#[cfg(feature = "process")]
#[cfg_attr(docsrs, doc(cfg(feature = "process")))]
pub use worker::{Answer, Call, CallError, CallStop, Request, StartError, WorkerBuilder, WorkerPool};
