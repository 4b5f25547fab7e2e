//! The task that looks after a pool: as many idle as wanted, none that is broken, none that is idle for too long, and
//! another one in the place of each that has served its time.
//!
//! It sleeps until somebody nudges it or something is due, and ends with the pool.

use std::future::pending;
use std::sync::Arc;

use deadpool::managed::{Pool, WeakPool};
use tokio::time::{Instant, sleep_until};

use super::item::{Item, Verdict};
use super::pool::Warm;
use super::yard::Yard;
use super::{Managed, Retired};

pub(super) async fn keep<M: Managed>(yard: Arc<Yard<M>>, objects: WeakPool<Warm<M>>) {
    loop {
        let next = match objects.upgrade() {
            Some(objects) => look_after(&yard, &objects, Instant::now()),
            None => return,
        };
        tokio::select! {
            biased;
            () = yard.closing.cancelled() => return,
            () = yard.nudge.notified() => {}
            () = at(next) => {}
        }
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}

/// Does what is to be done now, and says when to look again.
fn look_after<M: Managed>(yard: &Arc<Yard<M>>, objects: &Pool<Warm<M>>, now: Instant) -> Option<Instant> {
    let (mut due, mut broken) = (Vec::new(), Vec::new());
    yard.set_looking(true);
    for item in to_look_at(yard, objects) {
        match item.verdict() {
            Verdict::Fit => yard.settle(item),
            Verdict::Due(why) => due.push((item, why)),
            Verdict::Broken(failure) => broken.push((item, failure)),
        }
    }
    // After those that are fit: who waits has them by now.
    for (item, failure) in broken {
        tracing::debug!(pool = %yard.settings.name, "found broken while idle: {}", failure.what);
        item.break_down(failure);
    }
    let idle = let_idle_go(yard, objects, now);
    let term = yard.next_term(now);
    for (item, why) in due {
        // Whoever asks has its place taken already, or is told to wait until it is; it serves on meanwhile.
        if yard.may_replace() { item.retire(why) } else { yard.settle(item) }
    }
    if yard.has_waiting() {
        // What came back while somebody began to wait here.
        take(yard, objects, usize::MAX, |_| true).into_iter().for_each(|item| yard.settle(item));
    }
    yard.set_looking(false);
    yard.refuse_if_tripped();
    yard.grow();
    [idle, term].into_iter().flatten().min()
}

/// Takes out what is idle, where users have something to say about it: they are not asked within a lock.
fn to_look_at<M: Managed>(yard: &Arc<Yard<M>>, objects: &Pool<Warm<M>>) -> Vec<Box<Item<M>>> {
    let settings = &yard.settings;
    if settings.broken.is_some() || settings.worn.is_some() {
        return take(yard, objects, usize::MAX, |_| true);
    }
    if settings.limits.max_age.is_none() && settings.limits.max_uses.is_none() {
        return Vec::new();
    }
    take(yard, objects, usize::MAX, |item| item.served().is_some())
}

/// Retires those that were idle for too long, but keeps as many as are wanted.
fn let_idle_go<M: Managed>(yard: &Arc<Yard<M>>, objects: &Pool<Warm<M>>, now: Instant) -> Option<Instant> {
    let limit = yard.settings.limits.idle_timeout?;
    let most = yard.idle().saturating_sub(yard.settings.min_idle);
    let mut next = now.checked_add(limit);
    let gone = take(yard, objects, most, |item| {
        let until = item.idle_since.checked_add(limit);
        let over = until.is_some_and(|until| until <= now);
        if !over {
            next = next.min(until);
        }
        over
    });
    for item in gone {
        item.retire(Retired::Idle);
    }
    // Those in use now are idle from some later moment on, so the next look is early enough for them.
    (yard.idle() > yard.settings.min_idle || yard.in_use.load(std::sync::atomic::Ordering::Acquire) > 0)
        .then_some(next)
        .flatten()
}

/// Takes out of the idle ones what the test says, so many at most.
fn take<M: Managed>(
    yard: &Arc<Yard<M>>,
    objects: &Pool<Warm<M>>,
    most: usize,
    mut test: impl FnMut(&Item<M>) -> bool,
) -> Vec<Box<Item<M>>> {
    let mut left = most;
    let mut test = |item: &Item<M>| {
        let taken = test(item) && left > 0;
        left -= usize::from(taken);
        taken
    };
    let mut taken = yard.take_ready(&mut test);
    taken.extend(objects.retain(|item, _| !test(item)).removed);
    taken
}
