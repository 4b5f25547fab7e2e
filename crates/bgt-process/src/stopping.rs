//! Asking a running program to stop, and killing it.

use std::time::Duration;

use bgt_core::Polite;
use bgt_sys::{Asked, Signal};
use bytes::Bytes;
use tokio::time::Instant;

use crate::running::Running;

/// How the program was made to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Asked,
    Killed,
    Undeliverable,
}

/// Where a stop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    Asked { kill_at: Instant },
    Killed { give_up_at: Instant },
}

impl Running<'_> {
    /// Asks the program to stop, or kills it where it cannot be asked. `None`: it has just ended by itself.
    pub(crate) async fn ask(&mut self) -> Option<How> {
        // Now, while the parents of those that left the tree are still there to tell whose children they are.
        self.child.find_strays().await;
        let signal = match &self.stop.polite {
            Polite::StdinText(text) => return Some(self.ask_by_stdin(Bytes::copy_from_slice(text))),
            Polite::CloseStdin => return Some(self.ask_by_stdin(Bytes::new())),
            Polite::Kill => {
                self.kill();
                return Some(How::Killed);
            }
            polite => signal_of(polite),
        };
        match self.child.ask(signal) {
            Ok(Asked::Delivered) => Some(self.wait_for_it()),
            Ok(Asked::Ended) => None,
            Ok(Asked::Undeliverable) => {
                self.kill();
                Some(How::Undeliverable)
            }
            Err(error) => {
                tracing::warn!(pid = self.child.id(), %error, "a program could not be asked to stop");
                self.kill();
                Some(How::Undeliverable)
            }
        }
    }

    fn ask_by_stdin(&mut self, text: Bytes) -> How {
        if let Some(feed) = &mut self.feed {
            feed.finish_with(text);
        }
        self.wait_for_it()
    }

    fn wait_for_it(&mut self) -> How {
        self.phase = Phase::Asked { kill_at: from_now(self.stop.grace) };
        How::Asked
    }

    pub(crate) fn kill(&mut self) {
        if let Err(error) = self.child.kill() {
            tracing::warn!(pid = self.child.id(), %error, "a program could not be killed");
        }
        self.phase = Phase::Killed { give_up_at: from_now(self.stop.reap) };
    }
}

/// What a policy asks with that asks by signal.
pub(crate) fn signal_of(polite: &Polite) -> Signal {
    match polite {
        Polite::Interrupt => Signal::Interrupt,
        Polite::Hangup => Signal::Hangup,
        _ => Signal::Terminate,
    }
}

/// A policy may say "for ever": then this is as good as that.
pub(crate) fn from_now(wait: Duration) -> Instant {
    let years = Duration::from_secs(30 * 365 * 24 * 3600);
    Instant::now() + wait.min(years)
}
