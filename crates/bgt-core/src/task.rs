//! A unit of work.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Context, TaskError};

/// A unit of work: a program with its arguments, or an async function.
///
/// Object-safe: `Box<dyn Task<Output = T>>` and `Arc<dyn Task<Output = T>>` are tasks too, as is a reference to one.
/// A task may be run any number of times, also at once.
///
/// # Cancellation
///
/// A runner that wants the task to end says so through the [`Context`], waits as long as
/// [`stop_budget`](Task::stop_budget) allows if the task has ever looked there, and then drops the future of
/// [`run`](Task::run). The future must cope with that at every await.
#[async_trait]
pub trait Task: Send + Sync {
    /// What a successful run hands back.
    type Output: Send + 'static;

    /// The name under which runs of this task are listed, logged and advised upon. Not unique.
    fn name(&self) -> Cow<'_, str>;

    /// How long a polite stop may take before the future is dropped. A program answers its grace, drain and reap
    /// periods.
    fn stop_budget(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// What a run would do, in words, after the checks that a run makes before it starts. For a program that is
    /// the exact command line, the folder and the changes to the environment. Starts nothing.
    ///
    /// # Errors
    ///
    /// What [`run`](Task::run) would refuse before it starts anything.
    async fn describe(&self) -> Result<String, TaskError> {
        Ok(format!("call the function {}", self.name()))
    }

    /// Does the work, once.
    ///
    /// # Errors
    ///
    /// Whatever went wrong, with its kind.
    async fn run(&self, cx: Context) -> Result<Self::Output, TaskError>;
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        #[async_trait]
        impl<T: Task + ?Sized> Task for $wrapper {
            type Output = T::Output;
            fn name(&self) -> Cow<'_, str> {
                (**self).name()
            }
            fn stop_budget(&self) -> Duration {
                (**self).stop_budget()
            }
            async fn describe(&self) -> Result<String, TaskError> {
                (**self).describe().await
            }
            // Spelled out: `async` would put the future into a second box.
            fn run<'a, 'b>(&'a self, cx: Context) -> Pin<Box<dyn Future<Output = Result<T::Output, TaskError>> + Send + 'b>>
            where
                'a: 'b,
                Self: 'b,
            {
                (**self).run(cx)
            }
        }
    )*};
}
forward!(&T, Box<T>, Arc<T>);

/// An async function or closure as a task.
///
/// # Examples
///
/// ```
/// use bgt_core::{Context, Task, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let answer = task_fn("answer", |_cx: Context| async { Ok(6 * 7) });
/// assert_eq!(answer.run(Context::standalone()).await.unwrap(), 42);
/// # }
/// ```
pub fn task_fn<F, Fut, T>(name: impl Into<Cow<'static, str>>, function: F) -> TaskFn<F>
where
    F: Fn(Context) -> Fut + Send + Sync,
    Fut: Future<Output = Result<T, TaskError>> + Send,
    T: Send + 'static,
{
    TaskFn { name: name.into(), stop_budget: Duration::from_secs(5), function }
}

/// The task that [`task_fn`] makes.
#[derive(Clone)]
pub struct TaskFn<F> {
    name: Cow<'static, str>,
    stop_budget: Duration,
    function: F,
}

impl<F> TaskFn<F> {
    /// Sets how long the function may take to end after it was asked to; 5 s without this. A function that never
    /// looks at its cancellation is dropped at once all the same.
    #[must_use]
    pub fn stop_budget(mut self, budget: Duration) -> Self {
        self.stop_budget = budget;
        self
    }
}

#[async_trait]
impl<F, Fut, T> Task for TaskFn<F>
where
    F: Fn(Context) -> Fut + Send + Sync,
    Fut: Future<Output = Result<T, TaskError>> + Send,
    T: Send + 'static,
{
    type Output = T;

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }

    fn stop_budget(&self) -> Duration {
        self.stop_budget
    }

    async fn run(&self, cx: Context) -> Result<T, TaskError> {
        (self.function)(cx).await
    }
}

impl<F> fmt::Debug for TaskFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_are_objects_and_references() {
        let task = task_fn("double", |cx: Context| async move { Ok(cx.attempt() * 2) });
        let boxed: Box<dyn Task<Output = u32> + '_> = Box::new(&task);
        assert_eq!(boxed.name(), "double");
        assert_eq!(boxed.run(Context::standalone()).await.unwrap(), 2);
    }
}
