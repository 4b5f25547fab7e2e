//! What the workflows share; and the guides and crate pages, whose examples are tested here: a published crate must not
//! include files from outside itself.
//!
//! Pages are not tested on Windows: under Wine, where every change is tested, there is neither `rustc` nor Python to be run by them.
#![forbid(unsafe_code)]

pub mod workflow;

/// Makes a module of a page, so that a failing example names the page.
macro_rules! pages {
    ($($name:ident: $path:literal),* $(,)?) => {$(
        #[cfg(all(doctest, unix))]
        #[doc = include_str!($path)]
        mod $name {}
    )*};
}

pages! {
    readme: "../README.md",
    choosing: "../docs/choosing.md",
    bgt_core: "../crates/bgt-core/README.md",
    bgt_process: "../crates/bgt-process/README.md",
    bgt_sys: "../crates/bgt-sys/README.md",
    bgt_simple: "../crates/bgt-simple/README.md",
    bgt_log: "../crates/bgt-log/README.md",
    bgt_streaming: "../crates/bgt-streaming/README.md",
    streaming_guide: "../docs/streaming.md",
    bgt_concurrent: "../crates/bgt-concurrent/README.md",
    concurrent_guide: "../docs/concurrent.md",
    bgt_periodic: "../crates/bgt-periodic/README.md",
    periodic_guide: "../docs/periodic.md",
    bgt_pool: "../crates/bgt-pool/README.md",
    pool_guide: "../docs/pool.md",
    scripts_guide: "../docs/scripts.md",
    worker_protocol: "../docs/worker-protocol.md",
    bgt_detached: "../crates/bgt-detached/README.md",
    detached_guide: "../docs/detached.md",
    bgt_store: "../crates/bgt-store/README.md",
    bgt_orchestrator: "../crates/bgt-orchestrator/README.md",
    simple_guide: "../docs/simple.md",
    migration: "../docs/migration.md",
    troubleshooting: "../docs/troubleshooting.md",
    integration: "../docs/integration.md",
    best_practices: "../docs/best-practices.md",
    deployment: "../docs/deployment.md",
    storage: "../docs/storage.md",
}
