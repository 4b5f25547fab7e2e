//! What each pattern is for: the one source of the comparison in the documents.
//!
//! Owns: the words, and how they become a page. Never does: decide; the advisor and the selection do.

mod page;
mod patterns;

use std::fmt;

use bgt_core::Pattern;

pub use page::comparison;

/// What a pattern is for, in words for people.
///
/// `{}` is a page of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The pattern.
    pub pattern: Pattern,
    /// Its name, which is also the name of the feature.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub what: &'static str,
    /// When to use it.
    pub when: &'static str,
    /// What it gives.
    pub benefits: &'static [&'static str],
    /// What it does not give, and what to use then.
    pub limitations: &'static [&'static str],
    /// A program that uses it, whole: it can be pasted.
    pub example: &'static str,
    /// The crate that it is in.
    pub package: &'static str,
    /// What [`Orchestrator::execute`](crate::Orchestrator::execute) selects it by.
    pub selected_by: &'static str,
}

/// What this pattern is for.
///
/// # Examples
///
/// ```
/// use bgt_orchestrator::{Pattern, explain};
///
/// let detached = explain(Pattern::Detached);
/// assert_eq!(detached.name, "detached");
/// println!("{detached}");
/// ```
#[must_use]
pub fn explain(pattern: Pattern) -> &'static Explanation {
    match pattern {
        Pattern::Simple => &patterns::SIMPLE,
        Pattern::Streaming => &patterns::STREAMING,
        Pattern::Concurrent => &patterns::CONCURRENT,
        Pattern::Detached => &patterns::DETACHED,
        Pattern::Periodic => &patterns::PERIODIC,
        Pattern::Pooled => &patterns::POOLED,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, what, when, benefits, limitations, example, package, selected_by, .. } = self;
        writeln!(f, "{name}: {what}\n\nUse it when {when}\n\nIt gives:")?;
        for benefit in *benefits {
            writeln!(f, "  + {benefit}")?;
        }
        writeln!(f, "\nIt does not give:")?;
        for limitation in *limitations {
            writeln!(f, "  - {limitation}")?;
        }
        writeln!(f, "\nIn the crate {package}, selected by {selected_by}\n")?;
        f.write_str(example)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_six_is_explained_as_itself_and_in_full() {
        for pattern in Pattern::ALL {
            let explanation = explain(pattern);
            assert_eq!((explanation.pattern, explanation.name), (pattern, pattern.as_str()));
            assert!(explanation.benefits.len() >= 3 && explanation.limitations.len() >= 2, "{pattern}");
            assert!(explanation.example.contains(&format!("bgt.{pattern}(")) || pattern == Pattern::Pooled);
            for text in [explanation.what, explanation.when, explanation.selected_by] {
                assert!(text.ends_with('.') && !text.contains('|'), "{pattern}: {text}");
            }
            for text in explanation.benefits.iter().chain(explanation.limitations) {
                assert!(!text.ends_with('.') && !text.contains('|') && !text.contains('\n'), "{text}");
            }
            assert!(explanation.to_string().contains(explanation.limitations[0]));
        }
    }
}
