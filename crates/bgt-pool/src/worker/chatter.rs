//! What a worker prints to stderr, as lines for the log.

use std::sync::Arc;

use bgt_process::SessionOutput;
use memchr::memchr;

/// Longer lines are cut into parts of so many bytes.
const LONGEST: usize = 8 << 10;

pub(crate) struct Chatter {
    pub(crate) output: SessionOutput,
    pool: Arc<str>,
    pid: u32,
    begun: Vec<u8>,
    over: bool,
}

impl Chatter {
    pub(crate) fn new(output: SessionOutput, pool: Arc<str>, pid: u32) -> Self {
        Self { output, pool, pid, begun: Vec::new(), over: false }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Waits for the next piece and logs the lines that end in it. Cancel-safe.
    pub(crate) async fn step(&mut self) {
        let Some(piece) = self.output.next().await else {
            self.over = true;
            return self.log_begun();
        };
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let room = LONGEST - self.begun.len();
            let end = memchr(b'\n', rest);
            let taken = end.unwrap_or(rest.len()).min(room);
            self.begun.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if end == Some(taken) {
                rest = &rest[1..];
                self.log_begun();
            } else if self.begun.len() == LONGEST {
                self.log_begun();
            }
        }
    }

    fn log_begun(&mut self) {
        if !self.begun.is_empty() {
            let line = self.output.shown(self.begun.trim_ascii_end());
            tracing::info!(target: "bgt_pool::worker", pool = %self.pool, pid = self.pid, "{line}");
            self.begun.clear();
        }
    }
}
