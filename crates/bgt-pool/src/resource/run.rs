//! Work on a lease as a run: deadline, retries, cancellation, panics contained.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bgt_core::{Context, Task, TaskError, async_trait};

use super::lease::{Home, Lease};
use super::{Managed, Pool};
use crate::PoolError;

/// The task that [`Pool::run`] makes of a function.
pub struct Leased<M: Managed, F> {
    pub(super) pool: Pool<M>,
    pub(super) work: F,
}

#[async_trait]
impl<M, F, Fut, T> Task for Leased<M, F>
where
    M: Managed,
    F: Fn(Lease<M>, Context) -> Fut + Send + Sync,
    Fut: Future<Output = Result<T, TaskError>> + Send,
    T: Send + 'static,
{
    type Output = T;

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.pool.name())
    }

    async fn run(&self, cx: Context) -> Result<T, TaskError> {
        let lease = self.pool.acquire().await.map_err(PoolError::into_task_error)?;
        // Whatever ends this early (a panic, a drop, an error) leaves the resource at home, which retires it.
        let home = Arc::new(Home::new());
        let answer = (self.work)(lease.with_home(home.clone()), cx).await?;
        if let Some(held) = home.close() {
            held.give_back();
        }
        Ok(answer)
    }
}

impl<M: Managed, F> fmt::Debug for Leased<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").field("pool", &self.pool.name()).finish_non_exhaustive()
    }
}
