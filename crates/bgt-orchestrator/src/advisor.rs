//! Which pattern fits: a decision without a clock, a run or a history.
//!
//! Owns: the order in which patterns are asked, and the words for why one was taken and another was not.
//! Never does: look anything up; [`Orchestrator::recommend`](crate::Orchestrator::recommend) does that first.

mod recommendation;
mod requirements;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod tests;

use bgt_core::Pattern;

pub use recommendation::{Alternative, FromHistory, Reason, Recommendation, Weighed};
pub use requirements::Requirements;

/// The order in which patterns are asked whether they are needed; the first that is, is recommended.
pub(crate) const ORDER: [Pattern; 6] = [
    Pattern::Periodic,
    Pattern::Streaming,
    Pattern::Concurrent,
    Pattern::Detached,
    Pattern::Pooled,
    Pattern::Simple,
];

/// Recommends a pattern. Pure: the same requirements always get the same answer.
///
/// # Examples
///
/// ```
/// use bgt_orchestrator::{Advisor, Pattern, Requirements};
/// use std::time::Duration;
///
/// let nightly = Requirements::new().recurring().expected(Duration::from_secs(3600));
/// let advice = Advisor::recommend(&nightly);
/// assert_eq!(advice.pattern, Pattern::Periodic);
/// assert_eq!(advice.alternatives[0].pattern, Pattern::Streaming); // it is long, too
/// println!("{advice}");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Advisor;

impl Advisor {
    /// The first pattern that these requirements ask for, in this order: recurring, [`Periodic`](Pattern::Periodic);
    /// watched or longer than [a minute](Requirements::LONG), [`Streaming`](Pattern::Streaming); more than one task,
    /// [`Concurrent`](Pattern::Concurrent); nobody waits for the result, [`Detached`](Pattern::Detached); more often than
    /// [ten times a minute](Requirements::FREQUENT), [`Pooled`](Pattern::Pooled); otherwise [`Simple`](Pattern::Simple).
    #[must_use]
    pub fn recommend(requirements: &Requirements) -> Recommendation {
        let asked: Vec<_> = ORDER.iter().map(|pattern| (*pattern, requirements.ask_for(*pattern))).collect();
        let chosen = asked.iter().position(|(_, reasons)| !reasons.is_empty());
        let (pattern, reasons) = match chosen {
            Some(place) => asked[place].clone(),
            None => (Pattern::Simple, vec![Reason::NothingElse]),
        };
        let others = asked.into_iter().filter(|(other, _)| *other != pattern);
        let mut alternatives: Vec<_> =
            others.map(|(other, reasons)| Alternative::weigh(other, pattern, reasons)).collect();
        // Those that were asked for too come first; both parts stay in the order of precedence.
        alternatives.sort_by_key(|alternative| alternative.verdict == Weighed::NotNeeded);
        Recommendation { pattern, reasons, alternatives, from_history: None }
    }
}
