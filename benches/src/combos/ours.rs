//! The shapes, by the orchestrator.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bgt_concurrent::batch;
use bgt_orchestrator::Orchestrator;
use bgt_pool::{Factory, Pool, factory};
use bgt_simple::{Context, Source, Task, TaskError, task_fn};
use bgt_streaming::{From, StreamEvent};

use super::{AT_ONCE, PIECES, payload};
use crate::Result;

type Make = fn() -> Ready<Result<u64, std::io::Error>>;

pub(super) struct House {
    bgt: Orchestrator,
    pool: Pool<Factory<Make>>,
}

fn piece(done: &Arc<AtomicU64>) -> impl Task<Output = ()> + use<> {
    let done = done.clone();
    task_fn("piece", move |_cx: Context| {
        let done = done.clone();
        async move {
            done.fetch_add(payload().await, Ordering::Relaxed);
            Ok::<_, TaskError>(())
        }
    })
}

impl House {
    pub(super) fn new() -> Result<Self> {
        let bgt = Orchestrator::new();
        let make: Make = || ready(Ok(0));
        let pool = bgt.pool(Pool::builder(factory(make)).size(AT_ONCE))?;
        Ok(Self { bgt, pool })
    }

    /// A batch of frames, and a run that is watched beside it.
    pub(super) fn video(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let bgt = self.bgt.clone();
        async move {
            let done = Arc::new(AtomicU64::new(0));
            let counted = done.clone();
            let frames =
                bgt.concurrent(batch((0..PIECES).map(move |_| piece(&counted)))).max_concurrent(AT_ONCE);
            let (frames, lines) = tokio::join!(frames.into_future(), watched(&bgt));
            frames?.require_success()?;
            lines?;
            Ok(done.load(Ordering::Relaxed))
        }
    }

    /// A check, then queries on what is kept warm.
    pub(super) fn pipeline(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let (bgt, pool) = (self.bgt.clone(), self.pool.clone());
        async move {
            bgt.simple(task_fn("check", |_cx| async { Ok(payload().await) })).await?;
            let mut done = 0;
            for _ in 0..PIECES {
                done += pool.run(|_connection, _cx| async move { Ok(payload().await) }).await?;
            }
            Ok(done)
        }
    }

    /// A training that is watched, then checkpoints judged at once.
    pub(super) fn training(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let bgt = self.bgt.clone();
        async move {
            watched(&bgt).await?;
            let done = Arc::new(AtomicU64::new(0));
            let counted = done.clone();
            let judged =
                bgt.concurrent(batch((0..PIECES).map(move |_| piece(&counted)))).max_concurrent(AT_ONCE);
            judged.await?.require_success()?;
            Ok(done.load(Ordering::Relaxed))
        }
    }

    /// Many callers at once of what is kept warm.
    pub(super) fn api(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let pool = self.pool.clone();
        async move {
            let mut callers = tokio::task::JoinSet::new();
            for _ in 0..AT_ONCE {
                let pool = pool.clone();
                callers.spawn(async move {
                    let mut done = 0;
                    for _ in 0..PIECES / AT_ONCE as u64 {
                        done += pool.run(|_model, _cx| async move { Ok(payload().await) }).await?;
                    }
                    Ok::<_, bgt_simple::Error>(done)
                });
            }
            let mut done = 0;
            while let Some(caller) = callers.join_next().await {
                done += caller??;
            }
            Ok(done)
        }
    }
}

/// A hundred lines, each read by a watcher.
async fn watched(bgt: &Orchestrator) -> Result<u64> {
    let epochs = task_fn("epochs", |cx: Context| async move {
        for epoch in 0..100 {
            let _ = cx.emit(Source::Stdout, format!("epoch {epoch}\n")).await;
        }
        Ok::<_, TaskError>(())
    });
    let run = bgt.streaming(epochs).start();
    let mut events = run.subscribe(From::Start);
    let mut lines = 0;
    while let Some(event) = events.next().await {
        lines += u64::from(matches!(event, StreamEvent::Line(_)));
    }
    run.await?;
    if lines == 100 { Ok(lines) } else { Err(format!("{lines} of 100 lines were read").into()) }
}
