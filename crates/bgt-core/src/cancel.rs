//! Asking for an end, from outside a run.
//!
//! Owns: who asked first and why, and the step from *please stop* to *stop now*. Never does: stop anything; the
//! runner and the task do that.

use std::fmt;
use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why a run was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CancelReason {
    /// The caller cancelled it.
    Caller,
    /// A deadline passed.
    Deadline,
    /// The host is shutting down.
    Shutdown,
    /// What it belongs to gave up: a batch that halted, a schedule that was removed.
    Halted,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "cancelled by the caller",
            Self::Deadline => "the deadline passed",
            Self::Shutdown => "the host is shutting down",
            Self::Halted => "what it belongs to was halted",
        })
    }
}

/// The caller's hold on one or many runs: [`cancel`](Cancel::cancel) asks politely, a second call skips the grace
/// period.
///
/// Clones are the same switch. A [`child`](Cancel::child) is stopped by its parent and can also be stopped alone.
/// Dropping a `Cancel` stops nothing.
///
/// # Examples
///
/// ```
/// use bgt_core::{Cancel, CancelReason};
///
/// let all = Cancel::new();
/// let one = all.child();
/// all.cancel();
/// assert_eq!(one.reason(), Some(CancelReason::Caller));
/// assert!(!one.is_forced());
/// all.cancel();
/// assert!(one.is_forced());
/// ```
#[derive(Clone, Default)]
pub struct Cancel {
    // Shared as a whole: to clone a token takes its lock.
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    asked: CancellationToken,
    forced: CancellationToken,
    // Set before anybody is woken.
    reason: OnceLock<CancelReason>,
    parent: Option<Arc<Inner>>,
    // Made from a token, or a child of such a one: it may be cancelled without a word here.
    foreign: bool,
}

impl Inner {
    /// Looked at by every attempt: no lock.
    fn reason(&self) -> Option<CancelReason> {
        self.reason.get().copied().or_else(|| self.parent.as_ref()?.reason())
    }
}

impl Cancel {
    /// A switch that nobody has used yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A switch that follows this one, and can be used without stopping its siblings.
    #[must_use]
    pub fn child(&self) -> Self {
        let Inner { asked, forced, foreign, .. } = &*self.inner;
        let (asked, forced, foreign) = (asked.child_token(), forced.child_token(), *foreign);
        let (reason, parent) = (OnceLock::new(), Some(self.inner.clone()));
        Self { inner: Arc::new(Inner { asked, forced, reason, parent, foreign }) }
    }

    /// Asks the runs to stop; when they have been asked before, skips their grace period.
    pub fn cancel(&self) {
        self.cancel_because(CancelReason::Caller);
    }

    /// Like [`cancel`](Self::cancel), with a reason. The first reason stays.
    pub fn cancel_because(&self, reason: CancelReason) {
        let Inner { asked, forced, reason: own, .. } = &*self.inner;
        if asked.is_cancelled() || own.set(reason).is_err() {
            forced.cancel();
        }
        asked.cancel();
    }

    /// Asks and skips the grace period in one step. The first reason stays.
    pub fn force(&self) {
        let Inner { asked, forced, reason, .. } = &*self.inner;
        if !asked.is_cancelled() {
            let _ = reason.set(CancelReason::Caller);
        }
        forced.cancel();
        asked.cancel();
    }

    /// Why the runs were asked to stop, if they were.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        let foreign =
            || (self.inner.foreign && self.inner.asked.is_cancelled()).then_some(CancelReason::Caller);
        self.inner.reason().or_else(foreign)
    }

    /// Whether the grace period is to be skipped.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.inner.forced.is_cancelled()
    }

    /// Waits until somebody asks, and says why.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn requested(&self) -> CancelReason {
        self.inner.asked.cancelled().await;
        self.inner.reason().unwrap_or(CancelReason::Caller)
    }

    /// Waits until the grace period is to be skipped.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn forced(&self) {
        self.inner.forced.cancelled().await;
    }
}

/// A token of `tokio-util` as a polite cancellation: cancelling it asks, and nothing skips the grace period but
/// [`Cancel::cancel`] or [`Cancel::force`] on the value made here.
impl From<CancellationToken> for Cancel {
    fn from(asked: CancellationToken) -> Self {
        Self { inner: Arc::new(Inner { asked, foreign: true, ..Inner::default() }) }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("reason", &self.reason()).field("forced", &self.is_forced()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_and_the_second_call_forces() {
        let cancel = Cancel::new();
        assert_eq!(cancel.reason(), None);
        cancel.cancel_because(CancelReason::Shutdown);
        assert!(!cancel.is_forced());
        cancel.cancel();
        assert_eq!(cancel.reason(), Some(CancelReason::Shutdown));
        assert!(cancel.is_forced());
    }

    #[test]
    fn a_child_stops_alone() {
        let parent = Cancel::new();
        let (one, two) = (parent.child(), parent.child());
        one.cancel();
        assert_eq!((one.reason(), two.reason(), parent.reason()), (Some(CancelReason::Caller), None, None));
    }

    #[test]
    fn a_child_of_a_cancelled_parent_is_forced_by_its_first_call() {
        let parent = Cancel::new();
        parent.cancel_because(CancelReason::Shutdown);
        let child = parent.child();
        assert_eq!(child.reason(), Some(CancelReason::Shutdown));
        child.cancel();
        assert!(child.is_forced() && !parent.is_forced());
    }

    #[test]
    fn force_keeps_the_reason_of_whoever_asked_first() {
        let parent = Cancel::new();
        let (child, other) = (parent.child(), parent.child());
        other.force();
        parent.cancel_because(CancelReason::Shutdown);
        child.force();
        assert!(child.is_forced() && !parent.is_forced());
        assert_eq!(child.reason(), Some(CancelReason::Shutdown));
        assert_eq!(other.reason(), Some(CancelReason::Caller));
    }

    #[test]
    fn a_foreign_token_asks_politely() {
        let token = CancellationToken::new();
        let cancel = Cancel::from(token.clone());
        let child = cancel.child();
        assert_eq!((cancel.reason(), child.reason()), (None, None));
        token.cancel();
        for cancel in [cancel, child] {
            assert_eq!((cancel.reason(), cancel.is_forced()), (Some(CancelReason::Caller), false));
        }
    }
}
