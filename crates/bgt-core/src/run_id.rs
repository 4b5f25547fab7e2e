//! Names of runs.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

/// The name of one run: unique across hosts, ordered by the time it was made.
///
/// A UUID of version 7 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7)): 48 bits of
/// milliseconds, 12 bits of the fraction below, 62 random bits. Shown as a UUID (`0199…-…`), which is safe as a
/// file name and a URL segment; parsing takes every usual spelling of one.
///
/// # Examples
///
/// ```
/// use bgt_core::RunId;
///
/// let id = RunId::new();
/// assert_eq!(id.to_string().parse::<RunId>()?, id);
/// assert!("../../etc/passwd".parse::<RunId>().is_err());
/// # Ok::<(), bgt_core::InvalidRunId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct RunId(Uuid);

thread_local! {
    // Not the generator behind `fastrand::u64`: its seed comes from the time and the thread, and the host may set it.
    static RANDOM: RefCell<fastrand::Rng> =
        RefCell::new(fastrand::Rng::with_seed(RandomState::new().build_hasher().finish()));
}

impl RunId {
    /// A new name.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "every call answers something else, which is no default")]
    pub fn new() -> Self {
        Self::dated(SystemTime::now())
    }

    /// The same of a time that has just been read.
    #[must_use]
    // Made by hand from the clock and a fast thread-local generator: `Uuid::now_v7` costs about 0.4 µs, nearly half
    // of a whole run without a process; this costs a tenth of that.
    pub fn dated(now: SystemTime) -> Self {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let millis = now.as_millis() as u64 & 0xffff_ffff_ffff;
        let fraction = u64::from(now.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
        let high = (millis << 16) | (0x7 << 12) | fraction;
        let low = (0b10 << 62) | (RANDOM.with_borrow_mut(|random| random.u64(..)) >> 2);
        Self(Uuid::from_u64_pair(high, low))
    }

    /// When the name was made, to the millisecond.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        let (high, _) = self.0.as_u64_pair();
        SystemTime::UNIX_EPOCH + Duration::from_millis(high >> 16)
    }

    /// The sixteen bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// A name from its sixteen bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no run id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a run id: expected a UUID such as 01936c1e-7d3a-7f00-8a5e-3b9c2d1e4f60")]
pub struct InvalidRunId {
    value: String,
}

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        Uuid::parse_str(text).map(Self).map_err(|_| InvalidRunId { value: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_with_the_time_of_their_making() {
        let before = SystemTime::now() - Duration::from_millis(1);
        let id = RunId::new();
        assert_eq!((id.0.get_version_num(), id.0.get_variant()), (7, uuid::Variant::RFC4122));
        assert!(id.created_at() >= before && id.created_at() <= SystemTime::now());
        assert_eq!(RunId::from_bytes(*id.as_bytes()), id);
        let past = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567_890_123);
        let dated = RunId::dated(past + Duration::from_micros(7));
        assert_eq!(dated.created_at(), past);
        assert_ne!(dated, RunId::dated(past + Duration::from_micros(7)));
    }

    #[test]
    fn ids_made_on_many_threads_differ() {
        let ids: std::collections::HashSet<RunId> = (0..4)
            .map(|_| std::thread::spawn(|| (0..10_000).map(|_| RunId::new()).collect::<Vec<_>>()))
            .collect::<Vec<_>>()
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(ids.len(), 40_000);
    }

    #[test]
    fn a_host_that_seeds_its_own_randomness_does_not_repeat_ids() {
        let random_bits = || {
            fastrand::seed(7);
            RunId::new().0.as_u64_pair().1
        };
        assert_ne!(random_bits(), random_bits());
        assert_ne!(
            std::thread::spawn(random_bits).join().unwrap(),
            std::thread::spawn(random_bits).join().unwrap()
        );
    }

    #[test]
    fn ids_made_a_millisecond_apart_are_in_order() {
        let first = RunId::new();
        let made = SystemTime::now();
        while made.elapsed().unwrap_or_default() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(first < RunId::new());
    }

    #[test]
    fn a_wrong_text_is_named() {
        let error = "nonsense".parse::<RunId>().unwrap_err();
        assert!(error.to_string().contains("\"nonsense\""), "{error}");
    }
}
