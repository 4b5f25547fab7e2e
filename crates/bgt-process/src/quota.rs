//! The limits of a run: ready before anything is started, in force as soon as it is.

use std::io;

use bgt_sys::{Child, Limiter};

use crate::{Command, CommandError};

/// What is in force of a command's limits.
#[derive(Default)]
pub(crate) struct Limited {
    limiter: Option<Limiter>,
    /// Why not all of them.
    pub(crate) why_not: Option<String>,
}

impl Command {
    /// Makes the limits ready, before anything is started.
    pub(crate) fn limited(&self) -> Result<Limited, CommandError> {
        let mut limited = Limited::default();
        if !self.quota.is_empty() {
            match Limiter::new(&self.quota) {
                Ok(limiter) => limited.limiter = Some(limiter),
                Err(error) => self.go_without(&mut limited, error)?,
            }
        }
        Ok(limited)
    }

    /// Puts them in force for what was started just now.
    pub(crate) fn limit(&self, limited: &mut Limited, child: &mut Child) -> Result<(), CommandError> {
        match limited.limiter.take().map(|limiter| child.limit(limiter)) {
            Some(Err(error)) => self.go_without(limited, error),
            _ => Ok(()),
        }
    }

    fn go_without(&self, limited: &mut Limited, source: io::Error) -> Result<(), CommandError> {
        if !self.quota.is_best_effort() {
            return Err(CommandError::QuotaUnavailable { quota: self.quota, source });
        }
        tracing::warn!(quota = %self.quota, %source, "runs without its quota");
        limited.why_not = Some(source.to_string());
        Ok(())
    }
}
