//! Who makes resources.

use std::error::Error as StdError;
use std::fmt;

use deadpool::managed::{Manager, Metrics, RecycleResult};

/// Who makes the resources of a [`Pool`](crate::Pool): any [`deadpool::managed::Manager`](Manager) whose errors are
/// errors. The managers of `deadpool-postgres`, `deadpool-redis` and the like are.
///
/// Implemented for all of them; there is nothing to implement here.
pub trait Managed: Manager<Type: Send + 'static, Error: StdError + Send + Sync + 'static> + 'static {}

impl<M> Managed for M
where
    M: Manager + 'static,
    M::Type: Send + 'static,
    M::Error: StdError + Send + Sync + 'static,
{
}

/// A manager from an async function that makes a resource; what comes back is taken as it is.
///
/// # Examples
///
/// ```
/// use bgt_pool::{Pool, factory};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let buffers = Pool::builder(factory(|| async { Ok::<_, std::io::Error>(Vec::<u8>::new()) })).build()?;
/// let mut buffer = buffers.acquire().await?;
/// buffer.extend(b"kept for the next one");
/// buffer.release();
/// # Ok(()) }
/// ```
pub fn factory<F, Fut, T, E>(make: F) -> Factory<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Send,
    E: Send,
{
    Factory { make }
}

/// The manager that [`factory`] makes.
#[derive(Clone)]
pub struct Factory<F> {
    make: F,
}

impl<F, Fut, T, E> Manager for Factory<F>
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Send,
    E: Send,
{
    type Type = T;
    type Error = E;

    async fn create(&self) -> Result<T, E> {
        (self.make)().await
    }

    async fn recycle(&self, _: &mut T, _: &Metrics) -> RecycleResult<E> {
        Ok(())
    }
}

impl<F> fmt::Debug for Factory<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Factory")
    }
}
