//! A look at a pool that does not keep it.

use std::fmt;
use std::sync::{Arc, Weak};

use super::pool::Inner;
use super::{Managed, Pool};

/// Finds a pool again as long as anybody has it: for those who end many pools together, such as a shutdown.
pub struct WeakPool<M: Managed> {
    inner: Weak<Inner<M>>,
}

impl<M: Managed> Pool<M> {
    /// A look at this pool that does not keep it.
    #[must_use]
    pub fn downgrade(&self) -> WeakPool<M> {
        WeakPool { inner: Arc::downgrade(&self.inner) }
    }
}

impl<M: Managed> WeakPool<M> {
    /// The pool, unless the last of its clones is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Pool<M>> {
        self.inner.upgrade().map(|inner| Pool { inner })
    }
}

impl<M: Managed> Clone for WeakPool<M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<M: Managed> fmt::Debug for WeakPool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WeakPool").field(&self.upgrade()).finish()
    }
}
