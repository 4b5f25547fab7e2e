//! The same shapes as people write them on tokio: without deadlines, lists, retries or reports.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::{AT_ONCE, PIECES, payload};
use crate::Result;

pub(super) struct House {
    connections: Arc<Semaphore>,
}

impl House {
    pub(super) fn new() -> Self {
        Self { connections: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) fn pipeline(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let connections = self.connections.clone();
        async move {
            payload().await;
            let mut done = 0;
            for _ in 0..PIECES {
                let _connection = connections.acquire().await?;
                done += payload().await;
            }
            Ok(done)
        }
    }

    pub(super) fn api(&self) -> impl Future<Output = Result<u64>> + Send + 'static {
        let connections = self.connections.clone();
        async move {
            let mut callers = JoinSet::new();
            for _ in 0..AT_ONCE {
                let connections = connections.clone();
                callers.spawn(async move {
                    let mut done = 0;
                    for _ in 0..PIECES / AT_ONCE as u64 {
                        let _model = connections.acquire().await?;
                        done += payload().await;
                    }
                    Ok::<_, crate::Error>(done)
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

pub(super) async fn video() -> Result<u64> {
    let (done, lines) = tokio::join!(many(), watched());
    lines?;
    done
}

pub(super) async fn training() -> Result<u64> {
    watched().await?;
    many().await
}

/// Each spawned when a semaphore has a permit for it.
async fn many() -> Result<u64> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    let mut done = 0;
    for _ in 0..PIECES {
        let place = places.clone().acquire_owned().await?;
        tasks.spawn(async move {
            let done = payload().await;
            drop(place);
            done
        });
        while let Some(piece) = tasks.try_join_next() {
            done += piece?;
        }
    }
    while let Some(piece) = tasks.join_next().await {
        done += piece?;
    }
    Ok(done)
}

/// A hundred lines through a channel.
async fn watched() -> Result<u64> {
    let (sender, mut lines) = mpsc::channel(64);
    let run = tokio::spawn(async move {
        for epoch in 0..100 {
            if sender.send(format!("epoch {epoch}\n")).await.is_err() {
                break;
            }
        }
    });
    let mut read = 0;
    while lines.recv().await.is_some() {
        read += 1;
    }
    run.await?;
    if read == 100 { Ok(read) } else { Err(format!("{read} of 100 lines were read").into()) }
}
