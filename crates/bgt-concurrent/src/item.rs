//! A task of a batch, and what goes for it alone.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bgt_core::{Needs, Retry, Task};

/// A task of a batch with what goes for it alone: its key, its group, its needs, its deadline, its retries.
///
/// A task without any of that need not be wrapped: [`batch`](crate::batch) takes both.
///
/// # Examples
///
/// ```
/// use bgt_concurrent::{Item, Limits, Needs, batch, task_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), bgt_concurrent::BatchError> {
/// let pages = ["https://example.org/a", "https://example.org/b", "https://example.net/"];
/// let fetches = pages.map(|page| {
///     let host = page.split('/').nth(2).unwrap_or_default();
///     Item::new(task_fn("fetch", move |_cx| async move { Ok(page.len()) }))
///         .key(page)
///         .group(host)
///         .needs(Needs::new().with("sockets", 1))
/// });
/// let report = batch(fetches).per_group(1).limits(&Limits::new().with("sockets", 50)).await?;
/// assert!(report.is_success());
/// # Ok(()) }
/// ```
#[must_use]
pub struct Item<T> {
    pub(crate) task: T,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) needs: Option<Needs>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) retry: Option<Retry>,
}

impl<T: Task> Item<T> {
    /// A task for which the same goes as for all of its batch.
    pub fn new(task: T) -> Self {
        Self { task, key: None, group: None, needs: None, deadline: None, retry: None }
    }

    /// Names the work: results and failures have this name, and a [`journal`](crate::Batch::journal) remembers by it what is
    /// done. With a journal, two items of a batch with the same key are the same work.
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Names the group that the item belongs to, such as a host: of each no more run at once than
    /// [`per_group`](crate::Batch::per_group) allows. Refused where that is not set.
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Sets what it needs of the batch's [`limits`](crate::Batch::limits), instead of what
    /// [`needs`](crate::Batch::needs) says for all.
    pub fn needs(mut self, needs: Needs) -> Self {
        self.needs = Some(needs);
        self
    }

    /// Sets how long it may take, attempts and the waits between them together, instead of what
    /// [`task_deadline`](crate::Batch::task_deadline) says for all. Counted from when it starts to run.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets when a failed attempt is tried again, instead of what [`retry`](crate::Batch::retry) says for all.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }
}

impl<T: fmt::Debug> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("task", &self.task)
            .field("key", &self.key)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// What a batch is made of: a [`Task`], or an [`Item`] around one.
pub trait IntoItem {
    /// The task.
    type Task: Task + 'static;

    /// The task with what goes for it alone.
    fn into_item(self) -> Item<Self::Task>;
}

impl<T: Task + 'static> IntoItem for T {
    type Task = T;

    fn into_item(self) -> Item<T> {
        Item::new(self)
    }
}

impl<T: Task + 'static> IntoItem for Item<T> {
    type Task = T;

    fn into_item(self) -> Self {
        self
    }
}
