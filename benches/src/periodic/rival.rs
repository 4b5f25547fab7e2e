//! Who else fires on time.

use std::any::Any;
use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Firings;
use crate::Result;

/// What has to be held for as long as it is to fire.
pub type Held = Box<dyn Any + Send>;

/// A rival that is made ready.
pub type Making = Pin<Box<dyn Future<Output = Result<Held>> + Send>>;

/// So many that fire every whole second, in one ledger.
pub type Many = fn(usize, Arc<Firings>) -> Making;

/// Another way to fire on time. What it cannot do is left out.
#[derive(Clone, Copy)]
pub struct Rival {
    /// The name in `against`.
    pub name: &'static str,
    /// One that fires again and again, as often as it can, each firing told.
    pub one: Option<fn(Arc<Firings>) -> Making>,
    /// So many that fire every whole second, each told.
    pub many: Option<Many>,
    /// So many by these patterns, which are not fired here.
    pub add: Option<Adding>,
}

/// So many by these patterns.
pub type Adding = fn(usize, Pattern) -> Making;

/// When schedules are due that are added and not fired.
#[derive(Clone, Copy, Debug)]
pub enum Pattern {
    /// Each at the first minute of the year.
    NewYear,
    /// Each at a minute of its own in the first week of the year.
    Differing,
}

impl Pattern {
    /// That of the `n`th schedule, of minute, hour, day, month and day of the week.
    #[must_use]
    pub fn of(self, n: usize) -> Cow<'static, str> {
        match self {
            Self::NewYear => "0 0 1 1 *".into(),
            Self::Differing => format!("{} {} {} 1 *", n % 60, n / 60 % 24, 1 + n / (60 * 24)).into(),
        }
    }
}

pub(super) const OWN_CRATES: &[Rival] =
    &[Rival { name: "tokio-interval", one: None, many: Some(intervals), add: None }];

/// What people write first: a task for each, with an interval of tokio.
fn intervals(count: usize, firings: Arc<Firings>) -> Making {
    Box::pin(async move {
        let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.subsec_nanos();
        let second = Duration::from_secs(1);
        let start = Instant::now() + second - Duration::from_nanos(passed.into());
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..count {
            let firings = firings.clone();
            tasks.spawn(async move {
                let mut interval = interval_at(start, second);
                interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
                loop {
                    interval.tick().await;
                    firings.fired_this_second();
                }
            });
        }
        Ok(Box::new(tasks) as Held)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::periodic::MANY;

    #[test]
    fn ten_thousand_differing_patterns_differ() {
        let patterns: BTreeSet<_> = (0..MANY).map(|n| Pattern::Differing.of(n)).collect();
        assert_eq!(patterns.len(), MANY);
        assert!(patterns.contains("59 23 6 1 *"), "the last minute of a day");
    }
}
